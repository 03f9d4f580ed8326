package randval

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/schema"
)

func load(t *testing.T, name string) (*schema.Registry, map[string]*schema.Node) {
	t.Helper()
	req, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		t.Fatal(err)
	}
	named := map[string]*schema.Node{}
	for _, n := range req.Nodes {
		if n.Scope == req.Files[0].ID {
			named[n.Name()] = n
		}
	}
	return reg, named
}

// TestSound fills messages, which must be valid, each time the same, and not all
// alike.
func TestSound(t *testing.T) {
	for _, name := range []string{"kinds", "annotated"} {
		reg, named := load(t, name)
		for root, n := range named {
			if n.Kind != schema.KindStruct {
				continue
			}
			fill := New(reg, rand.New(rand.NewPCG(1, 2)), Options{Any: true, Capabilities: true})
			again := New(reg, rand.New(rand.NewPCG(1, 2)), Options{Any: true, Capabilities: true})
			different := map[string]bool{}
			for range 30 {
				a, err := fill.Message(n.ID)
				if err != nil {
					t.Fatal(err)
				}
				b, err := again.Message(n.ID)
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Verify(); err != nil {
					t.Fatalf("%s: %v", root, err)
				}
				sa, err := a.ToSegments()
				if err != nil {
					t.Fatal(err)
				}
				sb, err := b.ToSegments()
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(bytes.Join(sa, nil), bytes.Join(sb, nil)) {
					t.Fatalf("%s: one seed, two messages", root)
				}
				different[string(bytes.Join(sa, nil))] = true
				a.Release()
				b.Release()
			}
			if n.Struct.DataWords+n.Struct.Ptrs > 0 && len(different) < 2 {
				t.Errorf("%s: all messages are alike", root)
			}
		}
	}
}

// TestRequestsAreCurrent compares the requests in testdata with what the tool makes
// of the schemas beside them.
func TestRequestsAreCurrent(t *testing.T) {
	tool := NewTool(t)
	for _, name := range []string{"kinds", "annotated"} {
		src, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		want := tool.Compile(t, tool.Schema(t, name, src))
		got, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Nodes) != len(want.Nodes) {
			t.Fatalf("%s: %d nodes, want %d", name, len(got.Nodes), len(want.Nodes))
		}
		for i, n := range want.Nodes {
			if g := got.Nodes[i]; g.ID != n.ID || g.Kind == schema.KindStruct && len(g.Struct.Fields) != len(n.Struct.Fields) {
				t.Errorf("%s: node %s is not the one of the schema", name, n.DisplayName)
			}
		}
	}
}

// TestSchemas checks that random schemas compile.
func TestSchemas(t *testing.T) {
	tool := NewTool(t)
	r := rand.New(rand.NewPCG(9, 9))
	compiled := 0
	for range 20 {
		if req := tool.Compile(t, tool.Schema(t, "random", Schema(r, r.IntN(2) == 0))); req != nil {
			compiled++
		}
	}
	if compiled < 8 {
		t.Errorf("%d of 20 schemas compiled", compiled)
	}
}
