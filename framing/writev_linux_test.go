package framing_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
)

// TestOneSystemCall counts system calls: on a socket of this kind each is one
// packet, whatever it was put together from.
func TestOneSystemCall(t *testing.T) {
	ln, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixpacket"})
	if err != nil {
		t.Skipf("no packets over unix sockets here: %v", err)
	}
	defer func() { _ = ln.Close() }()
	a, err := net.DialUnix("unixpacket", nil, ln.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	packet := make([]byte, 1<<20)
	receive := func(want int) {
		t.Helper()
		n, err := b.Read(packet)
		if err != nil || n != want {
			t.Fatalf("a system call wrote %d bytes, want %d: %v", n, want, err)
		}
	}
	// Large segments are referred to, small ones and tables copied.
	large := raw(t, 1, framing.Joined/8, 3, framing.Referred/8, 5)
	little := raw(t, 2, 12)
	frame := len(encode(t, framing.Binary, large))
	small := len(encode(t, framing.Binary, little))

	if err := framing.Write(a, large); err != nil {
		t.Fatal(err)
	}
	receive(frame)

	e := framing.NewEncoder(a, framing.EncoderOptions{})
	for range 5 {
		if err := e.Encode(little); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Encode(large); err != nil {
		t.Fatal(err)
	}
	receive(5*small + frame)

	p := framing.NewPipe(a, framing.PipeOptions{ManualFlush: true, HighWater: 1 << 20})
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 5 {
		if err := p.Send(context.Background(), raw(t, 2, 12)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Send(context.Background(), raw(t, 1, framing.Joined/8, 3, framing.Referred/8, 5)); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	receive(5*small + frame)
	if s := p.Stats(); s.Writes != 1 || s.Sent != 6 || s.Copied != 5 {
		t.Errorf("counted %+v", s)
	}
}
