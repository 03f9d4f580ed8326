package segment_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

type owner struct{ released int }

func (o *owner) Release() { o.released++ }

// debugArena asks that messages be not used again.
type debugArena struct {
	exact
}

func (*debugArena) Debugging() bool { return true }

func TestReleaseGivesBack(t *testing.T) {
	a := &exact{}
	m := New(a)
	fillAll(m.NewRoot(fillSize))
	if a.allocs < 3 {
		t.Fatalf("%d allocations", a.allocs)
	}
	m.Retain()
	m.Retain().Release()
	m.Release()
	want(t, "freed while held", a.freed, 0)
	want(t, "Err", m.Err(), nil)
	m.Release()
	want(t, "freed", a.freed, a.allocs)

	o := &owner{}
	r := openBytes(t, segsOf([]uint64{0}), Options{Owner: o})
	r.Retain().Release()
	want(t, "released while held", o.released, 0)
	r.Release()
	want(t, "released", o.released, 1)
	var none *Message
	none.Release()
}

func TestRetainByMany(t *testing.T) {
	for range 200 {
		o := &owner{}
		m, err := Open(segsOf([]uint64{structPtr(0, 1, 0), 5}), Options{Owner: o})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			m.Retain()
			wg.Go(func() {
				if m.Root().Struct().Uint64(0) != 5 {
					t.Error("wrong data")
				}
				m.Release()
			})
		}
		m.Release()
		wg.Wait()
		want(t, "released", o.released, 1)
	}
}

// With an arena in debug mode all use after Release is told.
func TestUseAfterRelease(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(m *Message, p PtrBuilder, s StructBuilder, r Struct)
	}{
		{"nothing", func(*Message, PtrBuilder, StructBuilder, Struct) {}},
		{"Release", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) { m.Release() }},
		{"Root", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) { want(t, "Root", m.Root(), Ptr{}) }},
		{"RootBuilder", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) { m.RootBuilder().SetText("x") }},
		{"NewRoot", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) {
			m.NewRoot(Size{DataWords: 1}).SetUint64(0, 1)
		}},
		{"Verify", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) {
			if err := m.Verify(); !errors.Is(err, ErrReleased) {
				t.Errorf("Verify: %v", err)
			}
		}},
		{"ToSegments", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) {
			if segs, err := m.ToSegments(); !errors.Is(err, ErrReleased) || len(segs) != 0 {
				t.Errorf("ToSegments: %v, %v", segs, err)
			}
		}},
		{"Snapshot", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) {
			if _, err := m.Snapshot(); !errors.Is(err, ErrReleased) {
				t.Errorf("Snapshot: %v", err)
			}
		}},
		{"Canonical", func(m *Message, _ PtrBuilder, _ StructBuilder, _ Struct) {
			if _, err := m.Canonical(); !errors.Is(err, ErrReleased) {
				t.Errorf("Canonical: %v", err)
			}
		}},
		{"a struct's data", func(_ *Message, _ PtrBuilder, _ StructBuilder, r Struct) { r.Uint64(0) }},
		{"a struct's text", func(_ *Message, _ PtrBuilder, _ StructBuilder, r Struct) { want(t, "Text", r.Text(0), "") }},
		{"a struct's list", func(_ *Message, _ PtrBuilder, _ StructBuilder, r Struct) { want(t, "Len", r.List(1).Len(), 0) }},
		{"a struct's struct", func(_ *Message, _ PtrBuilder, _ StructBuilder, r Struct) { r.Struct(2) }},
		{"TotalWords", func(_ *Message, _ PtrBuilder, _ StructBuilder, r Struct) { r.TotalWords() }},
		{"a copy", func(_ *Message, _ PtrBuilder, _ StructBuilder, r Struct) {
			c := builder(t, fresh{})
			c.RootBuilder().SetStruct(r)
			if !errors.Is(c.Err(), ErrReleased) {
				t.Errorf("copy: %v", c.Err())
			}
		}},
		{"a builder's setter", func(_ *Message, _ PtrBuilder, s StructBuilder, _ Struct) { s.SetUint64(0, 1) }},
		{"a builder's text", func(_ *Message, _ PtrBuilder, s StructBuilder, _ Struct) { s.SetText(0, "x") }},
		{"a builder's list", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) { NewNumbers[int64](p, 100).Set(99, 1) }},
		{"a builder's struct", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) {
			p.Struct(Size{DataWords: 9}).SetUint64(0, 1)
		}},
		{"a new struct", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) {
			p.NewStruct(Size{DataWords: 1}).SetUint64(0, 1)
		}},
		{"an empty struct", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) { p.NewStruct(Size{}) }},
		{"a copy into it", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) {
			p.Set(openWords(t, []uint64{structPtr(0, 1, 0), 1}).Root())
		}},
		{"external data", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) {
			n := 0
			want(t, "uncopied", p.SetExternalData(padded(8), func() { n++ }), false)
			want(t, "released", n, 1)
		}},
		{"an orphan", func(m *Message, p PtrBuilder, _ StructBuilder, _ Struct) { p.Adopt(m.NewOrphanText("x")) }},
		{"Disown", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) { p.Disown().Discard() }},
		{"Clear", func(_ *Message, p PtrBuilder, _ StructBuilder, _ Struct) { p.Clear() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &debugArena{}
			m := New(a)
			s := m.NewRoot(Size{DataWords: 1, Ptrs: 4})
			s.SetText(0, "secret")
			NewNumbers[int32](s.Ptr(1), 3)
			s.NewStruct(2, Size{DataWords: 1})
			r := s.Reader()
			m.Release()
			allocs := a.allocs
			func() {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("panic: %v", v)
					}
				}()
				c.do(m, s.Ptr(0), s, r)
			}()
			if !errors.Is(m.Err(), ErrReleased) {
				t.Errorf("Err is %v", m.Err())
			}
			want(t, "memory taken after Release", a.allocs, allocs)
			want(t, "freed", a.freed, allocs)
		})
	}
}

// Debug mode reports a fault that nobody looked at.
func TestUnreadFaultIsReported(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	for _, look := range []bool{true, false} {
		log.Reset()
		m := New(&debugArena{exact{max: 64}})
		m.NewRoot(Size{Ptrs: 1}).NewData(0, 1000)
		if look {
			_ = m.Err()
		}
		m.Release()
		want(t, "reported", strings.Contains(log.String(), "refuses"), !look)
	}
}

// A recycled message has nothing of the one before.
func TestRecycledMessageIsClean(t *testing.T) {
	for range 100 {
		o := &owner{}
		m, err := Open(segsOf([]uint64{structPtr(0, 0, 1), 7}, []uint64{1}),
			Options{Limits: Limits{TraversalWords: 5, Depth: 3, Segments: 4}, Trust: Shared, Owner: o})
		if err != nil {
			t.Fatal(err)
		}
		_ = m.Verify()
		m.Release()

		b := New(fresh{})
		want(t, "Err", b.Err(), nil)
		want(t, "Trust", b.Trust(), Private)
		want(t, "Segments", b.Segments(), 0)
		want(t, "Metered", b.Metered(), false)
		s := b.NewRoot(Size{DataWords: 1, Ptrs: 1})
		chain(s.NewStruct(0, chainSize), 10)
		snap, err := b.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.Verify(); err != nil {
			t.Fatalf("the snapshot has another message's limits: %v", err)
		}
		snap.Release()
		b.Release()
		want(t, "owner released", o.released, 1)
	}
}

// The bookkeeping of many segments is kept for the next message, within bounds.
func TestSpareBookkeeping(t *testing.T) {
	build := func(m *Message, n int) {
		root := m.NewRoot(Size{Ptrs: uint16(n)})
		for i := range uint16(n) {
			root.Ptr(i).SetExternalData(padded(8), nil)
		}
	}
	m := New(fresh{})
	build(m, 400)
	if n := m.Segments(); n <= 400 {
		t.Errorf("%d segments", n)
	}
	m.Retain() // so that it does not go to another test
	m.Release()
	m.Release()
	if n := m.Spares(); n > MaxSpare {
		t.Errorf("%d segments are kept, at most %d may be", n, MaxSpare)
	}
	for range 20 {
		m := New(&exact{max: 8 * 20})
		fillAll(m.NewRoot(fillSize))
		checkAll(t, reread(t, m).Root().Struct())
		m.Release()
	}
}
