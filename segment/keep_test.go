package segment_test

import (
	"bytes"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// keeping is an arena that leaves blocks of 4 KiB with their messages, and knows where
// each block is.
type keeping struct {
	t     *testing.T
	state map[*byte]string // "out" or "kept"
	takes int
}

func (k *keeping) move(mem []byte, from, to string) {
	k.t.Helper()
	if is := k.state[&mem[0]]; is != from {
		k.t.Errorf("a block is %q that was to become %q", is, to)
	}
	k.state[&mem[0]] = to
}

func (k *keeping) Allocate(n int) ([]byte, error) {
	mem := make([]byte, n)
	k.move(mem, "", "out")
	return mem, nil
}

func (k *keeping) Free(mem []byte, used int) {
	k.move(mem, "out", "free")
	if zero := make([]byte, len(mem)-used); !bytes.Equal(mem[used:], zero) {
		k.t.Errorf("a block is free that is not zero behind the %d bytes that were used", used)
	}
}

func (k *keeping) Keep(mem []byte, used int) bool {
	if len(mem) != 4096 {
		return false
	}
	clear(mem[:used])
	k.move(mem, "out", "kept")
	return true
}

func (k *keeping) Take(mem []byte) {
	k.move(mem, "kept", "out")
	if !bytes.Equal(mem, make([]byte, len(mem))) {
		k.t.Error("a block that was kept is not zero")
	}
	k.takes++
}

func (k *keeping) count(state string) (n int) {
	for _, is := range k.state {
		if is == state {
			n++
		}
	}
	return n
}

// write fills a message of n bytes of data, of which none may be there before.
func write(t *testing.T, m *Message, n int) {
	t.Helper()
	for i, b := range m.RootBuilder().NewDirtyData(n) {
		if b != 0 {
			t.Fatalf("byte %d is %d at first", i, b)
		}
	}
	copy(m.Root().Data(), bytes.Repeat([]byte{0xff}, n))
	want(t, "Err", m.Err(), nil)
}

func TestKeep(t *testing.T) {
	k := &keeping{t: t, state: map[*byte]string{}}
	m := New(k)
	defer m.Release()
	write(t, m, 4000)
	m.Renew(0)
	want(t, "kept", k.count("kept"), 1)
	write(t, m, 100)
	want(t, "blocks", len(k.state), 1)
	want(t, "takes", k.takes, 1)

	// A larger message has no use for it.
	m.Renew(100_000)
	write(t, m, 90_000)
	want(t, "kept", k.count("kept"), 0)
	want(t, "free", k.count("free"), 1)
	m.Renew(0)
	want(t, "kept", k.count("kept"), 0)

	// Of several segments the first stays.
	write(t, m, 4000)
	write(t, m, 4000)
	want(t, "segments", m.Segments(), 2)
	m.Renew(0)
	want(t, "kept", k.count("kept"), 1)
	want(t, "out", k.count("out"), 0)
}

// TestKeepBetweenArenas makes messages of two arenas in turn, which share their
// bookkeeping, and reads some in between.
func TestKeepBetweenArenas(t *testing.T) {
	arenas := [2]*keeping{{t: t, state: map[*byte]string{}}, {t: t, state: map[*byte]string{}}}
	for i := range 200 {
		k := arenas[i/3%2]
		m, other := New(k), New(k)
		write(t, m, 1000)
		write(t, other, 100*(i%60))
		r := openBytes(t, segsOf([]uint64{structPtr(0, 1, 0), 5}), Options{})
		m.Release()
		other.Release()
		want(t, "out", k.count("out"), 0)
		r.Release()
	}
	if arenas[0].takes == 0 && !raceEnabled {
		t.Error("nothing that was kept was used again")
	}
}
