package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// CVE-2022-46149: a list of structs that was read as a list of pointers was
// copied, or read, with a pointer's step in place of the struct's, and the last
// elements lay outside of the message.
func TestCVE_2022_46149_StructListAsPointerList(t *testing.T) {
	m := builder(t, fresh{})
	const n = 4
	l := NewStructs[StructBuilder](m.RootBuilder(), Size{DataWords: 2, Ptrs: 2}, n)
	for i, e := range l.Indexed() {
		e.SetUint64(0, 0xfffffffffffffffb) // no pointer at all, if it is taken for one
		e.SetUint64(8, structPtr(1<<20, 1, 1))
		e.SetText(0, string(rune('a'+i)))
		e.SetText(1, "not read")
	}
	r := reread(t, m)
	ptrs := r.Root().Ptrs()
	want(t, "Len", ptrs.Len(), n)
	for i, p := range ptrs.Indexed() {
		want(t, "element", p.Text(), string(rune('a'+i)))
	}
	c := builder(t, fresh{})
	dst := c.RootBuilder().NewPtrs(n)
	for i, p := range ptrs.Indexed() {
		dst.At(i).Set(p)
	}
	for i, s := range reread(t, c).Root().Texts().Indexed() {
		want(t, "copied element", s, string(rune('a'+i)))
	}
	c.RootBuilder().SetList(ptrs.List()) // as it lies there, structs
	want(t, "StructSize", c.Root().List().StructSize(), Size{DataWords: 2, Ptrs: 2})
	want(t, "Equal", c.Root().Equal(r.Root()), Equal)
	want(t, "TotalWords", must(t)(ptrs.List().TotalWords()), 1+n*4+3*n)
	o := c.NewOrphanConcat(ptrs.List(), ptrs.List())
	c.RootBuilder().Adopt(o)
	want(t, "joined", c.Root().Texts().At(2*n-1), "d")
	noErr(t, r)
	noErr(t, c)

	// The whole list is at the end of its segment, which the wrong step would leave.
	end := openWords(t, []uint64{listPtr(0, Composite, 3), listTag(1, 2, 1), 1, 2, 0})
	want(t, "the last element", end.Root().Ptrs().At(0).IsNull(), true)
	noErr(t, end)
}
