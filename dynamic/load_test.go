package dynamic_test

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

//go:embed testdata/*.capnp
var embedded embed.FS

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.capnp":      `@0xd2a6f5f1c0de1001; using O = import "sub/other.capnp"; using import "/lib.capnp".Lib; struct Main { o @0 :O.Other; l @1 :Lib; }`,
		"sub/other.capnp": `@0xd2a6f5f1c0de1002; struct Other { x @0 :Int32; }`,
		"inc/lib.capnp":   `@0xd2a6f5f1c0de1003; struct Lib { y @0 :Int32; }`,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	load := dynamic.Loader{ImportPaths: []string{filepath.Join(dir, "inc")}}
	mod, err := load.Load(filepath.Join(dir, "main.capnp"))
	if err != nil {
		t.Fatal(err)
	}
	b := build(t, mod, "Main", map[string]any{"o": map[string]any{"x": 1}, "l": map[string]any{"y": 2}})
	if got := b.Short(); got != "(o = (x = 1), l = (y = 2))" {
		t.Errorf("the struct is %s", got)
	}
	other, err := mod.Import("sub/other.capnp")
	if err != nil {
		t.Fatal(err)
	}
	if typ := typeOf(t, other, "Other"); typ != b.Struct("o").Type() {
		t.Error("a type of an imported file is not the one that its importer uses")
	}
	if _, err := mod.Import("nope.capnp"); err == nil {
		t.Error("an import that is not there is found")
	}

	fsys := fstest.MapFS{"a/main.capnp": {Data: []byte(`@0xd2a6f5f1c0de1004; using import "x.capnp".X; struct M { x @0 :X; }`)}, "a/x.capnp": {Data: []byte(`@0xd2a6f5f1c0de1005; enum X { a @0; }`)}}
	if mod, err = dynamic.LoadFS(fsys, "a/main.capnp"); err != nil {
		t.Fatal(err)
	}
	if got := build(t, mod, "M", map[string]any{"x": "a"}).Short(); got != "(x = a)" {
		t.Errorf("from an fs.FS the struct is %s", got)
	}
	if mod, err = dynamic.LoadFS(embedded, "testdata/addressbook.capnp"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"AddressBook", "Person", "Person.PhoneNumber", "Person.PhoneNumber.Type"}; !slices.Equal(mod.Names(), want) {
		t.Errorf("the names are %v, want %v", mod.Names(), want)
	}
}

// TestLoadFaults checks that faults of schemas are errors with their places.
func TestLoadFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"syntax":            {"@0xd2a6f5f1c0de1001;\nstruct S { x @0 :Int32 }", "f.capnp:2:"},
		"duplicate ordinal": {"@0xd2a6f5f1c0de1001;\nstruct S { x @0 :Int32; y @0 :Int32; }", "f.capnp:2:"},
		"duplicate id":      {"@0xd2a6f5f1c0de1001;\nstruct S @0xd2a6f5f1c0de1009 {}\nstruct T @0xd2a6f5f1c0de1009 {}", "f.capnp:"},
		"bad import":        {"@0xd2a6f5f1c0de1001;\nusing import \"nope.capnp\".X;", "f.capnp:2:"},
		"no id":             {"struct S {}", "f.capnp:1:"},
	} {
		_, err := dynamic.LoadFS(fstest.MapFS{"f.capnp": {Data: []byte(c.text)}}, "f.capnp")
		var errs compile.Errors
		if !errors.As(err, &errs) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "dynamic: ") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if _, err := dynamic.Load(filepath.Join(t.TempDir(), "nope.capnp")); err == nil {
		t.Error("a file that is not there loads")
	}
	mod := all(t)
	_, err := mod.New("Scalar", nil)
	faulty(t, err, dynamic.ErrName, "dynamic: Scalar: no such declaration; did you mean Scalars?")
	_, err = mod.New("Colour", nil)
	faulty(t, err, dynamic.ErrType, "Colour")
	_, err = mod.New("answer", nil)
	faulty(t, err, dynamic.ErrType, "answer: is a const, not a type")
	_, err = mod.Read(build(t, mod, "All", nil).Message(), "Nope")
	faulty(t, err, dynamic.ErrName)
}

// TestSources loads one schema in every way.
func TestSources(t *testing.T) {
	req, err := compile.Files([]string{"testdata/all.capnp"}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := req.Pack()
	if err != nil {
		t.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]func() (*dynamic.Module, error){
		"request":  func() (*dynamic.Module, error) { return dynamic.Loader{}.Request(req) },
		"packed":   func() (*dynamic.Module, error) { return dynamic.Loader{}.Unpack(packed) },
		"registry": func() (*dynamic.Module, error) { return dynamic.Loader{Registry: reg}.Module(req.Files[0].ID) },
	} {
		mod, err := load()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b := build(t, mod, "All", map[string]any{"child": map[string]any{"text": name}})
		// Values of one loading are taken by another one.
		c := build(t, all(t), "All", b)
		c.Set("child", b.Struct("child"))
		if got := c.Text("child.text"); got != name || c.Err() != nil {
			t.Errorf("%s: the text is %q, the fault %v", name, got, c.Err())
		}
	}
	for name, load := range map[string]func() (*dynamic.Module, error){
		"empty request":   func() (*dynamic.Module, error) { return dynamic.Loader{}.Request(&schema.Request{}) },
		"not packed":      func() (*dynamic.Module, error) { return dynamic.Loader{}.Unpack("\x00nonsense") },
		"no registry":     func() (*dynamic.Module, error) { return dynamic.Loader{}.Module(req.Files[0].ID) },
		"not in registry": func() (*dynamic.Module, error) { return dynamic.Loader{Registry: reg}.Module(1 << 63) },
		"a file that is missing": func() (*dynamic.Module, error) {
			return dynamic.Loader{}.Request(&schema.Request{Files: []schema.RequestedFile{{ID: 1 << 63}}})
		},
	} {
		if _, err := load(); err == nil || !strings.HasPrefix(err.Error(), "dynamic: ") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestArenas builds in memory of the caller's, also in memory that fails.
func TestArenas(t *testing.T) {
	small, err := arena.NewFixed(make([]byte, 128))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := dynamic.Loader{Arena: small}.Load("testdata/all.capnp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mod.New("All", map[string]any{"text": strings.Repeat("x", 200)}); !errors.Is(err, segment.ErrArena) {
		t.Errorf("in memory that is too small the error is %v", err)
	}
	b := build(t, mod, "Scalars", map[string]any{"i8": 1})
	b.Set("i16", 2)
	sound(t, b)

	msg := segment.NewSized(arena.Pool(), 1<<16)
	defer msg.Release()
	in, err := all(t).NewIn(msg, "All", map[string]any{"text": "x"})
	if err != nil || in.Message() != msg || msg.Segments() != 1 {
		t.Fatalf("NewIn gives %v in %d segments", err, msg.Segments())
	}
	again, err := in.Type().EditRoot(msg)
	if err != nil {
		t.Fatal(err)
	}
	again.Set("text", "y")
	if got := in.Text("text"); got != "y" {
		t.Errorf("the text is %q after it was set by another builder", got)
	}
	_, err = all(t).NewIn(msg, "All", map[string]any{"text": 1})
	faulty(t, err, dynamic.ErrType)
	if !errors.Is(msg.Err(), dynamic.ErrType) {
		t.Errorf("the message does not have the fault of its values but %v", msg.Err())
	}
}

func TestConsts(t *testing.T) {
	mod := all(t)
	for name, want := range map[string]string{
		"answer": "int32 42", "pi": "float64 3.25", "yes": "bool true", "nothing": "<nil> <nil>", "greeting": "string hello", "bytes": "[]uint8 [1 2 255]",
		"favourite": "string blue", "primes": "dynamic.List [2, 3, 5]", "names": `dynamic.List ["x", "y"]`, "Annotated.inside": "uint8 200",
	} {
		v, err := mod.Const(name)
		if got := fmt.Sprintf("%T %v", v, v); got != want || err != nil {
			t.Errorf("%s is %s, want %s (%v)", name, got, want, err)
		}
	}
	v, err := mod.Const("point")
	if err != nil {
		t.Fatal(err)
	}
	if p := v.(dynamic.Struct); p.Int("i8") != -1 || p.Uint("u64") != 1<<64-1 || p.Enum("e").String() != "green" || p.Err() != nil {
		t.Errorf("point is %v", p)
	}
	_, err = mod.Const("anwser")
	faulty(t, err, dynamic.ErrName, "did you mean answer?")
	_, err = mod.Const("All")
	faulty(t, err, dynamic.ErrType, "not a constant")
}
