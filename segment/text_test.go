package segment_test

import (
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"empty", ""},
		{"a letter", "a"},
		{"seven bytes and the NUL fill a word", "1234567"},
		{"eight bytes", "12345678"},
		{"a NUL inside", "a\x00b"},
		{"a NUL at the end", "a\x00"},
		{"not UTF-8", "\xff\xfe\x80"},
		{"half a surrogate", "\xed\xa0\x80"},
		{"Unicode", "größe 日本 🐕"},
		{"long", strings.Repeat("abcdefg", 1000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				if e, ok := a.(*exact); ok && e.max != 0 && len(c.text) > e.max/2 {
					t.Skip("larger than this arena's segments")
				}
				m := builder(t, a)
				root := m.NewRoot(Size{Ptrs: 4})
				root.SetText(0, c.text)
				copy(root.Ptr(1).NewText(len(c.text)), c.text)
				root.SetData(2, []byte(c.text))
				copy(root.NewData(3, len(c.text)), c.text)
				want(t, "builder's text", string(root.Ptr(0).TextBytes()), c.text)
				want(t, "builder's data", string(root.Ptr(2).Data()), c.text)
				r := reread(t, m).Root().Struct()
				for i := range uint16(2) {
					want(t, "Text", r.Text(i), c.text)
					b := r.TextBytes(i)
					want(t, "TextBytes", string(b), c.text)
					want(t, "capacity", cap(b), len(b))
					want(t, "NUL", r.Data(i)[len(c.text)], 0)
					want(t, "not null", b != nil, true)
				}
				for i := uint16(2); i < 4; i++ {
					b := r.Data(i)
					want(t, "Data", string(b), c.text)
					want(t, "capacity", cap(b), len(b))
					want(t, "not null", b != nil, true)
				}
				noErr(t, r.Message())
			})
		})
	}
}

func TestTextFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		seg  []uint64
		part string
	}{
		{"size 0", []uint64{listPtr(0, Byte, 0)}, "text has no NUL: its size is 0"},
		{"no NUL", []uint64{listPtr(0, Byte, 3), 0x636261}, "does not end in a NUL"},
		{"NUL just behind", []uint64{listPtr(0, Byte, 8), 0x4142434445464748, 0}, "does not end in a NUL"},
		{"other elements", []uint64{listPtr(0, TwoBytes, 3), 0}, "expected text, found a list pointer (offset 0, 2-byte elements, count 3)"},
		{"bits", []uint64{listPtr(0, Bit, 8), 0}, "expected text"},
		{"structs of bytes", []uint64{listPtr(0, Composite, 1), listTag(1, 1, 0), 0}, "expected text"},
		{"a struct", []uint64{structPtr(0, 1, 0), 0}, "expected text, found a struct"},
		{"a capability", []uint64{capPtr(0)}, "expected text, found a capability 0"},
		{"beyond the end", []uint64{listPtr(0, Byte, 9), 0}, "2 words from word 1 of segment 0, which has 2"},
		{"as long as can be", []uint64{listPtr(0, Byte, 1<<29-1), 0}, "67108864 words from word 1"},
		{"in front", []uint64{listPtr(-3, Byte, 1), 0}, "from word -2"},
		{"far, size 0", []uint64{farPtr(0, 1), listPtr(0, Byte, 0)}, "its size is 0"},
		{"far, no NUL", []uint64{farPtr(0, 1), listPtr(0, Byte, 1), 1}, "does not end in a NUL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, c.seg)
			want(t, "TextBytes", m.Root().TextBytes() == nil, true)
			wantErr(t, m, ErrMalformed, c.part)
			want(t, "Text", m.Root().TextOr("default"), "default")
			wantErr(t, m, ErrMalformed, c.part)
		})
	}
	m := openWords(t, []uint64{listPtr(0, TwoBytes, 3), 0})
	want(t, "Data", m.Root().Data() == nil, true)
	wantErr(t, m, ErrMalformed, "expected data")
}

// Text as long as text can be, and one byte more, which must not be allocated.
func TestLongestText(t *testing.T) {
	m := builder(t, fresh{})
	p := m.RootBuilder()
	if b := p.NewText(1<<29 - 1); b != nil {
		t.Error("text of 2^29 - 1 bytes and a NUL was made")
	}
	wantLimit(t, m.Err(), "bytes of a text", 1<<29-2)
	m.ClearErr()
	if b := p.NewData(1 << 29); b != nil {
		t.Error("data of 2^29 bytes was made")
	}
	wantLimit(t, m.Err(), "bytes of data", 1<<29-1)
}

// Bytes of a text or data can be overwritten in place.
func TestBytesInPlace(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 2})
	root.SetText(0, "abc")
	root.SetData(1, []byte("def"))
	root.Ptr(0).TextBytes()[1] = 'X'
	root.Ptr(1).Data()[0] = 'Y'
	want(t, "text", root.Reader().Text(0), "aXc")
	want(t, "data", string(root.Reader().Data(1)), "Yef")
	want(t, "capacity", cap(root.Ptr(1).Data()), 3)
}

func TestOverwritingTextLeavesNothing(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	root.SetText(0, "a long secret")
	root.SetText(0, "short")
	want(t, "secret is there", holds(t, m, "secret"), false)
	want(t, "text", root.Reader().Text(0), "short")
}

// Short texts are copied by moves that overlap, a way for each range of lengths.
func TestTextOfEachLength(t *testing.T) {
	all := make([]byte, 140)
	for i := range all {
		all[i] = byte(i + 1)
	}
	for n := range len(all) {
		text := string(all[len(all)-n:]) // its end is the end of the memory
		m := builder(t, fresh{})
		root := m.NewRoot(Size{Ptrs: 2})
		root.SetText(0, text)
		root.NewStruct(1, Size{DataWords: 1}).SetUint64(0, 1<<64-1)
		r := reread(t, m).Root().Struct()
		if got := r.Text(0); got != text {
			t.Errorf("%d bytes came back as %d: %q", n, len(got), got)
		}
		want(t, "the object behind it", r.Struct(1).Uint64(0), 1<<64-1)
		want(t, "words", m.SizeBytes()/8, int64(1+2+(n+8)/8+1))
	}
}
