package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
)

// peer finds a program that a test needs, or skips it, loudly.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatalf("%s is required: %v", name, err)
	}
	t.Skipf("SKIPPED: %v (FAIRLEAD_REQUIRE_PEERS=1 makes this a failure)", err)
	return ""
}

// pluginSchema has no name that C++ has too.
const pluginSchema = `@0xe1f2a3b4c5d6e7f8;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("geometry");
# Has a doc comment.
struct Point(Label) {
  x @0 :Int32 = -7;
  union { y @1 :Float64 = 0.5; label @2 :Label; }
  more @3 :List(Point(Text));
  g :group { a @4 :Data = 0x"00ff"; kind @5 :Kind = second; }
  enum Kind { first @0; second @1; }
}
interface Plotter(T) { plot @0 (p :Point(T), q :List(Int8) = [1, 2]) -> (ok :Bool); stop @1 () -> stream; }
const origin :Point(Text) = (x = 0, label = "origin", more = [(y = 1), ()]);
annotation note(struct, field) :Text;
`

// rebuilt gives a request of the capnp tool with structs as long as ours are:
// the plugin copies them into the code, and they grow with the tool's versions.
func rebuilt(t *testing.T, request []byte) []byte {
	t.Helper()
	msg, _, err := framing.Unmarshal(request)
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCapnpcCxx feeds the plugin of C++, as the capnp tool does.
func TestCapnpcCxx(t *testing.T) {
	for _, name := range []string{"capnp", "capnpc-c++", "g++"} {
		peer(t, name)
	}
	sources := map[string]string{"point.capnp": pluginSchema}
	for _, name := range []string{"config", "kinds"} {
		from := map[string]string{"config": "testdata/config.capnp", "kinds": "../../internal/randval/testdata/kinds.capnp"}[name]
		sources[name+".capnp"] = read(t, from)
	}
	for name := range sources {
		t.Run(name, func(t *testing.T) {
			here, there := files(t, sources), files(t, sources)
			t.Chdir(here)
			if r := ours(nil, "compile", "-oc++", name); r.failed || len(r.out) > 0 {
				t.Fatal(r.say)
			}
			t.Chdir(there)
			plugin := exec.Command("capnpc-c++")
			plugin.Stdin = bytes.NewReader(rebuilt(t, theirs(t, nil, "compile", "-o-", name).out))
			if out, err := plugin.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, suffix := range []string{".h", ".c++"} {
				want, got := read(t, filepath.Join(there, name+suffix)), read(t, filepath.Join(here, name+suffix))
				if got != want {
					t.Errorf("%s%s: %s", name, suffix, difference([]byte(got), []byte(want)))
				}
			}
			if name == "point.capnp" {
				check := exec.Command("g++", "-std=c++14", "-fsyntax-only", "-x", "c++", name+".c++")
				check.Dir = here
				if out, err := check.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
	t.Run("into a folder", func(t *testing.T) {
		dir := files(t, map[string]string{"sub/point.capnp": pluginSchema, "out/x": ""})
		t.Chdir(dir)
		if r := ours(nil, "compile", "-oc++:out", "--src-prefix", "sub", "sub/point.capnp"); r.failed {
			t.Fatal(r.say)
		}
		if names := glob(t, filepath.Join(dir, "out", "point.capnp.*")); len(names) != 2 {
			t.Errorf("generated %v", names)
		}
	})
	t.Run("a plugin that fails", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("SKIPPED: no shell script is a plugin here")
		}
		dir := files(t, map[string]string{"point.capnp": pluginSchema, "plugin": "#!/bin/sh\necho no >&2\nexit 3\n"})
		t.Chdir(dir)
		if err := os.Chmod("plugin", 0o700); err != nil {
			t.Fatal(err)
		}
		if r := ours(nil, "compile", "-o./plugin", "point.capnp"); !r.failed || !strings.Contains(r.say, "no\n") || !strings.Contains(r.say, "exit status 3") {
			t.Errorf("failed %v, and said %q", r.failed, r.say)
		}
	})
}

// TestPluginOfTool has the capnp tool find capnpc-fairlead.
func TestPluginOfTool(t *testing.T) {
	capnp, goTool := peer(t, "capnp"), peer(t, "go")
	bin := t.TempDir()
	plugin := filepath.Join(bin, "capnpc-fairlead")
	if runtime.GOOS == "windows" {
		plugin += ".exe"
	}
	if out, err := exec.Command(goTool, "build", "-o", plugin, "../capnpc-fairlead").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := files(t, map[string]string{"sub/point.capnp": pointSchema, "out/x": ""})
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command(capnp, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PWD="+dir, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		return cmd.CombinedOutput()
	}
	if out, err := run("compile", "-o", "fairlead:out", "sub/point.capnp"); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Chdir(dir)
	want, err := execute("", "gen", "-o", "-", "sub/point.capnp")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, "out/sub/point.capnp.go"); got != want {
		t.Error(difference([]byte(got), []byte(want)))
	}
	for name, in := range map[string][]byte{"no request": []byte("nonsense"), "cut": {0, 0, 0, 0, 9, 0, 0, 0}, "nothing": nil} {
		cmd := exec.Command(plugin)
		cmd.Dir = dir
		cmd.Stdin = bytes.NewReader(in)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.HasPrefix(string(out), "capnpc-fairlead: ") {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
}
