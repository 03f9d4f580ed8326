package text

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	values = flag.Int("values", 300, "how many random values to compare with the capnp tool")
	seed   = flag.Uint64("seed", 1, "seed of the random values")
)

// load gives a registry of one of randval's schemas and the ids of what it declares.
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

// TestSameAsTool compares random values of every kind with what `capnp decode`
// prints.
func TestSameAsTool(t *testing.T) {
	tool := randval.NewTool(t)
	for _, name := range []string{"kinds", "annotated"} {
		src, err := randval.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		file := tool.Schema(t, name, src)
		reg, named := load(t, name)
		printer := New(reg)
		roots := 0
		for _, n := range named {
			if n.Kind == schema.KindStruct {
				roots++
			}
		}
		for root, n := range named {
			if n.Kind != schema.KindStruct || n.Struct.DataWords+n.Struct.Ptrs == 0 {
				continue // the tool takes a message of an empty struct for another format
			}
			t.Run(root, func(t *testing.T) {
				fill := randval.New(reg, rand.New(rand.NewPCG(*seed, uint64(n.ID))), randval.Options{Any: true})
				for left := 1 + *values/2/roots; left > 0; left -= 500 {
					compare(t, tool, printer, fill, file, n, min(left, 500))
				}
			})
		}
	}
}

func compare(t *testing.T, tool *randval.Tool, printer *Printer, fill *randval.Filler, file string, n *schema.Node, count int) {
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
		args := []string{"decode", "--quiet", file, n.Name()}
		if short {
			args = append(args, "--short")
		}
		want, err := tool.Run(in, args...)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range msgs {
			got, err := printer.AppendStruct(nil, structType(n), m.Root().Struct(), Options{Short: short})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if !bytes.HasPrefix(want, got) {
				t.Fatalf("message %d of %d, short %v: %s", i, count, short, difference(got, want))
			}
			want = want[len(got):]
		}
		if len(want) > 0 {
			t.Fatalf("the tool printed more: %q", want)
		}
	}
}

// TestRandomSchemas is TestSameAsTool for random types.
func TestRandomSchemas(t *testing.T) {
	tool := randval.NewTool(t)
	r := rand.New(rand.NewPCG(*seed, 1))
	for i := 0; i < 1+*values/80; i++ {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			src := randval.Schema(r, r.IntN(2) == 0)
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
			printer := New(reg)
			for _, n := range req.Nodes {
				if n.Scope != req.Files[0].ID || n.Kind != schema.KindStruct || n.Generic || n.Struct.DataWords+n.Struct.Ptrs == 0 {
					continue
				}
				fill := randval.New(reg, rand.New(rand.NewPCG(*seed, uint64(n.ID))), randval.Options{Any: true})
				compare(t, tool, printer, fill, file, n, 10)
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

// TestConstants compares constants of every kind with what `capnp eval` prints.
func TestConstants(t *testing.T) {
	tool := randval.NewTool(t)
	src, err := randval.Source("kinds")
	if err != nil {
		t.Fatal(err)
	}
	file := tool.Schema(t, "kinds", src)
	reg, named := load(t, "kinds")
	printer := New(reg)
	n := 0
	for name, node := range named {
		if node.Kind != schema.KindConst {
			continue
		}
		n++
		for _, short := range []bool{false, true} {
			args := []string{"eval", file, name}
			if short {
				args = append(args, "--short")
			}
			want, err := tool.Run(nil, args...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := printer.AppendValue(nil, node.Const.Type, node.Const.Value, Options{Short: short})
			if err != nil {
				t.Fatal(err)
			}
			if string(got)+"\n" != string(want) {
				t.Errorf("%s, short %v: %s", name, short, difference(append(got, '\n'), want))
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d constants", n)
	}
}
