@0x9a3bd9c2b7d44fd1;
# What is asked for by name, and what is saved and restored.

using Interop = import "interop.capnp";
using Sturdy = import "restorer.capnp";
using Persistent = import "/capnp/persistent.capnp".Persistent;

interface Host extends(Interop.Sequence, Persistent(Data, Text), Sturdy.Restorer, Sturdy.Exports) {
  # A bootstrap capability that has all of it as methods of its own, as a server of
  # another implementation may do it.
}

struct ObjectId {
  # An object id that is no text.
  number @0 :UInt32;
}
