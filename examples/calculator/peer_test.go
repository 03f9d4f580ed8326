package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/examples/internal/everyurl"
)

// TestCppClient has a client on Cap'n Proto's own library use the calculator,
// pipelining, functions and callbacks included.
func TestCppClient(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("compiles a C++ program")
	}
	for _, tool := range []string{"capnp", "capnpc-c++", "g++"} {
		if _, err := exec.LookPath(tool); err != nil {
			require(t, tool+" is not installed")
		}
	}
	dir := t.TempDir()
	client := filepath.Join(dir, "client")
	command := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			if strings.Contains(string(out), "No such file or directory") || strings.Contains(string(out), "cannot find -l") {
				require(t, "libcapnp-rpc is not installed")
			}
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	// The C++ compiler of schemas reads the one without Go's annotations.
	text, err := os.ReadFile("calculator/calculator.capnp")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "calculator.capnp"), withoutGo(string(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	command("capnp", "compile", "-oc++:"+dir, "--src-prefix="+dir, filepath.Join(dir, "calculator.capnp"))
	command("g++", "-std=c++17", "-I"+dir, "-o", client, "testdata/client.c++", filepath.Join(dir, "calculator.capnp.c++"),
		"-lcapnp-rpc", "-lcapnp", "-lkj-async", "-lkj", "-lpthread")

	for _, url := range []string{"unix://" + filepath.Join(dir, "s.sock"), "tcp://127.0.0.1:0"} {
		at, stop := everyurl.Start(t, run, "serve", url)
		address := strings.TrimPrefix(strings.Replace(at, "unix://", "unix:", 1), "tcp://") // as C++ has it
		out, err := exec.Command(client, address).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("at %s it prints\n%s%v, want\n%s", at, out, err, want)
		}
		stop()
	}
}

// withoutGo drops Go's annotations from a schema.
func withoutGo(schema string) []byte {
	var out strings.Builder
	for line := range strings.Lines(schema) {
		if strings.Contains(line, "/go.capnp") || strings.HasPrefix(line, "$Go.") {
			continue
		}
		if i := strings.Index(line, " $Go.name("); i >= 0 {
			j := strings.Index(line[i:], ")")
			line = line[:i] + line[i+j+1:]
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

// require skips a test for want of a peer, or fails it where peers must be
// there.
func require(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatalf("required: %s", missing)
	}
	t.Skipf("SKIPPED: %s", missing)
}
