package packed

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// kernels are those that this build and machine have.
func kernels() map[string]kernel {
	k := map[string]kernel{"safe": kernelSafe}
	if haveUnsafe {
		k["unsafe"] = kernelUnsafe
	}
	if haveBMI2 {
		k["bmi2"] = kernelNarrow
	}
	if haveWide {
		k["avx512"] = kernelBMI2
	}
	return k
}

// kernelNarrow is kernelBMI2 without AVX-512.
const kernelNarrow kernel = 0xff

// eachKernel runs test once with every implementation.
func eachKernel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for name, k := range kernels() {
		t.Run(name, func(t *testing.T) {
			use(t, k)
			test(t)
		})
	}
}

func use(tb testing.TB, k kernel) {
	oldActive, oldWide := active, wide
	active = k
	if k == kernelNarrow {
		active, wide = kernelBMI2, false
	}
	tb.Cleanup(func() { active, wide = oldActive, oldWide })
}

// unpackAll unpacks all of src, and says whether it ends at a boundary.
func unpackAll(src []byte, sizeBytes int) ([]byte, bool) {
	dst := make([]byte, sizeBytes)
	var u Unpacker
	nd, ns := u.Unpack(dst, src)
	return dst[:nd], ns == len(src) && u.AtBoundary()
}

// unhex reads bytes written in hexadecimal, with blanks between them.
func unhex(tb testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// The examples of the encoding's description, and the cases of the reference
// implementation's tests.
var goldenVectors = []struct {
	name, unpacked, packed string
}{
	{"nothing", "", ""},
	{"zero word", "00 00 00 00 00 00 00 00", "00 00"},
	{"four zero words", strings.Repeat("00", 32), "00 03"},
	{"four words of 8a", strings.Repeat("8a", 32), "ff" + strings.Repeat("8a", 8) + "03" + strings.Repeat("8a", 24)},
	{"description", "08 00 00 00 03 00 02 00  19 00 00 00 aa 01 00 00", "51 08 03 02  31 19 aa 01"},
	{"two bytes", "00 00 0c 00 00 22 00 00", "24 0c 22"},
	{"full word", "01 03 02 04 05 07 06 08", "ff 01 03 02 04 05 07 06 08 00"},
	{"zero, full", "00 00 00 00 00 00 00 00  01 03 02 04 05 07 06 08", "00 00  ff 01 03 02 04 05 07 06 08 00"},
	{"part, full", "00 00 0c 00 00 22 00 00  01 03 02 04 05 07 06 08", "24 0c 22  ff 01 03 02 04 05 07 06 08 00"},
	{
		"two full", "01 03 02 04 05 07 06 08  08 06 07 04 05 02 03 01",
		"ff 01 03 02 04 05 07 06 08 01  08 06 07 04 05 02 03 01",
	},
	{
		"four full, part", strings.Repeat("01 02 03 04 05 06 07 08", 4) + "00 02 04 00 09 00 05 01",
		"ff 01 02 03 04 05 06 07 08 03" + strings.Repeat("01 02 03 04 05 06 07 08", 3) + "d6 02 04 09 05 01",
	},
	{
		"one zero byte stays in the run",
		strings.Repeat("01 02 03 04 05 06 07 08", 2) + "06 02 04 03 09 00 05 01" +
			"01 02 03 04 05 06 07 08  00 02 04 00 09 00 05 01",
		"ff 01 02 03 04 05 06 07 08 03  01 02 03 04 05 06 07 08  06 02 04 03 09 00 05 01" +
			"01 02 03 04 05 06 07 08  d6 02 04 09 05 01",
	},
	{
		"zeros between", "08 00 64 06 00 01 01 02" + strings.Repeat("00", 24) + "00 00 01 00 02 00 03 01",
		"ed 08 64 06 01 01 02  00 02  d4 01 02 03 01",
	},
	{
		"one zero byte begins no run", "01 02 03 04 00 06 07 08  01 02 03 04 05 06 07 08",
		"ef 01 02 03 04 06 07 08  ff 01 02 03 04 05 06 07 08 00",
	},
	{"256 zero words", strings.Repeat("00", 8*256), "00 ff"},
	{"257 zero words", strings.Repeat("00", 8*257), "00 ff 00 00"},
	{
		"257 full words", strings.Repeat("55", 8*257),
		"ff" + strings.Repeat("55", 8) + "ff" + strings.Repeat("55", 8*255) + "ff" + strings.Repeat("55", 8) + "00",
	},
}

func TestGolden(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		for _, v := range goldenVectors {
			t.Run(v.name, func(t *testing.T) {
				plain, packed := unhex(t, v.unpacked), unhex(t, v.packed)
				if got := Append(nil, plain); !bytes.Equal(got, packed) {
					t.Errorf("Append:\n got %x\nwant %x", got, packed)
				}
				if got, ok := unpackAll(packed, len(plain)); !ok || !bytes.Equal(got, plain) {
					t.Errorf("Unpack, at boundary %v:\n got %x\nwant %x", ok, got, plain)
				}
				if n, err := UnpackedLen(packed); err != nil || n != int64(len(plain)) {
					t.Errorf("UnpackedLen = %d, %v, want %d", n, err, len(plain))
				}
				// Two calls are two pieces: no run goes on from the first.
				twice := append(bytes.Clone(packed), packed...)
				if got := Append(Append(nil, plain), plain); !bytes.Equal(got, twice) {
					t.Errorf("Append twice:\n got %x\nwant %x", got, twice)
				}
			})
		}
	})
}

// randomWords is words bytes×8 long, with stretches of different density so
// that runs of every kind and length meet.
func randomWords(r *rand.Rand, words int) []byte {
	b := make([]byte, 0, 8*words)
	for len(b) < 8*words {
		density := []uint{0, 10, 128, 220, 250, 256}[r.IntN(6)]
		stretch := 1 + r.IntN(12)
		if r.IntN(8) == 0 {
			stretch = r.IntN(600)
		}
		for range min(stretch, words-len(b)/8) {
			for range 8 {
				var c byte
				if r.UintN(256) < density {
					c = 1 + byte(r.UintN(255))
				}
				b = append(b, c)
			}
		}
	}
	return b
}

// Every tag, next to every kind of neighbour, at every distance from the ends.
func TestTags(t *testing.T) {
	neighbours := [][]byte{
		unhex(t, "00 00 00 00 00 00 00 00"), unhex(t, "ff 80 01 ff ff ff ff ff"),
		unhex(t, "ff 80 01 ff 00 ff ff ff"), unhex(t, "ff 80 01 ff 00 00 ff ff"),
		unhex(t, "01 00 00 00 00 00 00 00"), unhex(t, "80 80 80 80 80 80 80 00"),
	}
	eachKernel(t, func(t *testing.T) {
		for tag := range 256 {
			word := make([]byte, 8)
			for i := range word {
				if tag>>i&1 != 0 {
					word[i] = []byte{1, 0x80, 0xff, 0x7f}[(tag+i)%4]
				}
			}
			for k, n := range neighbours {
				for before := range 5 {
					for after := range 6 {
						src := bytes.Repeat(n, before)
						src = append(src, word...)
						src = append(src, bytes.Repeat(neighbours[(k+before)%len(neighbours)], after)...)
						checkRoundTrip(t, src)
					}
				}
			}
		}
	})
}

func TestRandomWords(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for n := range 300 {
			for range 4 {
				checkRoundTrip(t, randomWords(r, n))
			}
		}
		for range 40 {
			checkRoundTrip(t, randomWords(r, r.IntN(40_000)))
		}
	})
}

func checkRoundTrip(t *testing.T, src []byte) {
	t.Helper()
	want := simplePack(src)
	got := Append(nil, src)
	if !bytes.Equal(got, want) {
		t.Fatalf("Append of %d bytes, first difference at %d:\n src %.99x\n got %.99x\nwant %.99x",
			len(src), difference(got, want), src, got, want)
	}
	if len(got) > len(src)+len(src)/16+2 {
		t.Fatalf("packed %d bytes to %d, more than the bound", len(src), len(got))
	}
	back, ok := unpackAll(got, len(src))
	if !ok || !bytes.Equal(back, src) {
		t.Fatalf("Unpack, at boundary %v, of %d bytes: first difference at %d", ok, len(got), difference(back, src))
	}
	if n, err := UnpackedLen(got); err != nil || n != int64(len(src)) {
		t.Fatalf("UnpackedLen = %d, %v, want %d", n, err, len(src))
	}
}

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestMaxLen(t *testing.T) {
	full := strings.Repeat("\x01", 8)
	if got, want := len(simplePack([]byte(full))), MaxLen(8); got != want {
		t.Errorf("a full word packs to %d bytes, MaxLen is %d", got, want)
	}
	for n := range 20 {
		src := []byte(strings.Repeat(full+"\x01\x01\x01\x01\x01\x01\x00\x00", n) + full)
		if got, want := len(simplePack(src)), len(src)+len(src)/16+2; got != want {
			t.Errorf("%d bytes of the worst kind pack to %d, not %d", len(src), got, want)
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		dst := append(make([]byte, 0, 100), "head"...)
		got := Append(dst, make([]byte, 16))
		if string(got) != "head\x00\x01" {
			t.Errorf("got %q", got)
		}
		if got := Append([]byte("head"), nil); string(got) != "head" {
			t.Errorf("empty source: got %q", got)
		}
	})
}

// The stores that are wider than what they keep stay inside MaxLen.
func TestAppendStoresWithinMaxLen(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for n := range 400 {
			src := randomWords(r, n%100)
			room := MaxLen(len(src))
			buf := bytes.Repeat([]byte{0xa5}, room+64)
			Append(buf[:0:room], src)
			if rest := bytes.TrimLeft(buf[room:], "\xa5"); len(rest) != 0 {
				t.Fatalf("%d bytes: stored past the capacity", len(src))
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	for name, f := range map[string]func(){
		"Append": func() { Append(nil, make([]byte, 9)) },
		"Unpack": func() { new(Unpacker).Unpack(make([]byte, 12), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "packed: "+name) {
					t.Errorf("panicked with %q", s)
				}
			}()
			f()
		})
	}
}

func TestAllocations(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		src := randomWords(rand.New(rand.NewPCG(5, 6)), 2000)
		dst := make([]byte, 0, MaxLen(len(src)))
		back := make([]byte, len(src))
		var packed []byte
		if n := testing.AllocsPerRun(20, func() { packed = Append(dst, src) }); n != 0 {
			t.Errorf("Append allocates %v times", n)
		}
		if n := testing.AllocsPerRun(20, func() {
			var u Unpacker
			u.Unpack(back, packed)
			if _, err := UnpackedLen(packed); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("Unpack and UnpackedLen allocate %v times", n)
		}
	})
}
