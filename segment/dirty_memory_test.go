package segment_test

import (
	"bytes"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// dirt is an arena whose memory holds something of somebody else: from a byte
// on, of each piece but the first clean ones.
type dirt struct {
	from, clean   int
	allocs, freed int
}

const secret = 0xaa

func (d *dirt) Allocate(n int) ([]byte, error) {
	d.allocs++
	b := make([]byte, n)
	if d.allocs > d.clean {
		for i := d.from; i < n; i++ {
			b[i] = secret
		}
	}
	return b, nil
}

func (d *dirt) Free([]byte, int) { d.freed++ }

// The dirty memory of an arena is refused, but after Reset and after ClearErr
// it was still the message's first segment, and left with it.
func TestDirtyMemoryNeverLeaves(t *testing.T) {
	for _, a := range []struct {
		name string
		dirt dirt
	}{
		{"from the first byte", dirt{}},
		{"behind the root pointer", dirt{from: 8}},
		{"behind the first object", dirt{from: 16}},
		{"in the second segment", dirt{clean: 1}},
		{"behind the second segment's first word", dirt{clean: 1, from: 8}},
	} {
		for _, forget := range []struct {
			name string
			do   func(m *Message)
		}{
			{"Reset", (*Message).Reset},
			{"ClearErr", (*Message).ClearErr},
			{"both", func(m *Message) { m.ClearErr(); m.Reset() }},
		} {
			t.Run(a.name+"/"+forget.name, func(t *testing.T) {
				arena := a.dirt
				m := New(&arena)
				for range 3 {
					root := m.NewRoot(Size{DataWords: 1, Ptrs: 2})
					root.SetUint64(0, 7)
					// More than a first segment has.
					root.NewData(0, 5000)
					root.SetText(1, "ours")
					if !refused(m, ErrArena) {
						t.Fatalf("Err is %v, want ErrArena", m.Err())
					}
					forget.do(m)
					cleanly(t, m)
					forget.do(m)
					cleanly(t, m)
				}
				segments := m.Segments()
				m.Release()
				want(t, "freed", arena.freed, arena.allocs)
				if segments > arena.allocs {
					t.Errorf("%d segments of %d allocations", segments, arena.allocs)
				}
			})
		}
	}
}

// cleanly checks that no dirty byte leaves with the message, in either way. It
// may refuse to leave.
func cleanly(t *testing.T, m *Message) {
	t.Helper()
	if segs, err := m.ToSegments(); err == nil {
		for i, s := range segs {
			if n := bytes.Count(s, []byte{secret}); n != 0 {
				t.Errorf("segment %d leaves with %d bytes that were in its memory", i, n)
			}
		}
	}
	snap, err := m.Snapshot()
	if err != nil {
		return
	}
	defer snap.Release()
	segs, err := snap.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range segs {
		if n := bytes.Count(s, []byte{secret}); n != 0 {
			t.Errorf("segment %d of the snapshot has %d bytes that were in its memory", i, n)
		}
	}
}
