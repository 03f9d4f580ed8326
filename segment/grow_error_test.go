package segment_test

import (
	"errors"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// stuck has one piece of memory, and a reason why it can't be longer.
type stuck struct {
	onePiece
	reason error // nil: Grow gives less than was asked for
}

func (a *stuck) Grow(mem []byte, _ int) ([]byte, error) { return mem, a.reason }

var errDisk = errors.New("the disk is broken")

// The cause of a failed Grow was lost: the message told only that its arena has
// no second segment.
func TestGrowErrorIsTheCause(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(root StructBuilder)
	}{
		{"data", func(r StructBuilder) { r.NewData(0, 8000) }},
		{"struct", func(r StructBuilder) { r.NewStruct(0, Size{DataWords: 1000}) }},
		{"list", func(r StructBuilder) { r.Ptr(0).NewList(EightBytes, 1000) }},
		{"struct list", func(r StructBuilder) { r.Ptr(0).NewStructList(Size{Ptrs: 1}, 1000) }},
		{"copy", func(r StructBuilder) { r.SetData(0, make([]byte, 8000)) }},
		{"orphan", func(r StructBuilder) { r.Message().NewOrphanData(make([]byte, 8000)) }},
		{"longer orphan", func(r StructBuilder) { r.Message().NewOrphanData(make([]byte, 8)).Truncate(8000) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := builder(t, &stuck{onePiece{mem: make([]byte, 4096)}, errDisk})
			root := m.NewRoot(Size{Ptrs: 1})
			noErr(t, m)
			c.build(root)
			for _, kind := range []error{ErrArena, errRefused, errDisk} {
				if !errors.Is(m.Err(), kind) {
					t.Errorf("Err is %v, want %v in it", m.Err(), kind)
				}
			}
			if _, err := m.ToSegments(); !errors.Is(err, errDisk) {
				t.Errorf("ToSegments: %v, want %v", err, errDisk)
			}
		})
	}
	m := builder(t, &stuck{onePiece: onePiece{mem: make([]byte, 4096)}})
	m.NewRoot(Size{Ptrs: 1}).NewData(0, 8000)
	wantErr(t, m, errRefused, "the arena grew a segment to 4096 bytes")

	// The cause belongs to one message, and does not show in the next.
	m.Reset()
	m.NewRoot(Size{Ptrs: 1}).NewData(0, 4000)
	noErr(t, m)
}
