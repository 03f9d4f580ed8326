# Every production of the schema language, for the tests of the formatter.

@0xd0d68a6a34b7f9cd;
# This is the doc comment of the file.

using Cxx = import "/capnp/c++.capnp";
using import "/capnp/c++.capnp".namespace;
using Other = .Things;

$Cxx.namespace("language");

annotation onAll @0xb5aa3d1e9d5ae0ad (*) :Text;
# Everything.
annotation onFew(struct, field, group, union) :Things $onAll("x");
annotation bare(file, const, enum, enumerant, interface, method, param, annotation) :Void;

const answer @0xf9ab2c6d30bd81c7 :Int32 = 42 $bare $onAll("a const");
const negative :Int64 = -9223372036854775808;
const hexadecimal :UInt64 = 0xfFfF;
const octal :UInt8 = 017;
const third :Float64 = 3.3e-1;
const half :Float32 = .oneHalf;
const oneHalf :Float32 = 0.5;
const boundless :Float64 = -inf;
const unknown :Float32 = nan;
const nothing :Void = void;
const yes :Bool = true;
const greeting :Text = "hello, \"\x77\157rld\"\n" "and all";
const bytes :Data = 0x"00 ff
    12";
const nested :List(List(Int16)) = [[1, 2], [], [-3]];
const things :Things = (
  name = "x",  # what it is called
  # and more
  color = green,

  parts = [(count = 1), (count = 2),],
  choice = (b = 5), either = "e"
);

enum Color @0xd8b1e5d7ab2ae5fd $bare {
  # How it looks.

  red @0;
  green @2 $onAll("g");    # like grass
  blue @1;
}

struct Things @0xd30600fb8ac82e0d $onFew(name = "self", color = blue) {
  name @0 :Text = "none";  # the name
  # of the thing

  # This is about nothing.

  color @1 :Color = red;
  parts @2 :List(Part);
  choice :group $onFew() {
    # One of two.
    union {
      a @3 :Void;
      b @4 :Int32 = -7 $onFew(name = "b");
    }
  }
  kind @5! :union {
    one @6 :UInt8 = 0x10;
    two :group { # a group
      x @7 :Float32 = 1.5;
      y @8 :AnyPointer;
    }
  } # the kind
  union { either @9 :Text; or @10 :Data = 0x"ff"; }

  struct Part { count @0 :Int32; }
  const limit :UInt16 = 500;
  using P = Part;
  annotation within(field) :P;
  mine @11 :P $within(count = .Things.limit);
}

struct Empty {}
struct Pair(A, B) {
  # A pair.
  first @0 :A;
  second @1 :B;
  inner @2 :Inner(A);
  struct Inner(C) { c @0 :C; b @1 :B; }
}

struct Uses {
  texts @0 :Pair(Text, List(Data));
  inner @1 :Pair(Text, Data).Inner(Empty);
  any @2 :Pair(AnyPointer, Empty);
  caps @3 :List(Service);
}

interface Service @0xc2b0f7a3e8e6d5f4 extends(Base, Typed(Text)) $onAll("s") {
  # Some methods.
  plain @0 (a :Int32, b :Text = "b" $bare) -> (c :Data);
  none @1 ();
  byStruct @2 Things -> Uses $bare;
  generic @3 [T, U] (t :T, u :Pair(T, U)) -> (v :U);
  flow @4 (chunk :Data) -> stream;
  long @5 (
      first :Int32,  # one
      second :Things = (name = "d", parts = [])
      )
      -> (third :Service, fourth :List(Service))
      $onAll("long");
}
interface Base {}
interface Typed(T) { get @0 () -> (t :T); }
