package segment_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Each piece of external data is a segment, and a message of more segments than
// readers accept was sent without a word.
func TestManyExternalPieces(t *testing.T) {
	const pieces = 600
	for name, set := range map[string]func(p PtrBuilder, v []byte, release func()){
		"set": func(p PtrBuilder, v []byte, release func()) { p.SetExternalData(v, release) },
		"orphans": func(p PtrBuilder, v []byte, release func()) {
			p.Adopt(p.Reader().Message().NewOrphanExternal(v, release))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(fresh{})
			list := m.NewRoot(Size{Ptrs: 1}).Ptr(0).NewPtrs(pieces)
			released := 0
			for i := range pieces {
				v := binary.LittleEndian.AppendUint64(nil, uint64(i+1))
				set(list.At(i), v, func() { released++ })
			}
			noErr(t, m)
			if n := m.Segments(); n > DefaultSegments || n < 400 {
				t.Errorf("%d segments, want many and at most %d", n, DefaultSegments)
			}
			copied := released
			if copied == 0 || copied == pieces {
				t.Errorf("%d of %d pieces were copied", copied, pieces)
			}
			segs, err := m.ToSegments()
			if err != nil {
				t.Fatal(err)
			}
			r, err := FromSegments(segs)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "Verify", r.Verify(), nil)
			got := r.Root().Struct().Ptr(0).Ptrs()
			want(t, "Len", got.Len(), pieces)
			for i := range pieces {
				v := got.At(i).Data()
				if !bytes.Equal(v, binary.LittleEndian.AppendUint64(nil, uint64(i+1))) {
					t.Fatalf("piece %d reads %x", i, v)
				}
			}
			want(t, "Equal", r.Root().Equal(m.Root()), Equal)
			r.Release()
			m.Release()
			want(t, "released", released, pieces)
		})
	}
}
