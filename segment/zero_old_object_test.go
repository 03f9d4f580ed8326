package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Whatever takes the place of an object zeroes it and all that was below it,
// landing pads too.
func TestOverwritingZeroes(t *testing.T) {
	for name, overwrite := range map[string]func(p PtrBuilder){
		"Clear":         func(p PtrBuilder) { p.Clear() },
		"NewStruct":     func(p PtrBuilder) { p.NewStruct(Size{DataWords: 1}) },
		"an empty one":  func(p PtrBuilder) { p.NewStruct(Size{}) },
		"NewList":       func(p PtrBuilder) { p.NewList(Byte, 3) },
		"NewStructList": func(p PtrBuilder) { p.NewStructList(Size{}, 0) },
		"SetText":       func(p PtrBuilder) { p.SetText("") },
		"NewText":       func(p PtrBuilder) { p.NewText(3) },
		"SetData":       func(p PtrBuilder) { p.SetData(nil) },
		"NewData":       func(p PtrBuilder) { p.NewData(9) },
		"SetCapability": func(p PtrBuilder) { p.SetCapability(0) },
		"Set null":      func(p PtrBuilder) { p.Set(Ptr{}) },
		"SetStruct":     func(p PtrBuilder) { p.SetStruct(Struct{}) },
		"SetList":       func(p PtrBuilder) { p.SetList(List{}) },
		"Adopt null":    func(p PtrBuilder) { p.Adopt(&Orphan{}); p.Adopt(p.Message().NewOrphanConcat()) },
		"external data": func(p PtrBuilder) { p.SetExternalData(make([]byte, 8), nil) },
		"Discard":       func(p PtrBuilder) { p.Disown().Discard() },
	} {
		for _, k := range orphanKinds {
			t.Run(name+" over "+k.name, func(t *testing.T) {
				eachArena(t, func(t *testing.T, a Arena) {
					m := builder(t, a)
					root := m.NewRoot(Size{Ptrs: 3})
					root.SetText(2, "kept")
					before := nonZeroBytes(t, m)
					k.build(root.Ptr(0))
					overwrite(root.Ptr(0))
					root.Ptr(0).Clear()
					want(t, "bytes left", nonZeroBytes(t, m), before)
					want(t, "neighbour", root.Reader().Text(2), "kept")
					noErr(t, m)
				})
			})
		}
	}
}

// A deep tree of everything goes in one piece.
func TestClearingATree(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 2})
		before := nonZeroBytes(t, m)
		l := NewStructs[StructBuilder](root.Ptr(0), Size{Ptrs: 1}, 3)
		for e := range l.All() {
			p := e.Ptr(0).NewPtrs(2)
			fillAll(p.At(0).NewStruct(fillSize))
			chain(p.At(1).NewStruct(chainSize), 5)
		}
		root.Clear()
		want(t, "bytes left", nonZeroBytes(t, m), before)
		noErr(t, m)
	})
}

// Nothing that was orphaned is zeroed with what held it.
func TestClearingSparesOrphans(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	s := root.NewStruct(0, Size{Ptrs: 1})
	s.SetText(0, "orphan")
	o := s.Ptr(0).Disown()
	root.Ptr(0).Clear()
	root.Ptr(0).Adopt(o)
	want(t, "text", root.Reader().Text(0), "orphan")
}

// External data is somebody else's and never written.
func TestClearingSparesExternalData(t *testing.T) {
	mem := []byte("external")
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	l := root.Ptr(0).NewPtrs(1)
	if !l.At(0).SetExternalData(mem, nil) {
		t.Fatal("external data was copied")
	}
	root.Ptr(0).Clear()
	want(t, "external memory", string(mem), "external")
}
