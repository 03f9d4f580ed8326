package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func TestTrust(t *testing.T) {
	for trust, text := range map[Trust]string{Private: "private", Shared: "shared", Snapshot: "snapshot", Trust(9): "unknown trust"} {
		want(t, "text", trust.String(), text)
	}
	b := builder(t, &exact{})
	fillAll(b.NewRoot(fillSize))
	segs, err := b.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trust   Trust
		metered bool // after Verify
	}{{Private, false}, {Shared, true}, {Snapshot, false}} {
		m := openBytes(t, segs, Options{Trust: c.trust})
		want(t, "Trust", m.Trust(), c.trust)
		want(t, "Metered", m.Metered(), true)
		want(t, "Verify", m.Verify(), nil)
		want(t, "Metered after Verify", m.Metered(), c.metered)
		checkAll(t, m.Root().Struct())
	}
	want(t, "Trust of a built message", b.Trust(), Private)
}

// A snapshot does not see what is written after it was taken.
func TestSnapshot(t *testing.T) {
	segs := segsOf([]uint64{farPtr(1, 0)}, []uint64{structPtr(0, 1, 0), 5})
	m := openBytes(t, segs, Options{Trust: Shared, Limits: Limits{Depth: 7, TraversalWords: 99}})
	s, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	segs[1][8] = 6
	segs[0][0] = 0xff
	want(t, "data", s.Root().Struct().Uint64(0), 5)
	want(t, "Trust", s.Trust(), Snapshot)
	want(t, "budget", s.Budget(), 99-2) // a pad and a word were read
	want(t, "Verify", s.Verify(), nil)
	want(t, "Metered", s.Metered(), false)
	want(t, "Segments", s.Segments(), 2)
	m.Root().Struct()
	wantErr(t, m, ErrMalformed, "")

	b := builder(t, &exact{max: 8 * 20})
	fillAll(b.NewRoot(fillSize))
	c, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, c.Root().Struct())
	want(t, "SizeBytes", c.SizeBytes(), b.SizeBytes())
	c.Release()
	e, err := builder(t, fresh{}).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "IsNull of a message of nothing", e.Root().IsNull(), true)
	e.Release()
}

func TestReadMessagesCantBeBuilt(t *testing.T) {
	m := openWords(t, []uint64{structPtr(0, 1, 0), 5})
	m.RootBuilder().SetText("x")
	wantErr(t, m, ErrReadOnly, "")
	m.NewRoot(Size{DataWords: 1}).SetUint64(0, 6)
	wantErr(t, m, ErrReadOnly, "")
	want(t, "data", m.Root().Struct().Uint64(0), 5)
	want(t, "Segments", m.Segments(), 1)
}
