@0xa1f2e3d4c5b60003;

struct Map(Key, Value) {
  entries @0 :List(Entry);
  struct Entry { key @0 :Key; value @1 :Value; }
  struct Cursor(Extra) {
    extra @0 :Extra;
    at @1 :Entry;
    unbound @2 :Map.Entry;
    struct Deep(More) { all @0 :Map(More, Extra); key @1 :Key; own @2 :Deep(More); }
    deep @3 :Deep(Key);
  }
  other @1 :Map(Value, Key);
  any @2 :Map;
  same @3 :Map(Key, Value);
  interface Walker(Seen) extends(Base(Key)) {
    walk @0 Entry -> (cursor :Cursor(Text), key :Key, seen :Seen);
    stop @1 () -> Cursor(Seen);
  }
  annotation mark(struct) :Text;
  using K = Key;
  using E = Entry;
  using C = Cursor;
  using CT = Cursor(Text);
  using Swapped = Map(Value, Key);
  using Out = Outside;
  using OutG = Generic;
  struct Uses {
    k @0 :K;
    e @1 :E;
    c @2 :C;
    cd @3 :C(Data);
    ct @4 :CT;
    s @5 :Swapped.K;
    o @6 :Out;
    g @7 :OutG;
    gt @8 :OutG(List(Entry));
    w @9 :Walker(Data);
    d @10 :Cursor(Key).Deep(Value);
  }
  o @4 :Out;
  e @5 :Out.In;
  group :group { x @6 :Key; y @7 :Entry; }
}

struct Outside { struct In {} }
struct Generic(T) { t @0 :T; const inside :Text = "c"; struct Plain { x @0 :Int8; } enum En { a @0; } }
interface Base(T) { get @0 () -> (t :T); put @1 [U, V] (t :T, u :U, v :Generic(V)) -> Generic(U); pair @2 [U] Generic(U) -> (u :List(Generic(U))); }
interface Derived(T) extends(Base(T), Plain, Base(Text)) {}
interface Plain extends(Base) { m @0 [T] (a :T) -> stream; }

struct Users $Map(Text, Data).mark("brand") {
  a @0 :Map(Text, Data);
  b @1 :Map(Text, Generic(Data)).Entry;
  c @2 :Map(Users, Plain).Cursor(List(UInt32));
  d @3 :Map(Text, Data).Cursor;
  e @4 :Map.Cursor(Text);
  f @5 :Map(Text, List(Data)).K = "key";
  g @6 :Map(Text, Data).CT = (extra = "x", at = (key = "k", value = "v"));
  h @7 :Map(Text, Data).Swapped.K = 0x"01";
  i @8 :Map(Text, Data) = (entries = [(key = "a", value = "b")], other = (entries = [(key = "c", value = "d")]), group = (x = "g"));
  j @9 :Map(Text, Outside).Uses = (k = "k", e = (value = ()), s = ());
  k @10 :Generic(Text).Plain = (x = 1);
  l @11 :Generic(Text).En = a;
  m @12 :Map(AnyPointer, Base(Text)).Walker(List(Text));
  n @13 :Generic(Map(Text, Text)) = (t = (entries = []));
  o @14 :List(Generic(Text)) = [(t = "x"), .boxed];
  p @15 :Text = Generic.inside;
  q @16 :Map(Text, Data).Uses;
}
struct Generic2(T) { using Other = Generic(T); t @0 :Other; u @1 :Generic(Generic(T)); v @2 :Other.Plain; }
using OutG2 = Generic2;
const boxed :Generic(Text) = (t = "boxed");
