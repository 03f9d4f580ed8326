package compile_test

import (
	"fmt"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

func ExampleFiles() {
	// As embed.FS or os.DirFS would be.
	files := fstest.MapFS{"point.capnp": {Data: []byte(`@0xd4c5b6a798897a6b;
struct Point {
  x @0 :Float64;
  y @1 :Float64;
  label @2 :Text = "a corner";
}
`)}}
	req, err := compile.Files([]string{"point.capnp"}, compile.Options{FS: files})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range req.Nodes {
		fmt.Println(n.ID, n.Kind, n.DisplayName)
		if n.Struct == nil {
			continue
		}
		for _, f := range n.Struct.Fields {
			fmt.Printf("  %s at %d: %v %q\n", f.Name, f.Offset, f.Type.Kind, f.Default.Ptr.Text())
		}
	}
	// Output:
	// @0xd4c5b6a798897a6b file point.capnp
	// @0xf795591fb8c5c4ee struct point.capnp:Point
	//   x at 0: Float64 ""
	//   y at 1: Float64 ""
	//   label at 0: Text "a corner"
}

func ExampleSource_errors() {
	_, err := compile.Source("bad.capnp", []byte(`@0xd4c5b6a798897a6b;
struct Point {
  x @0 :Flaot64;
  y @2 :UInt8 = 256;
}
`), compile.Options{})
	fmt.Println(err)
	// Output:
	// bad.capnp:3:9-16: error: Not defined: Flaot64
	// bad.capnp:4:6-7: error: Skipped ordinal @1.  Ordinals must be sequential with no holes.
	// bad.capnp:4:17-20: error: Integer value out of range.
}

func ExampleValue() {
	list := schema.Type{Kind: schema.ListType, Elem: &schema.Type{Kind: schema.Text}}
	v, err := compile.Value("command line", []byte(`["one", "two"]`), list, schema.NewRegistry())
	if err != nil {
		fmt.Println(err)
		return
	}
	for text := range v.Ptr.Texts().All() {
		fmt.Println(text)
	}
	// Output:
	// one
	// two
}
