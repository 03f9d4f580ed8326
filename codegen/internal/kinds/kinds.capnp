@0xe8b9d1f7a1c5d3e9;
# A field of every kind, with and without defaults, and names that could
# collide with what is generated.

using Go = import "/go.capnp";
using Other = import "../other/other.capnp";
$Go.package("kinds");
$Go.import("github.com/fairlead-go/fairlead/codegen/internal/kinds");

enum Flavour {
  # How it tastes.
  sweet @0;
  sour @1;  # Like a lemon.
  bitter @2 $Go.tag("very bitter");
  silent @3 $Go.notag;
}

struct Plain {
  nothing @0 :Void;
  flag @1 :Bool;
  int8 @2 :Int8;
  int16 @3 :Int16;
  int32 @4 :Int32;
  int64 @5 :Int64;
  uint8 @6 :UInt8;
  uint16 @7 :UInt16;
  uint32 @8 :UInt32;
  uint64 @9 :UInt64;
  float32 @10 :Float32;
  float64 @11 :Float64;
  text @12 :Text;
  data @13 :Data;
  flavour @14 :Flavour;
  inner @15 :Plain;
  point @16 :Other.Outer.Point;
  any @17 :AnyPointer;
  anyStruct @18 :AnyStruct;
  anyList @19 :AnyList;
}

struct Defaults {
  flag @0 :Bool = true;
  int8 @1 :Int8 = -8;
  int16 @2 :Int16 = -1600;
  int32 @3 :Int32 = -320000;
  int64 @4 :Int64 = -9223372036854775808;
  uint8 @5 :UInt8 = 255;
  uint16 @6 :UInt16 = 65535;
  uint32 @7 :UInt32 = 4294967295;
  uint64 @8 :UInt64 = 18446744073709551615;
  float32 @9 :Float32 = 1.5;
  float64 @10 :Float64 = -inf;
  text @11 :Text = "a \"text\"\nof `two` lines";
  data @12 :Data = 0x"00 ff 7f";
  flavour @13 :Flavour = sour;
  colour @14 :Other.Outer.Colour = blue;
  point @15 :Other.Outer.Point = (x = 1, y = -1);
  ints @16 :List(Int32) = [1, -2, 3];
  flags @17 :List(Bool) = [true, false, true];
  texts @18 :List(Text) = ["a", "b"];
  points @19 :List(Other.Outer.Point) = [(x = 5), (y = 6)];
  matrix @20 :List(List(UInt8)) = [[1, 2], [], [3]];
  flavours @21 :List(Flavour) = [bitter, sweet];
  datas @22 :List(Data) = ["x", 0x"00"];
}

struct Lists {
  voids @0 :List(Void);
  flags @1 :List(Bool);
  int8s @2 :List(Int8);
  int64s @3 :List(Int64);
  float32s @4 :List(Float32);
  texts @5 :List(Text);
  datas @6 :List(Data);
  flavours @7 :List(Flavour);
  plains @8 :List(Plain);
  points @9 :List(Other.Outer.Point);
  matrix @10 :List(List(Float64));
  cube @11 :List(List(List(Int16)));
  named @12 :List(Other.Named);
  textLists @13 :List(List(Text));
  boxes @14 :List(Box(Text));
  capabilities @15 :List(Capability);
}

struct Choice {
  # A union without a name beside fields that are not in it.

  before @0 :UInt16;
  union {
    none @1 :Void;
    number @2 :Int64 = 7;
    words @3 :Text;
    bytes @4 :Data;
    plain @5 :Plain;
    numbers @6 :List(Int32);
    any @7 :AnyPointer;
    flag @8 :Bool;
    flavour @9 :Flavour = bitter;
    pair :group {
      # Two of them.
      left @10 :Int32;
      right @11 :Text;
      union {
        plus @12 :Float32;
        minus @13 :Float64;
      }
    }
    single :union {
      one @14 :Void;
      two @15 :UInt8;
    }
  }
  after :group {
    first @16 :Int8 = 3;
    second @17 :List(Text);
  }
}

struct Box(T) {
  value @0 :T;
  next @1 :Box(T);

  struct Lid { of @0 :T; }
}

struct Uses {
  texts @0 :Box(Text);
  plains @1 :Box(List(Plain));
  lid @2 :Box(Data).Lid;
}

struct Names {
  # Names that mean something in Go or in what is generated.
  which @0 :Text;
  reader @1 :Text;
  type @2 :Text;
  range @3 :UInt8;
  hasType @4 :Bool;
  typeBytes @5 :Data;
  setRange @6 :UInt8;
  segment @7 :Text;
  string @8 :Text;
  renamed @9 :Text $Go.name("Chosen");
  pick @10 :Bool;
  url @11 :Text;
  userId @12 :Text $Go.doc("Said by an annotation.");

  struct Builder { x @0 :Bool; }
  struct Which { union { a @0 :Void; b @1 :Void; } }
  enum NewRoot { names @0; }
}
struct NamesWhich { x @0 :Bool; }
struct RootNames { x @0 :Bool; }
struct Segment { x @0 :Bool; }
struct String { x @0 :Bool; }
struct Schema { x @0 :Bool; }
struct Short $Go.name("Brief") {
  inner :group { x @0 :Bool; }
  enum Kind $Go.name("BriefKind") { a @0; b @1 $Go.name("BeeBee"); }
}
enum Empty {}

struct Old { a @0 :Int32; }
struct New { a @0 :Int32; b @1 :Text = "b"; c @2 :Int64 = 9; }

const theVoid :Void = void;
const theFlag :Bool = true;
const theByte :Int8 = -128;
const theCount :UInt64 = 18446744073709551615;
const theRatio :Float32 = 0.1;
const thePi :Float64 = 3.141592653589793;
const theInf :Float64 = inf;
const theNan :Float32 = nan;
const theNegativeZero :Float64 = -0.0;
const theText :Text = "it's \"quoted\"\n";
const theData :Data = 0x"de ad be ef";
const theFlavour :Flavour = bitter;
const theColour :Other.Outer.Colour = green;
const thePoint :Other.Outer.Point = (x = 3, y = 4);
const theInts :List(Int16) = [1, 2, -3];
const thePlains :List(Plain) = [(text = "one"), (int8 = 2, inner = (text = "deep"))];
const theMatrix :List(List(Text)) = [["a"], ["b", "c"]];
const theBox :Box(Text) = (value = "boxed");

interface Base extends(Other.Named) {
  ping @0 (n :Int32) -> (n :Int32);
}
interface Left extends(Base) { left @0 () -> (); ping @1 (text :Text) -> (text :Text); }
interface Right extends(Base) { right @0 () -> (self :Right); }
interface Both extends(Left, Right) {
  write @0 (chunk :Data) -> stream;
  take @1 Plain -> Choice;
  nested @2 () -> (holder :Holder, cap :Capability, list :List(Base));
  release @3 () -> ();
  client @4 [T] (value :T) -> (value :T);
}
struct Holder {
  base @0 :Base;
  group :group { left @1 :Left; }
  next @2 :Holder;
  union { a @3 :Right; b @4 :Void; }
}
interface Nothing {}
