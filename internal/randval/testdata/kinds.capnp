@0xd0c1b6f0a3c4e571;
# Every kind of field that a value can have.

enum Colour { red @0; green @1; ultramarineOfTheDeepestSort @2; ochre @3; }
enum Empty {}

interface Service {
  call @0 (a :Int32) -> (b :Text);
}

struct Nothing {}

struct Scalars {
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
  colour @12 :Colour;
  empty @13 :Empty;
}

struct Defaults {
  flag @0 :Bool = true;
  int8 @1 :Int8 = -128;
  int16 @2 :Int16 = -1;
  int32 @3 :Int32 = 2147483647;
  int64 @4 :Int64 = -9223372036854775808;
  uint8 @5 :UInt8 = 255;
  uint16 @6 :UInt16 = 1;
  uint32 @7 :UInt32 = 0xdeadbeef;
  uint64 @8 :UInt64 = 18446744073709551615;
  float32 @9 :Float32 = 1.5;
  float64 @10 :Float64 = nan;
  colour @11 :Colour = ochre;
  text @12 :Text = "some \"text\"\n";
  data @13 :Data = 0x"00 ff 80";
  ints @14 :List(Int32) = [1, -2, 3];
  scalars @15 :Scalars = (int8 = 3, float64 = -inf, colour = green);
  all @16 :List(Scalars) = [(int8 = 3), (), (flag = true)];
  union {
    none @17 :Void;
    hello @18 :Text = "hello";
    list @19 :List(Text) = ["a", "b c"];
    record @20 :Scalars = (uint8 = 7);
  }
}

struct Lists {
  voids @0 :List(Void);
  flags @1 :List(Bool);
  int8s @2 :List(Int8);
  int16s @3 :List(Int16);
  int32s @4 :List(Int32);
  int64s @5 :List(Int64);
  uint8s @6 :List(UInt8);
  uint16s @7 :List(UInt16);
  uint32s @8 :List(UInt32);
  uint64s @9 :List(UInt64);
  float32s @10 :List(Float32);
  float64s @11 :List(Float64);
  colours @12 :List(Colour);
  texts @13 :List(Text);
  datas @14 :List(Data);
  structs @15 :List(Scalars);
  unions @16 :List(Choice);
  nothings @17 :List(Nothing);
  listOfInts @18 :List(List(Int16));
  listOfTexts @19 :List(List(Text));
  deep @20 :List(List(List(Choice)));
  listOfColours @21 :List(List(Colour));
}

struct Choice {
  before @0 :Int32;
  union {
    nothing @1 :Void;
    number @2 :Float64;
    text @3 :Text;
    data @4 :Data;
    choice @5 :Choice;
    list @6 :List(Choice);
    colour @7 :Colour;
    group :group {
      a @8 :Int8;
      b @9 :Text;
      inner :union {
        c @10 :UInt64;
        d @11 :Scalars;
      }
    }
  }
  after @12 :Text;
  named :union {
    x @13 :Text;
    y @14 :Bool;
    z :group { p @15 :List(Int64); q @16 :Colour; }
  }
}

struct Pair(First, Second) {
  first @0 :First;
  second @1 :Second;
  swapped @2 :Pair(Second, First);
  inner @3 :Inner;
  struct Inner {
    value @0 :First;
    pairs @1 :List(Pair(First, Text));
  }
  group :group {
    one @4 :First;
    two @5 :List(Inner);
  }
}

struct Generic {
  texts @0 :Pair(Text, Data);
  structs @1 :Pair(Choice, List(Int32));
  lists @2 :List(Pair(List(Text), Scalars));
  nested @3 :Pair(Pair(Text, Text), Scalars);
}

struct Opaque {
  any @0 :AnyPointer;
  anyStruct @1 :AnyStruct;
  anyList @2 :AnyList;
  service @3 :Service;
  services @4 :List(Service);
  unbound @5 :Pair;
  services2 @6 :List(Capability);
  capability @10 :Capability;
  union {
    a @7 :AnyPointer;
    b @8 :Service;
    c @9 :AnyList;
  }
}

struct Everything {
  scalars @0 :Scalars;
  defaults @1 :Defaults;
  lists @2 :Lists;
  choice @3 :Choice;
  generic @4 :Generic;
  nothing @5 :Nothing;
  everything @6 :List(Everything);
}

const pi :Float64 = 3.141592653589793;
const short :Float32 = 0.1;
const greeting :Text = "Hello, \"world\"\x00\n";
const bytes :Data = 0x"00 01 7f 80 ff";
const colour :Colour = green;
const nothing :Void = void;
const flag :Bool = true;
const least :Int64 = -9223372036854775808;
const most :UInt64 = 18446744073709551615;
const numbers :List(UInt8) = [1, 2, 255];
const names :List(Text) = ["a", "a name that is too long for a line", "c"];
const record :Choice = (before = 1, group = (a = 1, inner = (c = 2)), after = "x", named = (y = true));
const defaults :Defaults = (hello = "there");
const records :List(Choice) = [(choice = (text = "t")), (list = [(), (number = inf)])];
