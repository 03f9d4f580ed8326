# The schema of the differential tests: every type that the encoding has, with
# and without defaults, groups, unions, and two versions of one struct.
# helper.c++ walks it through libcapnp's generated accessors; layout.txt is the
# same schema as a table of offsets, for walkers that have no generated code.
@0xd1f0c5a3b7e94426;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("oracle");

enum Colour {
  red @0;
  amber @1;
  green @2;
  blue @3;
}

struct Nothing {}

struct Pixel {
  x @0 :Int16;
  y @1 :Int16;
}

struct Point {
  x @0 :Int32;
  y @1 :Int32;
  label @2 :Text;
  weight @3 :Float64;
}

struct Link {
  next @0 :Link;
}

struct Everything {
  unit @0 :Void;
  flag @1 :Bool;
  i8 @2 :Int8;
  i16 @3 :Int16;
  i32 @4 :Int32;
  i64 @5 :Int64;
  u8 @6 :UInt8;
  u16 @7 :UInt16;
  u32 @8 :UInt32;
  u64 @9 :UInt64;
  f32 @10 :Float32;
  f64 @11 :Float64;
  colour @12 :Colour;
  flagTwo @13 :Bool;
  text @14 :Text;
  data @15 :Data;
  child @16 :Everything;
  nothing @17 :Nothing;
  units @18 :List(Void);
  flags @19 :List(Bool);
  i8s @20 :List(Int8);
  i16s @21 :List(Int16);
  i32s @22 :List(Int32);
  i64s @23 :List(Int64);
  u8s @24 :List(UInt8);
  u16s @25 :List(UInt16);
  u32s @26 :List(UInt32);
  u64s @27 :List(UInt64);
  f32s @28 :List(Float32);
  f64s @29 :List(Float64);
  colours @30 :List(Colour);
  texts @31 :List(Text);
  datas @32 :List(Data);
  matrix @33 :List(List(Int32));
  children @34 :List(Everything);
  nothings @35 :List(Nothing);
  pixels @36 :List(Pixel);
  points @37 :List(Point);
  links @38 :List(Link);
  any @39 :AnyPointer;
  cap @40 :AnyPointer;
  defaults @41 :Defaults;
  choice @42 :Choice;
  box :group {
    width @43 :UInt16;
    height @44 :UInt16;
    title @45 :Text;
  }
  choices @46 :List(Choice);
  point @47 :Point;
  grid @48 :List(List(List(UInt8)));
  pages @49 :List(List(Text));
  shapes @50 :List(List(Point));
  bitRows @51 :List(List(Bool));
}

struct Defaults {
  flag @0 :Bool = true;
  i8 @1 :Int8 = -123;
  i16 @2 :Int16 = -12345;
  i32 @3 :Int32 = -12345678;
  i64 @4 :Int64 = -123456789012345;
  u8 @5 :UInt8 = 234;
  u16 @6 :UInt16 = 45678;
  u32 @7 :UInt32 = 3456789012;
  u64 @8 :UInt64 = 12345678901234567890;
  f32 @9 :Float32 = 1234.5;
  f64 @10 :Float64 = -123e45;
  f32Nan @11 :Float32 = nan;
  f64Inf @12 :Float64 = -inf;
  colour @13 :Colour = green;
  flagOff @14 :Bool = false;
  text @15 :Text = "fairlead";
  data @16 :Data = 0x"00 01 fe ff";
  point @17 :Point = (x = 3, y = -4, label = "default", weight = 2.5);
  flags @18 :List(Bool) = [true, false, true, true, false, false, true, false, true];
  i32s @19 :List(Int32) = [1, -2, 3];
  u8s @20 :List(UInt8) = [7, 8, 9];
  f64s @21 :List(Float64) = [0.5, inf, nan];
  texts @22 :List(Text) = ["rope", "", "cleat"];
  points @23 :List(Point) = [(x = 1), (y = 2, label = "second"), (weight = -1)];
  pixels @24 :List(Pixel) = [(x = 5, y = 6), (x = -7)];
  units @25 :List(Void) = [void, void];
  child @26 :Defaults;
  emptyText @27 :Text = "";
}

struct Choice {
  before @0 :UInt16;
  union {
    nil @1 :Void;
    num @2 :Int64;
    str @3 :Text;
    kid @4 :Choice;
    list @5 :List(UInt16);
    pair :group {
      a @6 :UInt32 = 99;
      b @7 :Text;
    }
  }
  shape :union {
    circle @8 :Float64;
    square @9 :Float32 = 1.5;
    blob @10 :Data;
    dot @11 :Pixel;
    none @12 :Void;
  }
  after @13 :Bool;
}

# Old and New are one struct before and after it grew: New reads what Old
# wrote (upgrade), Old reads what New wrote (downgrade).

struct OldItem {
  n @0 :UInt16;
  s @1 :Text;
}

struct Old {
  a @0 :UInt32;
  b @1 :Text;
  one @2 :OldItem;
  many @3 :List(OldItem);
  bits @4 :List(Bool);
  bytes @5 :List(UInt8);
  shorts @6 :List(UInt16);
  ints @7 :List(Int32);
  longs @8 :List(UInt64);
  names @9 :List(Text);
  rows @10 :List(List(UInt16));
  blanks @11 :List(Void);
  blobs @12 :List(Data);
}

struct NewItem {
  n @0 :UInt16;
  s @1 :Text;
  m @2 :UInt64 = 77;
  t @3 :Text = "new";
}

struct NewByte {
  v @0 :UInt8;
  w @1 :UInt16;
}

struct NewShort {
  v @0 :UInt16;
  w @1 :UInt64;
  note @2 :Text;
}

struct NewInt {
  v @0 :Int32;
  w @1 :Int32;
}

struct NewLong {
  v @0 :UInt64;
  w @1 :UInt64;
  note @2 :Text;
}

struct NewName {
  s @0 :Text;
  n @1 :UInt32;
  t @2 :Text;
}

struct NewRow {
  r @0 :List(UInt16);
  n @1 :UInt32;
}

struct NewBlank {
  v @0 :UInt32;
}

struct NewBlob {
  d @0 :Data;
}

struct New {
  a @0 :UInt32;
  b @1 :Text;
  one @2 :NewItem;
  many @3 :List(NewItem);
  bits @4 :List(Bool);
  bytes @5 :List(NewByte);
  shorts @6 :List(NewShort);
  ints @7 :List(NewInt);
  longs @8 :List(NewLong);
  names @9 :List(NewName);
  rows @10 :List(NewRow);
  blanks @11 :List(NewBlank);
  blobs @12 :List(NewBlob);
  c @13 :UInt64;
  d @14 :List(Old);
}
