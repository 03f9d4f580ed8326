package segment_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// names is a table whose capabilities are words.
type names struct {
	held     []string
	released int
}

func (n *names) Copy(index uint32, dst *segment.Message) uint32 {
	to, _ := dst.CapTable().(*names)
	if to == nil {
		to = new(names)
		dst.SetCapTable(to)
	}
	to.held = append(to.held, n.held[index])
	return uint32(len(to.held) - 1)
}

func (n *names) Release() { n.released++ }

// A capability keeps its identity, not its index, when it is copied.
func TestCapTableCopy(t *testing.T) {
	src := segment.New(arena.Pool())
	defer src.Release()
	src.SetCapTable(&names{held: []string{"a", "b", "c"}})
	list := src.RootBuilder().NewPtrs(2)
	list.At(0).SetCapability(2)
	list.At(1).SetCapability(0)

	dst := segment.New(arena.Pool())
	defer dst.Release()
	dst.SetCapTable(&names{held: []string{"z"}})
	dst.RootBuilder().Set(src.Root())
	got := dst.CapTable().(*names).held
	for i, want := range []string{"c", "a"} {
		if n, ok := dst.Root().Ptrs().At(i).Capability(); !ok || got[n] != want {
			t.Errorf("copied capability %d is %d (%v) of %q, want %q", i, n, ok, got, want)
		}
	}

	inside := src.NewOrphanCopy(src.Root())
	src.RootBuilder().Adopt(inside)
	if n, ok := src.Root().Ptrs().At(0).Capability(); !ok || n != 2 {
		t.Errorf("copied inside its message a capability is %d, %v, want 2", n, ok)
	}
}

// Without tables an index is an index.
func TestCapTableNone(t *testing.T) {
	src, dst := segment.New(arena.Pool()), segment.New(arena.Pool())
	defer src.Release()
	defer dst.Release()
	src.RootBuilder().SetCapability(7)
	dst.RootBuilder().Set(src.Root())
	if n, ok := dst.Root().Capability(); !ok || n != 7 {
		t.Errorf("copied capability is %d, %v, want 7", n, ok)
	}
}

func TestCapTableReleased(t *testing.T) {
	for _, end := range []struct {
		name string
		end  func(*segment.Message)
	}{
		{"Release", func(*segment.Message) {}},
		{"Reset", (*segment.Message).Reset},
		{"another table", func(m *segment.Message) { m.SetCapTable(nil) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			m := segment.New(arena.Pool())
			table := new(names)
			m.SetCapTable(table)
			end.end(m)
			m.Release()
			if table.released != 1 {
				t.Errorf("table released %d times, want once", table.released)
			}
		})
	}
}
