package json

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	values = flag.Int("values", 300, "how many random values to compare with the capnp tool")
	seed   = flag.Uint64("seed", 1, "seed of the random values")
)

// load gives a registry of one of randval's schemas and what it declares.
func load(tb testing.TB, name string) (*schema.Registry, map[string]*schema.Node) {
	tb.Helper()
	req, err := randval.Load(name)
	if err != nil {
		tb.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		tb.Fatal(err)
	}
	named := map[string]*schema.Node{}
	for _, n := range req.Nodes {
		if n.Scope == req.Files[0].ID {
			named[n.Name()] = n
		}
	}
	return reg, named
}

func structType(n *schema.Node) schema.Type { return schema.Type{Kind: schema.StructType, ID: n.ID} }

func size(n *schema.Node) segment.Size {
	return segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs}
}

// TestSameAsTool compares random values of every kind with what `capnp convert`
// makes of them, in both directions.
func TestSameAsTool(t *testing.T) {
	tool := randval.NewTool(t)
	for _, name := range []string{"kinds", "annotated"} {
		src, err := randval.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		file := tool.Schema(t, name, src)
		reg, named := load(t, name)
		codec := New(reg)
		roots := 0
		for _, n := range named {
			if n.Kind == schema.KindStruct {
				roots++
			}
		}
		for root, n := range named {
			if n.Kind != schema.KindStruct || n.Struct.DataWords+n.Struct.Ptrs == 0 || root == "Opaque" {
				continue // the tool takes an empty struct for another format
			}
			t.Run(root, func(t *testing.T) {
				fill := randval.New(reg, rand.New(rand.NewPCG(*seed, uint64(n.ID))), randval.Options{})
				for left := 1 + *values/2/roots; left > 0; left -= 500 {
					compare(t, tool, codec, fill, file, n, min(left, 500))
				}
			})
		}
	}
}

func compare(t *testing.T, tool *randval.Tool, codec *Codec, fill *randval.Filler, file string, n *schema.Node, count int) {
	var msgs []*segment.Message
	for range count {
		m, err := fill.Message(n.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		msgs = append(msgs, m)
	}
	in := randval.Stream(t, msgs)
	for _, short := range []bool{false, true} {
		args := []string{"convert", "--quiet", "binary:json", file, n.Name()}
		if short {
			args = append(args, "--short")
		}
		want, err := tool.Run(in, args...)
		if err != nil {
			t.Fatal(err)
		}
		var texts [][]byte
		for i, m := range msgs {
			got, err := codec.AppendStruct(nil, structType(n), m.Root().Struct(), Options{Short: short})
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, got)
			got = append(got, '\n')
			if !bytes.HasPrefix(want, got) {
				t.Fatalf("message %d of %d, short %v: %s", i, count, short, difference(got, want))
			}
			want = want[len(got):]
		}
		if len(want) > 0 {
			t.Fatalf("the tool wrote more: %q", want)
		}
		compareBack(t, tool, codec, file, n, texts)
	}
}

// compareBack compares what texts are read as.
func compareBack(t *testing.T, tool *randval.Tool, codec *Codec, file string, n *schema.Node, texts [][]byte) {
	var in []byte
	var ours [][]byte
	var read [][]byte
	for _, text := range texts {
		text = respell(text)
		msg := segment.New(arena.Pool())
		err := codec.DecodeStruct(text, structType(n), msg.NewRoot(size(n)), DecodeOptions{})
		if errors.Is(err, ErrSyntax) && (n.Name() == "Values" || n.Name() == "All") {
			msg.Release() // a json.Value that is a call, or NaN, is no JSON
			continue
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		flat, err := msg.Canonical()
		msg.Release()
		if err != nil {
			t.Fatal(err)
		}
		in = append(append(in, text...), '\n')
		ours, read = append(ours, flat), append(read, text)
	}
	if len(read) == 0 {
		return
	}
	out, err := tool.Run(in, "convert", "--quiet", "json:binary", file, n.Name())
	if err != nil {
		t.Fatal(err)
	}
	d := framing.NewSliceDecoder(out, framing.DecoderOptions{})
	for i := range read {
		msg, err := d.Decode()
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		flat, err := msg.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(flat, ours[i]) {
			theirs, _ := codec.AppendStruct(nil, structType(n), msg.Root().Struct(), Options{})
			mine, err := segment.FromSegments([][]byte{ours[i]})
			if err != nil {
				t.Fatal(err)
			}
			own, _ := codec.AppendStruct(nil, structType(n), mine.Root().Struct(), Options{})
			if bytes.Equal(own, theirs) {
				// Where the tool moves a group it builds the struct or list that its
				// union's member would show anyway.
				msg.Release()
				continue
			}
			t.Fatalf("message %d differs: %s\n--- from\n%s\n--- bytes\n%x\n%x", i, difference(own, theirs), read[i], ours[i], flat)
		}
		msg.Release()
	}
}

// respell changes strings to what the tool, in its version 0.9.2, can read: it
// takes braces in them for the ends of a message, slashes and # for comments, and
// misreads the letters in \u escapes.
func respell(text []byte) []byte {
	var b []byte
	inside := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			inside = !inside
			b = append(b, c)
		case inside && c == '\\' && text[i+1] == 'u':
			code := text[i : i+6]
			i += 5
			if bytes.ContainsAny(code, "abcdef") {
				b = unescape(b, code) // a control character as it is
			} else {
				b = append(b, code...)
			}
		case inside && c == '\\':
			b = append(b, c, text[i+1])
			i++
		case inside && bytes.IndexByte([]byte("{}#/"), c) >= 0:
			b = append(b, '7') // which is base64 too
		default:
			b = append(b, c)
		}
	}
	return b
}

// TestRandomSchemas is TestSameAsTool for random types.
func TestRandomSchemas(t *testing.T) {
	tool := randval.NewTool(t)
	r := rand.New(rand.NewPCG(*seed, 1))
	for i := 0; i < 1+*values/80; i++ {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			src := randval.Schema(r, true)
			file := tool.Schema(t, "random", src)
			req := tool.Compile(t, file)
			if req == nil {
				return
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("%s", src)
				}
			})
			reg := schema.NewRegistry()
			if err := reg.Add(req.Nodes...); err != nil {
				t.Fatal(err)
			}
			codec := New(reg)
			for _, n := range req.Nodes {
				if n.Scope != req.Files[0].ID || n.Kind != schema.KindStruct || n.Generic || n.Struct.DataWords+n.Struct.Ptrs == 0 {
					continue
				}
				fill := randval.New(reg, rand.New(rand.NewPCG(*seed, uint64(n.ID))), randval.Options{})
				compare(t, tool, codec, fill, file, n, 10)
			}
		})
	}
}

// difference shows where got and want part.
func difference(got, want []byte) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-100)
	return fmt.Sprintf("at byte %d\n--- got\n%s\n--- want\n%s", i, got[from:min(len(got), i+100)], want[from:min(len(want), i+100)])
}
