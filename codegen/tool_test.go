package codegen_test

import (
	"bytes"
	"testing"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
)

// The request of the capnp tool gives the same code as that of our compiler.
func TestSameFromTool(t *testing.T) {
	out := tool(t, &bytes.Buffer{}, "compile", "-o-", "internal/kinds/kinds.capnp")
	msg, err := framing.Read(bytes.NewBufferString(out))
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	want := generated(t, compiled(t, "internal/kinds/kinds.capnp"), codegen.Options{})
	if got := generated(t, req, codegen.Options{}); got != want {
		t.Error("the code differs")
	}
}

// A file that is imported for a type has to have a Go package.
func TestImports(t *testing.T) {
	req := compiled(t, "internal/kinds/kinds.capnp")
	for _, n := range req.Nodes {
		if n.Kind == schema.KindFile && n.DisplayName == "internal/other/other.capnp" {
			n.Annotations = nil
		}
	}
	file := req.Files[0].ID
	if src, err := codegen.Generate(req, file, codegen.Options{}); err == nil {
		t.Fatalf("no error, but\n%s", src)
	}
	for _, name := range []string{"internal/other/other.capnp", "../other/other.capnp"} {
		src, err := codegen.Generate(req, file, codegen.Options{Imports: map[string]codegen.Package{name: {Path: "example.com/math/v2"}}})
		if err != nil {
			t.Errorf("by the name %s: %v", name, err)
			continue
		}
		f := parse(t, string(src))
		aliases := map[string]string{}
		for _, i := range f.Imports {
			if i.Name != nil {
				aliases[i.Path.Value] = i.Name.Name
			}
		}
		// math is a name that is taken.
		is(t, "alias", aliases[`"example.com/math/v2"`], "math_")
	}

	// In the same package there is nothing to import.
	src, err := codegen.Generate(req, file, codegen.Options{Imports: map[string]codegen.Package{
		"internal/other/other.capnp": {Path: "github.com/fairlead-go/fairlead/codegen/internal/kinds"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "schema", bytes.Contains(src, []byte("const KindsSchema = ")), true)
	is(t, "type", bytes.Contains(src, []byte("Point() OuterPoint {")), true)
}
