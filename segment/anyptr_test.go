package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func TestKind(t *testing.T) {
	for _, c := range []struct {
		name string
		segs [][]uint64
		want Kind
		err  error
	}{
		{"null", [][]uint64{{0}}, KindNull, nil},
		{"struct", [][]uint64{{structPtr(0, 1, 0), 0}}, KindStruct, nil},
		{"empty struct", [][]uint64{{structPtr(-1, 0, 0)}}, KindStruct, nil},
		{"list", [][]uint64{{listPtr(0, Byte, 1), 0}}, KindList, nil},
		{"empty list", [][]uint64{{listPtr(0, Void, 0)}}, KindList, nil},
		{"capability", [][]uint64{{capPtr(5)}}, KindCapability, nil},
		{"far", [][]uint64{{farPtr(1, 0)}, {listPtr(0, Void, 9)}}, KindList, nil},
		{"double-far", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(0, 0), structPtr(0, 0, 0)}}, KindStruct, nil},
		{"unknown", [][]uint64{{7}}, KindInvalid, ErrMalformed},
		{"capability with a bit more", [][]uint64{{capPtr(1) | 1<<31}}, KindInvalid, ErrMalformed},
		{"far to nowhere", [][]uint64{{farPtr(3, 0)}}, KindInvalid, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, c.segs...)
			want(t, "Kind", m.Root().Kind(), c.want)
			want(t, "IsNull", m.Root().IsNull(), c.want == KindNull)
			if c.err == nil {
				noErr(t, m)
			} else {
				wantErr(t, m, c.err, "segment 0, word 0")
			}
			index, ok := m.Root().Capability()
			want(t, "Capability", ok, c.want == KindCapability)
			if ok {
				want(t, "index", index, 5)
			}
		})
	}
}

// Every 30 middle bits of a kind-3 word make it unknown, and only the index
// may differ.
func TestCapabilityWord(t *testing.T) {
	for bit := range 64 {
		m := openWords(t, []uint64{3 ^ 1<<bit})
		_, ok := m.Root().Capability()
		want(t, "Capability", ok, bit >= 32)
		if bit >= 2 && bit < 32 {
			want(t, "Kind", m.Root().Kind(), KindInvalid)
			wantErr(t, m, ErrMalformed, "unknown pointer")
		}
	}
}

// AnyPointer holds anything, and AnyStruct and AnyList are copied from one
// message to another without a schema.
func TestAnyPointer(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 5})
		root.NewStruct(0, Size{DataWords: 1}).SetUint64(0, 8)
		NewNumbers[int16](root.Ptr(1), 2).Set(1, -1)
		root.SetText(2, "text")
		root.Ptr(3).SetCapability(7)
		r := reread(t, m).Root().Struct()
		kinds := []Kind{KindStruct, KindList, KindList, KindCapability, KindNull, KindNull}
		c := builder(t, a)
		out := c.NewRoot(Size{Ptrs: 6})
		for i, k := range kinds {
			want(t, "Kind", r.Ptr(uint16(i)).Kind(), k)
			want(t, "Has", r.Has(uint16(i)), k != KindNull)
			out.Ptr(uint16(i)).Set(r.Ptr(uint16(i)))
			want(t, "Kind of the copy", out.Ptr(uint16(i)).Reader().Kind(), k)
		}
		want(t, "Equal", r.Equal(reread(t, c).Root().Struct()), UnknownCapabilities)
		out.Ptr(3).SetStruct(r.Struct(0))
		out.Ptr(0).SetList(r.List(1))
		want(t, "struct", out.Reader().Struct(3).Uint64(0), 8)
		want(t, "list", ReadNumbers[int16](out.Ptr(0).Reader()).At(1), -1)
		noErr(t, c)
	})
}

// Has tells null from a pointer to nothing.
func TestHasEmpty(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 6})
		root.NewStruct(0, Size{})
		root.Ptr(1).NewList(Void, 0)
		root.Ptr(2).NewStructList(Size{}, 0)
		root.Ptr(3).NewStructList(Size{DataWords: 1}, 0)
		root.Ptr(4).SetData(nil)
		r := reread(t, m).Root().Struct()
		for i := range uint16(6) {
			want(t, "Has", r.Has(i), i != 5)
			want(t, "builder's Has", root.Has(i), i != 5)
			want(t, "IsNull", root.Ptr(i).IsNull(), i == 5)
		}
		want(t, "Verify", r.Message().Verify(), nil)
		for i := range uint16(6) {
			root.Ptr(i).Clear()
			want(t, "Has", root.Has(i), false)
		}
	})
}
