// With purego a mapped file is read, and cannot be cut short under its reader.

//go:build !purego

package zmq_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// cutShort makes a message of one segment of so many bytes in a mapped file that
// somebody has cut short since.
func cutShort(t *testing.T, size int) *segment.Message {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mem.MapFile(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	msg, err := segment.FromSegments([][]byte{m.Bytes()[:size]})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	return msg
}

// A message in a mapped file that is cut short while it is sent is an error or
// is dropped, and those behind it arrive.
func TestMessageOfAFileCutShort(t *testing.T) {
	server, client := zmq.NewKeyPair(), zmq.NewKeyPair()
	for _, tc := range []struct {
		name           string
		from, to       zmq.Type
		size           int
		envelope       string
		secure, inproc bool
		refused        bool // Send says so
	}{
		{name: "small", from: zmq.Push, to: zmq.Pull, size: 64, refused: true},
		{name: "as large as is copied", from: zmq.Push, to: zmq.Pull, size: 2 << 10, refused: true},
		{name: "written from where it lies", from: zmq.Push, to: zmq.Pull, size: 64 << 10},
		{name: "small behind an envelope", from: zmq.Dealer, to: zmq.Dealer, size: 64, envelope: "envelope", refused: true},
		{name: "large behind an envelope", from: zmq.Dealer, to: zmq.Dealer, size: 8 << 10, envelope: "envelope"},
		{name: "CURVE small", from: zmq.Push, to: zmq.Pull, size: 64, secure: true, refused: true},
		{name: "CURVE large", from: zmq.Push, to: zmq.Pull, size: 64 << 10, secure: true},
		{name: "its topic", from: zmq.Pub, to: zmq.Sub, size: 64 << 10, refused: true},
		{name: "its topic inproc", from: zmq.Pub, to: zmq.Sub, size: 64, inproc: true, refused: true},
		{name: "its routing id", from: zmq.Router, to: zmq.Dealer, size: 64, refused: true},
		{name: "a subscription", from: zmq.XSub, to: zmq.XPub, size: 64, refused: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			endpoint := "tcp://127.0.0.1:*"
			if tc.inproc {
				endpoint = "inproc://" + t.Name()
			}
			in, out := zmq.Options{ReconnectInterval: time.Millisecond}, zmq.Options{ReconnectInterval: time.Millisecond}
			if tc.secure {
				in.Security = zmq.CurveServer(server, zmq.AllowAny)
				out.Security = zmq.CurveClient(client, server.Public())
			}
			if tc.to == zmq.Dealer {
				in.RoutingID = []byte("peer")
			}
			to, from := open(t, tc.to, in), open(t, tc.from, out)
			if tc.to == zmq.Sub {
				if err := to.Subscribe("\x00", "after"); err != nil { // what a file's bytes were
					t.Fatal(err)
				}
			}
			connect(t, from, bind(t, to, endpoint))
			after := []string{"after"}
			switch tc.from {
			case zmq.Pub:
				until(t, "it has subscribed", func() bool { return zmq.Wishers(from, "after") == 1 })
			case zmq.Router:
				until(t, "the route is there", func() bool { return zmq.Routes(from) == 1 })
				after = []string{"peer", "after"}
			default:
				send(t, from, "before")
				want(t, to, "before")
			}
			var envelope [][]byte
			if tc.envelope != "" {
				envelope = [][]byte{[]byte(tc.envelope)}
			}
			err := from.SendMessage(within(t), cutShort(t, tc.size), envelope...)
			if tc.refused {
				wantErr(t, err, zmq.ErrCorrupt)
			} else if err != nil {
				t.Error(err)
			}
			if tc.from == zmq.Router {
				err := from.SendMessage(within(t), cutShort(t, tc.size), []byte("peer"))
				wantErr(t, err, zmq.ErrCorrupt)
			}
			if tc.refused {
				send(t, from, after...)
				want(t, to, "after")
				return
			}
			until(t, "it is dropped", func() bool { return from.Stats().Dropped > 0 })
			until(t, "the connection is back", func() bool { return zmq.Live(from) == 1 })
			send(t, from, after...)
			want(t, to, "after")
		})
	}
}

// What was queued before and behind such a message, in one batch with it, arrives.
func TestNeighboursOfAMessageCutShort(t *testing.T) {
	path := "ipc://" + filepath.Join(t.TempDir(), "s")
	push := open(t, zmq.Push, zmq.Options{ReconnectInterval: time.Millisecond, ReconnectMax: time.Millisecond})
	connect(t, push, path)
	large := bytes.Repeat([]byte("x"), 8<<10)
	for _, m := range [][]byte{[]byte("1"), large, nil, []byte("2"), large} {
		if m == nil {
			if err := push.SendMessage(within(t), cutShort(t, 16<<10)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := push.Send(within(t), m); err != nil {
			t.Fatal(err)
		}
	}
	pull := open(t, zmq.Pull)
	bind(t, pull, path)
	// What was with the kernel when the connection was lost may come twice or not
	// at all; the messages behind come in any case.
	var got []string
	for len(got) == 0 || got[len(got)-1] != "2" {
		got = append(got, recv(t, pull)[0])
	}
	want(t, pull, string(large))
	if d := push.Stats().Dropped; d != 1 {
		t.Errorf("%d messages were dropped, want 1; %d came", d, len(got))
	}
}
