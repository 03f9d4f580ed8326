package compile_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// FuzzCompile checks that any text is an error or a request that holds together.
func FuzzCompile(f *testing.F) {
	names, err := os.ReadDir("testdata/same")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n.Name(), ".capnp") {
			text, err := os.ReadFile("testdata/same/" + n.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	bad, err := os.ReadFile(errorsFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range strings.Split(string(bad), "\n== ")[1:] {
		_, s, _ = strings.Cut(s, "\n")
		s, _, _ = strings.Cut(s, "\n-- ours")
		f.Add([]byte(s))
	}
	others := fstest.MapFS{
		"other.capnp": {Data: []byte("@0xabcdefabcdefabcd; using B = import \"fuzz.capnp\"; struct A(T) { t @0 :T; b @1 :B.S; } annotation n(*) :Text;")},
		"embed.bin":   {Data: []byte("some bytes")},
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		req, err := compile.Source("fuzz.capnp", text, compile.Options{FS: others})
		if err != nil {
			var list compile.Errors
			if !errors.As(err, &list) {
				t.Fatalf("an error that is no Errors: %v", err)
			}
			for _, e := range list {
				if e.Line < 1 || e.Col < 1 || e.Msg == "" || e.File == "" {
					t.Fatalf("an error without a place: %#v", e)
				}
			}
			return
		}
		if err := schema.NewRegistry().Add(req.Nodes...); err != nil {
			t.Fatalf("the registry refuses what was compiled: %v", err)
		}
		msg := segment.New(arena.Pool())
		defer msg.Release()
		req.Build(msg)
		if err := msg.Err(); err != nil {
			t.Fatalf("the request cannot be written: %v", err)
		}
	})
}

// FuzzValue checks that any text of a value is an error or is built.
func FuzzValue(f *testing.F) {
	for _, s := range []string{
		`(int8 = -5, self = (text = "x", structs = [(), (colour = green)]), lists = [[1], []])`, `()`, `(bool = 1)`,
		`(float32s = [inf, -inf, nan, 1e40, -0])`, `(any = x)`, `(datas = [0x"00", "x"], void = void, text = embed "x")`,
		`(self = 5)`, `[1, 2]`, `"text"`, `-1`, `(uint64 = 18446744073709551615, uint64 = -1)`, "(text = `raw\n)",
	} {
		f.Add([]byte(s))
	}
	req, err := compile.Files([]string{"testdata/same/defaults.capnp"}, compile.Options{})
	if err != nil {
		f.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		f.Fatal(err)
	}
	var all schema.Type
	for _, n := range req.Nodes {
		if n.Name() == "All" {
			all = schema.Type{Kind: schema.StructType, ID: n.ID}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		msg := segment.New(arena.Pool())
		defer msg.Release()
		err := compile.BuildValue("value", text, all, reg, msg.RootBuilder())
		if msg.Err() != nil {
			t.Fatalf("a fault in building: %v", msg.Err())
		}
		if err == nil && msg.Root().IsNull() {
			t.Fatal("neither a value nor an error")
		}
	})
}
