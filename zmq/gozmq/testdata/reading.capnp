@0xd4c2f0a1b7e39865;
# What the tests that talk to pyzmq send.

struct Reading {
  station @0 :Text;
  at @1 :UInt64;
  values @2 :List(Float64);
  notes @3 :List(Text);
}
