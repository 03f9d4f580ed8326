package json

import (
	"bytes"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

var fuzzRoots = []struct{ schema, root string }{
	{"kinds", "Everything"}, {"annotated", "All"}, {"annotated", "Unions"}, {"annotated", "Tagged"}, {"kinds", "Defaults"},
}

// fuzzTarget is a type that fuzzed text or messages are taken for.
type fuzzTarget struct {
	codec *Codec
	typ   schema.Type
	size  segment.Size
}

func fuzzTargets(f *testing.F) []fuzzTarget {
	var all []fuzzTarget
	for _, r := range fuzzRoots {
		reg, named := load(f, r.schema)
		n := named[r.root]
		all = append(all, fuzzTarget{New(reg), structType(n), size(n)})
	}
	return all
}

// FuzzJSON reads any text. What it takes for JSON, written and read again, stays
// the same.
func FuzzJSON(f *testing.F) {
	targets := fuzzTargets(f)
	f.Add([]byte(`{"scalars":{"int8":1,"colour":"red"},"choice":{"text":"x"}}`), byte(0))
	f.Add([]byte(`{"tagged":{"type":"text"},"values":{"value":[1,{"a":null}]}}`), byte(1))
	f.Add([]byte(`{"colour":3,"shape-type":"circle","n_named":"y","whole":{"val":"x","tag":"p"}}`), byte(2))
	f.Add([]byte(`{"b":"x","type":"record","list":[]}`), byte(3))
	f.Fuzz(func(t *testing.T, in []byte, which byte) {
		target := targets[int(which)%len(targets)]
		codec, typ := target.codec, target.typ
		read := func(in []byte) ([]byte, error) {
			m := segment.New(arena.Pool())
			defer m.Release()
			s := m.NewRoot(target.size)
			if err := codec.DecodeStruct(in, typ, s, DecodeOptions{MaxBytes: 1 << 20}); err != nil {
				return nil, err
			}
			out, err := codec.AppendStruct(nil, typ, s.Reader(), Options{})
			if err != nil {
				t.Fatalf("%v\n%s", err, in)
			}
			return out, nil
		}
		once, err := read(in)
		if err != nil {
			return
		}
		twice, err := read(once)
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, in, once)
		}
		if !bytes.Equal(once, twice) {
			t.Fatalf("%s", difference(twice, once))
		}
	})
}

// FuzzEncode writes any bytes as messages of several types: it must come to an end
// within its limits.
func FuzzEncode(f *testing.F) {
	targets := fuzzTargets(f)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00"), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, which byte) {
		words := make([]byte, len(data)&^7)
		copy(words, data)
		if len(words) == 0 {
			return
		}
		target := targets[int(which)%len(targets)]
		const limit = 1 << 20
		for _, o := range []Options{{MaxBytes: limit}, {MaxBytes: limit, Short: true}} {
			m, err := segment.Open([][]byte{words}, segment.Options{Limits: segment.Limits{TraversalWords: 1 << 13}})
			if err != nil {
				return
			}
			got, err := target.codec.AppendStruct(nil, target.typ, m.Root().Struct(), o)
			m.Release()
			if len(got) > limit+1<<12 {
				t.Fatalf("%d bytes in spite of the limit", len(got))
			}
			if err == nil && (len(got) < 2 || got[0] != '{') {
				t.Fatalf("%q", got)
			}
		}
	})
}
