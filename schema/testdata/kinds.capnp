@0x8c1c5bd8ee0ba5a4;
# Every kind of declaration, type and value.

$onFile("a file");

annotation onFile (file) :Text;
annotation onAll @0xd15eb4a1f4cba90d (*) :Int32;
annotation onStruct (struct, union, group) :Defaults;
annotation onField (field) :List(Text);
annotation onEnum (enum, enumerant) :Void;
annotation onRpc (interface, method, param) :Colour;
annotation onMeta (const, annotation) :Float64;

enum Colour $onEnum {
  # The colours.

  red @0;
  # Like a rose.
  green @2 $onEnum;
  blue @1;
}

enum Lonely { only @0; }

struct Empty {}

struct Defaults $onAll(-5) {
  # All types, with defaults and without.

  void @0 :Void;
  bool @1 :Bool = true;
  int8 @2 :Int8 = -128;
  int16 @3 :Int16 = -32768;
  int32 @4 :Int32 = -2147483648;
  int64 @5 :Int64 = -9223372036854775808;
  uint8 @6 :UInt8 = 255;
  uint16 @7 :UInt16 = 65535;
  uint32 @8 :UInt32 = 4294967295;
  uint64 @9 :UInt64 = 18446744073709551615;
  float32 @10 :Float32 = -1.5e10;
  float64 @11 :Float64 = inf;
  text @12 :Text = "text\twith \"escapes\"" $onField(["a", "b"]);
  data @13 :Data = 0x"00 ff";
  list @14 :List(Int16) = [1, -2, 3];
  colour @15 :Colour = blue;
  struct @16 :Sub = (a = 1, next = (a = 2), names = ["x"]);
  interface @17 :Service;
  any @18 :AnyPointer;
  anyStruct @19 :AnyStruct;
  anyList @20 :AnyList;
  capability @21 :Capability;
  structs @22 :List(Sub) = [(a = 7), (names = ["y", "z"])];
  lists @23 :List(List(Bool)) = [[true, false], []];
  emptyText @24 :Text = "";
  emptyList @25 :List(Text) = [];
  emptyStruct @26 :Sub = ();
  bits @27 :List(Bool) = [true, false, true];
  voids @28 :List(Void) = [void, void];
  plain @29 :Text;
  zero @30 :Int32 = 0;
  nans @31 :List(Float32) = [nan, -inf];
  datas @32 :List(Data) = ["abc", 0x"01"];
  colours @33 :List(Colour) = [green, red];

  struct Sub {
    a @0 :UInt8;
    next @1 :Sub;
    names @2 :List(Text);
  }
}

struct Unions $onStruct(int8 = 3, text = "on a struct") {
  before @0 :Int32;
  union {
    # Without a name.
    first @1 :UInt16;
    # The first.
    second :group {
      # A group in a union.
      x @2 :Float32;
      y @3 :Text;
      # Doc of y.
    }
    third @6 :Void;
  }
  named :union {
    p @4 :Bool;
    q @5 :AnyPointer;
  }
  placed @7! :union {
    r @8 :Int64;
    s @9 :Void;
  }
  flat :group $onStruct() {
    only @10 :Text;
    deep :group { more @11 :Text; }
  }
}

struct Generic(T, U) {
  value @0 :T;
  other @1 :U;
  both @2 :Generic(T, U);
  swapped @3 :Generic(U, T);
  inner @4 :Inner(Text);
  list @5 :List(Generic(Text, Data));
  half @6 :Generic(List(Int8), AnyPointer);
  none @7 :Generic;
  group :group { g @8 :T; }

  struct Inner(V) {
    v @0 :V;
    t @1 :T;
  }
  struct Plain {
    u @0 :U;
  }
  interface Maker(W) extends (Service) {
    make @0 (t :T, w :W) -> (made :Inner(W));
  }
}

struct Uses {
  a @0 :Generic(Text, Defaults).Inner(Data);
  b @1 :Generic(Generic(Text, Text), AnyPointer).Plain;
  c @2 :Generic(Text, Text).Maker(Data);
}

interface Service $onRpc(red) {
  # A service.

  plain @0 (a :Int32 = 5 $onRpc(blue), b :Text = null) -> (sum :Int64) $onRpc(green);
  # Doc of plain.
  structs @1 Defaults -> Unions;
  nothing @2 ();
  stream @3 (chunk :Data) -> stream;
  generic @4 [A, B] (a :A, list :Generic(B, A)) -> (b :B, g :Generic(A, B));
  make @5 () -> (service :Service);
}

interface NoMethods {}

interface Derived extends (Service, Generic(Text, Data).Maker(Text)) {
  more @0 () -> ();
}

const number :Int32 = 42 $onMeta(2.5);
const text :Text = "constant";
const ratio :Float64 = -0.25;
const colour :Colour = green;
const whole :Defaults.Sub = (a = 9, names = [.text]);
const numbers :List(UInt64) = [1, 18446744073709551615];
const bytes :Data = "bytes";
const nothing :Void = void;
const nested :List(List(Defaults.Sub)) = [[(a = 1)], []];
const truth :Bool = true;
