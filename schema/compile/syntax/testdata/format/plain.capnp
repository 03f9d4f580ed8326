# Tests of how schemas are laid out.
@0x8000000000000001; # the file

using import "foo.capnp".Foo;
using .Bar.Baz;
using X = Foo.Bar;
$Cxx.namespace("a::b");
struct A(T, U) $foo("x") $bar {
  a @0 :List(Text) = ["a", "b"];
  union { b @1 :Void; c @2 :Void; }
  g :group { d @3 :Int32 = -5; }
} # doc of A
struct Empty {}
struct B @0x8000000000000002 (T) {

  # Not a doc comment.

  # Belongs to the field.
  a @0 :Text;  # doc of a
  # more of it

  b @1 :Bool = true;  # tabs before

  # at the end
}
enum E {
  a @0 $x;
  b @1;
  c @2;
}
interface I extends(J, K(Text)) {
  a @0 (x :Text, y : .Foo = (a = 1, b = [1, 2])) -> (z :Data) $m;
  b @1 () -> stream;
  c @2 [T, U] P(T) -> .R;
  d @3 (
    x :Text, # the first
    y :Text
  ) -> ();
}
annotation f @0x8000000000000003 (struct, field) :Text;
annotation g(*) :Void;
const p :Int32 = -5;
const q :Float32 = -inf;
const r :Float64 = 1.5;
const old :group = 5 .x;
struct U { u @0! :union { a @1 :Void; b @2 :Void; } } # one line
