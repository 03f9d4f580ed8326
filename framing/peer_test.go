package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// The tests of this file talk to the real capnp tool.

// capnp runs the tool and gives what it wrote and said. The test is skipped
// where there is no tool, unless peers are required.
func capnp(t testing.TB, stdin []byte, args ...string) ([]byte, string, error) {
	t.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal("the capnp tool is required and not installed")
		}
		t.Skip("SKIPPED: the capnp tool is not installed")
	}
	var out, said short
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &said
	err = cmd.Run()
	return out.Bytes(), said.String(), err
}

// short takes a few MiB and no more, for after some faults the tool writes
// without end.
type short struct{ bytes.Buffer }

func (s *short) Write(p []byte) (int, error) {
	if s.Len() > 4<<20 {
		return 0, io.ErrShortBuffer
	}
	return s.Buffer.Write(p)
}

// ReadFrom is not that of the Buffer, which has no limit.
func (s *short) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{s}, r)
}

func convert(t testing.TB, in []byte, from, to string, more ...string) []byte {
	t.Helper()
	args := append([]string{"convert", "--quiet", "--short"}, more...)
	args = append(args, from+":"+to, "testdata/peer.capnp", "Node")
	out, said, err := capnp(t, in, args...)
	if err != nil || said != "" {
		t.Fatalf("capnp convert %s:%s: %v %s", from, to, err, said)
	}
	return out
}

var peerTexts = map[string]string{
	"default":  `()`,
	"plain":    `(number = -5, text = "hello", numbers = [1, 2, 3])`,
	"nested":   `(text = "a", children = [(number = 1), (text = "b", children = [(number = 2, numbers = [])]), ()])`,
	"long":     `(text = "` + strings.Repeat("long text ", 3000) + `", numbers = [` + strings.Repeat("7, ", 5000) + `7])`,
	"zeros":    `(numbers = [` + strings.Repeat("0, ", 9000) + `0], text = "after them")`,
	"high":     `(number = -1, numbers = [` + strings.Repeat("-1, ", 4000) + `-1])`,
	"a column": "(children = [" + strings.Repeat(`(number = 1, text = "x"), `, 300) + "()])",
}

// node writes a message as the tool's text, by hand.
func node(s segment.Struct) string {
	var fields []string
	fields = append(fields, fmt.Sprintf("number = %d", s.Int64(0)))
	if s.Has(0) {
		fields = append(fields, fmt.Sprintf("text = %q", s.Text(0)))
	}
	if s.Has(1) {
		var items []string
		for n := range segment.ReadNumbers[int32](s.Ptr(1)).All() {
			items = append(items, fmt.Sprint(n))
		}
		fields = append(fields, "numbers = ["+strings.Join(items, ", ")+"]")
	}
	if s.Has(2) {
		var items []string
		for c := range segment.ReadStructs[segment.Struct](s.Ptr(2)).All() {
			items = append(items, node(c))
		}
		fields = append(fields, "children = ["+strings.Join(items, ", ")+"]")
	}
	return "(" + strings.Join(fields, ", ") + ")"
}

var segmentSizes = []string{"", "1", "2", "8", "64", "1000"}

// TestPeerWritesWeRead reads what the tool writes, in every format, and writes
// the same bytes again.
func TestPeerWritesWeRead(t *testing.T) {
	for name, text := range peerTexts {
		want := strings.TrimSpace(string(convert(t, []byte(text), "text", "text")))
		for _, f := range formats {
			for _, size := range segmentSizes {
				if size != "" && (f == framing.Flat || f == framing.FlatPacked) {
					continue // one segment is all they have
				}
				t.Run(fmt.Sprintf("%s/%v/%s", name, f, size), func(t *testing.T) {
					noLeak(t)
					var more []string
					if size != "" {
						more = append(more, "--segment-size="+size)
					}
					theirs := convert(t, []byte(text), "text", f.String(), more...)
					for _, r := range readings[:4] {
						d := r.open(t, theirs, framing.DecoderOptions{Format: f, Verify: true, Limits: segment.Limits{Segments: 1 << 16}})
						msg, err := d.Decode()
						if err != nil {
							t.Fatalf("%s: %v", r.name, err)
						}
						if got := node(msg.Root().Struct()); got != want {
							t.Fatalf("%s: read %.200s, want %.200s", r.name, got, want)
						}
						ours, err := framing.Append(nil, msg, f)
						if err != nil {
							t.Fatal(err)
						}
						if !bytes.Equal(ours, theirs) {
							t.Fatalf("%s: our %d bytes differ from their %d", r.name, len(ours), len(theirs))
						}
						msg.Release()
						if _, err := d.Decode(); err != io.EOF {
							t.Fatalf("%s: then %v, want io.EOF", r.name, err)
						}
					}
				})
			}
		}
	}
}

// TestWeWritePeerReads lets the tool read what we write.
func TestWeWritePeerReads(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			msgs := []*segment.Message{build(50, small{}), build(2, small{}), build(300, small{})}
			if f == framing.Flat || f == framing.FlatPacked {
				msgs = []*segment.Message{build(300, heap{})}
				segs, err := msgs[0].ToSegments()
				if err != nil || len(segs) > 1 {
					// One segment, however much it is.
					msgs[0] = canonical(t, msgs[0])
				}
			}
			var want []string
			for _, m := range msgs {
				want = append(want, node(m.Root().Struct()))
			}
			got := strings.Fields(strings.ReplaceAll(string(convert(t, encode(t, f, msgs...), f.String(), "text")), " ", ""))
			if len(got) != len(want) {
				t.Fatalf("the tool read %d messages of %d", len(got), len(want))
			}
			for i := range want {
				if w := strings.ReplaceAll(want[i], " ", ""); got[i] != w {
					t.Errorf("the tool read %.300s, want %.300s", got[i], w)
				}
			}
		})
	}
}

// small is an arena of small segments.
type small struct{}

func (small) Allocate(n int) ([]byte, error) { return make([]byte, (n+15)&^15), nil }
func (small) Free([]byte, int)               {}

func build(children int, a segment.Arena) *segment.Message {
	msg := segment.New(a)
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 3})
	root.SetInt64(0, 77)
	root.SetText(0, "root")
	list := segment.NewStructs[segment.StructBuilder](root.Ptr(2), segment.Size{DataWords: 1, Ptrs: 3}, children)
	for i := range children {
		list.At(i).SetInt64(0, int64(i))
		list.At(i).SetText(0, strings.Repeat("x", i))
	}
	return msg
}

func canonical(t testing.TB, msg *segment.Message) *segment.Message {
	t.Helper()
	b, err := msg.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	c, err := segment.FromSegments([][]byte{b})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCanonicalIsFlat: what the tool calls canonical is our flat stream of a
// canonical message.
func TestCanonicalIsFlat(t *testing.T) {
	for name, text := range peerTexts {
		t.Run(name, func(t *testing.T) {
			theirs := convert(t, []byte(text), "text", "canonical")
			d := framing.NewSliceDecoder(theirs, framing.DecoderOptions{Format: framing.Flat})
			msg, err := d.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := msg.IsCanonical(); err != nil || !ok {
				t.Errorf("not canonical: %v", err)
			}
			binary, _, err := framing.Unmarshal(convert(t, []byte(text), "text", "binary", "--segment-size=3"))
			if err != nil && !errors.Is(err, segment.ErrLimit) {
				t.Fatal(err)
			}
			if err != nil {
				return // more segments than the limit allows
			}
			ours, err := framing.Append(nil, canonical(t, binary), framing.Flat)
			if err != nil || !bytes.Equal(ours, theirs) {
				t.Errorf("our %d bytes differ from their %d: %v", len(ours), len(theirs), err)
			}
		})
	}
}

// TestManyFromPeer reads a stream of many messages that the tool wrote.
func TestManyFromPeer(t *testing.T) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "(number = %d, text = \"%s\")\n", i, strings.Repeat("y", i%90))
	}
	for _, f := range formats[:2] {
		stream := convert(t, []byte(text.String()), "text", f.String())
		i := 0
		for msg, err := range framing.NewDecoder(bytes.NewReader(stream), framing.DecoderOptions{Format: f}).Messages() {
			if err != nil {
				t.Fatal(err)
			}
			root := msg.Root().Struct()
			if root.Int64(0) != int64(i) || len(root.TextBytes(0)) != i%90 {
				t.Fatalf("%v: message %d reads %s", f, i, node(root))
			}
			msg.Release()
			i++
		}
		if i != 500 {
			t.Errorf("%v: %d messages, want 500", f, i)
		}
	}
}

// TestPeerAgreesOnFaults: where the tool refuses a packed stream, so do we.
func TestPeerAgreesOnFaults(t *testing.T) {
	for stream, want := range map[string]string{
		"\x11\x02\x01\x00\x00\x00\x00": "EOF",
		"\x11\x02\x01\x00\x01":         "malformed",
		"\x10\x02\x00\x01":             "EOF",
		"\x10\x02\x00\x02":             "malformed",
		"\x11\x01\x01\x01\x01\x00\x01": "EOF",
		"\x10\x01\x00":                 "unexpected EOF",
		"\x10\x01":                     "unexpected EOF",
		"\x10":                         "unexpected EOF",
	} {
		_, said, err := capnp(t, []byte(stream), "decode", "--quiet", "--packed", "testdata/peer.capnp", "Node")
		refused := err != nil || said != ""
		_, ours := drained(t, framing.NewSliceDecoder([]byte(stream), framing.DecoderOptions{Format: framing.Packed}))
		if endsAs(ours) != want || refused != (want != "EOF") {
			t.Errorf("%x: we say %v, the tool %q, want %s", stream, ours, said, want)
		}
	}
}
