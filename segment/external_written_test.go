package segment_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// External data is never written, wherever a changed pointer leads.
func TestChangedPointerLeavesExternalDataAlone(t *testing.T) {
	for name, do := range map[string]func(p PtrBuilder){
		"Disown":            func(p PtrBuilder) { p.Disown() },
		"Disown, Truncate":  func(p PtrBuilder) { p.Disown().Truncate(0) },
		"Disown, Discard":   func(p PtrBuilder) { p.Disown().Discard() },
		"Clear":             func(p PtrBuilder) { p.Clear() },
		"SetText":           func(p PtrBuilder) { p.SetText("other") },
		"StructList":        func(p PtrBuilder) { p.StructList(Size{DataWords: 4}) },
		"Struct":            func(p PtrBuilder) { p.Struct(Size{DataWords: 1}).SetUint64(0, 99) },
		"List":              func(p PtrBuilder) { p.List(Byte) },
		"Data":              func(p PtrBuilder) { clear(p.Data()) },
		"Struct that grows": func(p PtrBuilder) { p.Struct(Size{DataWords: 4}) },
	} {
		for kind, first := range map[string]uint64{
			"pad":      farPtr(1, 0),
			"far pad":  doubleFarPtr(1, 0),
			"far list": doubleFarPtr(1, 2),
			"struct":   farPtr(1, 3),
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				m := builder(t, fresh{})
				root := m.NewRoot(Size{Ptrs: 2})
				data := toBytes([]uint64{listPtr(0, Byte, 24), 1, farPtr(1, 4), listPtr(0, Byte, 24), 2, 3, 4})
				if kind == "far pad" {
					binary.LittleEndian.PutUint64(data, farPtr(1, 4))
					binary.LittleEndian.PutUint64(data[8:], structPtr(0, 1, 1))
				}
				if kind == "struct" {
					binary.LittleEndian.PutUint64(data[24:], structPtr(0, 1, 1))
				}
				before := bytes.Clone(data)
				if !root.SetExternalData(1, data, nil) {
					t.Fatal("the data was copied")
				}
				segs, err := m.ToSegments()
				if err != nil {
					t.Fatal(err)
				}
				binary.LittleEndian.PutUint64(segs[0][8:], first)
				do(root.Ptr(0))
				if !bytes.Equal(data, before) {
					t.Errorf("the external data is %x, was %x", data, before)
				}
			})
		}
	}
}
