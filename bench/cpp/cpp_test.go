package cpp

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEncodingCompiles compiles into a cache of its own and finds the program
// there the second time.
func TestEncodingCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a C++ program")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	program, err := Encoding(t.Context())
	if errors.Is(err, ErrMissing) {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatalf("required: %v", err)
		}
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Stdin = strings.NewReader("version\nrun held A/build 10\nrun held A/build 0\nrun held nothing 1\ncheck held A/read\n")
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 5 {
		t.Fatalf("answers %q, %v", out, err)
	}
	for i, want := range []string{"ok libcapnp ", "ok ", "no ", "no ", "ok "} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("answer %d = %q, want %q…", i, lines[i], want)
		}
	}
	again, err := Encoding(t.Context())
	if err != nil || again != program {
		t.Fatalf("the second time: %q, %v, want %q", again, err, program)
	}
	after, err := os.Stat(again)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the program was compiled again")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(program), "build-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMissingTools(t *testing.T) {
	fakeTools := func(t *testing.T, complaint string, names ...string) {
		dir := t.TempDir()
		for _, name := range names {
			script := "#!/bin/sh\necho \"" + complaint + "\" >&2\ncase \"$1\" in -dumpfullversion|--version) exit 0;; esac\nexit 1\n"
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", dir)
		t.Setenv("HOME", t.TempDir())
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
	}
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skipf("the tools are faked with a shell: %v", err)
	}
	const noHeader = "encoding.c++:1:10: fatal error: capnp/message.h: No such file or directory"
	all := []string{"g++", "capnp", "capnpc-c++"}
	tests := []struct {
		name      string
		tools     []string
		complaint string
		missing   bool
		want      string
	}{
		{"nothing", nil, "", true, "g++ is not installed"},
		{"no capnp", all[:1], "", true, "capnp is not installed"},
		{"no plug-in", all[:2], "", true, "capnpc-c++ is not installed"},
		{"no headers", all, noHeader, true, "fatal error: capnp/message.h"},
		{"no library", all, "/usr/bin/ld: cannot find -lcapnp", true, "cannot find -lcapnp"},
		{"faulty source", all, "encoding.c++:7:1: error: expected ;", false, "error: expected ;"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fakeTools(t, tt.complaint, tt.tools...)
			_, err := Encoding(t.Context())
			if err == nil || errors.Is(err, ErrMissing) != tt.missing || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q, missing: %t", err, tt.want, tt.missing)
			}
		})
	}
}
