@0xd0b1f0f6a3a6e5c1;
# What kinds.capnp imports.

using Go = import "/go.capnp";
$Go.package("other");
$Go.import("github.com/fairlead-go/fairlead/codegen/internal/other");

struct Outer {
  struct Point { x @0 :Int32; y @1 :Int32; }
  # Nested, so that the importing file has to find its whole name.

  enum Colour { red @0; green @1; blue @2; }
}

interface Named {
  getName @0 () -> (name :Text);
}

const origin :Outer.Point = (x = 0, y = 0);
