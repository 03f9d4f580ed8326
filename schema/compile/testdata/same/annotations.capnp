@0xa1f2e3d4c5b60004;
$onFile("f");
$all(1);
using Lib = import "sub/lib.capnp";
$Lib.mark;
$import "sub/lib.capnp".number(5);

annotation onFile(file) :Text;
annotation all(*) :Int32;
annotation every(file, const, enum, enumerant, struct, field, union, group, interface, method, param, annotation) :Data;
annotation onField(field) :Shape;
annotation list(struct, method) :List(Shape);
annotation kind(struct) :Kind;
annotation colour @0xfeedfacecafef00d (enumerant) :Float32;
annotation generic(struct) :List(List(Text));

enum Kind $all(3) { a @0 $all(4) $colour(1.5); b @1 $colour(inf); }
const c :Int8 = 1 $all(5);
const d :Text = "x" $every("y");
struct Shape $all(6) $kind(b) $list([(f = 1), (g = (h = "x"))]) {
  f @0 :Int32 = 5 $all(7) $onField(f = 1, g = (h = "y"));
  g :group $all(8) { h @1 :Text $every(0x"01 02"); }
  union { i @2 :Void; j @3 :Void $Lib.mark; }
  k :union $all(10) $every("u") { l @4 :Void; m @5 :Void; }
  annotation nested(*) :Bool;
  n @6 :Text $nested(true) $Shape.nested(false);
  o @7 :Text $onField(()) $all(.c);
}
interface I $all(11) {
  m @0 (p :Int8 $all(12), q :Text = "z" $every("w")) -> (r :Bool $all(13)) $all(14) $list([]);
  # Doc of the method.
  n @1 Shape -> Shape $Lib.mark;
}
struct Matrix $generic([["a"], [], ["b", "c"]]) {}
