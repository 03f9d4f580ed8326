package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// readings are all the ways in which a stream can come.
var readings = []reading{
	{"slice", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewSliceDecoder(b, o)
	}},
	{"file", func(t testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		path := filepath.Join(t.TempDir(), "stream")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := framing.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		return f.Decoder(o)
	}},
	{"bytes.Reader", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(bytes.NewReader(b), o)
	}},
	{"reader", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(&counted{r: bytes.NewReader(b)}, o)
	}},
	{"one byte a read", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(iotest.OneByteReader(bytes.NewReader(b)), o)
	}},
	{"half", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(iotest.HalfReader(bytes.NewReader(b)), o)
	}},
	{"data with error", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(iotest.DataErrReader(bytes.NewReader(b)), o)
	}},
	{"eager EOF", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(&eager{b}, o)
	}},
	{"random", func(_ testing.TB, b []byte, o framing.DecoderOptions) *framing.Decoder {
		return framing.NewDecoder(randomReader{bytes.NewReader(b), rand.New(rand.NewPCG(uint64(len(b)), 7))}, o)
	}},
}

// shapes are messages by the words of their segments.
var shapes = map[string][]int{
	"one word":            {1},
	"a few words":         {12},
	"two segments":        {3, 5},
	"empty segments":      {2, 0, 0, 4, 0},
	"three segments":      {1, 1, 1},
	"many":                slices.Repeat([]int{2}, 511),
	"just shared":         {framing.SharedFrame/8 - 1},
	"just not shared":     {framing.SharedFrame / 8},
	"a window":            {framing.MaxWindow/8 - 1},
	"more than a window":  {framing.MaxWindow / 8},
	"large":               {40_000},
	"large, two segments": {30_000, 50_000},
}

func TestRoundTrip(t *testing.T) {
	for name, words := range shapes {
		for _, f := range formats {
			if (f == framing.Flat || f == framing.FlatPacked) && len(words) > 1 {
				continue
			}
			for _, r := range readings {
				t.Run(fmt.Sprintf("%s/%v/%s", name, f, r.name), func(t *testing.T) {
					noLeak(t)
					want := raw(t, 1, words...)
					defer want.Release()
					stream := encode(t, f, want)
					d := r.open(t, stream, framing.DecoderOptions{Format: f})
					got, err := drained(t, d)
					if err != io.EOF {
						t.Fatalf("error %v, want io.EOF", err)
					}
					if len(got) != 1 || !same(got[0], contents(t, want)) {
						t.Fatalf("got %d messages, want the one that was written", len(got))
					}
					if d.Offset() != int64(len(stream)) {
						t.Errorf("offset %d, want %d", d.Offset(), len(stream))
					}
				})
			}
		}
	}
}

// TestManyMessages holds on to messages in all kinds of ways while more arrive,
// so that memory used again too early would show.
func TestManyMessages(t *testing.T) {
	sizes := []int{1, 2, 30, 500, 4000, 5000, 9000}
	rng := rand.New(rand.NewPCG(3, 3))
	var msgs []*segment.Message
	var want [][][]byte
	var ends []int64
	for i := range 300 {
		n := sizes[rng.IntN(4)]
		if rng.IntN(20) == 0 {
			n = sizes[rng.IntN(len(sizes))]
		}
		m := raw(t, uint64(i), 1+rng.IntN(n), rng.IntN(n))
		msgs = append(msgs, m)
		want = append(want, contents(t, m))
	}
	for _, f := range formats[:2] {
		ends = ends[:0]
		var at int64
		for _, m := range msgs {
			b, err := framing.Append(nil, m, f)
			if err != nil {
				t.Fatal(err)
			}
			at += int64(len(b))
			ends = append(ends, at)
		}
		stream := encode(t, f, msgs...)
		if int64(len(stream)) != at {
			t.Fatalf("%v: the encoder wrote %d bytes, Append %d", f, len(stream), at)
		}
		for _, r := range readings {
			for _, keep := range []int{0, 1, 7, len(msgs)} {
				t.Run(fmt.Sprintf("%v/%s/keep %d", f, r.name, keep), func(t *testing.T) {
					noLeak(t)
					d := r.open(t, stream, framing.DecoderOptions{Format: f})
					var held []*segment.Message
					n := 0
					check := func(i int) {
						m := held[i]
						if !same(contents(t, m), want[n-len(held)+i]) {
							t.Fatalf("message %d of %d changed", n-len(held)+i, n)
						}
					}
					for m, err := range d.Messages() {
						if err != nil {
							t.Fatal(err)
						}
						held = append(held, m)
						n++
						if d.Offset() != ends[n-1] {
							t.Fatalf("offset %d after message %d, want %d", d.Offset(), n-1, ends[n-1])
						}
						if len(held) > keep {
							check(0)
							held[0].Release()
							held = held[1:]
						}
					}
					if n != len(msgs) {
						t.Fatalf("%d messages, want %d", n, len(msgs))
					}
					for i := range held {
						check(i)
					}
					for _, m := range held {
						m.Release()
					}
				})
			}
		}
	}
}

// TestCutAtEveryByte: io.EOF only between two messages.
func TestCutAtEveryByte(t *testing.T) {
	a, b := raw(t, 1, 9, 0, 4), raw(t, 2, 7)
	for _, f := range formats {
		msgs := []*segment.Message{a, b, b}
		if f == framing.Flat || f == framing.FlatPacked {
			msgs = []*segment.Message{b}
		}
		var ends []int
		for i := range msgs {
			ends = append(ends, len(encode(t, f, msgs[:i+1]...)))
		}
		whole := encode(t, f, msgs...)
		for _, r := range readings {
			t.Run(fmt.Sprintf("%v/%s", f, r.name), func(t *testing.T) {
				noLeak(t)
				for cut := range len(whole) {
					d := r.open(t, slices.Clip(whole[:cut]), framing.DecoderOptions{Format: f})
					got, err := drained(t, d)
					complete := 0
					for _, e := range ends {
						if e <= cut {
							complete++
						}
					}
					want := io.ErrUnexpectedEOF
					switch {
					case cut == 0 || slices.Contains(ends, cut):
						want = io.EOF
					case f == framing.Flat && cut%8 == 0, f == framing.FlatPacked && cutBetweenWords(whole, cut):
						// Nothing says that there was more.
						want, complete = io.EOF, 1
					}
					if endsAs(err) != endsAs(want) || len(got) != complete {
						t.Fatalf("cut at %d of %d: %d messages and %v, want %d and %v", cut, len(whole), len(got), err, complete, want)
					}
					if want == io.ErrUnexpectedEOF {
						begin := 0
						for _, e := range ends {
							if e <= cut {
								begin = e
							}
						}
						var at *framing.Error
						if !errors.As(err, &at) || at.Offset != int64(begin) || d.Offset() != int64(begin) {
							t.Fatalf("cut at %d: the error %v does not say offset %d", cut, err, begin)
						}
					}
					if _, again := d.Decode(); again != err {
						t.Fatalf("cut at %d: then %v, want %v again", cut, again, err)
					}
				}
			})
		}
	}
}

// cutBetweenWords tells whether packed data can end at cut. It reads the
// packing word for word, independently of package packed.
func cutBetweenWords(b []byte, cut int) bool {
	for i := 0; i <= cut; {
		if i == cut {
			return true
		}
		tag := b[i]
		i++
		for bit := range 8 {
			i += int(tag >> bit & 1)
		}
		switch tag {
		case 0:
			i++
		case 0xff:
			i += 1 + 8*int(b[i])
		}
	}
	return false
}

func TestReadTakesOneMessage(t *testing.T) {
	for name, words := range shapes {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			msg := raw(t, 5, words...)
			defer msg.Release()
			one := encode(t, framing.Binary, msg)
			stream := append(bytes.Clone(one), "what follows"...)
			for _, hide := range []bool{false, true} {
				src := bytes.NewReader(stream)
				var r io.Reader = src
				if hide {
					r = &counted{r: src}
				}
				got, err := framing.Read(r)
				if err != nil {
					t.Fatal(err)
				}
				if !same(contents(t, got), contents(t, msg)) {
					t.Error("another message came out")
				}
				got.Release()
				if rest, _ := io.ReadAll(src); string(rest) != "what follows" {
					t.Errorf("Read left %d bytes, want 12", len(rest))
				}
			}
			for _, cut := range []int{1, 7, len(one) / 2, len(one) - 1} {
				_, err := framing.Read(bytes.NewReader(one[:cut]))
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("cut at %d: %v, want unexpected EOF", cut, err)
				}
			}
			if _, err := framing.Read(bytes.NewReader(nil)); err != io.EOF {
				t.Errorf("at the end: %v, want io.EOF", err)
			}
		})
	}
}

func TestUnmarshal(t *testing.T) {
	a, b := raw(t, 1, 3), raw(t, 2, 20, 4)
	stream := encode(t, framing.Binary, a, b)
	first, rest, err := framing.Unmarshal(stream)
	if err != nil {
		t.Fatal(err)
	}
	second, rest, err := framing.Unmarshal(rest)
	if err != nil {
		t.Fatal(err)
	}
	if !same(contents(t, first), contents(t, a)) || !same(contents(t, second), contents(t, b)) || len(rest) != 0 {
		t.Error("other messages came out")
	}
	segs, err := first.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	if &segs[0][0] != &stream[8] {
		t.Error("the message was copied")
	}
	if cap(segs[0]) != len(segs[0]) {
		t.Error("a segment's slice reaches beyond the segment")
	}
	if _, _, err := framing.Unmarshal(nil); err != io.EOF {
		t.Errorf("nothing: %v, want io.EOF", err)
	}
	for cut := 1; cut < 32; cut++ {
		if _, rest, err := framing.Unmarshal(stream[:cut]); !errors.Is(err, io.ErrUnexpectedEOF) || len(rest) != cut {
			t.Errorf("cut at %d: %v, want unexpected EOF", cut, err)
		}
	}
	// Not at a multiple of 8: read all the same, from a copy.
	shifted := append(make([]byte, 3, 3+len(stream)), stream...)[3:]
	moved, _, err := framing.Unmarshal(shifted)
	if err != nil || !same(contents(t, moved), contents(t, a)) {
		t.Errorf("unaligned: %v", err)
	}
}

func TestReaderFaults(t *testing.T) {
	msg := raw(t, 1, 100)
	stream := encode(t, framing.Binary, msg)
	boom := errors.New("boom")
	t.Run("error passes through", func(t *testing.T) {
		noLeak(t)
		d := framing.NewDecoder(io.MultiReader(bytes.NewReader(stream), iotest.ErrReader(boom)), framing.DecoderOptions{})
		got, err := drained(t, d)
		if len(got) != 1 || !errors.Is(err, boom) {
			t.Errorf("%d messages, %v", len(got), err)
		}
		var at *framing.Error
		if !errors.As(err, &at) || at.Offset != int64(len(stream)) {
			t.Errorf("%v does not say offset %d", err, len(stream))
		}
	})
	t.Run("no progress", func(t *testing.T) {
		d := framing.NewDecoder(readerFunc(func([]byte) (int, error) { return 0, nil }), framing.DecoderOptions{})
		if _, err := d.Decode(); !errors.Is(err, io.ErrNoProgress) {
			t.Error(err)
		}
	})
	t.Run("lies", func(t *testing.T) {
		for _, n := range []int{-1, 1 << 30} {
			d := framing.NewDecoder(readerFunc(func([]byte) (int, error) { return n, nil }), framing.DecoderOptions{})
			if _, err := d.Decode(); err == nil {
				t.Errorf("a reader that says %d was believed", n)
			}
		}
	})
	for _, f := range formats[:2] {
		t.Run(fmt.Sprintf("deadline goes on/%v", f), func(t *testing.T) {
			noLeak(t)
			b := encode(t, f, msg, msg)
			i := 0
			d := framing.NewDecoder(readerFunc(func(p []byte) (int, error) {
				i++
				if i%2 == 0 {
					return 0, os.ErrDeadlineExceeded
				}
				if len(b) == 0 {
					return 0, io.EOF
				}
				n := copy(p, b[:min(5, len(b))])
				b = b[n:]
				return n, nil
			}), framing.DecoderOptions{Format: f})
			n := 0
			for {
				m, err := d.Decode()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					continue
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if !same(contents(t, m), contents(t, msg)) {
					t.Fatal("another message came out")
				}
				m.Release()
				n++
			}
			if n != 2 {
				t.Errorf("%d messages, want 2", n)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestVerify(t *testing.T) {
	good := text(segment.New(heap{}), 7, "seven")
	segs := contents(t, good)
	segs[0][0] |= 0xf0 // the root now points beyond its segment
	bad, err := segment.FromSegments(segs)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range readings {
		t.Run(r.name, func(t *testing.T) {
			noLeak(t)
			d := r.open(t, encode(t, framing.Binary, good, bad, good), framing.DecoderOptions{Verify: true})
			size := d.Offset()
			m, err := d.Decode()
			if err != nil {
				t.Fatal(err)
			}
			m.Release()
			size = d.Offset() - size
			_, err = d.Decode()
			var at *framing.Error
			if !errors.Is(err, segment.ErrMalformed) || !errors.As(err, &at) || at.Offset != size {
				t.Fatalf("%v, want malformed at %d", err, size)
			}
			// The stream itself is sound.
			m, err = d.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if n, s := readText(m); n != 7 || s != "seven" {
				t.Errorf("got %d %q", n, s)
			}
			m.Release()
			if _, err := d.Decode(); err != io.EOF {
				t.Error(err)
			}
		})
	}
}

func TestManyMessagesOneRead(t *testing.T) {
	var msgs []*segment.Message
	for i := range 400 {
		msgs = append(msgs, raw(t, uint64(i), 10))
	}
	r := &counted{r: bytes.NewReader(encode(t, framing.Binary, msgs...))}
	d := framing.NewDecoder(r, framing.DecoderOptions{})
	got, err := drained(t, d)
	if len(got) != 400 || err != io.EOF {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	// 35,200 bytes: windows of 4, 16 and 64 KiB, and the end.
	if r.reads > 5 {
		t.Errorf("%d reads for 400 messages", r.reads)
	}
}

// TestFewReadsWhileMessagesAreKept: a buffer that is nearly full is left, rather
// than filled up with a small read.
func TestFewReadsWhileMessagesAreKept(t *testing.T) {
	msg := raw(t, 1, 10)
	const n = 10_000
	stream := make([]byte, 0, n*88)
	for range n {
		var err error
		if stream, err = framing.Append(stream, msg, framing.Binary); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		once int // what the stream delivers at once
		most int
	}{
		// Nearly a window a read, and the first small windows.
		"all at once": {len(stream), len(stream)/(framing.MaxWindow-88) + 5},
		"in parts":    {10_000, len(stream)/10_000 + 5},
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			src := bytes.NewReader(stream)
			r := &counted{r: readerFunc(func(p []byte) (int, error) { return src.Read(p[:min(len(p), c.once)]) })}
			var kept []*segment.Message
			for m, err := range framing.NewDecoder(r, framing.DecoderOptions{}).Messages() {
				if err != nil {
					t.Fatal(err)
				}
				kept = append(kept, m)
			}
			if r.reads > c.most {
				t.Errorf("%d reads, want at most %d", r.reads, c.most)
			}
			for _, m := range kept {
				m.Release()
			}
		})
	}
}

// sized notes how much a reader was asked for.
type sized struct {
	r     io.Reader
	asked []int
}

func (s *sized) Read(p []byte) (int, error) {
	s.asked = append(s.asked, len(p))
	return s.r.Read(p)
}

// TestLargeMessages: once a stream has shown that it delivers, a large message
// takes two reads. The first finds the table, and little more that has to be
// copied; the second brings the rest to where it stays.
func TestLargeMessages(t *testing.T) {
	noLeak(t)
	large, small := raw(t, 1, 1<<17), raw(t, 2, 10)
	r := &sized{r: bytes.NewReader(encode(t, framing.Binary, large, large, large, small, small))}
	d := framing.NewDecoder(r, framing.DecoderOptions{})
	var kept []*segment.Message
	for i := range 3 {
		r.asked = nil
		m, err := d.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && (len(r.asked) != 2 || r.asked[0] > 4<<10) {
			t.Errorf("message %d of 1 MiB took reads of %d bytes", i, r.asked)
		}
		if d.Held() != 0 {
			t.Errorf("the decoder holds %d bytes after a large message, which are that message's", d.Held())
		}
		kept = append(kept, m)
	}
	m, err := d.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if d.Held() > framing.MaxWindow {
		t.Errorf("a small message holds %d bytes", d.Held())
	}
	m.Release()
	for _, m := range kept {
		if !same(contents(t, m), contents(t, large)) {
			t.Error("a large message changed")
		}
		m.Release()
	}
	if got, err := drained(t, d); len(got) != 1 || err != io.EOF {
		t.Errorf("then %d messages and %v", len(got), err)
	}
}

func TestDecoderPanicsOnUnknownFormat(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	framing.NewDecoder(nil, framing.DecoderOptions{Format: 9})
}

// TestReadsNoFurtherThanNeeded: a message whose bytes are there comes out
// before the reader is asked again, for that may wait for ever.
func TestReadsNoFurtherThanNeeded(t *testing.T) {
	zeros, err := segment.FromSegments([][]byte{make([]byte, 1<<20)})
	if err != nil {
		t.Fatal(err)
	}
	for name, msg := range map[string]*segment.Message{"zeros": zeros, "mixed": raw(t, 1, 9, 5000), "small": raw(t, 2, 3)} {
		for _, f := range formats[:2] {
			for _, part := range []int{1, 7, 4096, 1 << 30} {
				t.Run(fmt.Sprintf("%s/%v/%d", name, f, part), func(t *testing.T) {
					noLeak(t)
					stream := encode(t, f, msg, msg)
					d := framing.NewDecoder(readerFunc(func(p []byte) (int, error) {
						if len(stream) == 0 {
							return 0, errors.New("asked for more than there is")
						}
						n := copy(p, stream[:min(part, len(stream))])
						stream = stream[n:]
						return n, nil
					}), framing.DecoderOptions{Format: f})
					for range 2 {
						m, err := d.Decode()
						if err != nil {
							t.Fatal(err)
						}
						if !same(contents(t, m), contents(t, msg)) {
							t.Error("another message came out")
						}
						m.Release()
					}
					if _, err := d.Decode(); err == nil {
						t.Error("a third message")
					}
				})
			}
		}
	}
}
