package compile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

func displayNames(req *schema.Request) (out []string) {
	for _, n := range req.Nodes {
		out = append(out, n.DisplayName)
	}
	slices.Sort(out)
	return out
}

func TestFileSystem(t *testing.T) {
	files := fstest.MapFS{
		"app/main.capnp":       {Data: []byte("@0xfedcba9876543210; using S = import \"../lib/shared.capnp\"; struct A { a @0 :S.B; b @1 :import \"/x.capnp\".X; }")},
		"lib/shared.capnp":     {Data: []byte("@0xfedcba9876543211; struct B { back @0 :import \"../app/main.capnp\".A; }")},
		"inc1/other.capnp":     {Data: []byte("@0xfedcba9876543212;")},
		"inc2/x.capnp":         {Data: []byte("@0xfedcba9876543213; struct X { b @0 :import \"../lib/./shared.capnp\".B; }")},
		"inc2/capnp/c++.capnp": {Data: []byte("@0xfedcba9876543214; annotation mine(*) :Void;")},
		"app/std.capnp":        {Data: []byte("@0xfedcba9876543215; $import \"/capnp/c++.capnp\".namespace(\"a\");")},
		"app/mine.capnp":       {Data: []byte("@0xfedcba9876543216; $import \"/capnp/c++.capnp\".mine;")},
		"app/stream.capnp":     {Data: []byte("@0xfedcba9876543217; interface I { m @0 () -> stream; }")},
		"app/go.capnp":         {Data: []byte("@0xfedcba9876543218; using Go = import \"/go.capnp\"; $Go.package(\"p\"); $Go.import(\"example.com/p\"); struct S $Go.doc(\"d\") $Go.name(\"n\") { a @0 :Int8 $Go.customtype(\"c\"); }")},
		"app/out.capnp":        {Data: []byte("@0xfedcba9876543219; using A = import \"../../out.capnp\";")},
		"app/noid.capnp":       {Data: []byte("const a :Int8 = 1;")},
	}
	for _, tt := range []struct {
		name  string
		files []string
		opt   compile.Options
		want  []string
		err   string
	}{
		{
			name: "cycle and paths", files: []string{"app/main.capnp"}, opt: compile.Options{ImportPaths: []string{"inc1", "inc2"}},
			want: []string{"app/main.capnp", "app/main.capnp:A", "lib/shared.capnp", "lib/shared.capnp:B", "x.capnp", "x.capnp:X"},
		},
		{
			name: "one file twice", files: []string{"app/main.capnp", "./app/../app/main.capnp"}, opt: compile.Options{ImportPaths: []string{"inc2"}},
			want: []string{"app/main.capnp", "app/main.capnp:A", "lib/shared.capnp", "lib/shared.capnp:B", "x.capnp", "x.capnp:X"},
		},
		{
			name: "prefix", files: []string{"app/noid.capnp"}, opt: compile.Options{SrcPrefixes: []string{"app"}, RandomIDs: true},
			want: []string{"noid.capnp", "noid.capnp:a"},
		},
		{name: "no id", files: []string{"app/noid.capnp"}, err: "File does not declare an ID."},
		{name: "import path missing", files: []string{"app/main.capnp"}, err: "app/main.capnp:1:97-107: error: Import failed: /x.capnp"},
		{name: "no such file", files: []string{"app/nope.capnp"}, err: "compile: app/nope.capnp: file does not exist"},
		{name: "a folder", files: []string{"app"}, err: "compile: app: app is not a regular file"},
		{name: "out of the file system", files: []string{"app/out.capnp"}, err: "Import failed: ../../out.capnp: it lies outside of the file system"},
		{name: "name out of the file system", files: []string{"../x.capnp"}, err: "compile: ../x.capnp: it lies outside of the file system"},
		{
			name: "built in", files: []string{"app/std.capnp"},
			want: []string{"app/std.capnp", "capnp/c++.capnp", "capnp/c++.capnp:namespace"},
		},
		{
			name: "import path before built in", files: []string{"app/mine.capnp"}, opt: compile.Options{ImportPaths: []string{"inc2"}},
			want: []string{"app/mine.capnp", "capnp/c++.capnp", "capnp/c++.capnp:mine"},
		},
		{name: "nothing built in", files: []string{"app/std.capnp"}, opt: compile.Options{NoStandardImports: true}, err: "Import failed: /capnp/c++.capnp"},
		{
			name: "stream", files: []string{"app/stream.capnp"},
			want: []string{
				"app/stream.capnp", "app/stream.capnp:I", "app/stream.capnp:I.m$Params", "capnp/c++.capnp", "capnp/c++.capnp:namespace",
				"capnp/stream.capnp", "capnp/stream.capnp:StreamResult",
			},
		},
		{name: "no stream", files: []string{"app/stream.capnp"}, opt: compile.Options{NoStandardImports: true}, err: "'/capnp/stream.capnp' is not found"},
		{
			name: "go", files: []string{"app/go.capnp"},
			want: []string{
				"app/go.capnp", "app/go.capnp:S", "go.capnp", "go.capnp:customtype", "go.capnp:doc", "go.capnp:import", "go.capnp:name", "go.capnp:package",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.FS = files
			req, err := compile.Files(tt.files, tt.opt)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := displayNames(req); !slices.Equal(got, tt.want) {
				t.Errorf("nodes\n%q, want\n%q", got, tt.want)
			}
			if len(req.Files) != len(tt.files) {
				t.Errorf("%d requested files, want %d", len(req.Files), len(tt.files))
			}
		})
	}
}

// The ids that users of go-capnp have in their schemas.
func TestGoAnnotationIDs(t *testing.T) {
	req, err := compile.Source("f.capnp", []byte("@0xfedcba9876543210; using Go = import \"/go.capnp\"; $Go.package(\"p\"); $Go.import(\"i\");"),
		compile.Options{FS: fstest.MapFS{}})
	if err != nil {
		t.Fatal(err)
	}
	file := req.Nodes[0]
	if a := file.Annotations; len(a) != 2 || a[0].ID != 0xbea97f1023792be0 || a[1].ID != 0xe130b601260e44b5 {
		t.Errorf("annotations %v", a)
	}
	if v := file.Annotations[0].Value.Ptr.Text(); v != "p" {
		t.Errorf("package %q, want p", v)
	}
}

func TestLinkIsSameFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.capnp", "@0xfedcba9876543210; struct S {}")
	write("b.capnp", "@0xfedcba9876543211; struct T { a @0 :import \"a.capnp\".S; b @1 :import \"link.capnp\".S; }")
	if err := os.Symlink("a.capnp", filepath.Join(dir, "link.capnp")); err != nil {
		t.Skip("SKIPPED: no links here: " + err.Error())
	}
	req, err := compile.Files([]string{filepath.Join(dir, "b.capnp")}, compile.Options{SrcPrefixes: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := displayNames(req), []string{"a.capnp", "a.capnp:S", "b.capnp", "b.capnp:T"}; !slices.Equal(got, want) {
		t.Errorf("nodes %q, want %q", got, want)
	}
	if imports := req.Files[0].Imports; len(imports) != 2 || imports[0].ID != imports[1].ID {
		t.Errorf("imports %v, want the same file twice", imports)
	}
}

// What a text imports may import the text in turn.
func TestSourceInCycle(t *testing.T) {
	files := fstest.MapFS{"b.capnp": {Data: []byte("@0xfedcba9876543211; struct B { a @0 :import \"a.capnp\".A; }")}}
	req, err := compile.Source("a.capnp", []byte("@0xfedcba9876543210; struct A { b @0 :import \"b.capnp\".B; }"), compile.Options{FS: files})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := displayNames(req), []string{"a.capnp", "a.capnp:A", "b.capnp", "b.capnp:B"}; !slices.Equal(got, want) {
		t.Errorf("nodes %q, want %q", got, want)
	}
}

// Source finds what a text imports as if the file were there.
func TestSource(t *testing.T) {
	text := []byte("@0xfedcba9876543210; struct A { a @0 :import \"addressbook.capnp\".Person; }")
	req, err := compile.Source("testdata/same/virtual.capnp", text, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if req.Nodes[0].DisplayName != "testdata/same/virtual.capnp" || req.Files[0].Imports[0].ID != 0x9eb32e19f86ee174 {
		t.Errorf("file %q with imports %v", req.Nodes[0].DisplayName, req.Files[0].Imports)
	}
}
