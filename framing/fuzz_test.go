package framing_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/packed"
	"github.com/fairlead-go/fairlead/segment"
)

// fuzzLimit keeps what one input may unpack to small.
const fuzzLimit = 1 << 20

// outcome is what a stream comes to: its messages, where they ended, and how it
// ended.
type outcome struct {
	msgs    [][][]byte
	offsets []int64
	end     string
}

func outcomeOf(t *testing.T, d *framing.Decoder) outcome {
	var o outcome
	for {
		before := d.Offset()
		msg, err := d.Decode()
		if err != nil {
			o.end = endsAs(err)
			if d.Offset() != before {
				t.Fatalf("an error moved the offset from %d to %d", before, d.Offset())
			}
			return o
		}
		if d.Offset() <= before {
			t.Fatalf("a message took %d bytes", d.Offset()-before)
		}
		o.offsets = append(o.offsets, d.Offset())
		o.msgs = append(o.msgs, contents(t, msg))
		msg.Release()
	}
}

func (o outcome) agrees(t *testing.T, other outcome, how string) {
	t.Helper()
	if len(o.msgs) != len(other.msgs) || o.end != other.end {
		t.Fatalf("%s: %d messages and %s, else %d and %s", how, len(other.msgs), other.end, len(o.msgs), o.end)
	}
	for i := range o.msgs {
		if !same(o.msgs[i], other.msgs[i]) || o.offsets[i] != other.offsets[i] {
			t.Fatalf("%s: message %d differs", how, i)
		}
	}
}

// FuzzDecode reads any bytes as a stream, in parts of any size, and as bytes in
// memory.
func FuzzDecode(f *testing.F) {
	for _, words := range [][]int{{1}, {12}, {3, 5}, {2, 0, 4}} {
		f.Add(encode(f, framing.Binary, raw(f, 1, words...), raw(f, 2, 7)), uint64(1))
	}
	f.Add(table(1<<28), uint64(2))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		leaks := framing.Outstanding()
		opts := framing.DecoderOptions{Limits: segment.Limits{MessageBytes: fuzzLimit}}
		var whole, random outcome
		took := allocatedBy(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			random = outcomeOf(t, framing.NewDecoder(randomReader{bytes.NewReader(b), rng}, opts))
		})
		// Windows, and the copies that this test makes for itself.
		if most := 12*uint64(len(b)) + 512<<10; took > most {
			t.Errorf("%d bytes took %d bytes of memory", len(b), took)
		}
		whole = outcomeOf(t, framing.NewSliceDecoder(b, opts))
		if random.end == "limit" && whole.end == "unexpected EOF" {
			// Bytes in memory are not held against MessageBytes.
			random.end = whole.end
		}
		whole.agrees(t, random, "stream")

		rest := b
		kept, err := segment.FromSegments([][]byte{make([]byte, 8)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole.msgs {
			msg, left, err := framing.Unmarshal(rest)
			if err != nil || !same(contents(t, msg), whole.msgs[i]) {
				t.Fatalf("Unmarshal of message %d: %v", i, err)
			}
			if behind, err := framing.Reopen(kept, rest); err != nil || len(behind) != len(left) {
				t.Fatalf("Reopen at message %d leaves %d bytes, Unmarshal %d: %v", i, len(behind), len(left), err)
			}
			if !same(contents(t, kept), whole.msgs[i]) {
				t.Fatalf("Reopen at message %d gives another", i)
			}
			again, err := framing.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			back, none, err := framing.Unmarshal(again)
			if err != nil || len(none) != 0 || len(again) != len(rest)-len(left) || !same(contents(t, back), whole.msgs[i]) {
				t.Fatalf("message %d written again differs: %v", i, err)
			}
			back.Release()
			msg.Release()
			rest = left
		}
		if _, _, err := framing.Unmarshal(rest); endsAs(err) != whole.end {
			t.Fatalf("Unmarshal ends with %v, the decoder with %s", err, whole.end)
		}
		if _, err := framing.Reopen(kept, rest); endsAs(err) != whole.end {
			t.Fatalf("Reopen ends with %v, the decoder with %s", err, whole.end)
		}
		kept.Release()
		if n := framing.Outstanding() - leaks; n != 0 {
			t.Errorf("%d buffers were not given back", n)
		}
	})
}

// FuzzPackedDecode does the same with packed bytes, framed and flat, and packs
// what it got again.
func FuzzPackedDecode(f *testing.F) {
	for _, words := range [][]int{{1}, {12}, {3, 5}, {2, 0, 4}} {
		f.Add(encode(f, framing.Packed, raw(f, 1, words...), raw(f, 2, 7)), uint64(1))
	}
	f.Add([]byte("\x11\x02\x01\x00\x01"), uint64(2))
	f.Add(append(packed.Append(nil, table(1<<17)), bytes.Repeat([]byte{0, 255}, 600)...), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		leaks := framing.Outstanding()
		for _, format := range []framing.Format{framing.Packed, framing.FlatPacked} {
			opts := framing.DecoderOptions{Format: format, Limits: segment.Limits{MessageBytes: fuzzLimit}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d := framing.NewDecoder(randomReader{bytes.NewReader(b), rand.New(rand.NewPCG(seed, 0))}, opts)
			random := outcomeOf(t, d)
			runtime.ReadMemStats(&after)
			unpacked := uint64(fuzzLimit)
			for _, m := range random.msgs {
				for _, s := range m {
					unpacked += uint64(len(s)) + 64
				}
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 12*unpacked {
				t.Errorf("%d bytes took %d bytes of memory", len(b), took)
			}
			whole := outcomeOf(t, framing.NewSliceDecoder(b, opts))
			whole.agrees(t, random, format.String())
			for i, m := range whole.msgs {
				msg, err := segment.FromSegments(m)
				if err != nil {
					t.Fatal(err)
				}
				again, err := framing.Append(nil, msg, format)
				if err != nil {
					t.Fatal(err)
				}
				d := framing.NewDecoder(bytes.NewReader(again), opts)
				if back := outcomeOf(t, d); len(back.msgs) != 1 || !same(back.msgs[0], m) || back.end != "EOF" {
					t.Fatalf("message %d packed again reads as another", i)
				}
			}
			if format == framing.FlatPacked && len(whole.msgs) > 1 {
				t.Fatal("a flat stream had several messages")
			}
		}
		if n := framing.Outstanding() - leaks; n != 0 {
			t.Errorf("%d buffers were not given back", n)
		}
	})
}
