package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// CVE-2015-2310: count times element size overflowed in a list's bounds check,
// so that a list reached far past its message. Each product here is small in
// 32 bits, and some are in 33 and more.
func TestCVE_2015_2310_ListBoundsOverflow(t *testing.T) {
	for _, c := range []struct {
		name string
		seg  []uint64
	}{
		{"2^29 - 1 words", []uint64{listPtr(0, EightBytes, 1<<29-1), 1}},
		{"2^29 - 1 pointers", []uint64{listPtr(0, Pointer, 1<<29-1), 1}},
		{"2^26 words are 2^32 bits", []uint64{listPtr(0, EightBytes, 1<<26), 1}},
		{"2^27 4-byte elements are 2^32 bits", []uint64{listPtr(0, FourBytes, 1<<27), 1}},
		{"2^28 2-byte elements are 2^32 bits", []uint64{listPtr(0, TwoBytes, 1<<28), 1}},
		{"2^29 - 1 bytes", []uint64{listPtr(0, Byte, 1<<29-1), 1}},
		{"2^29 - 1 bits", []uint64{listPtr(0, Bit, 1<<29-1), 1}},
		{"count × element words is 2^32", []uint64{listPtr(0, Composite, 1), listTag(1<<28, 16, 0), 1}},
		{"count × element words is 2^32 + 1", []uint64{listPtr(0, Composite, 1), listTag(0xf0f0f1, 17, 256), 1}},
		{"count × element words is 2^33", []uint64{listPtr(0, Composite, 1), listTag(1<<28, 16, 16), 1}},
		{"2^30 - 1 elements of 2^17 - 2 words", []uint64{listPtr(0, Composite, 1), listTag(1<<30-1, 65535, 65535), 1}},
		{"a word count that wraps with its tag", []uint64{listPtr(0, Composite, 1<<29-1), listTag(1, 1, 0), 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, c.seg)
			for what, n := range map[string]int{
				"List":    m.Root().List().Len(),
				"Structs": ReadStructs[Struct](m.Root()).Len(),
				"Numbers": ReadNumbers[uint64](m.Root()).Len(),
				"Bools":   m.Root().Bools().Len(),
				"Ptrs":    m.Root().Ptrs().Len(),
				"Data":    len(m.Root().Data()),
				"Text":    len(m.Root().TextBytes()),
			} {
				want(t, what, n, 0)
			}
			wantErr(t, m, ErrMalformed, "")
		})
	}
}
