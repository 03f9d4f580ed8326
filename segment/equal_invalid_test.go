package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// A pointer that can't be read compared as unequal to null, against what Equal
// says and what every other reading of it gives.
func TestInvalidEqualsNull(t *testing.T) {
	for _, c := range []struct {
		name string
		word uint64
	}{
		{"unknown kind", 7},
		{"far pointer to no segment", farPtr(5, 0)},
		{"double-far pointer to no segment", doubleFarPtr(5, 0)},
		{"far pointer past the end", farPtr(0, 100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := func() *Message { return openWords(t, []uint64{structPtr(0, 1, 1), 5, c.word}) }
			null := openWords(t, []uint64{structPtr(0, 1, 1), 5, 0})
			short := openWords(t, []uint64{structPtr(0, 1, 0), 5})
			other := openWords(t, []uint64{structPtr(0, 1, 1), 5, structPtr(0, 1, 0), 1})
			for _, q := range []struct {
				name string
				m    *Message
				want Equality
			}{{"null", null, Equal}, {"no pointer", short, Equal}, {"another invalid one", bad(), Equal}, {"a struct", other, NotEqual}} {
				m := bad()
				want(t, q.name, m.Root().Equal(q.m.Root()), q.want)
				wantErr(t, m, ErrMalformed, "")
				want(t, q.name+", from there", q.m.Root().Equal(m.Root()), q.want)
				wantErr(t, m, ErrMalformed, "")
			}
			noErr(t, null)
			noErr(t, other)
			// As a list's element, and as the root.
			list := openWords(t, []uint64{listPtr(0, Pointer, 1), c.word})
			want(t, "element", list.Root().Equal(openWords(t, []uint64{listPtr(0, Pointer, 1), 0}).Root()), Equal)
			wantErr(t, list, ErrMalformed, "")
			root := openWords(t, []uint64{c.word})
			want(t, "root", root.Root().Equal(openWords(t, []uint64{0}).Root()), Equal)
			wantErr(t, root, ErrMalformed, "")
			want(t, "zero pointer", root.Root().Equal(Ptr{}), Equal)
		})
	}
}
