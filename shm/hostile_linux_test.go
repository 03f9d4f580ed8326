package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// ends makes both ends of a pipe in this process. They are closed when the test
// ends, whatever has become of them.
func ends(t testing.TB, o, other Options) (a, b *Pipe) {
	t.Helper()
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		var err error
		b, err = Attach(context.Background(), theirs, other)
		done <- err
	}()
	a, err = Attach(context.Background(), ours, o)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// within is a context that ends when a test hangs.
func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// sendNumber sends a message that carries a number and so many bytes.
func sendNumber(ctx context.Context, p *Pipe, k uint64, bytes int) error {
	m := p.NewMessage(bytes + 64)
	root := m.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetUint64(0, k)
	if bytes > 0 {
		fillCrashData(root.NewData(0, bytes), k)
	}
	return p.Send(ctx, m)
}

// recvNumber receives such a message, releases it and tells what is wrong with it.
func recvNumber(ctx context.Context, p *Pipe, k uint64, bytes int) error {
	m, err := p.Recv(ctx)
	if err != nil {
		return err
	}
	defer m.Release()
	root := m.Root().Struct()
	if got := root.Uint64(0); got != k {
		return fmt.Errorf("received message %d, want %d", got, k)
	}
	b := root.Data(0)
	if len(b) != bytes {
		return fmt.Errorf("message %d has %d bytes, want %d", k, len(b), bytes)
	}
	for i := range b {
		if b[i] != crashData(k, i) {
			return fmt.Errorf("message %d: byte %d is wrong", k, i)
		}
	}
	return m.Err()
}

// TestHostileWords has a peer write whatever a hostile one might into every word
// that it can write to. Its own connection ends with ErrCorrupt, or goes on, and
// another connection of the process does not notice.
func TestHostileWords(t *testing.T) {
	// The hostile end has sent one message by reference and one in a slot, and
	// was sent both, before it does what the test says; then it rings.
	tests := []struct {
		name string
		do   func(b *Pipe)
		// fails says that the honest end must call it corrupt, on receiving or
		// sending. Otherwise the connection has to go on.
		fails bool
	}{
		{"taken more than was sent", func(b *Pipe) { b.own.consumed.Store(1 << 20) }, true},
		{"taken all there could be", func(b *Pipe) { b.own.consumed.Store(^uint64(0)) }, true},
		{"a sleep of no kind", func(b *Pipe) { b.own.receiveSleep.Store(^uint64(0)); b.own.sendSleep.Store(^uint64(0)) }, false},
		{"an even epoch", func(b *Pipe) { b.own.receiveSleep.Store(1 << 63); b.own.sendSleep.Store(1 << 63) }, false},
		{"no state", func(b *Pipe) { b.own.end.Store(77) }, false},
		{"the header after the greeting", func(b *Pipe) {
			for i := range headerWords {
				b.own.w[i].Store(^uint64(0))
			}
		}, false},
		{"kind 0", func(b *Pipe) { b.forge(head(0, 0, 1, 8)) }, true},
		{"kind 255", func(b *Pipe) { b.forge(head(0, 255, 1, 8)) }, true},
		{"no bytes in a slot", func(b *Pipe) { b.forge(head(0, kindInline, 1, 0)) }, true},
		{"57 bytes in a slot", func(b *Pipe) { b.forge(head(0, kindInline, 1, 57)) }, true},
		{"64 bytes in a slot", func(b *Pipe) { b.forge(head(0, kindInline, 1, 64)) }, true},
		{"65535 bytes in a slot", func(b *Pipe) { b.forge(head(0, kindInline, 1, 65535)) }, true},
		{"12 bytes in a slot", func(b *Pipe) { b.forge(head(0, kindInline, 1, 12)) }, true},
		{"two segments in a slot", func(b *Pipe) { b.forge(head(0, kindInline, 2, 16)) }, true},
		{"no segments", func(b *Pipe) { b.forge(head(0, kindPlaces, 0, 0), 1<<32) }, true},
		{"seven segments", func(b *Pipe) { b.forge(head(0, kindPlaces, 7, 0), 1<<32) }, true},
		{"255 segments", func(b *Pipe) { b.forge(head(0, kindPlaces, 255, 0), 1<<32) }, true},
		{"beyond the region", func(b *Pipe) {
			b.forge(head(0, kindPlaces, 1, 0), 1<<32, uint64(placeOf(0, firstRegionBytes, 8)))
		}, true},
		{"over the region's end", func(b *Pipe) {
			b.forge(head(0, kindPlaces, 1, 0), 1<<32, uint64(placeOf(0, firstRegionBytes-64, 72)))
		}, true},
		{"the largest place", func(b *Pipe) {
			b.forge(head(0, kindPlaces, 1, 0), 1<<32, uint64(placeOf(0, 1<<30, 1<<30)))
		}, true},
		{"the sixth place", func(b *Pipe) {
			ok := uint64(placeOf(0, atBlocks, 8))
			b.forge(head(0, kindPlaces, 6, 0), 1<<32, ok, ok, ok, ok, ok, uint64(placeOf(0, firstRegionBytes, 8)))
		}, true},
		{"a table beyond the region", func(b *Pipe) {
			b.forge(head(0, kindTable, 7, 0), 1<<32, uint64(placeOf(0, firstRegionBytes-64, 128)))
		}, true},
		{"a table that leads outside", func(b *Pipe) {
			b.own.w[atBlocks/8].Store(uint64(placeOf(0, firstRegionBytes, 8)))
			b.forge(head(0, kindTable, 1, 0), 1<<32, uint64(placeOf(0, atBlocks, 8)))
		}, true},
		{"no spans", func(b *Pipe) { b.forgeSpans() }, true},
		{"four spans", func(b *Pipe) {
			b.forge(head(0, kindSpans, 4, 0), 1<<32, 0, 1, 0, 1, 0, 1)
		}, true},
		{"a span beyond the region", func(b *Pipe) { b.forgeSpans(span{0, false, firstRegionBytes - 8, 16}) }, true},
		{"a span of a region number without end", func(b *Pipe) { b.forge(head(0, kindSpans, 1, 0), 1<<32, 1<<40, 1) }, true},
		{"a span without end", func(b *Pipe) { b.forge(head(0, kindSpans, 1, 0), 1<<32, 0, 1<<32-1) }, true},
		{"a span that begins without end", func(b *Pipe) { b.forge(head(0, kindSpans, 1, 0), 1<<32, 0, 0xffffffff<<32|1) }, true},
		{"a span of ours in control words", func(b *Pipe) { b.forgeSpans(span{0, true, atConsumed, 8}) }, true},
		{"a span of ours in a block that is free", func(b *Pipe) { b.forgeSpans(span{0, true, firstRegionBytes - 4096, 8}) }, true},
		{"a span of ours over the end of a block", func(b *Pipe) { b.forgeSpans(span{0, true, atBlocks, 100_000}) }, true},
		{"a span of ours in a region that is not", func(b *Pipe) { b.forgeSpans(span{7, true, 0, 8}) }, true},
		{"a span of ours beyond the region", func(b *Pipe) { b.forgeSpans(span{0, true, maxBlock, 8}) }, true},
		{"a lease that was never lent", func(b *Pipe) {
			b.forge(head(0, kindPlaces, 1, 0), 1<<32|uint64(leaseOf(900, 1)), uint64(placeOf(0, atBlocks, 8)))
		}, true},
		{"a lease of another generation", func(b *Pipe) {
			b.forge(head(0, kindPlaces, 1, 0), 1<<32|uint64(leaseOf(0, 4000)), uint64(placeOf(0, atBlocks, 8)))
		}, true},
		{"a message lent under a lease of index 1024", func(b *Pipe) {
			b.forge(head(0, kindPlaces, 1, 0), uint64(leaseOf(leases, 1))<<32, uint64(placeOf(0, atBlocks, 8)))
		}, true},
		{"a released lease that was never lent", func(b *Pipe) { b.forgeReturn(leaseOf(900, 1)) }, true},
		{"a released lease of index 2^20-1", func(b *Pipe) { b.forgeReturn(leaseOf(1<<20-1, 1)) }, true},
		{"a lease released twice", func(b *Pipe) {
			b.forgeReturn(leaseOf(0, 1))
			b.forgeReturn(leaseOf(0, 1))
		}, true},
		{"a lap ahead", func(b *Pipe) {
			b.own.slot(b.out.sent)[0].Store(head(uint32(b.out.sent+1+slots), kindInline, 1, 8))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := ends(t, Options{}, Options{})
			other, peer := ends(t, Options{}, Options{})
			ctx := within(t, 20*time.Second)
			for k, bytes := range []int{0, 1000} {
				must(t, sendNumber(ctx, a, uint64(k), bytes))
				must(t, recvNumber(ctx, b, uint64(k), bytes))
				must(t, sendNumber(ctx, b, uint64(k), bytes))
				must(t, recvNumber(ctx, a, uint64(k), bytes))
			}
			// The hostile end keeps one message, so that there is something lent.
			must(t, sendNumber(ctx, a, 2, 500))
			kept, err := b.Recv(ctx)
			must(t, err)
			defer kept.Release()

			tt.do(b)
			b.ringReceiver()
			b.ringSender()
			err = a.provoke(ctx)
			switch {
			case tt.fails && (!errors.Is(err, ErrCorrupt) || !errors.Is(err, ErrDisconnected)):
				t.Errorf("error %v, want one that matches ErrCorrupt and ErrDisconnected", err)
			case !tt.fails && err != nil:
				t.Errorf("error %v, want none", err)
			}
			for k, bytes := range []int{0, 1000, 100000} {
				must(t, sendNumber(ctx, other, uint64(k), bytes))
				must(t, recvNumber(ctx, peer, uint64(k), bytes))
				must(t, sendNumber(ctx, peer, uint64(k), bytes))
				must(t, recvNumber(ctx, other, uint64(k), bytes))
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneLeaseForMany receives messages that all come under the same two leases, so
// that what is given back lies below itself.
func TestOneLeaseForMany(t *testing.T) {
	a, b := ends(t, Options{}, Options{})
	ctx := within(t, 20*time.Second)
	const n = 5 * mostWaiting
	var held []*segment.Message
	for i := range n {
		b.forge(head(0, kindPlaces, 1, 0), uint64(leaseOf(i%2, 1))<<32, uint64(placeOf(0, atBlocks, 8)))
		msg, err := a.Recv(ctx)
		must(t, err)
		held = append(held, msg)
	}
	for _, msg := range held {
		msg.Release()
	}
	a.flushReturns()
	if got := a.back.next; got != n || a.back.pile.Load() != 0 {
		t.Errorf("%d leases went back and %#x is in the pile, want %d and nothing", got, a.back.pile.Load(), n)
	}
}

// forge writes the next slot as a hostile peer might, with a sequence that is due.
func (p *Pipe) forge(w0 uint64, rest ...uint64) {
	line := p.own.slot(p.out.sent)
	for i, w := range rest {
		line[1+i].Store(w)
	}
	p.out.sent++
	line[0].Swap(w0 | uint64(uint32(p.out.sent))<<32)
}

// forgeSpans publishes a slot of spans.
func (p *Pipe) forgeSpans(spans ...span) {
	words := []uint64{1 << 32}
	for _, s := range spans {
		where, extent := s.words()
		words = append(words, where, extent)
	}
	p.forge(head(0, kindSpans, len(spans), 0), words...)
}

// forgeReturn puts a lease into the release ring.
func (p *Pipe) forgeReturn(l lease) {
	p.flushReturns()
	entry := p.own.release(p.back.next)
	p.back.next++
	entry.Swap(uint64(p.back.next)<<32 | uint64(l))
}

// provoke makes an end look at everything that its peer has written: what it
// receives, and sends with little memory. It gives the reason why the pipe ended.
func (p *Pipe) provoke(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	for {
		m, err := p.Recv(short)
		if err != nil {
			break
		}
		_ = m.Verify()
		m.Release()
	}
	_ = p.Stats() // looks at the peer's counts
	for k := range uint64(3) {
		if err := sendNumber(ctx, p, k, 300); err != nil {
			break
		}
	}
	if p.over.Load() == overNot {
		return nil
	}
	return p.gone()
}

// TestHostileGreeting greets with what a hostile peer might, and with descriptors
// that cannot be trusted.
func TestHostileGreeting(t *testing.T) {
	good := greeting{greetMagic: magic, greetVersion: version, greetSize: firstRegionBytes, greetMaxBytes: 1 << 30}
	region := func(t *testing.T, size int, seals int, tell func(words)) int {
		fd, err := unix.MemfdCreate("hostile", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		must(t, err)
		must(t, unix.Fallocate(fd, 0, 0, int64(size)))
		m, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		defer func() { _ = unix.Munmap(m) }()
		w, err := wordsOf(m)
		must(t, err)
		w.begin()
		if tell != nil {
			tell(w)
		}
		if seals != 0 {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
				t.Fatal(err)
			}
		}
		return fd
	}
	const sealed = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	bell := func(t *testing.T) int {
		d, far, err := mem.NewDoorbell()
		must(t, err)
		must(t, d.Close())
		return far
	}
	file := func(t *testing.T) int {
		fd, err := unix.Open(t.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		must(t, err)
		must(t, unix.Ftruncate(fd, firstRegionBytes))
		return fd
	}
	tests := []struct {
		name    string
		change  func(g *greeting)
		files   func(t *testing.T) []int
		corrupt bool
	}{
		{"another magic", func(g *greeting) { g[greetMagic]++ }, nil, true},
		{"another version", func(g *greeting) { g[greetVersion]++ }, nil, true},
		{"no such status", func(g *greeting) { g[greetStatus] = 99 }, nil, true},
		{"no size", func(g *greeting) { g[greetSize] = 0 }, nil, true},
		{"too small", func(g *greeting) { g[greetSize] = atBlocks - 4096 }, nil, true},
		{"2^63 bytes", func(g *greeting) { g[greetSize] = 1 << 63 }, nil, true},
		{"another size", func(g *greeting) { g[greetSize] = 2 * firstRegionBytes }, nil, false},
		{"a size that is no page", func(g *greeting) { g[greetSize] = firstRegionBytes - 8 }, nil, false},
		{"maps nothing", func(g *greeting) { g[greetMaxBytes] = 0 }, nil, true},
		{"no descriptors", nil, func(*testing.T) []int { return nil }, true},
		{"one descriptor", nil, func(t *testing.T) []int { return []int{region(t, firstRegionBytes, sealed, nil)} }, true},
		{"two descriptors", nil, func(t *testing.T) []int { return []int{region(t, firstRegionBytes, sealed, nil), bell(t)} }, true},
		{"four descriptors", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed, nil), bell(t), bell(t), bell(t)}
		}, false},
		{"no seals", nil, func(t *testing.T) []int { return []int{region(t, firstRegionBytes, 0, nil), bell(t), bell(t)} }, false},
		{"not sealed against shrinking", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed&^unix.F_SEAL_SHRINK, nil), bell(t), bell(t)}
		}, false},
		{"not sealed against seals", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed&^unix.F_SEAL_SEAL, nil), bell(t), bell(t)}
		}, false},
		{"truncated", nil, func(t *testing.T) []int { return []int{region(t, firstRegionBytes/2, sealed, nil), bell(t), bell(t)} }, false},
		{"a file", nil, func(t *testing.T) []int { return []int{file(t), bell(t), bell(t)} }, false},
		{"no region", nil, func(t *testing.T) []int { return []int{bell(t), bell(t), bell(t)} }, false},
		{"a region for a doorbell", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed, nil), region(t, firstRegionBytes, sealed, nil), bell(t)}
		}, false},
		{"a region for the other doorbell", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed, nil), bell(t), region(t, firstRegionBytes, sealed, nil)}
		}, false},
		{"a header of another size", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed, func(w words) { w.w[headerSize].Add(4096) }), bell(t), bell(t)}
		}, true},
		{"a header of more slots", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed, func(w words) { w.w[headerSlots].Add(1) }), bell(t), bell(t)}
		}, true},
		{"a header with a wrong sum", nil, func(t *testing.T) []int {
			return []int{region(t, firstRegionBytes, sealed, func(w words) { w.w[headerSum].Add(1) }), bell(t), bell(t)}
		}, true},
	}
	_, _ = ends(t, Options{}, Options{}) // what the first pipe opens for good is no leak
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, err := resourcesNow()
			must(t, err)
			ours, theirs, err := Pair()
			must(t, err)
			done := make(chan error, 1)
			go func() {
				p, err := Attach(within(t, 20*time.Second), ours, Options{})
				if p != nil {
					p.Close()
				}
				done <- err
			}()
			c, err := net.FileConn(theirs)
			must(t, err)
			theirs.Close()
			conn := c.(*net.UnixConn)
			g := good
			if tt.change != nil {
				tt.change(&g)
			}
			var fds []int
			if tt.files != nil {
				fds = tt.files(t)
			} else {
				fds = []int{region(t, firstRegionBytes, sealed, nil), bell(t), bell(t)}
			}
			must(t, mem.SendDescriptors(conn, g.bytes(), fds...))
			closeAll(fds)
			err = <-done
			if !errors.Is(err, ErrDisconnected) || errors.Is(err, ErrCorrupt) != tt.corrupt {
				t.Errorf("error %v, want one that matches ErrDisconnected, and ErrCorrupt %v", err, tt.corrupt)
			}
			conn.Close()
			left := crashBench{baseline: before}
			if err := left.settled(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHostileRequests writes to the socket of a pipe what a hostile peer might.
func TestHostileRequests(t *testing.T) {
	message := func(kind, id uint32, size uint64) []byte {
		b := make([]byte, controlBytes)
		binary.NativeEndian.PutUint32(b, kind)
		binary.NativeEndian.PutUint32(b[4:], id)
		binary.NativeEndian.PutUint64(b[8:], size)
		return b
	}
	null := func(t *testing.T) int {
		f, err := os.Open(os.DevNull)
		must(t, err)
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		must(t, err)
		f.Close()
		return fd
	}
	tests := []struct {
		name  string
		bytes []byte
		file  bool
	}{
		{"kind 0", message(0, 0, 0), false},
		{"kind 2^32-1", message(1<<32-1, 0, 0), false},
		{"a region without a descriptor", message(controlAdd, 1, 4096), false},
		{"a descriptor without a region", message(controlHurry, 0, 0), true},
		{"region 0", message(controlAdd, 0, 4096), true},
		{"region 1024", message(controlAdd, maxRegions, 4096), true},
		{"region 2^32-1", message(controlAdd, 1<<32-1, 4096), true},
		{"a region of no bytes", message(controlAdd, 1, 0), true},
		{"a region of 2^64-1 bytes", message(controlAdd, 1, 1<<64-1), true},
		{"a region that is no memory", message(controlAdd, 1, 4096), true},
		{"region 0 is gone", message(controlDrop, 0, 0), false},
		{"region 5 is gone", message(controlDrop, 5, 0), false},
		{"region 2^32-1 is gone", message(controlDrop, 1<<32-1, 0), false},
		{"an answer to nothing", message(controlAnswer, 0, controlAdd), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := ends(t, Options{}, Options{})
			ctx := within(t, 20*time.Second)
			var fds []int
			if tt.file {
				fds = []int{null(t)}
			}
			must(t, mem.SendDescriptors(b.conn, tt.bytes, fds...))
			closeAll(fds)
			if _, err := a.Recv(ctx); !errors.Is(err, ErrDisconnected) {
				t.Errorf("error %v, want one that matches ErrDisconnected", err)
			}
			if err := sendNumber(ctx, a, 1, 100); !errors.Is(err, ErrDisconnected) {
				t.Errorf("error of Send %v, want one that matches ErrDisconnected", err)
			}
		})
	}
}

// Who cannot tell the peer of more memory because it has just gone is told that, and
// not that there is no room.
func TestGoneBeforeRegion(t *testing.T) {
	a, _ := ends(t, Options{}, Options{})
	a.out.store.announce = func(*region) error {
		err := disconnected(io.ErrClosedPipe)
		a.end(err)
		return err
	}
	msg := segment.New(arena.Pool())
	msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, 1<<20)
	if err := a.Send(t.Context(), msg); !errors.Is(err, ErrDisconnected) {
		t.Errorf("sent: %v, want ErrDisconnected", err)
	}
}
