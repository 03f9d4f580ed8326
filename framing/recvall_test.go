package framing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// received takes up to room messages at once, until there are none, and gives
// their numbers in the order in which they came.
func received(t *testing.T, p *framing.Pipe, room int) (got []int64, most int, end error) {
	t.Helper()
	msgs := make([]*segment.Message, room)
	for {
		n, err := p.RecvAll(t.Context(), msgs)
		if err != nil {
			if n != 0 {
				t.Errorf("%d messages with the error %v", n, err)
			}
			return got, most, err
		}
		most = max(most, n)
		for _, m := range msgs[:n] {
			number, _ := readText(m)
			got = append(got, number)
			m.Release()
		}
	}
}

func TestRecvAll(t *testing.T) {
	for _, test := range []struct{ count, room, most int }{{1, 4, 1}, {3, 4, 3}, {9, 4, 4}, {9, 1, 1}} {
		t.Run(fmt.Sprintf("%d messages into %d places", test.count, test.room), func(t *testing.T) {
			noLeak(t)
			a, b := conns(t, "unix")
			var stream []byte
			for i := range test.count {
				stream = append(stream, encode(t, framing.Binary, text(segment.New(heap{}), int64(i), "text"))...)
			}
			if _, err := a.Write(stream); err != nil {
				t.Fatal(err)
			}
			_ = a.Close()
			p := framing.NewPipe(b, framing.PipeOptions{})
			got, most, err := received(t, p, test.room)
			if err != io.EOF {
				t.Errorf("ends with %v", err)
			}
			if len(got) != test.count || most != test.most {
				t.Errorf("%d messages, at most %d at once, want %d and %d", len(got), most, test.count, test.most)
			}
			for i, n := range got {
				if n != int64(i) {
					t.Errorf("message %d came as number %d", n, i)
				}
			}
			if s := p.Stats(); s.Received != uint64(test.count) || s.ReceivedBytes != uint64(len(stream)) {
				t.Errorf("%d messages of %d bytes counted, want %d of %d", s.Received, s.ReceivedBytes, test.count, len(stream))
			}
			_ = p.Close()
			if _, err := p.RecvAll(t.Context(), make([]*segment.Message, 1)); !errors.Is(err, framing.ErrClosed) {
				t.Errorf("error %v after Close", err)
			}
		})
	}
}

// A fault behind good messages is told after those.
func TestRecvAllFaults(t *testing.T) {
	good := encode(t, framing.Binary, text(segment.New(heap{}), 7, "text"))
	for _, test := range []struct {
		name, end string
		behind    []byte
		o         framing.PipeOptions
		count     int
	}{
		{"no root", "malformed", make([]byte, 8), framing.PipeOptions{}, 2},
		{"too many segments", "limit", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, framing.PipeOptions{}, 2},
		{"cut short", "unexpected EOF", good[:13], framing.PipeOptions{}, 2},
		{"one that is left out", "malformed", append([]byte{0, 0, 0, 0, 1, 0, 0, 0, 0xf0, 0, 0, 0, 1, 0, 0, 0}, good...), framing.PipeOptions{VerifyOnRecv: true}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			noLeak(t)
			a, b := conns(t, "tcp")
			if _, err := a.Write(append(append(good[:len(good):len(good)], good...), test.behind...)); err != nil {
				t.Fatal(err)
			}
			if err := a.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			p := framing.NewPipe(b, test.o)
			got, _, err := received(t, p, 8)
			if len(got) != test.count || endsAs(err) != test.end {
				t.Errorf("%d messages and %v, want %d and %s", len(got), err, test.count, test.end)
			}
			if test.o.VerifyOnRecv {
				if got, _, err := received(t, p, 8); len(got) != 1 || err != io.EOF {
					t.Errorf("then %d messages and %v, want the one behind it", len(got), err)
				}
			}
			_ = p.Close()
			_ = a.Close()
		})
	}
	// The end of a context loses nothing.
	a, b := pipes(t, "unix", framing.PipeOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	msgs := make([]*segment.Message, 2)
	if n, err := b.RecvAll(ctx, msgs); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d messages and %v, want the error of the context", n, err)
	}
	sendText(t, a, 3, "x")
	if n, err := b.RecvAll(t.Context(), msgs); n != 1 || err != nil {
		t.Errorf("%d messages and %v", n, err)
	}
	msgs[0].Release()
}
