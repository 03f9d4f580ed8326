package dynamic_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/schema"
)

// FuzzSetPath sets, gets and changes fields by random paths and values: nothing
// may panic, and a message without a fault has to be sound.
func FuzzSetPath(f *testing.F) {
	for _, seed := range []struct {
		path string
		op   uint8
		kind uint8
		n    int64
		s    string
	}{
		{"scalars.i8", 0, 0, 5, ""},
		{"child.child.text", 0, 2, 0, "x"},
		{"choice.group.inner.q", 0, 2, 0, "y"},
		{"ls", 1, 0, 3, ""},
		{"box.next.nested.value.value", 0, 2, 0, "z"},
		{"defaults.ls", 2, 0, 0, ""},
		{"any", 0, 4, 0, "[1]"},
		{"le", 0, 6, 9, "blue"},
		{"scalars", 0, 5, 0, `{"i8":300}`},
		{"choice", 0, 5, 0, `{"text":"a","flag":true}`},
		{"child", 3, 0, 0, ""},
		{"..", 0, 0, 0, ""},
		{"", 4, 0, 0, ""},
		{"lll", 0, 7, 0, `[[[{"i8":1}],[]],null]`},
		{"many", 5, 0, 1 << 40, ""},
		{"scalars.e", 0, 1, 0, ""},
	} {
		f.Add(seed.path, seed.op, seed.kind, seed.n, seed.s)
	}
	mod, err := dynamic.Load("testdata/all.capnp")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string, op, kind uint8, n int64, s string) {
		b := build(t, mod, "All", map[string]any{"text": "t", "ls": []any{nil, nil}, "child": map[string]any{"ll": []any{[]int{1}}}})
		for _, path := range []string{path, strings.ToLower(path), path + ".x"} {
			use(b, path, op, value(kind, n, s), n)
		}
		_ = b.String()
		m := b.Map()
		if b.Err() != nil {
			if _, err := b.Message().ToSegments(); err == nil {
				t.Fatalf("a message with the fault %v leaves", b.Err())
			}
			return
		}
		r := received(t, b)
		if err := r.Message().Verify(); err != nil {
			t.Fatalf("the message is broken: %v", err)
		}
		c, err := b.Type().New(m)
		if err != nil {
			t.Fatalf("the map of the message is refused: %v", err)
		}
		defer c.Message().Release()
		if got := c.Map(); !same(m, got) {
			t.Fatalf("%v\nbecame\n%v", m, got)
		}
	})
}

// use does one of the things that can be done to a field.
func use(b dynamic.StructBuilder, path string, op uint8, v any, n int64) {
	switch op % 8 {
	case 0:
		b.Set(path, v)
		b.Get(path)
	case 1:
		l := b.InitList(path, int(uint8(n)))
		if l.Len() > 0 {
			l.Set(0, v)
			l.At(l.Len() - 1)
		}
	case 2:
		b.Init(path).Set("text", v)
	case 3:
		o := b.Disown(path)
		b.Adopt(path, o)
	case 4:
		b.Clear(path)
		b.Has(path)
		b.Which(path)
	case 5:
		g := b.Grow(path)
		g.Append(v)
		g.Append(v)
		g.Finish()
	case 6:
		b.Any(path).Set(v)
		b.Any(path).Text()
	case 7:
		r := b.Reader()
		r.Int(path)
		r.Uint(path)
		r.Float(path)
		r.Bool(path)
		r.Text(path)
		r.Data(path)
		r.Enum(path)
		r.Struct(path).Map()
		r.List(path).Slice()
		r.Capability(path)
	}
}

// value makes a value of some Go type.
func value(kind uint8, n int64, s string) any {
	switch kind % 12 {
	case 0:
		return n
	case 1:
		return math.Float64frombits(uint64(n))
	case 2:
		return s
	case 3:
		return []byte(s)
	case 4:
		return n&1 == 0
	case 5, 7:
		var v any
		if json.Unmarshal([]byte(s), &v) != nil {
			return nil
		}
		return v
	case 6:
		return []any{s, n}
	case 8:
		return dynamic.Capability(n)
	case 9:
		return json.Number(s)
	case 10:
		return map[string]any{s: n}
	}
	return []int64{n, n}
}

// FuzzSchema reads and builds values of a schema from outside.
func FuzzSchema(f *testing.F) {
	for _, file := range []string{"testdata/all.capnp", "testdata/addressbook.capnp"} {
		mod, err := dynamic.Load(file)
		if err != nil {
			f.Fatal(err)
		}
		req := schema.Request{Files: []schema.RequestedFile{{ID: mod.Node().ID}}}
		for n := range mod.Registry().Nodes() {
			req.Nodes = append(req.Nodes, n)
		}
		packed, err := req.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed string) {
		mod, err := dynamic.Loader{}.Unpack(packed)
		if err != nil {
			return
		}
		for _, name := range mod.Names() {
			if _, err := mod.Const(name); err == nil {
				continue
			}
			typ, err := mod.Type(name)
			if err != nil {
				continue
			}
			for m := range typ.AllMethods() {
				_ = m.Params.String()
			}
			b, err := typ.New(nil)
			if err != nil {
				continue
			}
			for _, f := range typ.Fields() {
				f.Set(b, 1)
				f.Set(b, "x")
				f.Set(b, map[string]any{})
				f.Get(b.Reader())
			}
			b.MapWith(dynamic.MapOptions{NullPointers: true})
			b.Message().Release()
		}
	})
}
