package packed

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// feed unpacks src through buffers of the given sizes, in words and bytes: it
// gives the unpacker outWords words of room and inBytes bytes at a time, and
// checks what Unpack promises of each call.
func feed(tb testing.TB, u *Unpacker, src []byte, outWords, inBytes int) []byte {
	var out []byte
	buf := make([]byte, 8*outWords)
	for {
		in := src[:min(inBytes, len(src))]
		nd, ns := u.Unpack(buf, in)
		if nd%8 != 0 || nd < len(buf) && ns < len(in) {
			tb.Fatalf("Unpack(%d, %d) stopped at %d, %d", len(buf), len(in), nd, ns)
		}
		out = append(out, buf[:nd]...)
		src = src[ns:]
		if nd == 0 && len(src) == 0 {
			return out
		}
	}
}

// All ways to cut the input in two, with room for one word, two and all.
func TestSplits(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for n := range 40 {
			src := randomWords(r, n)
			packed := simplePack(src)
			for cut := range len(packed) + 1 {
				for _, room := range []int{1, 2, 3, n + 1} {
					var u Unpacker
					got := feed(t, &u, packed[:cut], room, len(packed))
					got = append(got, feed(t, &u, packed[cut:], room, len(packed))...)
					if !bytes.Equal(got, src) || !u.AtBoundary() {
						t.Fatalf("%x cut at %d, %d words of room: got %x, want %x", packed, cut, room, got, src)
					}
				}
			}
			for cut := range n + 1 {
				dst := bytes.Repeat([]byte{0xa5}, len(src))
				var u Unpacker
				nd, ns := u.Unpack(dst[:8*cut], packed)
				if nd != 8*cut {
					t.Fatalf("%x: %d bytes instead of %d", packed, nd, 8*cut)
				}
				if u.AwaitsCount() {
					t.Fatalf("%x: the count behind word %d was left", packed, cut)
				}
				if rest := bytes.TrimLeft(dst[nd:], "\xa5"); len(rest) != 0 {
					t.Fatalf("%x: stored past %d bytes of room", packed, nd)
				}
				if _, ns2 := u.Unpack(dst[nd:], packed[ns:]); ns+ns2 != len(packed) || !bytes.Equal(dst, src) || !u.AtBoundary() {
					t.Fatalf("%x with room cut at word %d: got %x, want %x", packed, cut, dst, src)
				}
			}
			for _, in := range []int{1, 2, 3, 7, 11, 19} {
				for _, room := range []int{1, 2, 5, 9} {
					var u Unpacker
					if got := feed(t, &u, packed, room, in); !bytes.Equal(got, src) || !u.AtBoundary() {
						t.Fatalf("%x by %d bytes, %d words: got %x, want %x", packed, in, room, got, src)
					}
				}
			}
		}
	})
}

// A stream that is cut anywhere does not end at a boundary, except between two
// words.
func TestCuts(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for range 200 {
			src := randomWords(r, 1+r.IntN(60))
			packed := simplePack(src)
			for cut := range packed {
				want, wantErr := simpleUnpack(packed[:cut])
				got, whole := unpackAll(packed[:cut], len(src))
				if !bytes.Equal(got, want) || whole != (wantErr == nil) {
					t.Fatalf("%x: boundary %v, got %x; want %v, %x", packed[:cut], whole, got, wantErr == nil, want)
				}
				n, err := UnpackedLen(packed[:cut])
				if (err == nil) != whole || err != nil && !errors.Is(err, ErrTruncated) || err == nil && n != int64(len(want)) {
					t.Fatalf("%x: UnpackedLen = %d, %v, want %d, cut %v", packed[:cut], n, err, len(want), wantErr)
				}
			}
		}
	})
}

func TestUnpackerState(t *testing.T) {
	full := "ff 01 02 03 04 05 06 07 08"
	for _, c := range []struct {
		name       string
		in         string
		roomWords  int
		nd, ns     int
		boundary   bool
		awaits     bool
		runLeft    int
		afterwards int // bytes that an empty dst still takes from "05"
	}{
		{"nothing", "", 1, 0, 0, true, false, 0, 0},
		{"no room", "01 02", 0, 0, 0, true, false, 0, 0},
		{"a word", "01 02", 1, 8, 2, true, false, 0, 0},
		{"tag only", "01", 1, 0, 1, false, false, 0, 0},
		{"half a word", "03 02", 1, 0, 2, false, false, 0, 0},
		{"zero without count", "00", 1, 8, 1, false, true, 0, 1},
		{"zero with count 0", "00 00", 1, 8, 2, true, false, 0, 0},
		{"zero run past the room", "00 03", 2, 16, 2, false, false, 2, 0},
		{"zero run in the room", "00 03", 5, 32, 2, true, false, 0, 0},
		{"raw without count", full, 1, 8, 9, false, true, 0, 1},
		{"raw with count 0", full + "00", 1, 8, 10, true, false, 0, 0},
		{"raw run past the room", full + "02 01 01 01 01 01 01 01 01 02", 2, 16, 18, false, false, 1, 0},
		{"raw run past the input", full + "02 01 01 01 01 01 01 01 01 02", 9, 16, 19, false, false, 1, 0},
		{"raw run without a byte", full + "ff", 9, 8, 10, false, false, 255, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var u Unpacker
			nd, ns := u.Unpack(make([]byte, 8*c.roomWords), unhex(t, c.in))
			if nd != c.nd || ns != c.ns {
				t.Errorf("Unpack = %d, %d, want %d, %d", nd, ns, c.nd, c.ns)
			}
			if u.AtBoundary() != c.boundary || u.AwaitsCount() != c.awaits || u.RunLeft() != c.runLeft {
				t.Errorf("boundary %v, awaits count %v, run left %d; want %v, %v, %d",
					u.AtBoundary(), u.AwaitsCount(), u.RunLeft(), c.boundary, c.awaits, c.runLeft)
			}
			if nd, ns := u.Unpack(nil, []byte{5}); nd != 0 || ns != c.afterwards {
				t.Errorf("with no room, Unpack = %d, %d, want 0, %d", nd, ns, c.afterwards)
			}
		})
	}
}

func TestUnpackedLenOfABomb(t *testing.T) {
	bomb := bytes.Repeat([]byte{0, 0xff}, 1<<20)
	const want = int64(2048) << 20
	if n, err := UnpackedLen(bomb); err != nil || n != want {
		t.Errorf("UnpackedLen = %d, %v, want %d", n, err, want)
	}
}
