package segment_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Each message's canonical form, word by word.
func TestCanonical(t *testing.T) {
	sp, lp := structPtr, listPtr
	const msb = 1 << 63
	for _, c := range []struct {
		name string
		segs [][]uint64
		want []uint64 // nil: as it is
	}{
		{"null", [][]uint64{{0}}, nil},
		{"only the top bit of a data word", [][]uint64{{sp(0, 1, 0), msb}}, nil},
		{"the top bit of the last word, zeros in front", [][]uint64{{sp(0, 2, 0), 0, msb}}, nil},
		{"only the top bit, in a list", [][]uint64{{lp(0, Composite, 2), listTag(2, 1, 0), 0, msb}}, nil},
		{"an empty struct", [][]uint64{{sp(-1, 0, 0)}}, nil},
		{"an empty struct elsewhere", [][]uint64{{sp(0, 0, 0) | 4*3}}, []uint64{sp(-1, 0, 0)}},
		{"an all-zero struct", [][]uint64{{sp(0, 2, 2), 0, 0, 0, 0}}, []uint64{sp(-1, 0, 0)}},
		{"an empty struct in preorder", [][]uint64{{sp(0, 0, 3), lp(2, Byte, 1), sp(-1, 0, 0), lp(1, Byte, 1), 1, 2}}, nil},
		{"not in preorder", [][]uint64{{sp(0, 0, 2), lp(2, Byte, 1), lp(0, Byte, 1), 2, 1}}, []uint64{sp(0, 0, 2), lp(1, Byte, 1), lp(1, Byte, 1), 1, 2}},
		{"children before siblings", [][]uint64{{sp(0, 0, 2), sp(2, 0, 1), lp(0, Byte, 1), 9, lp(0, Byte, 1), 1}}, []uint64{sp(0, 0, 2), sp(1, 0, 1), lp(2, Byte, 1), lp(0, Byte, 1), 1, 9}},
		{"not packed densely", [][]uint64{{sp(1, 1, 0), 0, 5}}, []uint64{sp(0, 1, 0), 5}},
		{"trailing words", [][]uint64{{sp(0, 1, 0), 5, 0}}, []uint64{sp(0, 1, 0), 5}},
		{"trailing words that are not zero", [][]uint64{{sp(0, 1, 0), 5, 6}}, []uint64{sp(0, 1, 0), 5}},
		{"needs truncation of data", [][]uint64{{sp(0, 2, 1), 5, 0, lp(0, Byte, 1), 1}}, []uint64{sp(0, 1, 1), 5, lp(0, Byte, 1), 1}},
		{"needs truncation of pointers", [][]uint64{{sp(0, 1, 2), 5, lp(1, Byte, 1), 0, 1}}, []uint64{sp(0, 1, 1), 5, lp(0, Byte, 1), 1}},
		{"the first pointer is null", [][]uint64{{sp(0, 0, 2), 0, lp(0, Byte, 1), 1}}, nil},
		{"two segments", [][]uint64{{farPtr(1, 0)}, {sp(0, 1, 0), 5}}, []uint64{sp(0, 1, 0), 5}},
		{"a segment that is not used", [][]uint64{{sp(0, 1, 0), 5}, {}}, []uint64{sp(0, 1, 0), 5}},
		{"double-far", [][]uint64{{doubleFarPtr(1, 0), 5}, {farPtr(0, 1), sp(0, 1, 0)}}, []uint64{sp(0, 1, 0), 5}},
		{"a far pointer into the same segment", [][]uint64{{farPtr(0, 1), sp(0, 1, 0), 5}}, []uint64{sp(0, 1, 0), 5}},
		{"an empty list of empty structs", [][]uint64{{sp(0, 0, 1), lp(0, Composite, 0), listTag(0, 0, 0)}}, nil},
		{"an empty list of structs", [][]uint64{{lp(0, Composite, 0), listTag(0, 3, 3)}}, []uint64{lp(0, Composite, 0), listTag(0, 0, 0)}},
		{"a list of empty structs", [][]uint64{{lp(0, Composite, 0), listTag(7, 0, 0)}}, nil},
		{"words that the elements do not use", [][]uint64{{lp(0, Composite, 3), listTag(1, 2, 0), 1, 2, 0}}, []uint64{lp(0, Composite, 2), listTag(1, 2, 0), 1, 2}},
		{"list-wide truncation of data", [][]uint64{{lp(0, Composite, 6), listTag(2, 3, 0), 1, 0, 0, 2, 3, 0}}, []uint64{lp(0, Composite, 4), listTag(2, 2, 0), 1, 0, 2, 3}},
		{"list-wide truncation of pointers", [][]uint64{{lp(0, Composite, 4), listTag(2, 0, 2), 0, 0, sp(-1, 0, 0), 0}}, []uint64{lp(0, Composite, 2), listTag(2, 0, 1), 0, sp(-1, 0, 0)}},
		{"list-wide truncation to nothing", [][]uint64{{lp(0, Composite, 4), listTag(2, 1, 1), 0, 0, 0, 0}}, []uint64{lp(0, Composite, 0), listTag(2, 0, 0)}},
		{"one element needs all of it", [][]uint64{{lp(0, Composite, 6), listTag(3, 2, 0), 0, 0, 0, 1, 0, 0}}, nil},
		{"a list of bytes where structs may be expected", [][]uint64{{lp(0, Byte, 3), 0x030201}}, nil},
		{"a list of words where structs may be expected", [][]uint64{{lp(0, EightBytes, 2), 0, 0}}, nil},
		{"a list of pointers where structs may be expected", [][]uint64{{lp(0, Pointer, 2), 0, 0}}, nil},
		{"padding of bytes", [][]uint64{{lp(0, Byte, 3), 0xff030201}}, []uint64{lp(0, Byte, 3), 0x030201}},
		{"padding of a byte", [][]uint64{{lp(0, Bit, 3), 0xfd}}, []uint64{lp(0, Bit, 3), 5}},
		{"padding of bits", [][]uint64{{lp(0, Bit, 12), 0xfabc | 1<<63}}, []uint64{lp(0, Bit, 12), 0xabc}},
		{"an empty list elsewhere", [][]uint64{{lp(5, Byte, 0)}}, []uint64{lp(0, Byte, 0)}},
		{"an empty list out of bounds", [][]uint64{{lp(-9, EightBytes, 0)}}, []uint64{lp(0, EightBytes, 0)}},
		{"voids out of bounds", [][]uint64{{lp(99, Void, 5)}}, []uint64{lp(0, Void, 5)}},
		{"an object that is shared is written twice", [][]uint64{{sp(0, 0, 2), lp(1, Byte, 1), lp(0, Byte, 1), 1}}, []uint64{sp(0, 0, 2), lp(1, Byte, 1), lp(1, Byte, 1), 1, 1}},
		// A peer reads past the end of these: the last object of the message is
		// a struct list with data only.
		{"last object: a data-only struct list", [][]uint64{{sp(0, 0, 1), lp(0, Composite, 2), listTag(2, 1, 0), 1, 2}}, nil},
		{"last object: a data-only struct list of one", [][]uint64{{lp(0, Composite, 1), listTag(1, 1, 0), 1}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect := c.want
			if expect == nil {
				expect = c.segs[0]
			}
			m := openWords(t, c.segs...)
			got, err := m.Canonical()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(toWords(got), expect) {
				t.Errorf("got %#x\nwant %#x", toWords(got), expect)
			}
			want(t, "capacity", cap(got), len(got))
			is, err := m.IsCanonical()
			if is != (c.want == nil) || err != nil {
				t.Errorf("IsCanonical is %v, %v", is, err)
			}
			o := openBytes(t, [][]byte{got}, Options{})
			want(t, "Equal", o.Root().Equal(m.Root()), Equal)
			is, err = o.IsCanonical()
			if !is || err != nil {
				t.Errorf("the canonical form's IsCanonical is %v, %v", is, err)
			}
		})
	}
}

// What was built in one segment and in many has one canonical form, and so has
// its copy out of shared memory.
func TestCanonicalDoesNotDependOnLayout(t *testing.T) {
	var forms [][]byte
	for _, a := range arenas {
		m := builder(t, a.make())
		root := m.NewRoot(Size{DataWords: 2, Ptrs: uint16(len(orphanKinds) - 1)})
		for i, k := range orphanKinds[:len(orphanKinds)-1] { // the last is a capability
			k.build(root.Ptr(uint16(i)))
		}
		c, err := m.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		segs, _ := m.ToSegments()
		shared := openBytes(t, segs, Options{Trust: Shared})
		d, err := shared.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, c, d)
	}
	for _, f := range forms {
		if !bytes.Equal(f, forms[0]) {
			t.Errorf("canonical forms differ:\n%x\n%x", f, forms[0])
		}
	}
}

func TestCanonicalErrors(t *testing.T) {
	m := openWords(t, []uint64{structPtr(0, 0, 1), capPtr(4)})
	if _, err := m.Canonical(); !errors.Is(err, ErrMisuse) || !strings.Contains(err.Error(), "capability 4") {
		t.Errorf("Canonical of a capability: %v", err)
	}
	noErr(t, m)
	m = openWords(t, []uint64{structPtr(0, 0, 1), structPtr(9, 1, 1)})
	if _, err := m.Canonical(); !errors.Is(err, ErrMalformed) {
		t.Errorf("Canonical of a malformed message: %v", err)
	}
	if is, err := m.IsCanonical(); is || !errors.Is(err, ErrMalformed) {
		t.Errorf("IsCanonical of a malformed message: %v, %v", is, err)
	}
	m = openBytes(t, segsOf([]uint64{listPtr(0, EightBytes, 4), 1, 2, 3, 4}), Options{Limits: Limits{TraversalWords: 3}})
	_, err := m.Canonical()
	wantLimit(t, err, "TraversalWords", 3)
	m = openBytes(t, segsOf([]uint64{structPtr(-1, 0, 1)}), Options{Limits: Limits{Depth: 5}})
	_, err = m.Canonical()
	wantLimit(t, err, "Depth", 5)
	m = openWords(t, []uint64{structPtr(0, 1, 0), 1}, []uint64{0})
	if is, err := m.IsCanonical(); is || err != nil {
		t.Errorf("IsCanonical of two segments: %v, %v", is, err)
	}
	if c, err := builder(t, fresh{}).Canonical(); err != nil || !slices.Equal(toWords(c), []uint64{0}) {
		t.Errorf("Canonical of a message of nothing: %x, %v", c, err)
	}
}
