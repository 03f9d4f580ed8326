@0xc6b5e0f1a7d39842;
# What the programs beside this folder say to each other.

using Go = import "/go.capnp";
$Go.package("wire");
$Go.import("github.com/fairlead-go/fairlead/examples/zmq/wire");

struct Job $Go.doc("A Job is a number to be taken apart.") {
  id @0 :UInt32;
  number @1 :UInt64;
}

struct Result $Go.doc("A Result is what a worker made of a Job.") {
  id @0 :UInt32;
  factors @1 :List(UInt64);
  worker @2 :Text;
}

struct Price $Go.doc("A Price is of one thing, from now on.") {
  sequence @0 :UInt64;
  name @1 :Text;
  cents @2 :Int64;
}
