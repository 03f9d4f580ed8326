//go:build !purego

package mem

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bells gives both ends of a pair.
func bells(t testing.TB) (a, b *Doorbell) {
	t.Helper()
	a, fa, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	b, fb, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Connect(fb), b.Connect(fa)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Close(), b.Close(), a.Close()); err != nil {
			t.Error(err)
		}
	})
	return a, b
}

// A turn is a value that one side sets and the other takes, with the flag that
// says that the other sleeps.
type turn struct {
	value  atomic.Uint64
	asleep atomic.Bool
}

func (s *turn) set(t testing.TB, v uint64, bell *Doorbell) {
	s.value.Store(v)
	if s.asleep.Load() {
		if err := bell.Ring(); err != nil {
			t.Error(err)
		}
	}
}

func (s *turn) sleeper(bell *Doorbell) func(want uint64) error {
	var want uint64
	look := func() bool {
		s.asleep.Store(true)
		return s.value.Load() < want
	}
	return func(v uint64) error {
		want = v
		for s.value.Load() < want {
			if err := bell.Wait(look); err != nil {
				return err
			}
			s.asleep.Store(false)
		}
		return nil
	}
}

// One message in flight at a time, so that a lost ring ends in a deadline and is
// not healed by the next.
func TestDoorbellClosedLoop(t *testing.T) {
	const rounds = 20_000
	a, b := bells(t)
	for _, d := range []*Doorbell{a, b} {
		if err := d.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	var there, back turn
	done := make(chan error, 1)
	go func() {
		wait := there.sleeper(b)
		for i := uint64(1); i <= rounds; i++ {
			if err := wait(i); err != nil {
				done <- err
				return
			}
			if i%3 == 0 {
				runtime.Gosched()
			}
			back.set(t, i, b)
		}
		done <- nil
	}()
	wait := back.sleeper(a)
	for i := uint64(1); i <= rounds; i++ {
		there.set(t, i, a)
		if err := wait(i); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func yes() bool { return true }

func TestDoorbellLooks(t *testing.T) {
	a, b := bells(t)
	// A ring from before is not heard again, but look is asked.
	if err := a.Ring(); err != nil {
		t.Fatal(err)
	}
	looked := 0
	if err := b.Wait(func() bool { looked++; return false }); err != nil || looked != 1 {
		t.Errorf("nothing to wait for: %v, looked %d times", err, looked)
	}
	// A ring out of look itself is heard.
	if err := b.Wait(func() bool { _ = a.Ring(); return true }); err != nil {
		t.Errorf("rung after looking: %v", err)
	}
}

func TestDoorbellEnds(t *testing.T) {
	t.Run("deadline", func(t *testing.T) {
		_, b := bells(t)
		if err := b.SetDeadline(time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := b.Wait(yes); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("past deadline: %v", err)
		}
		if err := b.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := b.Wait(func() bool {
			go func() { _ = b.SetDeadline(time.Unix(1, 0)) }()
			return true
		}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("deadline set meanwhile: %v", err)
		}
	})
	t.Run("close", func(t *testing.T) {
		_, b := bells(t)
		if err := b.Wait(func() bool {
			go func() { _ = b.Close() }()
			return true
		}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed meanwhile: %v", err)
		}
		if err := b.Wait(yes); !errors.Is(err, os.ErrClosed) {
			t.Errorf("wait after close: %v", err)
		}
		if err := b.Ring(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("ring after close: %v", err)
		}
	})
	t.Run("other end closed", func(t *testing.T) {
		a, b := bells(t)
		err := b.Wait(func() bool { _ = a.Close(); return true })
		if err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("the sleep in which it closed: %v", err)
		}
		if err := b.Wait(yes); !errors.Is(err, io.EOF) {
			t.Errorf("the next one: %v", err)
		}
		if err := b.Ring(); !errors.Is(err, unix.EPIPE) {
			t.Errorf("ring: %v", err)
		}
	})
}

func TestDoorbellConnectRefuses(t *testing.T) {
	bell, fd, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	defer unix.Close(fd)
	before := openDescriptors(t)
	for name, make := range map[string]func() (int, error){
		"socket":  func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0) },
		"eventfd": func() (int, error) { return unix.Eventfd(0, 0) },
		"device":  func() (int, error) { return unix.Open("/dev/null", unix.O_RDWR, 0) },
		"writing end": func() (int, error) {
			var fds [2]int
			err := unix.Pipe(fds[:])
			return fds[1], errors.Join(err, unix.Close(fds[0]))
		},
		"named pipe": func() (int, error) {
			path := t.TempDir() + "/fifo"
			if err := unix.Mkfifo(path, 0o600); err != nil {
				return -1, err
			}
			return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		},
		"none": func() (int, error) { return -1, nil },
	} {
		t.Run(name, func(t *testing.T) {
			fd, err := make()
			if err != nil {
				t.Skipf("SKIPPED: no %s here: %v", name, err)
			}
			if err := bell.Connect(fd); !errors.Is(err, ErrShared) {
				t.Errorf("error %v, want a refusal", err)
			}
		})
	}
	if after := openDescriptors(t); after > before+1 { // /dev/null stays open
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

// A hostile peer keeps both ends that it has seen, switches them to blocking, has
// the pipe filled and never reads it: ringing must return all the same, and so
// must waiting.
func TestDoorbellOfHostilePeer(t *testing.T) {
	d, heard, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	defer unix.Close(heard)
	var peer [2]int
	if err := unix.Pipe2(peer[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(peer[1])
	kept, err := unix.Dup(peer[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kept)
	if err := d.Connect(peer[0]); err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{heard, kept} {
		if err := unix.SetNonblock(fd, false); err != nil {
			t.Fatal(err)
		}
	}
	writer, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", heard), unix.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(writer)
	for i := range 100_000 { // many times what the pipe holds
		if err := d.Ring(); err != nil {
			t.Fatalf("ring %d: %v", i, err)
		}
	}
	soon := func() {
		if err := d.SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	soon()
	if err := d.Wait(yes); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("waiting on a blocking descriptor: %v", err)
	}
	// A flood of rings costs a bounded wait each.
	if err := unix.SetNonblock(peer[1], true); err != nil {
		t.Fatal(err)
	}
	flood := make([]byte, 1<<20)
	for range 20 {
		if _, err := unix.Write(peer[1], flood); err != nil && err != unix.EAGAIN {
			t.Fatal(err)
		}
		soon()
		if err := d.Wait(yes); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func TestDoorbellAllocations(t *testing.T) {
	a, b := bells(t)
	ring := func() bool { _ = a.Ring(); return true }
	if n := testing.AllocsPerRun(200, func() {
		if err := b.Wait(ring); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a ring and a wait", n)
	}
}

// openDescriptors counts what this process has open.
func openDescriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func BenchmarkDoorbellRoundTrip(b *testing.B) {
	x, y := bells(b)
	var there, back turn
	go func() {
		wait := there.sleeper(y)
		for i := uint64(1); ; i++ {
			if wait(i) != nil {
				return
			}
			back.set(b, i, y)
		}
	}()
	wait := back.sleeper(x)
	i := uint64(0)
	for b.Loop() {
		i++
		there.set(b, i, x)
		if err := wait(i); err != nil {
			b.Fatal(err)
		}
	}
	y.Close()
}
