package schema

import (
	"bytes"
	"os"
	"testing"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/schema/compile"
)

// What is checked in is what fairlead generates now; go generate renews it.
func TestGenerated(t *testing.T) {
	req, err := compile.Files([]string{"calls.capnp"}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := codegen.Generate(req, req.Files[0].ID, codegen.Options{Package: codegen.Package{Name: "fairleadgen"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("fairleadgen/calls.capnp.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("fairleadgen/calls.capnp.go is not what is generated: run go generate in bench/rpc/schema")
	}
}
