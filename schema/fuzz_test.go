package schema

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// FuzzRequest reads bytes as a CodeGeneratorRequest, adds its nodes to a
// registry, compares that with itself, and writes the request again, which then
// has to read as the same.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		msg, _, err := framing.Unmarshal(data)
		if err != nil {
			return
		}
		defer msg.Release()
		req, err := ReadRequest(msg)
		if err != nil {
			return
		}
		reg := NewRegistry()
		if err := reg.Add(req.Nodes...); err == nil {
			useRegistry(t, reg)
		} else if !errors.Is(err, ErrInvalid) {
			t.Fatalf("Add gives %v", err)
		}
		first := rebuild(t, req)
		back, err := segment.FromSegments([][]byte{first})
		if err != nil {
			t.Fatal(err)
		}
		defer back.Release()
		again, err := ReadRequest(back)
		if err != nil {
			t.Fatalf("reading what was built: %v", err)
		}
		if second := rebuild(t, again); !bytes.Equal(first, second) {
			t.Fatalf("built again it differs:\n%x\n%x", first, second)
		}
	})
}

// rebuild gives a request as canonical bytes.
func rebuild(t *testing.T, req *Request) []byte {
	t.Helper()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	req.Build(msg)
	flat, err := msg.Canonical()
	if err != nil {
		t.Fatalf("building what was read: %v", err)
	}
	return flat
}

// useRegistry walks everything that a registry has, adds it a second time and
// compares it with itself.
func useRegistry(t *testing.T, reg *Registry) {
	t.Helper()
	n := 0
	for node := range reg.Nodes() {
		if n++; n > 1000 {
			return // enough, for all that is quadratic here
		}
		if err := reg.Add(node); err != nil {
			t.Fatalf("adding %v again: %v", node.ID, err)
		}
		for range reg.Interfaces(node.ID, nil) {
		}
		if node.Struct == nil {
			continue
		}
		for i := range node.Struct.Fields {
			field := &node.Struct.Fields[i]
			if !field.IsGroup() {
				reg.TypeName(field.Type.Bind(nil))
			}
		}
	}
	if changes := Compatible(reg, reg); len(changes) != 0 {
		t.Fatalf("not compatible with itself: %v", changes[0])
	}
}
