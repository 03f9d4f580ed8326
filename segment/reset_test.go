package segment_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// checking is an arena that finds memory given back that is not zero behind
// what was said to be used. Its first segment has first bytes, the others what
// is asked for.
type checking struct {
	first int
	grows bool
	fault error
	out   int
}

func (c *checking) Allocate(n int) ([]byte, error) {
	size := n
	if c.out == 0 {
		size = max(n, c.first)
	}
	c.out++
	if c.grows {
		return make([]byte, 1<<20)[:size], nil
	}
	return make([]byte, size), nil
}

func (c *checking) Free(b []byte, used int) {
	c.out--
	if used > len(b) {
		c.fault = fmt.Errorf("%d bytes of %d were used", used, len(b))
	} else if at := bytes.IndexFunc(b[used:], func(r rune) bool { return r != 0 }); at >= 0 {
		c.fault = fmt.Errorf("byte %d is not zero, of which %d were used", used+at, used)
	}
}

type promising struct{ *checking }

func (promising) Zeroed() bool { return true }

type growing struct{ promising }

func (growing) Grow(b []byte, n int) ([]byte, error) {
	if n > cap(b) {
		return nil, errRefused
	}
	return b[:n], nil
}

// dirtying gives memory that holds something in its first bytes, another thing in
// each arena.
type dirtying struct {
	promising
	what  byte
	first int
}

var dirtyings byte

func newDirtying(first, dirty int) (Arena, *checking) {
	c := &checking{first: first}
	dirtyings = max(dirtyings+1, 1)
	return &dirtying{promising{c}, dirtyings, dirty}, c
}

func (d *dirtying) Allocate(n int) ([]byte, error) {
	b, err := d.promising.Allocate(n)
	for i := range b[:d.Dirty(b)] {
		b[i] = d.what
	}
	return b, err
}

func (d *dirtying) Dirty(b []byte) int { return min(len(b), d.first) }

// arenasOfReset are the ways in which a first segment gets its memory.
var arenasOfReset = []struct {
	name string
	make func() (Arena, *checking)
}{
	{"zeroed", func() (Arena, *checking) { c := &checking{first: 64 << 10}; return promising{c}, c }},
	{"zeroed, several segments", func() (Arena, *checking) { c := &checking{first: 6000}; return promising{c}, c }},
	{"looked at", func() (Arena, *checking) { c := &checking{first: 64 << 10}; return c, c }},
	{"grown in place", func() (Arena, *checking) {
		c := &checking{first: 5000, grows: true}
		return growing{promising{c}}, c
	}},
	{"all dirty", func() (Arena, *checking) { return newDirtying(64<<10, 1<<20) }},
	{"dirty in part", func() (Arena, *checking) { return newDirtying(64<<10, 20_001) }},
	{"dirty, several segments", func() (Arena, *checking) { return newDirtying(6000, 5000) }},
}

// follow builds what a program says: every kind of object, and what takes room
// back or moves an object. Most of what is built is left as zero as it was given.
func follow(m *Message, program []byte) (faults []string) {
	next := func() int {
		if len(program) == 0 {
			return 0
		}
		b := program[0]
		program = program[1:]
		return int(b)
	}
	root := m.NewRoot(Size{DataWords: 1, Ptrs: 8})
	for len(program) > 0 {
		op, p, n := next(), root.Ptr(uint16(next()%8)), next()
		switch op % 17 {
		case 0, 1, 2:
			p.SetText("0123456789012345678901234567890123456789012345678901234567890123456789"[:n%71])
		case 3:
			p.NewText(n)
		case 4:
			b := p.NewData(n * 40)
			if len(b) > 2 {
				b[len(b)/2] = 7
			}
		case 5:
			l := NewStructs[StructBuilder](p, Size{DataWords: uint16(n % 3), Ptrs: uint16(n % 4)}, n)
			if n%4 > 0 {
				l.At(n/2).SetText(0, "inside a list")
				l.At(n-1).NewStruct(0, Size{DataWords: 2, Ptrs: 1})
			}
		case 6:
			NewNumbers[uint16](p, n)
		case 7:
			p.NewBools(n)
		case 8:
			p.NewStruct(Size{DataWords: uint16(n), Ptrs: uint16(n % 7)})
		case 9:
			p.Struct(Size{DataWords: uint16(n % 9), Ptrs: uint16(n % 5)})
		case 10:
			p.Clear()
		case 11:
			o := p.Disown()
			o.Truncate(n)
			p.Adopt(o)
		case 12:
			o := m.NewOrphanText("an orphan that grows")
			o.TruncateText(n)
			p.Adopt(o)
		case 13:
			p.Set(root.Ptr(uint16(n % 8)).Reader())
		case 14:
			p.StructList(Size{DataWords: uint16(n % 4), Ptrs: uint16(n % 5)})
		case 15:
			p.NewPtrs(n)
		case 16:
			p.SetData(bytes.Repeat([]byte{1, 2, 3}, n*17))
		}
		// With a fault nothing more is looked at, and so how far a message can
		// be built depends on what was looked at before.
		if err := m.Err(); err != nil {
			faults = append(faults, err.Error())
			m.ClearErr()
		}
	}
	return faults
}

// resetIsFresh builds programs one after the other in one message, and each in a
// message of its own.
func resetIsFresh(t *testing.T, programs [][]byte) {
	t.Helper()
	for _, a := range arenasOfReset {
		arena, check := a.make()
		m := New(arena)
		for i, program := range programs {
			m.Reset()
			faults := follow(m, program)
			other, _ := a.make()
			f := New(other)
			if want := follow(f, program); !slices.Equal(faults, want) {
				t.Errorf("%s: program %d: the faults are %q after Reset, %q in a new message", a.name, i, faults, want)
			}
			got, err1 := m.ToSegments()
			fresh, err2 := f.ToSegments()
			if err1 != nil || err2 != nil || !slices.EqualFunc(got, fresh, bytes.Equal) {
				t.Errorf("%s: program %d: %d segments after Reset are not the %d of a new message, %v, %v", a.name, i, len(got), len(fresh), err1, err2)
			}
			f.Release()
		}
		m.Release()
		if check.fault != nil || check.out != 0 {
			t.Errorf("%s: %d segments are out, %v", a.name, check.out, check.fault)
		}
	}
}

// What a message held before its Reset shows in nothing that is built then.
func TestResetIsFresh(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		programs := make([][]byte, 2+rng.IntN(4))
		for i := range programs {
			programs[i] = make([]byte, 3*rng.IntN(1<<rng.IntN(8)))
			for j := range programs[i] {
				programs[i][j] = byte(rng.Uint32())
			}
		}
		resetIsFresh(t, programs)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzReset splits its input into programs at each 0xff.
func FuzzReset(f *testing.F) {
	f.Add([]byte("\x04\x00\xf0\x05\x01\x80\xff\x04\x02\x20\x08\x03\xc0\x05\x04\x70"))
	f.Add([]byte("\x08\x00\xf0\x08\x01\xf0\x08\x02\xf0\x00\x03\x20\xff\x04\x00\x60\x04\x00\x60\x0b\x00\xa0\x0c\x01\xf0"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1000 {
			t.Skip()
		}
		resetIsFresh(t, bytes.Split(in, []byte{0xff}))
	})
}

// NewDirtyData leaves what is there, in its own bytes only.
func TestNewDirtyData(t *testing.T) {
	arena, check := newDirtying(64<<10, 64<<10)
	m := New(arena)
	root := m.NewRoot(Size{Ptrs: 2})
	b := root.Ptr(0).NewDirtyData(20_001)
	if len(b) != 20_001 || cap(b) != len(b) || b[20_000] == 0 && b[10_000] == 0 {
		t.Errorf("%d bytes, capacity %d, that were cleared", len(b), cap(b))
	}
	clear(b)
	root.Ptr(1).NewData(100)
	segs, err := m.ToSegments()
	if err != nil || len(segs) != 1 {
		t.Fatalf("%d segments, %v", len(segs), err)
	}
	for i, c := range segs[0] {
		if c == arena.(*dirtying).what {
			t.Fatalf("byte %d is what was there before", i)
		}
	}
	m.Release()
	if check.fault != nil || check.out != 0 {
		t.Errorf("%d segments are out, %v", check.out, check.fault)
	}
}

// A message that is smaller than the one before leaves the rest of that one to
// its arena, which clears it.
func TestResetLeavesNothing(t *testing.T) {
	arena := &keptArena{}
	m := New(arena)
	m.NewRoot(Size{Ptrs: 1}).SetText(0, string(bytes.Repeat([]byte{secret}, 20_000)))
	m.Reset()
	m.NewRoot(Size{Ptrs: 1}).SetText(0, "little")
	m.Release()
	if n := bytes.Count(arena.mem, []byte{secret}); n != 0 {
		t.Errorf("%d bytes of the first message are still there", n)
	}
}

// keptArena clears what was used, as an arena does that keeps its memory.
type keptArena struct{ mem []byte }

func (k *keptArena) Allocate(n int) ([]byte, error) {
	k.mem = make([]byte, max(n, 64<<10))
	return k.mem, nil
}

func (k *keptArena) Free(b []byte, used int) { clear(b[:used]) }
func (k *keptArena) Zeroed() bool            { return true }
