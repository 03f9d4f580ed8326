@0xa1f2e3d4c5b60006;
using import "sub/lib.capnp".Alias;
using L = import "sub/../sub/lib.capnp";
using Cxx = import "/capnp/c++.capnp";
using Json = import "/capnp/compat/json.capnp";
using Schema = import "/capnp/schema.capnp";
$Cxx.namespace("a::b");
struct Circular { c @0 :L.Circle; }
struct User {
  a @0 :Alias;
  b @1 :L.Shared.E = y;
  c @2 :import "sub/lib.capnp".Other;
  d @3 :UInt16 = L.Shared.k;
  e @4 :List(L.Shared) = import "sub/lib.capnp".secret;
  f @5 :Text = embed "sub/embed.txt";
  g @6 :Data = embed "sub/embed.txt";
  h @7 :Schema.Node.Parameter = embed "sub/param.bin";
  i @8 :Text $Json.name("other") $Cxx.name("other");
  j @9 :Schema.CodeGeneratorRequest.RequestedFile;
  k @10 :Text = import "consts.capnp".onlyInValues;
}
interface Sub extends(L.Faces, import "sub/lib.capnp".Faces) {
  write @0 (data :Data) -> stream;
  done @1 ();
  both @2 (x :import "/capnp/schema.capnp".Value) -> L.Shared;
}
