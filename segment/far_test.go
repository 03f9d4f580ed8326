package segment_test

import (
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Every object can lie behind a far and a double-far pointer, also in the
// pointer's own segment.
func TestFarPointersRead(t *testing.T) {
	objects := []struct {
		name string
		tag  uint64 // without offset
		body []uint64
		read func(p Ptr) string
		want string
	}{
		{"struct", structPtr(0, 1, 0), []uint64{42}, func(p Ptr) string { return fmt.Sprint(p.Struct().Uint64(0)) }, "42"},
		{"empty struct", structPtr(0, 0, 0), nil, func(p Ptr) string { return fmt.Sprint(p.Kind(), p.Struct().Size()) }, "struct {0 0}"},
		{"text", listPtr(0, Byte, 6), []uint64{textWord("hello")}, func(p Ptr) string { return p.Text() }, "hello"},
		{"data", listPtr(0, Byte, 3), []uint64{0x636261}, func(p Ptr) string { return string(p.Data()) }, "abc"},
		{"list", listPtr(0, TwoBytes, 2), []uint64{0x20001}, func(p Ptr) string { return fmt.Sprint(ReadNumbers[int16](p).At(1)) }, "2"},
		{"bits", listPtr(0, Bit, 2), []uint64{2}, func(p Ptr) string { return fmt.Sprint(p.Bools().At(0), p.Bools().At(1)) }, "false true"},
		{"struct list", listPtr(0, Composite, 2), []uint64{listTag(2, 1, 0), 5, 6}, func(p Ptr) string {
			return fmt.Sprint(ReadStructs[Struct](p).At(1).Uint64(0))
		}, "6"},
		{"empty list", listPtr(0, EightBytes, 0), nil, func(p Ptr) string { return fmt.Sprint(p.Kind(), p.List().Len()) }, "list 0"},
	}
	join := func(parts ...[]uint64) (out []uint64) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for _, o := range objects {
		words := uint32(len(o.body))
		for _, c := range []struct {
			name string
			segs [][]uint64
		}{
			{"far", [][]uint64{{farPtr(1, 1)}, join([]uint64{0, o.tag}, o.body)}},
			{"far to a pad behind its object", [][]uint64{{farPtr(1, words)}, join(o.body, []uint64{o.tag | uint64(uint32(-int32(words)-1)<<2)})}},
			{"far into the same segment", [][]uint64{join([]uint64{farPtr(0, 1), o.tag}, o.body)}},
			{"double-far over three segments", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(2, 1), o.tag}, join([]uint64{0}, o.body)}},
			{"double-far within one segment", [][]uint64{join([]uint64{doubleFarPtr(0, 1), farPtr(0, 3), o.tag}, o.body)}},
			{"double-far back to the first segment", [][]uint64{join([]uint64{doubleFarPtr(1, 0)}, o.body), {farPtr(0, 1), o.tag}}},
		} {
			t.Run(o.name+"/"+c.name, func(t *testing.T) {
				m := openWords(t, c.segs...)
				want(t, "value", o.read(m.Root()), o.want)
				want(t, "IsNull", m.Root().IsNull(), false)
				noErr(t, m)
				want(t, "Verify", m.Verify(), nil)
				near := builder(t, fresh{})
				near.RootBuilder().Set(m.Root())
				want(t, "Equal", near.Root().Equal(m.Root()), Equal)
				want(t, "TotalWords", must(t)(m.Root().TotalWords()), int64(words))
			})
		}
	}
}

func TestFarPointerFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		segs [][]uint64
		part string
	}{
		{"missing segment", [][]uint64{{farPtr(1, 0)}}, "there are 1 segments"},
		{"the highest segment there can be", [][]uint64{{farPtr(1<<32-1, 0)}}, "there are 1 segments"},
		{"pad past the end", [][]uint64{{farPtr(1, 1)}, {0}}, "beyond the segment's 1 words"},
		{"pad in an empty segment", [][]uint64{{farPtr(1, 0)}, {}}, "beyond the segment's 0 words"},
		{"pad as far out as can be", [][]uint64{{farPtr(0, 1<<29-1)}}, "beyond the segment's 1 words"},
		{"lands on far", [][]uint64{{farPtr(1, 0)}, {farPtr(1, 1), 0}}, "lands on another far pointer"},
		{"lands on itself", [][]uint64{{farPtr(0, 0)}}, "lands on another far pointer"},
		{"lands on double-far", [][]uint64{{farPtr(1, 0)}, {doubleFarPtr(0, 0)}}, "lands on another far pointer"},
		{"lands on an unknown pointer", [][]uint64{{farPtr(1, 0)}, {7}}, ""},
		{"object past the end", [][]uint64{{farPtr(1, 0)}, {structPtr(0, 1, 0)}}, "1 words from word 1 of segment 1, which has 1"},
		{"object in front", [][]uint64{{farPtr(1, 0)}, {structPtr(-2, 1, 0)}}, "from word -1 of segment 1"},
		{"double pad half past the end", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(0, 0)}}, "beyond the segment's 1 words"},
		{"double pad as far out as can be", [][]uint64{{doubleFarPtr(0, 1<<29-1)}}, "beyond the segment's 1 words"},
		{"double lands on near", [][]uint64{{doubleFarPtr(1, 0)}, {structPtr(1, 1, 0), structPtr(0, 1, 0), 0}}, "not on a far pointer"},
		{"double lands on null", [][]uint64{{doubleFarPtr(1, 0)}, {0, structPtr(0, 1, 0)}}, "not on a far pointer"},
		{"double lands on double", [][]uint64{{doubleFarPtr(1, 0)}, {doubleFarPtr(1, 0), structPtr(0, 1, 0)}}, "not on a far pointer"},
		{"double leads to a missing segment", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(2, 0), structPtr(0, 1, 0)}}, "there are 2 segments"},
		{"double's tag is far", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(0, 0), farPtr(0, 0)}}, "leads to the tag far pointer"},
		{"double's object past the end", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(0, 1), structPtr(0, 1, 0)}}, "1 words from word 1 of segment 0, which has 1"},
		{"double's object as far out as can be", [][]uint64{{doubleFarPtr(1, 0)}, {farPtr(0, 1<<29-1), structPtr(0, 65535, 65535)}}, "which has 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, read := range map[string]func(p Ptr){
				"Struct":  func(p Ptr) { want(t, "struct", p.Struct(), Struct{}) },
				"List":    func(p Ptr) { want(t, "Len", p.List().Len(), 0) },
				"Text":    func(p Ptr) { want(t, "text", p.Text(), "") },
				"Data":    func(p Ptr) { want(t, "data", len(p.Data()), 0) },
				"Numbers": func(p Ptr) { want(t, "Len", ReadNumbers[int8](p).Len(), 0) },
				"TotalWords": func(p Ptr) {
					if n, err := p.TotalWords(); n != 0 || err == nil {
						t.Errorf("TotalWords is %d, %v", n, err)
					}
				},
				"Set": func(p Ptr) {
					b := builder(t, fresh{})
					b.RootBuilder().Set(p)
					want(t, "copy is null", b.Root().IsNull(), true)
					wantErr(t, b, ErrMalformed, "")
				},
			} {
				t.Run(name, func(t *testing.T) {
					m := openWords(t, c.segs...)
					read(m.Root())
					if name != "Struct" && name != "TotalWords" && name != "Set" {
						wantErr(t, m, ErrMalformed, "")
						return
					}
					wantErr(t, m, ErrMalformed, c.part)
				})
			}
		})
	}
}

// A capability can't lie behind a far pointer: there is nothing to be far from.
func TestFarToCapability(t *testing.T) {
	m := openWords(t, []uint64{farPtr(1, 0)}, []uint64{capPtr(1)})
	want(t, "Kind", m.Root().Kind(), KindInvalid)
	wantErr(t, m, ErrMalformed, "capability 1")
	_, ok := m.Root().Capability()
	want(t, "Capability", ok, false)
	wantErr(t, m, ErrMalformed, "expected a capability")
}

// A far pointer whose pad is null.
func TestFarToNull(t *testing.T) {
	m := openWords(t, []uint64{farPtr(1, 0)}, []uint64{0})
	want(t, "Size", m.Root().Struct().Size(), Size{})
	want(t, "Verify", m.Verify(), nil)
}

// The builder writes far pointers where the target lies in another segment and
// double-far ones where that segment has no word for the pad; readers see no
// difference.
func TestBuilderWritesFarPointers(t *testing.T) {
	m := builder(t, &exact{max: 8 * 12})
	root := m.NewRoot(Size{Ptrs: 10})
	fillSegments(root)
	far, double := farPointers(t, m)
	if far < 3 || double < 3 {
		t.Errorf("%d far and %d double-far pointers", far, double)
	}
	r := reread(t, m)
	want(t, "Verify", r.Verify(), nil)
	for i := range uint16(10) {
		want(t, "data", r.Root().Struct().Struct(i).Uint64(0), value(i))
	}
	if n := r.Segments(); n < 8 {
		t.Errorf("%d segments", n)
	}
	for i, p := range []PtrBuilder{root.Ptr(0), root.Ptr(1)} {
		p.Clear()
		want(t, "cleared", r.Root().Struct().Has(uint16(i)), false)
		want(t, "copies left", countWord(t, m, value(uint16(i))), 0)
	}
	far2, double2 := farPointers(t, m)
	if far2+double2 >= far+double {
		t.Errorf("%d far and %d double-far pointers are left: landing pads are not cleared", far2, double2)
	}
}
