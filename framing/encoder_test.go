package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAppendIsWhatTheEncoderWrites(t *testing.T) {
	for name, words := range shapes {
		for _, f := range formats {
			t.Run(fmt.Sprintf("%s/%v", name, f), func(t *testing.T) {
				noLeak(t)
				msg := raw(t, 3, words...)
				defer msg.Release()
				prefix := []byte("before")
				got, err := framing.Append(prefix, msg, f)
				if len(words) > 1 && (f == framing.Flat || f == framing.FlatPacked) {
					if !errors.Is(err, framing.ErrFlat) || string(got) != "before" {
						t.Errorf("%q and %v, want ErrFlat", got, err)
					}
					err = framing.NewEncoder(io.Discard, framing.EncoderOptions{Format: f}).Encode(msg)
					if !errors.Is(err, framing.ErrFlat) {
						t.Errorf("%v, want ErrFlat", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if want := encode(t, f, msg); string(got[:6]) != "before" || !bytes.Equal(got[6:], want) {
					t.Errorf("Append gives %d bytes, the encoder %d others", len(got)-6, len(want))
				}
				if f != framing.Binary {
					return
				}
				var b bytes.Buffer
				if err := framing.Write(&b, msg); err != nil || !bytes.Equal(b.Bytes(), got[6:]) {
					t.Errorf("Write gives others: %v", err)
				}
				if m, err := framing.Marshal(msg); err != nil || !bytes.Equal(m, got[6:]) {
					t.Errorf("Marshal gives others: %v", err)
				}
			})
		}
	}
}

func TestFlatStreamHoldsOneMessage(t *testing.T) {
	msg := raw(t, 1, 3)
	var b bytes.Buffer
	e := framing.NewEncoder(&b, framing.EncoderOptions{Format: framing.Flat})
	if err := e.Encode(msg); err != nil {
		t.Fatal(err)
	}
	if err := e.Encode(msg); !errors.Is(err, framing.ErrFlat) {
		t.Errorf("a second message: %v, want ErrFlat", err)
	}
	if err := e.Flush(); err != nil || b.Len() != 24 {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}

func TestSmallMessagesLeaveTogether(t *testing.T) {
	noLeak(t)
	writes := 0
	total := 0
	w := writerFunc(func(p []byte) (int, error) {
		writes++
		total += len(p)
		return len(p), nil
	})
	e := framing.NewEncoder(w, framing.EncoderOptions{})
	msg := raw(t, 1, 12) // 104 bytes
	for range 100 {
		if err := e.Encode(msg); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 0 {
		t.Errorf("%d writes before Flush", writes)
	}
	if err := e.Flush(); err != nil || writes != 1 || total != 10_400 {
		t.Errorf("%d writes of %d bytes: %v", writes, total, err)
	}
	if err := e.Flush(); err != nil || writes != 1 {
		t.Errorf("an empty Flush: %d writes, %v", writes, err)
	}
	for range 1000 {
		if err := e.Encode(msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if most := 1 + (104_000+framing.ChunkBytes-105)/(framing.ChunkBytes-104); writes > most {
		t.Errorf("%d writes, want at most %d", writes, most)
	}
}

// TestLargeMessageIsNotCopied looks at what memory reaches the writer.
func TestLargeMessageIsNotCopied(t *testing.T) {
	noLeak(t)
	msg := raw(t, 1, framing.Joined/8, 2, framing.Referred/8)
	segs, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	var pieces [][]byte
	e := framing.NewEncoder(writerFunc(func(p []byte) (int, error) {
		pieces = append(pieces, p)
		return len(p), nil
	}), framing.EncoderOptions{})
	if err := e.Encode(msg); err != nil {
		t.Fatal(err)
	}
	// The table, the segment, the small segment, the segment.
	if len(pieces) != 4 || &pieces[1][0] != &segs[0][0] || &pieces[3][0] != &segs[2][0] {
		t.Errorf("%d pieces; the large segments were copied", len(pieces))
	}
}

func TestFaultyMessageLeavesNothing(t *testing.T) {
	noLeak(t)
	bad := segment.New(failing{})
	bad.NewRoot(segment.Size{DataWords: 1})
	good := raw(t, 1, 2)
	for _, f := range formats {
		var b bytes.Buffer
		e := framing.NewEncoder(&b, framing.EncoderOptions{Format: f})
		if err := e.Encode(bad); !errors.Is(err, errNoMemory) {
			t.Errorf("%v: %v, want the arena's error", f, err)
		}
		if err := e.Encode(good); err != nil {
			t.Errorf("%v: the stream did not stay as it was: %v", f, err)
		}
		if err := e.Flush(); err != nil {
			t.Error(err)
		}
		if want := encode(t, f, good); !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%v: wrote %x, want %x", f, b.Bytes(), want)
		}
		if got, err := framing.Append([]byte("x"), bad, f); !errors.Is(err, errNoMemory) || string(got) != "x" {
			t.Errorf("%v: Append gives %q and %v", f, got, err)
		}
	}
	var b bytes.Buffer
	if err := framing.Write(&b, bad); !errors.Is(err, errNoMemory) || b.Len() != 0 {
		t.Errorf("Write: %v and %d bytes", err, b.Len())
	}
}

var errNoMemory = errors.New("no memory")

type failing struct{}

func (failing) Allocate(int) ([]byte, error) { return nil, errNoMemory }
func (failing) Free([]byte, int)             {}

func TestWriterFaults(t *testing.T) {
	boom := errors.New("boom")
	small, large := raw(t, 1, 2), raw(t, 2, framing.Joined)
	cases := []struct {
		name  string
		write func(p []byte) (int, error)
		want  error
	}{
		{"error", func([]byte) (int, error) { return 0, boom }, boom},
		{"error in the middle", func(p []byte) (int, error) { return len(p) / 2, boom }, boom},
		{"short without an error", func(p []byte) (int, error) { return len(p) - 1, nil }, io.ErrShortWrite},
		{"nothing without an error", func([]byte) (int, error) { return 0, nil }, io.ErrShortWrite},
		{"negative", func([]byte) (int, error) { return -1, nil }, nil},
		{"more than all", func(p []byte) (int, error) { return len(p) + 1, nil }, nil},
	}
	for _, c := range cases {
		for _, msg := range []*segment.Message{small, large} {
			t.Run(fmt.Sprintf("%s/%d bytes", c.name, msg.SizeBytes()), func(t *testing.T) {
				noLeak(t)
				writes := 0
				w := writerFunc(func(p []byte) (int, error) { writes++; return c.write(p) })
				e := framing.NewEncoder(w, framing.EncoderOptions{})
				err := e.Encode(msg)
				if err == nil {
					err = e.Flush()
				}
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				if writes != 1 {
					t.Errorf("%d writes to a broken stream", writes)
				}
				if again := e.Encode(msg); again != err {
					t.Errorf("then %v, want %v again", again, err)
				}
				if again := e.Flush(); again != err || writes != 1 {
					t.Errorf("then %v and %d writes", again, writes)
				}
				if err := framing.Write(w, msg); err == nil {
					t.Error("Write did not notice")
				}
			})
		}
	}
	// What Write uses again is as good as new.
	var b bytes.Buffer
	if err := framing.Write(&b, small); err != nil || b.Len() != 24 {
		t.Errorf("after the faults: %d bytes, %v", b.Len(), err)
	}
}
