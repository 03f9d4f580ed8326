package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

var formats = []framing.Format{framing.Binary, framing.Packed, framing.Flat, framing.FlatPacked}

// raw makes a message of segments of so many words. They hold words of every
// kind that packing tells apart, behind a null root.
func raw(t testing.TB, seed uint64, words ...int) *segment.Message {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	segs := make([][]byte, len(words))
	for i, n := range words {
		segs[i] = make([]byte, 8*n)
		for w := 0; w < n; {
			run := min(1+rng.IntN(1+n/4), n-w)
			kind := rng.IntN(4)
			for range run {
				for b := range 8 {
					switch {
					case kind == 0, kind == 1 && rng.IntN(2) == 0:
					default:
						segs[i][8*w+b] = byte(1 + rng.IntN(255))
					}
				}
				w++
			}
		}
	}
	clear(segs[0][:8])
	msg, err := segment.Open(segs, segment.Options{Limits: segment.Limits{Segments: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// contents copies the segments of a message.
func contents(t testing.TB, msg *segment.Message) [][]byte {
	t.Helper()
	segs, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range segs {
		segs[i] = bytes.Clone(s)
	}
	return segs
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// text makes a message whose root has a number and a text.
func text(msg *segment.Message, n int64, s string) *segment.Message {
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetInt64(0, n)
	root.SetText(0, s)
	return msg
}

func readText(msg *segment.Message) (int64, string) {
	root := msg.Root().Struct()
	return root.Int64(0), root.Text(0)
}

// heap is an arena without any cleverness.
type heap struct{}

func (heap) Allocate(n int) ([]byte, error) { return make([]byte, n), nil }
func (heap) Free([]byte, int)               {}

// encode gives the stream of some messages, as an Encoder writes it.
func encode(t testing.TB, f framing.Format, msgs ...*segment.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	e := framing.NewEncoder(&b, framing.EncoderOptions{Format: f})
	for _, m := range msgs {
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A reading is one of the ways of reading a stream.
type reading struct {
	name string
	open func(t testing.TB, stream []byte, o framing.DecoderOptions) *framing.Decoder
}

// counted hides what a reader of bytes can do beside Read.
type counted struct {
	r     io.Reader
	reads int
}

func (c *counted) Read(p []byte) (int, error) {
	c.reads++
	return c.r.Read(p)
}

// randomReader delivers parts of random sizes, and sometimes nothing.
type randomReader struct {
	r   io.Reader
	rng *rand.Rand
}

func (r randomReader) Read(p []byte) (int, error) {
	n := min(r.rng.IntN(20), len(p))
	if r.rng.IntN(3) == 0 {
		n = min(r.rng.IntN(5000), len(p))
	}
	if n == 0 {
		return 0, nil
	}
	return r.r.Read(p[:n])
}

// eager says EOF together with the last bytes.
type eager struct{ b []byte }

func (e *eager) Read(p []byte) (int, error) {
	n := copy(p, e.b)
	e.b = e.b[n:]
	if len(e.b) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// endsAs names the kind of an error that ends a stream.
func endsAs(err error) string {
	switch {
	case err == nil:
		return "nil"
	case err == io.EOF:
		return "EOF"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected EOF"
	case errors.Is(err, segment.ErrLimit):
		return "limit"
	case errors.Is(err, segment.ErrMalformed):
		return "malformed"
	}
	return fmt.Sprint("other: ", err)
}

// drained reads all messages and gives the error at the end. It releases what
// was read, and says what it held.
func drained(t testing.TB, d *framing.Decoder) (got [][][]byte, err error) {
	t.Helper()
	for {
		msg, err := d.Decode()
		if err != nil {
			return got, err
		}
		got = append(got, contents(t, msg))
		msg.Release()
	}
}

// noLeak checks that a test gives all buffers back.
func noLeak(t *testing.T) {
	t.Helper()
	before := framing.Outstanding()
	t.Cleanup(func() {
		if n := framing.Outstanding() - before; n != 0 {
			t.Errorf("%d buffers were not given back", n)
		}
	})
}
