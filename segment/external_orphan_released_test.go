package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// onePiece has one piece of memory and nothing behind it, as a fixed arena.
type onePiece struct {
	mem   []byte
	given bool
}

func (a *onePiece) Allocate(n int) ([]byte, error) {
	if a.given || n > len(a.mem) {
		return nil, errRefused
	}
	a.given = true
	return a.mem, nil
}

func (*onePiece) Free([]byte, int) {}

// Where an external orphan could not be made, nobody told the caller that its
// memory is free.
func TestExternalOrphanIsReleasedOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T) *Message
		null bool
		kind error
	}{
		{"made", func(*testing.T) *Message {
			m := New(fresh{})
			m.NewRoot(Size{DataWords: 1})
			return m
		}, false, nil},
		{"made in an empty message", func(*testing.T) *Message { return New(fresh{}) }, false, nil},
		{"an arena that fails", func(*testing.T) *Message { return New(&onePiece{}) }, true, errRefused},
		{"an arena that is full", func(*testing.T) *Message {
			m := New(&onePiece{mem: make([]byte, 16)})
			m.NewRoot(Size{DataWords: 1})
			return m
		}, true, errRefused},
		{"a message with a fault", func(*testing.T) *Message {
			m := New(&onePiece{mem: make([]byte, 64)})
			m.NewRoot(Size{Ptrs: 1}).SetData(0, make([]byte, 100))
			return m
		}, true, errRefused},
		{"a message that is read", func(t *testing.T) *Message {
			m, err := FromSegments(segsOf([]uint64{structPtr(0, 1, 0), 5}))
			if err != nil {
				t.Fatal(err)
			}
			return m
		}, true, ErrReadOnly},
		{"a message that is released", func(*testing.T) *Message {
			m := New(&debugArena{})
			m.NewRoot(Size{DataWords: 1})
			m.Release()
			return m
		}, true, ErrReleased},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.make(t)
			released := 0
			o := m.NewOrphanExternal(padded(8), func() { released++ })
			want(t, "IsNull", o.IsNull(), c.null)
			if c.kind == nil {
				noErr(t, m)
				want(t, "released before Release", released, 0)
			} else {
				wantErr(t, m, c.kind, "")
				want(t, "released at once", released, 1)
			}
			m.NewOrphanExternal(nil, nil).Discard() // no hook, no call
			m.Retain().Release()
			if c.kind != ErrReleased {
				m.Release()
			}
			want(t, "released", released, 1)
		})
	}
}
