@0xe9b2c9d1f0a37b15;
# Every annotation of json.capnp that has to do with values.

using Json = import "/capnp/compat/json.capnp";

enum Mode {
  first @0;
  second @1 $Json.name("the \"2nd\" one");
  third @2 $Json.name("");
}

struct Renamed {
  plain @0 :Text;
  other @1 :Text $Json.name("an-other one");
  mode @2 :Mode;
  modes @3 :List(Mode);
  raw @4 :Data;
  base64 @5 :Data $Json.base64;
  hex @6 :Data $Json.hex $Json.name("h");
  group :group $Json.name("grouped") {
    x @7 :Int32 $Json.name("ex");
    y @8 :Renamed;
  }
  union {
    a @9 :Void;
    b @10 :Text $Json.name("bee");
    c @11 :Renamed;
  }
}

struct Flat {
  own @0 :Int32;
  group :group $Json.flatten() {
    foo @1 :UInt32;
    bar @2 :Text;
    sub :group $Json.flatten(prefix = "sub.") { baz @3 :Bool; qux @4 :List(Mode); }
    kept :group $Json.name("kept!") { hello @5 :Bool; }
  }
  prefixed :group $Json.flatten(prefix = "pfx-") {
    foo @6 :Text;
    more :group $Json.flatten(prefix = "more-") { foo @7 :Text; }
  }
  renamed @8 :Renamed $Json.flatten(prefix = "r_");
  leaf @9 :Leaf $Json.flatten();
}

struct Leaf { one @0 :Int16; two @1 :Text $Json.name("deux"); }

struct Tagged $Json.discriminator(name = "type") {
  id @0 :Int32;
  union {
    none @1 :Void;
    text @2 :Text;
    number @3 :Float64 $Json.name("num");
    record :group $Json.flatten() { a @4 :Int32; b @5 :Text; }
    other :group $Json.flatten() $Json.name("other one") { b @6 :Bool; c @7 :Leaf $Json.flatten(prefix = "leaf_"); }
    list @8 :List(Tagged);
    strct @9 :Leaf $Json.flatten(prefix = "s_");
  }
}

struct Valued $Json.discriminator(name = "kind", valueName = "value") {
  union {
    none @0 :Void;
    text @1 :Text;
    number @2 :Float64 $Json.name("num");
    hex @3 :Data $Json.hex;
    group :group { a @4 :Int32; b @5 :Mode; }
    tagged @6 :Tagged;
  }
  last @7 :Text;
}

struct Untagged $Json.discriminator() {
  union { a @0 :Void; b @1 :Int32; }
}

struct Unions {
  shape :union $Json.flatten() $Json.discriminator(name = "shape-type") {
    circle :group $Json.flatten() { radius @0 :Float64; colour @1 :UInt32; }
    square :group $Json.flatten() $Json.name("box") { side @2 :Float64; colour @3 :Text; }
    point @4 :Void;
  }
  named :union $Json.flatten(prefix = "n_") $Json.discriminator() {
    x @5 :Text;
    y @6 :Int8;
  }
  whole :union $Json.discriminator(name = "tag", valueName = "val") {
    p @7 :Text;
    q @8 :List(Int8);
    r @9 :Void;
  }
  plain :union {
    s @10 :Text;
    t @11 :Void;
  }
  many @12 :List(Valued);
  more @13 :List(Tagged);
  none @14 :Untagged;
}

struct Values {
  value @0 :Json.Value;
  values @1 :List(Json.Value);
  field @2 :Json.Value.Field;
}

struct All {
  renamed @0 :Renamed;
  flat @1 :Flat;
  tagged @2 :Tagged;
  valued @3 :Valued;
  unions @4 :Unions;
  values @5 :Values;
  all @6 :List(All);
}
