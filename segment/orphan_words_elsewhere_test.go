package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// An orphan in another segment than the word that it is looked at under.
func TestLooksAtOrphansElsewhereCostNoWords(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(m *Message) *Orphan
		look func(o *Orphan)
	}{
		{"data", func(m *Message) *Orphan { return m.NewOrphanData(make([]byte, 5000)) }, func(o *Orphan) { o.Data() }},
		{
			"external", func(m *Message) *Orphan { return m.NewOrphanExternal(padded(64), nil) },
			func(o *Orphan) { o.Data(); o.List(Byte) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := builder(t, fresh{})
			m.NewRoot(Size{Ptrs: 1})
			m.NewOrphanText("in the first segment")
			o := c.make(m)
			before := m.SizeBytes()
			for range 100 {
				c.look(o)
			}
			want(t, "bytes taken by 100 looks", m.SizeBytes()-before, 0)
		})
	}
}
