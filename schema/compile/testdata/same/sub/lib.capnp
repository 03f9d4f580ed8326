@0xa1f2e3d4c5b60005;
annotation mark(*) :Void;
annotation number(file) :UInt16;
struct Shared { a @0 :Int8; enum E { x @0; y @1; } struct Unused { b @0 :Other; } const k :UInt16 = 99; }
struct Other { c @0 :Third; }
struct Third { annotation inThird(struct) :Void; }
struct Alone $Third.inThird { d @0 :Lonely; }
struct Lonely {}
const secret :List(Shared) = [(a = 1), (a = 2)];
interface Faces { use @0 (f :Faces) -> (s :Shared); }
using Alias = Shared;
using Back = import "../imports.capnp";
struct Circle { back @0 :Back.Circular; }
