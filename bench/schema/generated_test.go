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
	for _, test := range []struct{ schema, code, pkg string }{
		{"bench.capnp", "fairleadgen/bench.capnp.go", "fairleadgen"},
		{"carsales.capnp", "carsales/carsales.capnp.go", ""},
		{"catrank.capnp", "catrank/catrank.capnp.go", ""},
		{"eval.capnp", "eval/eval.capnp.go", ""},
	} {
		t.Run(test.schema, func(t *testing.T) {
			req, err := compile.Files([]string{test.schema}, compile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := codegen.Generate(req, req.Files[0].ID, codegen.Options{Package: codegen.Package{Name: test.pkg}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(test.code)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what is generated: run go generate in bench/schema", test.code)
			}
		})
	}
}
