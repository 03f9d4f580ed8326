@0xa1f2e3d4c5b60008;
using T = Text;
using I = Int32;
using B = A.B;
using A.B.C;
using AA = A;
using AAB = AA.B;
using L = List(A.B);
using LL = List(L);
using lowerConst = A.k;
using mark = A.mark;
using Fn = A.Fn;
struct A {
  struct B { struct C { x @0 :D; } using D = .A.En; }
  enum En { p @0; q @1; }
  const k :Int16 = 3;
  annotation mark(field) :T;
  interface Fn { call @0 (b :B, t :T) -> AAB; }
  using Self = A;
  self @0 :Self;
  deeper @1 :Self.Self.Self.B.C;
}
struct Uses {
  a @0 :T = "t" $mark("m");
  b @1 :I = 1;
  c @2 :B;
  d @3 :C;
  e @4 :AAB.C = (x = q);
  f @5 :L = [()];
  g @6 :LL = [[()], []];
  h @7 :Int16 = .lowerConst;
  i @8 :Fn;
  j @9 :AAB.D = q;
}
interface Empty {}
interface Methods extends(Empty) {
  a @2 () -> ();
  b @0 (x :Int8 = 3, y :Text = null, z :List(Int8) = null, w :Text = "d", v :Uses = null);
  c @1 Uses -> Uses;
  d @3 (a :Bool, b :Int64, c :Bool, d :Int8) -> (e :Uses = (b = 9), f :Methods = null);
}
struct WithId @0xbbbbbbbbbbbbbbbb { struct Inner {} enum E @0xcccccccccccccccc { x @0; } }
