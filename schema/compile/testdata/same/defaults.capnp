@0xa1f2e3d4c5b60001;

enum Colour { red @0; green @1; blue @2; }

struct All {
  void @0 :Void = void;
  bool @1 :Bool = true;
  int8 @2 :Int8 = -128;
  int16 @3 :Int16 = -0x8000;
  int32 @4 :Int32 = 0x7fffffff;
  int64 @5 :Int64 = -0x8000000000000000;
  uint8 @6 :UInt8 = 0377;
  uint16 @7 :UInt16 = 65535;
  uint32 @8 :UInt32 = 0xffffffff;
  uint64 @9 :UInt64 = 18446744073709551615;
  float32 @10 :Float32 = 1.5;
  float64 @11 :Float64 = -1.25e-7;
  text @12 :Text = "tab\t quote\" hex\x41 octal\101 \a\b\f\v\?\'";
  data @13 :Data = 0x"de ad be ef 00";
  colour @14 :Colour = blue;
  self @15 :All = (bool = false, text = "inner", self = (int8 = 7, colour = red));
  any @16 :AnyPointer;
  struct @17 :AnyStruct;
  list @18 :AnyList;
  cap @19 :Capability;
  voids @20 :List(Void) = [void, void];
  bools @21 :List(Bool) = [true, false, true, true, false, true, false, true, true];
  int8s @22 :List(Int8) = [1, -1, 127];
  int16s @23 :List(Int16) = [-1, 0x7fff];
  int32s @24 :List(Int32) = [-1];
  int64s @25 :List(Int64) = [-1, 0];
  uint8s @26 :List(UInt8) = [255, 0];
  uint16s @27 :List(UInt16) = [1, 2, 3, 65535, 5];
  uint32s @28 :List(UInt32) = [4294967295];
  uint64s @29 :List(UInt64) = [1, 18446744073709551615];
  float32s @30 :List(Float32) = [inf, -inf, nan, 0, -0.5, 123456789];
  float64s @31 :List(Float64) = [inf, -inf, nan, 1, -2, 0.1];
  texts @32 :List(Text) = ["one", "", "thr" "ee"];
  datas @33 :List(Data) = ["text", 0x"00 ff", ""];
  colours @34 :List(Colour) = [blue, red, green,];
  structs @35 :List(All) = [(), (int8 = 1), (texts = ["x"], structs = [()])];
  lists @36 :List(List(UInt8)) = [[], [1], [1, 2]];
  textLists @37 :List(List(List(Text))) = [[["a"], []], []];
  structLists @38 :List(List(All)) = [[(uint8 = 9)], []];
  emptyText @39 :Text = "";
  emptyData @40 :Data = "";
  emptyList @41 :List(Int32) = [];
  emptyStruct @42 :All = ();
  noDefault @43 :Colour;
  intFloat @44 :Float32 = -7;
  bigFloat @45 :Float32 = 1e300;
  nanFloat @46 :Float64 = nan;
  infFloat @47 :Float32 = -inf;
  zero @48 :Int8 = -0;
  caps @49 :List(Capability);
  anyLists @50 :List(AnyList);
  ifaces @51 :List(Iface);
  iface @52 :Iface;
  fromConst @53 :Int32 = .number;
  fromOther @54 :UInt64 = Scope.small;
  fromText @55 :Text = .words;
  fromList @56 :List(Int32) = .numbers;
  fromStruct @57 :All = .whole;
  fromAny @58 :AnyPointer = .whole;
  fromAnyList @59 :AnyList = .numbers;
  fromEnum @60 :Colour = green;
  fromFloat @61 :Float64 = .number;
  mixed @62 :List(Int32) = [1, .number, Scope.small];
  fromAnyStruct @63 :AnyStruct = .whole;
}

interface Iface {}

const number :Int32 = 42;
const words :Text = "some words";
const numbers :List(Int32) = [1, 2, .number];
const whole :All = (uint64 = 1, self = .part, structs = [.part, (bool = true), .part], texts = .list);
const part :All = (int16 = 5, bool = true, data = .bytes);
const list :List(Text) = [.words, "b"];
const bytes :Data = 0x"01";
const shade :Colour = green;
const unset :AnyPointer = .whole;
const truth :Bool = true;
const nothing :Void = void;
const ratio :Float32 = 0.1;
const wide :Float64 = .ratio;

struct Scope {
  const small :UInt8 = 200;
  struct Inner { const deep :Text = "deep"; x @0 :Text = .Scope.Inner.deep; y @1 :Text = Inner.deep; z @2 :UInt8 = Scope.small; }
}
