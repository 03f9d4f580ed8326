@0xb2d1ee2e3d9b3a4f;

using Cxx = import "/capnp/c++.capnp";
using Kinds = import "kinds.capnp";
using import "kinds.capnp".Colour;

$Cxx.namespace("testdata");

struct Importing {
  colour @0 :Colour = blue;
  defaults @1 :Kinds.Defaults;
  generic @2 :Kinds.Generic(Text, Local);

  struct Local {
    const limit :UInt8 = 200;
    x @0 :UInt8 = .Importing.Local.limit;
  }
}

interface Remote extends (Kinds.Service) {
  get @0 () -> Kinds.Defaults.Sub;
}
