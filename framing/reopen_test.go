package framing_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

func TestReopen(t *testing.T) {
	msgs := []*segment.Message{raw(t, 1, 3), raw(t, 2, 20, 4), raw(t, 3, 1), raw(t, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), raw(t, 5, 7)}
	rest := encode(t, framing.Binary, msgs...)
	stream := rest
	msg, _, err := framing.Unmarshal(rest)
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	for i, m := range msgs {
		if rest, err = framing.Reopen(msg, rest); err != nil {
			t.Fatal(err)
		}
		if !same(contents(t, msg), contents(t, m)) {
			t.Errorf("message %d differs", i)
		}
		if s := msg.Segment(0); cap(s) != len(s) {
			t.Error("a segment's slice reaches beyond the segment")
		}
	}
	if _, err := framing.Reopen(msg, rest); err != io.EOF {
		t.Errorf("behind the last: %v, want io.EOF", err)
	}
	for cut := 1; cut < 32; cut++ {
		rest, err := framing.Reopen(msg, stream[:cut])
		var at *framing.Error
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &at) || len(rest) != cut {
			t.Errorf("cut at %d: %v, want unexpected EOF", cut, err)
		}
		if msg.Segments() != 0 || !msg.Root().IsNull() {
			t.Errorf("cut at %d: the message is not empty", cut)
		}
	}
}

// The message's limits stay, also where they allow more than the defaults do.
func TestReopenKeepsLimits(t *testing.T) {
	few := raw(t, 1, 3)
	many := raw(t, 2, bytesOf(600, 1)...)
	stream := encode(t, framing.Binary, few, many)
	for _, c := range []struct {
		name  string
		most  int
		fault bool
	}{
		{"fewer", 10, true},
		{"default", 0, true},
		{"more", 600, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, err := framing.NewSliceDecoder(stream, framing.DecoderOptions{Limits: segment.Limits{Segments: c.most}}).Decode()
			if err != nil {
				t.Fatal(err)
			}
			defer msg.Release()
			rest, err := framing.Reopen(msg, stream)
			if err != nil {
				t.Fatal(err)
			}
			_, err = framing.Reopen(msg, rest)
			if got := errors.Is(err, segment.ErrLimit); got != c.fault || !got && err != nil {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// bytesOf is n times v.
func bytesOf(n, v int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func TestReopenDoesNotAllocate(t *testing.T) {
	for name, words := range map[string][]int{"one segment": {12}, "segments": {12, 3, 4}} {
		t.Run(name, func(t *testing.T) {
			stream := encode(t, framing.Binary, raw(t, 1, words...))
			msg, _, err := framing.Unmarshal(stream)
			if err != nil {
				t.Fatal(err)
			}
			defer msg.Release()
			pinned(t, func() {
				if _, err := framing.Reopen(msg, stream); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A message of one segment takes a way of its own through Append.
func TestAppendOneSegment(t *testing.T) {
	msg := text(segment.New(heap{}), 5, "one segment")
	defer msg.Release()
	wanted := encode(t, framing.Binary, msg)
	for _, room := range []int{0, 10, 1000} {
		got, err := framing.Append(append(make([]byte, 0, room), "before"...), msg, framing.Binary)
		if err != nil || string(got[:6]) != "before" || !bytes.Equal(got[6:], wanted) {
			t.Errorf("with room for %d: %q, %v", room, got, err)
		}
	}
	msg.RootBuilder().NewData(1 << 29)
	if got, err := framing.Append([]byte("before"), msg, framing.Binary); !errors.Is(err, segment.ErrLimit) || string(got) != "before" {
		t.Errorf("a message with a fault: %q, %v", got, err)
	}
}
