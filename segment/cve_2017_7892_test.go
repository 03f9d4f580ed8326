package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// CVE-2017-7892: a far pointer's place, added to the segment's address,
// overflowed, and the compiler left the check out. Nothing is added here
// before it was compared.
func TestCVE_2017_7892_FarPointerOverflow(t *testing.T) {
	const last = 1<<29 - 1
	for _, seg := range [][]uint64{
		{farPtr(0, last)},
		{farPtr(0, 1<<28)},
		{doubleFarPtr(0, last)},
		{doubleFarPtr(0, last-1)},
		{doubleFarPtr(0, 1), farPtr(0, last), structPtr(0, 1, 0)},
		{doubleFarPtr(0, 1), farPtr(0, last), structPtr(0, 65535, 65535)},
		{doubleFarPtr(0, 1), farPtr(0, last), listPtr(0, Byte, 1<<29-1)},
		{doubleFarPtr(0, 1), farPtr(0, last), listPtr(0, Composite, 1<<29-1)},
		{doubleFarPtr(0, 1), farPtr(0, 1<<28), listPtr(0, EightBytes, 1<<28)},
		{farPtr(0, 1), structPtr(-1<<29, 65535, 65535)},
		{farPtr(0, 1), structPtr(1<<29-1, 65535, 65535)},
		{farPtr(0, 1), listPtr(-1<<29, EightBytes, 1<<29-1)},
		{farPtr(0, 1), listPtr(1<<29-1, Composite, 1<<29-1)},
		{farPtr(1<<31, 0)},
		{farPtr(1<<32-1, last)},
		{doubleFarPtr(0, 1), farPtr(1<<32-1, 0), structPtr(0, 1, 0)},
	} {
		m := openWords(t, seg)
		want(t, "Struct", m.Root().Struct(), Struct{})
		wantErr(t, m, ErrMalformed, "")
		want(t, "Data", m.Root().Data() == nil, true)
		wantErr(t, m, ErrMalformed, "")
		want(t, "List", m.Root().List(), List{})
		wantErr(t, m, ErrMalformed, "")
		if m.Verify() == nil {
			t.Errorf("%#x is sound", seg)
		}
	}
}
