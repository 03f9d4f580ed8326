package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// request gives the request for two files, which calls them by other names.
func request(t *testing.T, names ...string) *schema.Request {
	t.Helper()
	files := fstest.MapFS{
		"a.capnp": {Data: []byte("@0xe1f2a3b4c5d6e7f8; struct A { x @0 :Int32; }")},
		"b.capnp": {Data: []byte("@0xe1f2a3b4c5d6e7f9; struct B { y @0 :Text; }")},
	}
	req, err := compile.Files([]string{"a.capnp", "b.capnp"}, compile.Options{FS: files})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		req.Files[i].Name = name
	}
	return req
}

func marshal(t *testing.T, req *schema.Request) []byte {
	t.Helper()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	req.Build(msg)
	b, err := framing.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// generated lists the files below a folder.
func generated(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := run(bytes.NewReader(marshal(t, request(t, "a.capnp", "sub/b.capnp")))); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(generated(t, "."), " "); got != "a.capnp.go sub/b.capnp.go" {
		t.Errorf("generated %s", got)
	}
	if b, err := os.ReadFile("sub/b.capnp.go"); err != nil || !bytes.Contains(b, []byte("type B segment.Struct")) {
		t.Errorf("%v, generated:\n%s", err, b)
	}
}

func TestRunRefuses(t *testing.T) {
	whole := marshal(t, request(t))
	for _, tc := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "no CodeGeneratorRequest"},
		{"no message", []byte("nonsense"), "no CodeGeneratorRequest"},
		{"cut", whole[:len(whole)/2], "no CodeGeneratorRequest"},
		{"a file above", marshal(t, request(t, "a.capnp", "../b.capnp")), "outside"},
		{"a file at the root", marshal(t, request(t, "a.capnp", "/b.capnp")), "outside"},
		{"a file above, in the end", marshal(t, request(t, "a.capnp", "x/../../b.capnp")), "outside"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Chdir(filepath.Join(dir, "in"))
			if err := run(bytes.NewReader(tc.in)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v; want one that has %q", err, tc.want)
			}
			if names := generated(t, dir); len(names) > 0 {
				t.Errorf("generated %v", names)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("a\x1b[31m\u009b\nü"); got != "a\ufffd[31m\ufffd\nü" {
		t.Errorf("%q", got)
	}
}
