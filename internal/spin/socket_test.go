package spin

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pair gives both ends of a connection.
func pair(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

func eager(c net.Conn) *Socket {
	s := NewSocket(c)
	s.Soon = true
	return s
}

func networks(t *testing.T, f func(t *testing.T, a net.Conn, s *Socket)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t, network)
			f(t, a, eager(b))
		})
	}
}

// What is there, what comes soon, and what comes late is read.
func TestSocketReads(t *testing.T) {
	networks(t, func(t *testing.T, a net.Conn, s *Socket) {
		b := make([]byte, 8)
		for i := range 200 {
			s.Soon = i%4 != 3
			late := make(chan struct{})
			go func() {
				defer close(late)
				switch i % 3 {
				case 1:
					time.Sleep(20 * time.Microsecond)
				case 2:
					time.Sleep(time.Millisecond)
				}
				_, _ = a.Write([]byte{byte(i)})
			}()
			if i%3 == 0 {
				<-late
			}
			if n, err := s.Read(b); n != 1 || err != nil || b[0] != byte(i) {
				t.Fatalf("read %d: %d bytes, %v, %d", i, n, err, b[0])
			}
			<-late
		}
		if n, err := s.Read(nil); n != 0 || err != nil {
			t.Errorf("nothing wanted: %d bytes, %v", n, err)
		}
		if spinning.Load() != 0 {
			t.Errorf("%d reads look, after all", spinning.Load())
		}
	})
}

// A read that looks is over soon after the other end: of the stream, of the
// connection, or of the read's own time.
func TestSocketEnds(t *testing.T) {
	b := make([]byte, 8)
	networks(t, func(t *testing.T, a net.Conn, s *Socket) {
		if err := s.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after its time: %d bytes, %v", n, err)
		}
		if n, err := s.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("long after its time: %d bytes, %v", n, err)
		}
		_ = s.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Millisecond, func() { a.Close() })
		if n, err := s.Read(b); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d bytes, %v", n, err)
		}
	})
	networks(t, func(t *testing.T, _ net.Conn, s *Socket) {
		time.AfterFunc(time.Millisecond, func() { s.Close() })
		if n, err := s.Read(b); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %d bytes, %v", n, err)
		}
		if n, err := s.Read(b); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("long after Close: %d bytes, %v", n, err)
		}
	})
	a, c := pair(t, "tcp")
	s := eager(c)
	_, _ = s.Write([]byte("unread"))
	a.Close() // with something unread, which resets the connection
	n, err := s.Read(b)
	if op, ok := errors.AsType[*net.OpError](err); n != 0 || !ok || op.Op != "read" || op.Net != "tcp" || op.Addr == nil {
		t.Errorf("after a reset: %d bytes, %v", n, err)
	}
}

// Where nothing comes soon a read stops looking, and where it does it looks again.
func TestSocketPatience(t *testing.T) {
	if !canLook || !Allowed() {
		t.Skip("reads never look here")
	}
	a, c := pair(t, "unix")
	s := eager(c)
	b := make([]byte, 1)
	for i := 0; !s.patience.Spent(); i++ {
		if i > 100 { // some of them may begin too late
			t.Fatal("it does not give up")
		}
		time.AfterFunc(2*time.Millisecond, func() { _, _ = a.Write([]byte{1}) })
		if _, err := s.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; s.patience.Spent(); i++ {
		_, _ = a.Write(b)
		if _, err := s.Read(b); err != nil || i > mostShort {
			t.Fatalf("after %d short reads it has not tried again: %v", i, err)
		}
	}
}

// No more reads look than there are processors to spare.
func TestSocketSlots(t *testing.T) {
	if !canLook || !Allowed() {
		t.Skip("reads never look here")
	}
	defer spinning.Store(spinning.Swap(mostSpinning))
	a, c := pair(t, "unix")
	s := eager(c)
	b := make([]byte, 1)
	for range 2 * misses {
		time.AfterFunc(time.Millisecond, func() { _, _ = a.Write([]byte{1}) })
		if _, err := s.Read(b); err != nil {
			t.Fatal(err)
		}
		if s.patience != (Patience{}) {
			t.Fatal("it has looked though as many do as may")
		}
	}
}

// What is no socket is read as it is.
func TestSocketOfOther(t *testing.T) {
	a, c := net.Pipe()
	defer a.Close()
	s := eager(c)
	defer s.Close()
	go func() { _, _ = a.Write([]byte("abc")) }()
	b := make([]byte, 8)
	if n, err := s.Read(b); n != 3 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestSocketAllocations(t *testing.T) {
	a, c := pair(t, "unix")
	s := eager(c)
	b := make([]byte, 1)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = a.Write(b)
		_, _ = s.Read(b)
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}
