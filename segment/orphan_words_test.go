package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Each look at an orphan took a word of the message that nobody gave back.
func TestLooksAtOrphansCostNoWords(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(m *Message) *Orphan
		look func(o *Orphan)
	}{
		{"text", func(m *Message) *Orphan { return m.NewOrphanText("abc") }, func(o *Orphan) { o.Data() }},
		{"data", func(m *Message) *Orphan { return m.NewOrphanData([]byte("abc")) }, func(o *Orphan) { o.Data() }},
		{"bytes", func(m *Message) *Orphan { return m.NewOrphanData([]byte("abc")) }, func(o *Orphan) { o.List(Byte) }},
		{"list", func(m *Message) *Orphan { return m.NewOrphanList(TwoBytes, 3) }, func(o *Orphan) { o.List(TwoBytes) }},
		{
			"struct", func(m *Message) *Orphan { return m.NewOrphanStruct(Size{DataWords: 1}) },
			func(o *Orphan) { o.Struct(Size{DataWords: 1}).SetUint64(0, 1) },
		},
		{
			"struct list", func(m *Message) *Orphan { return m.NewOrphanStructList(Size{Ptrs: 1}, 3) },
			func(o *Orphan) { o.StructList(Size{Ptrs: 1}) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := builder(t, fresh{})
			m.NewRoot(Size{Ptrs: 1})
			o := c.make(m)
			before := m.SizeBytes()
			for range 100 {
				c.look(o)
			}
			want(t, "bytes taken by 100 looks", m.SizeBytes()-before, 0)
			want(t, "IsNull", o.IsNull(), false)
			for range 99 {
				c.make(m).Discard()
			}
			noErr(t, m)
			per := (m.SizeBytes() - before) / 99
			if objects := before - 8 - 8; per > objects-8 {
				t.Errorf("%d bytes for each further orphan, the first took %d with the word that all share", per, objects)
			}
		})
	}
}
