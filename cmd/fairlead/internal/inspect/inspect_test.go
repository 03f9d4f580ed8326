package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/internal/packed"
)

func words(ws ...uint64) []byte {
	b := make([]byte, 0, 8*len(ws))
	for _, w := range ws {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// frame puts a segment table in front of segments.
func frame(segs ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(segs)-1))
	for _, s := range segs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)/8))
	}
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return append(b, bytes.Join(segs, nil)...)
}

func structPtr(off int32, data, ptrs uint16) uint64 {
	return uint64(uint32(off)<<2) | uint64(data)<<32 | uint64(ptrs)<<48
}

func listPtr(off int32, elem, count uint32) uint64 {
	return uint64(uint32(off)<<2|1) | uint64(elem)<<32 | uint64(count)<<35
}

func farPtr(seg, word uint32, double bool) uint64 {
	w := uint64(seg)<<32 | uint64(word<<3) | 2
	if double {
		w |= 4
	}
	return w
}

const capability7 = 7<<32 | 3

var hello = words(0x6f6c6c6568, 0)[:8] // "hello", NUL, padding

// book is a struct with one data word, a text, a struct list and a capability.
func book() []byte {
	return append(append(words(
		structPtr(0, 1, 3),
		0x2a,
		listPtr(2, elemByte, 6),
		listPtr(2, elemComposite, 4),
		capability7,
	), hello...), words(structPtr(2, 1, 1), 1, 0, 2, listPtr(-7, elemByte, 6))...)
}

func run(t *testing.T, data []byte, o Options) (string, error) {
	t.Helper()
	var out strings.Builder
	err := Run(bytes.NewReader(data), &out, o)
	if err != nil && !strings.HasPrefix(err.Error(), "inspect: ") {
		t.Errorf("error %q does not start with the package", err)
	}
	return out.String(), err
}

func TestSound(t *testing.T) {
	framed := frame(book())
	for _, tc := range []struct {
		name string
		data []byte
		o    Options
		want []string
	}{
		{"framed", framed, Options{}, []string{
			"framed", "segment 0 at byte 8: 11 words", "root 0:0 (byte 8): struct → 0:1, 1 data word, 3 pointers",
			"data 000000000000002a", `text "hello"`, "of 2 structs, each 1 data word, 1 pointer", "capability 7", "null", "sound",
		}},
		{"packed", packStream(framed), Options{}, []string{"bytes, packed", "unpacked message", `text "hello"`, "sound"}},
		{"flat", book(), Options{}, []string{"bytes, flat", "root 0:0 (byte 0)", `text "hello"`, "sound"}},
		{"flat packed", packed.Append(nil, book()), Options{Format: FlatPacked}, []string{"flat packed", `text "hello"`, "sound"}},
		{"many messages", append(framed, framed...), Options{}, []string{"message 0 at byte 0", "message 1 at byte 96", "sound"}},
		{"many packed", append(packStream(framed), packStream(framed)...), Options{}, []string{"bytes, packed", "message 1 at byte", "sound"}},
		{"empty input", nil, Options{}, []string{"no message"}},
		{"null root", frame(words(0)), Options{}, []string{"root 0:0 (byte 8): null", "sound"}},
		{"far", frame(words(farPtr(1, 0, false)), words(structPtr(0, 1, 0), 5)), Options{}, []string{
			"segment 1 at byte 24", "struct → 1:1 by way of 1:0", "sound",
		}},
		{"double-far", frame(words(farPtr(2, 0, true)), words(9), words(farPtr(1, 0, false), structPtr(0, 1, 0))), Options{}, []string{
			"struct → 1:0 by way of 2:0 (double-far), 1 data word", "data 0000000000000009", "sound",
		}},
		{"number lists", frame(words(structPtr(0, 0, 4),
			listPtr(3, elemBit, 3), listPtr(3, 3, 2), listPtr(3, 4, 1), listPtr(3, 5, 1), 5, 0x00020001, 7, 8)), Options{}, []string{
			"3 bit elements: 1 0 1", "2 2-byte elements: 1 2", "1 4-byte element: 7", "1 8-byte element: 8", "sound",
		}},
		{"huge void list", frame(words(listPtr(0, 0, 1<<29-1))), Options{Elements: 3}, []string{"536870911 void elements"}},
		{"data that is no text", frame(words(listPtr(0, elemByte, 2), 0xffee)), Options{}, []string{"ee ff", "sound"}},
		{"messages limited", append(framed, framed...), Options{Messages: 1}, []string{"stopped after 1 messages, at byte 96"}},
		{"pointers limited", framed, Options{Pointers: 2}, []string{"stopped after 2 pointers"}},
		{"depth limited", framed, Options{Depth: 1}, []string{"deeper than 1"}},
		{"elements limited", framed, Options{Elements: 1}, []string{"… 1 more"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := run(t, tc.data, tc.o)
			if err != nil && tc.name != "huge void list" {
				t.Errorf("Run: %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in:\n%s", want, out)
				}
			}
		})
	}
}

// packStream packs a framed message of one segment as streams are packed: the
// table and the segment each for itself.
func packStream(framed []byte) []byte {
	return packed.Append(packed.Append(nil, framed[:8]), framed[8:])
}

func TestFaults(t *testing.T) {
	framed := frame(book())
	for _, tc := range []struct {
		name string
		data []byte
		o    Options
		want string
	}{
		{"table cut", framed[:5], Options{}, "at byte 5: the input ends in the segment table"},
		{"many segments, cut", frame(words(farPtr(3, 0, false)), words(1, 2), words(3, 4), words(structPtr(0, 1, 0), 5))[:48], Options{}, "48 bytes, framed"},
		{"segment cut", framed[:len(framed)-8], Options{}, "at byte 88: the input ends in the segments, 8 bytes early"},
		{"count wraps", words(1<<32 - 1), Options{Format: Framed}, "at byte 0: 4294967296 segments"},
		{"claims much", words(0xffffffff<<32, 0), Options{Format: Framed}, "more than the limit of"},
		{"second message cut", append(framed, 1, 2), Options{}, "at byte 98: the input ends in the segment table"},
		{"no root", frame(nil), Options{}, "at byte 8: an empty first segment"},
		{"struct out of bounds", frame(words(structPtr(5, 1, 0))), Options{}, "root 0:0 (byte 8): a struct of 1 words from word 6 on"},
		{"struct before its segment", frame(words(structPtr(-9, 1, 0))), Options{}, "from word -8 on"},
		{"list out of bounds", frame(words(listPtr(0, 5, 1<<29-1))), Options{}, "a 8-byte list of 536870911 words"},
		{"far to nowhere", frame(words(farPtr(3, 0, false))), Options{}, "a far pointer to segment 3 of 1"},
		{"far out of bounds", frame(words(farPtr(0, 9, false))), Options{}, "to word 9 of segment 0, which has 1"},
		{"far to far", frame(words(farPtr(0, 0, false))), Options{}, "lands on another"},
		{"double-far without far", frame(words(farPtr(0, 1, true), 0, 0)), Options{}, "does not start with a far pointer"},
		{"unknown pointer", frame(words(1<<40 | 7)), Options{}, "unknown pointer"},
		{"bad tag", frame(words(listPtr(0, elemComposite, 1), capability7, 0)), Options{}, "is no struct pointer"},
		{"tag claims more", frame(words(listPtr(0, elemComposite, 1), structPtr(9, 1, 0), 0)), Options{}, "9 structs of 1 words in 1 words"},
		{"packed cut", packStream(framed)[:20], Options{Format: Packed}, "at byte 20: the packed input ends"},
		{"packed without count", []byte{0x10, 1, 0}, Options{Format: Packed}, "before the count"},
		{"packed run over the table", []byte{0x11, 2, 1, 0, 0, 0, 1}, Options{Format: Packed}, "FAULT"},
		{"packed bomb", append([]byte{0xf0, 0xff, 0xff, 0xff, 0x1f}, bytes.Repeat([]byte{0, 255}, 1000)...), Options{Format: Packed}, "more than the limit of"},
		{"flat packed bomb", bytes.Repeat([]byte{0, 255}, 1000), Options{Format: FlatPacked, MessageBytes: 1 << 20}, "more than the limit of 1048576"},
		{"flat of odd length", book()[:13], Options{Format: Flat}, "at byte 8: 13 bytes, not a multiple of 8"},
		{"fault behind the limit", frame(words(structPtr(0, 0, 2), 0, structPtr(99, 1, 0))), Options{Pointers: 2}, "not sound"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := run(t, tc.data, tc.o)
			if !errors.Is(err, ErrFaults) {
				t.Errorf("err = %v; want ErrFaults", err)
			}
			if !strings.Contains(out, tc.want) {
				t.Errorf("%q is missing in:\n%s", tc.want, out)
			}
		})
	}
}

func TestInputLimit(t *testing.T) {
	_, err := run(t, make([]byte, 100), Options{InputBytes: 99})
	if err == nil || !strings.Contains(err.Error(), "99 bytes") {
		t.Errorf("err = %v; want one that names the limit", err)
	}
}

// TestFileOverTheLimit refuses a file by its size, before it is read.
func TestFileOverTheLimit(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	err = Run(f, &strings.Builder{}, Options{InputBytes: 1<<20 - 1})
	if err == nil || !strings.Contains(err.Error(), "1048576 bytes of input, more than the limit of 1048575") {
		t.Errorf("err = %v; want one that names the size and the limit", err)
	}
	if at, err := f.Seek(0, 1); err != nil || at != 0 {
		t.Errorf("%d bytes were read, %v; want none", at, err)
	}
	if err := Run(f, &strings.Builder{}, Options{InputBytes: 1 << 20}); err != nil && !errors.Is(err, ErrFaults) {
		t.Errorf("err = %v; want none of the limit", err)
	}
}

// TestOverlap follows many pointers to one large struct, whose printing must
// not multiply.
func TestOverlap(t *testing.T) {
	const n = 1000
	ws := []uint64{structPtr(0, 0, n)}
	for i := range int32(n) {
		ws = append(ws, structPtr(-i-1, 0, n))
	}
	out, _ := run(t, frame(words(ws...)), Options{Depth: 60})
	if lines := strings.Count(out, "\n"); lines > 3000 {
		t.Errorf("%d lines for %d pointers", lines, n)
	}
}

// TestAgainstTool inspects what the capnp tool encodes.
func TestAgainstTool(t *testing.T) {
	tool, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal("the capnp tool is required and not installed")
		}
		t.Skip("SKIPPED: the capnp tool is not installed")
	}
	schema := filepath.Join(t.TempDir(), "s.capnp")
	text := "@0xbf5147cbbecf40c1;\nstruct S { n @0 :UInt32; s @1 :Text; l @2 :List(S); any @3 :AnyPointer; }\n"
	if err := os.WriteFile(schema, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	value := `(n = 7, s = "top", l = [(n = 1, s = "one"), (n = 2, s = "a somewhat longer text for the second")])`
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"binary", nil, ", framed"},
		{"packed", []string{"--packed"}, ", packed"},
		{"flat", []string{"--flat"}, ", flat"},
		{"many segments", []string{"--segment-size=4"}, "by way of"},
		{"many segments packed", []string{"--segment-size=2", "--packed"}, ", packed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.Command(tool, append(append([]string{"encode"}, tc.args...), schema, "S")...)
			cmd.Stdin = strings.NewReader(value)
			data, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			out, err := run(t, data, Options{})
			if err != nil {
				t.Errorf("Run: %v", err)
			}
			for _, want := range []string{tc.want, `text "top"`, `text "one"`, "sound"} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in:\n%s", want, out)
				}
			}
		})
	}
}

// FuzzInspect prints any bytes in any format: they may be faulty, but must not
// make it panic, run long or print much.
func FuzzInspect(f *testing.F) {
	framed := frame(book())
	f.Add(framed, uint8(Auto))
	f.Add(packStream(framed), uint8(Packed))
	f.Add(book(), uint8(Flat))
	f.Add(packed.Append(nil, book()), uint8(FlatPacked))
	f.Add(frame(words(farPtr(2, 0, true)), words(9), words(farPtr(1, 0, false), structPtr(0, 1, 0))), uint8(Framed))
	f.Add(bytes.Repeat([]byte{0, 255}, 20), uint8(FlatPacked))
	f.Fuzz(func(t *testing.T, data []byte, format uint8) {
		var out strings.Builder
		o := Options{Format: Format(format % 5), Pointers: 50, Elements: 4, Messages: 10, MessageBytes: 1 << 20}
		if err := Run(bytes.NewReader(data), &out, o); err != nil && !errors.Is(err, ErrFaults) {
			t.Errorf("Run: %v", err)
		}
		if out.Len() > 1<<20 {
			t.Errorf("%d bytes printed of %d", out.Len(), len(data))
		}
	})
}
