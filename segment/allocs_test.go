package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// keeper is an arena that gives the same pieces of memory again and again.
type keeper struct {
	pieces [8][]byte
	n      int
}

func newKeeper(size int) *keeper {
	k := &keeper{}
	for i := range k.pieces {
		k.pieces[i] = make([]byte, size<<i)
	}
	return k
}

func (k *keeper) Allocate(n int) ([]byte, error) {
	for ; k.n < len(k.pieces); k.n++ {
		if p := k.pieces[k.n]; len(p) >= n {
			k.n++
			return p, nil
		}
	}
	return nil, errRefused
}

func (k *keeper) Free(b []byte, used int) {
	clear(b[:used])
	k.n = 0
}
func (k *keeper) Zeroed() bool { return true }

func buildPeople(m *Message, n int) {
	people := NewStructs[StructBuilder](m.NewRoot(Size{Ptrs: 1}).Ptr(0), Size{DataWords: 2, Ptrs: 3}, n)
	for i, p := range people.Indexed() {
		p.SetUint32(0, uint32(i))
		p.SetFloat64(8, 1.5)
		p.SetText(0, "a person's name")
		p.SetData(1, []byte{1, 2, 3})
		phones := NewNumbers[int64](p.Ptr(2), 3)
		for j := range phones.Len() {
			phones.Set(j, int64(j))
		}
	}
}

func readPeople(m *Message) (sum int64) {
	for p := range ReadStructs[Struct](m.Root().Struct().Ptr(0)).All() {
		sum += int64(p.Uint32(0)) + int64(p.Float64(8)) + int64(len(p.TextBytes(0))) + int64(len(p.Data(1)))
		for v := range ReadNumbers[int64](p.Ptr(2)).All() {
			sum += v
		}
	}
	return sum
}

// Building and reading allocate nothing once their arena has its memory.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's sync.Pool forgets at random")
	}
	one, many := newKeeper(1<<16), newKeeper(4096)
	spacious := New(one)
	buildPeople(spacious, 10)
	segs, err := spacious.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	words := segs[0]
	flat := [][]byte{append([]byte(nil), words...)}
	expect := readPeople(spacious)
	spacious.Release()
	out := make([][]byte, 0, 16)
	external := padded(64)
	var total int64
	segments := 0
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"build in one segment", func() {
			m := New(one)
			buildPeople(m, 10)
			m.Release()
		}},
		{"build in many segments", func() {
			m := New(many)
			buildPeople(m, 200)
			segments = m.Segments()
			m.Release()
		}},
		{"build and give the segments", func() {
			m := New(one)
			buildPeople(m, 2)
			out, err = m.AppendSegments(out[:0])
			if err != nil {
				t.Error(err)
			}
			m.Release()
		}},
		{"external data", func() {
			m := New(one)
			m.RootBuilder().SetExternalData(external, nil)
			m.Release()
		}},
		{"read", func() {
			m, _ := FromSegments(flat)
			total += readPeople(m)
			m.Release()
		}},
		{"verify and read", func() {
			m, _ := FromSegments(flat)
			if m.Verify() != nil {
				t.Error("it is not sound")
			}
			total += readPeople(m)
			m.Release()
		}},
		{"TotalWords and Equal", func() {
			m, _ := FromSegments(flat)
			n, _ := m.Root().TotalWords()
			total += n + int64(m.Root().Equal(m.Root()))
			m.Release()
		}},
		{"copy", func() {
			m, _ := FromSegments(flat)
			c := New(one)
			c.RootBuilder().Set(m.Root())
			c.Release()
			m.Release()
		}},
		{"build, read and overwrite in place", func() {
			m := New(one)
			buildPeople(m, 2)
			total += readPeople(m)
			m.NewRoot(Size{DataWords: 1}).SetUint64(0, 1)
			m.Release()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, c.f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	if segments < 3 {
		t.Errorf("%d segments are not many", segments)
	}
	m := openBytes(t, flat, Options{})
	want(t, "sum", readPeople(m), expect)
}
