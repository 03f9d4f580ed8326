package packed

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// guarded is memory between two pages that must not be touched.
type guarded []byte

func newGuarded(t *testing.T, size int) guarded {
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(b); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{b[:page], b[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return guarded(b[page : page+size])
}

// place is n bytes at one of the two ends, with no capacity beyond them.
func (g guarded) place(n int, atEnd bool) []byte {
	if atEnd {
		return g[len(g)-n : len(g) : len(g)]
	}
	return g[:n:n]
}

// No kernel loads or stores outside of its slices, on either side.
func TestGuardPages(t *testing.T) {
	const maxWords = 3 * asmChunk / 8
	in, out := newGuarded(t, MaxLen(8*maxWords)), newGuarded(t, MaxLen(8*maxWords))
	eachKernel(t, func(t *testing.T) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		r := rand.New(rand.NewPCG(13, 14))
		check := func(plain []byte) {
			packed := simplePack(plain)
			for _, atEnd := range []bool{false, true} {
				src := in.place(len(plain), atEnd)
				copy(src, plain)
				if got := Append(out.place(MaxLen(len(src)), atEnd)[:0], src); !bytes.Equal(got, packed) {
					t.Fatalf("Append of %x: got %x, want %x", plain, got, packed)
				}
				// The end of the room and the end of the input, together
				// and each before the other.
				for _, cut := range []int{0, 1, r.IntN(len(packed) + 1)} {
					for _, less := range []int{0, 1, r.IntN(len(plain)/8 + 1)} {
						src := in.place(max(0, len(packed)-cut), atEnd)
						copy(src, packed)
						dst := out.place(8*max(0, len(plain)/8-less), atEnd)
						var u Unpacker
						nd, _ := u.Unpack(dst, src)
						if !bytes.Equal(dst[:nd], plain[:nd]) {
							t.Fatalf("Unpack of %x: got %x, want %x", src, dst[:nd], plain[:nd])
						}
					}
				}
			}
		}
		for n := range 70 {
			for range 40 {
				check(randomWords(r, n))
			}
		}
		for range 20 {
			check(randomWords(r, r.IntN(maxWords)))
		}
	})
}

// Another process may write to the memory that a message lies in while it is
// packed or unpacked. That must not move a load or store out of the slices.
func TestSourceChanges(t *testing.T) {
	const size = 8 << 10
	fd, err := unix.MemfdCreate("packed", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, size); err != nil {
		t.Fatal(err)
	}
	var maps [2][]byte
	for i := range maps {
		if maps[i], err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(maps[i])
	}
	out := newGuarded(t, MaxLen(size))
	for _, c := range []struct {
		name string
		a, b uint64
	}{
		// The case in which a packed word can lose its neighbour's help; as
		// packed bytes, these are tags and counts of both kinds.
		{"full words become words with two zero bytes", 0xffffffffffffffff, 0x00ffffff00ffffff},
		{"runs of zeros lose their counts", 0x0100010001000100, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stop atomic.Bool
			var writer sync.WaitGroup
			writer.Go(func() {
				for !stop.Load() {
					for _, w := range [2]uint64{c.a, c.b} {
						for i := 0; i < size; i += 8 {
							binary.NativeEndian.PutUint64(maps[1][i:], w)
						}
					}
				}
			})
			defer writer.Wait()
			defer stop.Store(true)
			eachKernel(t, func(t *testing.T) {
				defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
				for range 5_000 {
					Append(out.place(MaxLen(size), true)[:0], maps[0])
					var u Unpacker
					u.Unpack(out.place(size/2, true), maps[0])
				}
			})
		})
	}
}
