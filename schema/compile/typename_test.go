package compile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

var typeFiles = fstest.MapFS{
	"main.capnp": {Data: []byte(`@0xb1b2b3b4b5b6b7b8;
using Other = import "other.capnp";
using Alias = Person.Phone;
using Entries = List(Map(Text, Person).Entry);
struct Person {
  struct Phone { number @0 :Text; }
  enum Kind { a @0; }
}
struct Map(Key, Value) {
  struct Entry { key @0 :Key; value @1 :Value; }
  struct Plain { x @0 :Int8; }
}
interface Service {}
const number :Int32 = 1;
annotation note(file) :Text;
`)},
	"other.capnp": {Data: []byte("@0xb1b2b3b4b5b6b7b9; struct Thing { inner @0 :Inner; struct Inner { x @0 :Int8; } }")},
}

// TestType names types, as the registry shows them.
func TestType(t *testing.T) {
	for _, tc := range []struct {
		name string
		want string // "" for an error, which then has what is in fault
		// onlyFile is set for what FileType alone knows: aliases and imports.
		onlyFile bool
		fault    string
	}{
		{name: "Person", want: "Person"},
		{name: ".Person", want: "Person"},
		{name: "Person.Phone", want: "Person.Phone"},
		{name: "Person.Kind", want: "Person.Kind"},
		{name: "Service", want: "Service"},
		{name: "Int32", want: "Int32"},
		{name: "List(UInt8)", want: "List(UInt8)"},
		{name: "List(List(Person.Phone))", want: "List(List(Person.Phone))"},
		{name: "Map(Text, Person)", want: "Map(Text, Person) of Text, Person"},
		{name: "Map(Text, List(Int8)).Entry", want: "Map.Entry of Text, List(Int8)"},
		{name: "Map.Entry", want: "Map.Entry"},
		{name: " Person . Phone # a comment", want: "Person.Phone"},
		{name: "Alias", want: "Person.Phone", onlyFile: true},
		{name: "Entries", want: "List(Map.Entry) of Text, Person", onlyFile: true},
		{name: "Other.Thing.Inner", want: "Thing.Inner", onlyFile: true},
		{name: `import "other.capnp".Thing`, want: "Thing", onlyFile: true},
		{name: "", fault: "Parse error"},
		{name: "Missing", fault: "Missing"},
		{name: "Person.Missing", fault: "Missing"},
		{name: "Person.phone", fault: "phone"},
		{name: "number", fault: "number"},
		{name: "note", fault: "note"},
		{name: "List", fault: "List"},
		{name: "List(Text, Text)", fault: "List"},
		{name: "Int32(Text)", fault: "Int32"},
		{name: "Person(Text)", fault: "Person"},
		{name: "Map(Text)", fault: "Map"},
		{name: "Map(Text, Int32)", fault: "pointer"},
		{name: "Map(Text, Text)(Text, Text)", fault: "Map"},
		{name: "List(Missing)", fault: "Missing"},
		{name: "List(Person", fault: "Parse error"},
		{name: "Person Person", fault: "Parse error"},
		{name: "(x = 1)", fault: ""},
		{name: "12", fault: ""},
		{name: `import "missing.capnp".Thing`, fault: ""},
		{name: strings.Repeat("List(", 100_000), fault: ""},
	} {
		label := tc.name[:min(len(tc.name), 40)]
		t.Run(label, func(t *testing.T) {
			opt := compile.Options{FS: typeFiles}
			req, typ, err := compile.FileType("main.capnp", tc.name, opt)
			check(t, "FileType", req, typ, err, tc.want, tc.fault)
			if tc.onlyFile {
				return
			}
			if req, err = compile.Files([]string{"main.capnp"}, opt); err != nil {
				t.Fatal(err)
			}
			typ, err = compile.Type(tc.name, req.Files[0].ID, registry(t, req))
			check(t, "Type", req, typ, err, tc.want, tc.fault)
		})
	}
}

func registry(t *testing.T, req *schema.Request) *schema.Registry {
	t.Helper()
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		t.Fatal(err)
	}
	return reg
}

func check(t *testing.T, what string, req *schema.Request, typ schema.Type, err error, want, fault string) {
	t.Helper()
	if want == "" {
		var faults compile.Errors
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: error %v; want one that has %q", what, err, fault)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	reg := registry(t, req)
	got := reg.TypeName(typ)
	// The names of types leave out what scopes around them are bound to.
	inner := typ
	for inner.Elem != nil {
		inner = *inner.Elem
	}
	for _, s := range inner.Brand {
		for i, b := range s.Bind {
			got += []string{" of ", ", "}[min(i, 1)] + reg.TypeName(*b)
		}
	}
	if got != want {
		t.Errorf("%s: %s; want %s", what, got, want)
	}
}

// TestFileTypeFaults gives the faults of the file and of the type together.
func TestFileTypeFaults(t *testing.T) {
	files := fstest.MapFS{"a.capnp": {Data: []byte("@0xb1b2b3b4b5b6b7b8; struct A { x @0 :Missing; }")}}
	_, _, err := compile.FileType("a.capnp", "B", compile.Options{FS: files})
	if err == nil || !strings.Contains(err.Error(), "a.capnp:1:") || !strings.Contains(err.Error(), "B:1:1") {
		t.Errorf("error %v; want one in the file and one in the type", err)
	}
	if _, _, err := compile.FileType("b.capnp", "B", compile.Options{FS: files}); err == nil {
		t.Error("no error of a file that does not exist")
	}
}
