# Every kind of field, for the tests of package dynamic.
@0xd2a6f5f1c0de0001;

annotation note(*) :Text;
annotation weight(field, struct, enumerant) :Int32;
annotation shape(field, method, interface) :Scalars;

enum Colour {
  red @0 $weight(7);
  green @1;
  blue @2;
}

struct Scalars {
  b @0 :Bool;
  i8 @1 :Int8;
  i16 @2 :Int16;
  i32 @3 :Int32;
  i64 @4 :Int64;
  u8 @5 :UInt8;
  u16 @6 :UInt16;
  u32 @7 :UInt32;
  u64 @8 :UInt64;
  f32 @9 :Float32;
  f64 @10 :Float64;
  e @11 :Colour;
  v @12 :Void;
}

struct Defaults {
  b @0 :Bool = true;
  i8 @1 :Int8 = -12;
  u16 @2 :UInt16 = 40000;
  i64 @3 :Int64 = -1234567890123;
  f32 @4 :Float32 = 1.5;
  f64 @5 :Float64 = -inf;
  e @6 :Colour = blue;
  t @7 :Text = "text";
  d @8 :Data = 0x"00 ff";
  s @9 :Scalars = (i32 = -5, e = green);
  l @10 :List(Int16) = [1, -2, 3];
  ls @11 :List(Scalars) = [(i8 = 1), (i8 = 2)];
  lt @12 :List(Text) = ["a", "bc"];
}

struct All {
  scalars @0 :Scalars;
  text @1 :Text;
  data @2 :Data;
  lv @3 :List(Void);
  lb @4 :List(Bool);
  li8 @5 :List(Int8);
  li16 @6 :List(Int16);
  li32 @7 :List(Int32);
  li64 @8 :List(Int64);
  lu8 @9 :List(UInt8);
  lu16 @10 :List(UInt16);
  lu32 @11 :List(UInt32);
  lu64 @12 :List(UInt64);
  lf32 @13 :List(Float32);
  lf64 @14 :List(Float64);
  le @15 :List(Colour);
  lt @16 :List(Text);
  ld @17 :List(Data);
  ls @18 :List(Scalars);
  ll @19 :List(List(Int32));
  llt @20 :List(List(Text));
  any @21 :AnyPointer;
  anyStruct @22 :AnyStruct;
  anyList @23 :AnyList;
  cap @24 :Capability;
  iface @25 :Worker;
  lif @26 :List(Worker);
  child @27 :All;
  children @28 :List(All);
  defaults @29 :Defaults;
  box @30 :Box(Text);
  pair @31 :Pair(Text, List(Int32));
  choice @32 :Choice;
  lll @33 :List(List(List(Scalars)));
  ldefaults @34 :List(Defaults);
}

struct Choice {
  before @0 :UInt16;
  union {
    nothing @1 :Void;
    flag @2 :Bool;
    small @3 :Int8;
    large @4 :UInt64;
    text @5 :Text;
    data @6 :Data;
    colour @7 :Colour;
    scalars @8 :Scalars;
    numbers @9 :List(Int32);
    group :group {
      x @10 :Int32;
      y @11 :Text;
      inner :union {
        p @12 :UInt8;
        q @13 :Text;
      }
    }
    any @14 :AnyPointer;
  }
  plain :group {
    a @15 :Int16 = 3;
    b @16 :Text;
  }
}

struct Box(T) {
  value @0 :T;
  next @1 :Box(T);
  nested @2 :Box(Box(T));

  struct Inner(U) {
    outer @0 :T;
    own @1 :U;
  }
}

struct Pair(A, B) {
  a @0 :A;
  b @1 :B;
}

struct UsesInner {
  inner @0 :Box(Text).Inner(Data);
}

struct Old {
  a @0 :UInt32;
  t @1 :Text;
}

struct New {
  a @0 :UInt32;
  t @1 :Text;
  b @2 :UInt64 = 77;
  u @3 :Text = "later";
  l @4 :List(Old);
}

struct Many {
  grp :group {
    f00 @0 :UInt8; f01 @1 :UInt8; f02 @2 :UInt8; f03 @3 :UInt8; f04 @4 :UInt8; f05 @5 :UInt8; f06 @6 :UInt8; f07 @7 :UInt8;
    f08 @8 :UInt8; f09 @9 :UInt8; f10 @10 :UInt8; f11 @11 :UInt8; f12 @12 :UInt8; f13 @13 :UInt8; f14 @14 :UInt8; f15 @15 :UInt8;
    f16 @16 :UInt8; f17 @17 :UInt8; f18 @18 :UInt8; f19 @19 :UInt8; f20 @20 :UInt8; f21 @21 :UInt8; f22 @22 :UInt8; f23 @23 :UInt8;
    f24 @24 :UInt8; f25 @25 :UInt8; f26 @26 :UInt8; f27 @27 :UInt8; f28 @28 :UInt8; f29 @29 :UInt8; f30 @30 :UInt8; f31 @31 :UInt8;
    f32 @32 :UInt8; f33 @33 :UInt8; f34 @34 :UInt8; f35 @35 :UInt8; f36 @36 :UInt8; f37 @37 :UInt8; f38 @38 :UInt8; f39 @39 :UInt8;
    f40 @40 :UInt8; f41 @41 :UInt8; f42 @42 :UInt8; f43 @43 :UInt8; f44 @44 :UInt8; f45 @45 :UInt8; f46 @46 :UInt8; f47 @47 :UInt8;
    f48 @48 :UInt8; f49 @49 :UInt8; f50 @50 :UInt8; f51 @51 :UInt8; f52 @52 :UInt8; f53 @53 :UInt8; f54 @54 :UInt8; f55 @55 :UInt8;
    f56 @56 :UInt8; f57 @57 :UInt8; f58 @58 :UInt8; f59 @59 :UInt8; f60 @60 :UInt8; f61 @61 :UInt8; f62 @62 :UInt8; f63 @63 :UInt8;
    f64 @64 :UInt8; f65 @65 :UInt8; f66 @66 :UInt8; f67 @67 :UInt8; f68 @68 :UInt8; f69 @69 :UInt8;
  }
  tail @70 :Text;
}

interface Base $note("base") {
  ping @0 () -> ();
}

interface Worker extends(Base) {
  work @0 (job :Text, times :UInt32 = 3) -> (done :Bool) $shape((i32 = 4));
  feed @1 (chunk :Data) -> stream;
  fetch @2 [T] (key :Text) -> (value :T);
}

const answer :Int32 = 42;
const pi :Float64 = 3.25;
const yes :Bool = true;
const nothing :Void = void;
const greeting :Text = "hello";
const bytes :Data = 0x"01 02 ff";
const favourite :Colour = blue;
const primes :List(UInt16) = [2, 3, 5];
const point :Scalars = (i8 = -1, u64 = 18446744073709551615, e = green);
const names :List(Text) = ["x", "y"];

struct Annotated $weight(3) $note("a struct") {
  f @0 :Int8 $weight(-4) $note("a field") $shape((u8 = 9));
  const inside :UInt8 = 200;
  struct Deep { g @0 :Bool; }
}
