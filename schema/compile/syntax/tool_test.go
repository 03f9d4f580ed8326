package syntax

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// newTool gives a function that runs the capnp tool in a folder with some files
// and returns what it wrote and said. The test is skipped without the tool.
func newTool(t testing.TB) func(t testing.TB, files map[string]string, args ...string) (out []byte, said string) {
	t.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatalf("the capnp tool is required: %v", err)
		}
		t.Skipf("SKIPPED, NOTHING WAS COMPARED: %v (FAIRLEAD_REQUIRE_PEERS=1 makes this a failure)", err)
	}
	dir := t.TempDir()
	return func(t testing.TB, files map[string]string, args ...string) ([]byte, string) {
		t.Helper()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out, said bytes.Buffer
		cmd := exec.Command(path, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &said
		// What the tool finds is in what it says; its status adds nothing.
		_ = cmd.Run()
		return out.Bytes(), said.String()
	}
}
