package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// CVE-2015-2311: a text of size 0, which has not even its NUL, underflowed to a
// writable text of 2^32 - 1 bytes in a builder.
func TestCVE_2015_2311_EmptyTextInBuilder(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 2})
	root.Ptr(0).NewList(Byte, 0)
	root.SetText(1, "neighbour")
	want(t, "TextBytes", root.Ptr(0).TextBytes() == nil, true)
	wantErr(t, m, ErrMalformed, "its size is 0")
	want(t, "reader's TextBytes", root.Reader().TextBytes(0) == nil, true)
	wantErr(t, m, ErrMalformed, "its size is 0")
	o := root.Ptr(0).Disown()
	o.TruncateText(0)
	wantErr(t, m, ErrMisuse, "not text")
	o.TruncateText(3)
	wantErr(t, m, ErrMisuse, "not text")
	want(t, "neighbour", root.Reader().Text(1), "neighbour")

	// The same out of a message from outside, copied into a builder.
	src := openWords(t, []uint64{listPtr(0, Byte, 0)})
	root.Ptr(0).Set(src.Root())
	noErr(t, m)
	want(t, "TextBytes of the copy", root.Ptr(0).TextBytes() == nil, true)
	wantErr(t, m, ErrMalformed, "its size is 0")
	want(t, "Data of the copy", len(root.Ptr(0).Data()), 0)
}
