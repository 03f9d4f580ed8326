package compile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/schema/compile"
)

// schemasIn lists the schemas below a folder.
func schemasIn(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".capnp") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameAsTool compares what we and the tool make of files.
func sameAsTool(t *testing.T, names ...string) {
	t.Helper()
	theirs, err := toolRequest(t, "", names...)
	if err != nil {
		t.Fatalf("the tool: %v", err)
	}
	defer theirs.Release()
	req, err := compile.Files(names, compile.Options{})
	if err != nil {
		t.Fatalf("we: %v", err)
	}
	ours := built(t, req)
	defer ours.Release()
	for i, d := range differences(t, theirs, ours) {
		if i == 10 {
			t.Fatal("…")
		}
		t.Error(d)
	}
}

func TestSameAsToolOnInstalledSchemas(t *testing.T) {
	const dir = "/usr/include/capnp"
	tool(t)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no installed schemas: " + err.Error())
	}
	for _, name := range schemasIn(t, dir) {
		t.Run(filepath.Base(name), func(t *testing.T) { sameAsTool(t, name) })
	}
	t.Run("all", func(t *testing.T) { sameAsTool(t, schemasIn(t, dir)...) })
}

// The schemas in testdata/same use every feature of the language.
func TestSameAsToolOnLanguage(t *testing.T) {
	tool(t)
	names := schemasIn(t, "testdata/same")
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) { sameAsTool(t, name) })
	}
	t.Run("all", func(t *testing.T) { sameAsTool(t, names...) })
	slices.Reverse(names)
	t.Run("reversed", func(t *testing.T) { sameAsTool(t, names...) })
}
