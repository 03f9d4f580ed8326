package codegen_test

import (
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/codegen"
)

// An interface that extends the standard Persistent needs nothing to be told: its
// code is part of this module. Whoever has other code for it tells.
func TestPersistent(t *testing.T) {
	req := parsed(t, `
		using Persistent = import "/capnp/persistent.capnp".Persistent;
		interface Note extends(Persistent(Data, Text)) { text @0 () -> (text :Text); }`)
	src := generated(t, req, codegen.Options{})
	for _, want := range []string{
		`"github.com/fairlead-go/fairlead/rpc/persistent"`,
		"func (c Note) Save(ctx context.Context, fill func(persistent.PersistentSaveParamsBuilder)) persistent.PersistentSaveFuture",
		"Save(ctx context.Context, call persistent.PersistentSaveCall) error",
	} {
		if !strings.Contains(src, want) {
			t.Errorf("%s is missing in\n%s", want, src)
		}
	}
	src = generated(t, req, codegen.Options{Imports: map[string]codegen.Package{"/capnp/persistent.capnp": {Path: "example.org/other"}}})
	if !strings.Contains(src, `"example.org/other"`) || strings.Contains(src, "fairlead/rpc/persistent") {
		t.Errorf("the package that was told is not used:\n%s", src)
	}
}
