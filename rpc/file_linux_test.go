package rpc_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

var fileRounds = flag.Int("filerounds", 200, "capabilities with files that a test passes on")

// openFiles counts the descriptors of the process.
func openFiles(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// noLeakedFiles checks when the test has ended that no descriptor is left open.
func noLeakedFiles(t *testing.T) {
	t.Helper()
	x, y := unixPair(t) // what the runtime opens once
	_, _ = x.Close(), y.Close()
	before := openFiles(t)
	percent := debug.SetGCPercent(-1) // the collector closes what is lost
	t.Cleanup(func() {
		defer debug.SetGCPercent(percent)
		for end := time.Now().Add(*patience); openFiles(t) > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d descriptors are open, %d were", openFiles(t), before)
				return
			}
		}
	})
}

func newFile(t testing.TB, name string) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteString(name); err != nil {
		t.Fatal(err)
	}
	return f
}

// keeper has a file as long as it is served.
type fileKeeper struct{ f *os.File }

func (k fileKeeper) AttachedFile() *os.File { return k.f }
func (k fileKeeper) Shutdown()              { _ = k.f.Close() }

// serveFile serves an object with a file whose content is its name.
func serveFile(t testing.TB, name string) rpc.Client {
	t.Helper()
	return rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: fileKeeper{newFile(t, name)}})
}

// content reads the file of a capability.
func content(ctx context.Context, c rpc.Client) (string, error) {
	f, err := c.AttachedFile(ctx)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		return "", fmt.Errorf("a file that is open in child processes: %#x, %w", flags, err)
	}
	var b [64]byte
	n, err := f.ReadAt(b[:], 0)
	if err == io.EOF {
		err = nil
	}
	return string(b[:n]), err
}

func wantFile(t *testing.T, c rpc.Client, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	got, err := content(ctx, c)
	if err != nil || got != name {
		t.Errorf("the file %q, %v; want %q", got, err, name)
	}
}

func wantNoFile(t *testing.T, c rpc.Client, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	got, err := content(ctx, c)
	if !errors.Is(err, rpc.ErrNoFile) || !strings.Contains(err.Error(), why) {
		t.Errorf("the file %q, %v; want none, because %q", got, err, why)
	}
}

var taking = rpc.Limits{Files: 4}

// fileVats connects two vats over a unix socket, the second of which serves boot.
func fileVats(t *testing.T, boot rpc.Client, client, server rpc.Limits) (a, b *rpc.Conn) {
	t.Helper()
	x, y := unixPair(t)
	a = rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{Limits: client})
	b = rpc.NewConn(framing.NewPipe(y, framing.PipeOptions{ManualFlush: true}), rpc.ConnOptions{Limits: server, Bootstrap: boot})
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// answering serves an object whose calls give what answer gives.
func answering(answer func(ctx context.Context, c *rpc.Call) (rpc.Client, error)) rpc.Client {
	return rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(ctx context.Context, c *rpc.Call) error {
		cl, err := answer(ctx, c)
		if err == nil {
			rpc.SetClient(c.NewResults(size).Ptr(0), cl)
		}
		return err
	}})
}

func TestFileOfAnObject(t *testing.T) {
	noLeakedFiles(t)
	c := serveFile(t, "mine")
	wantFile(t, c, "mine")
	c.Release()
	wantNoFile(t, rpc.Client{}, "null")
	none := counting()
	wantNoFile(t, none, "its object has none")
	none.Release()
	fails := rpc.Broken(fmt.Errorf("%w: not today", rpc.ErrOverloaded))
	if _, err := content(t.Context(), fails); !errors.Is(err, rpc.ErrOverloaded) {
		t.Errorf("of what is broken: %v", err)
	}
	p, f := rpc.NewPromise()
	if _, err := content(over, p); !errors.Is(err, context.Canceled) {
		t.Errorf("of a promise: %v", err)
	}
	f.Resolve(serveFile(t, "later"))
	wantFile(t, p, "later")
	p.Release()
}

// TestFileCrosses passes a capability with a file from one side of a connection
// to the other, in each way there is.
func TestFileCrosses(t *testing.T) {
	give := func(name string) func(*testing.T) rpc.Client {
		return func(t *testing.T) rpc.Client {
			return answering(func(context.Context, *rpc.Call) (rpc.Client, error) { return serveFile(t, name), nil })
		}
	}
	for _, c := range []struct {
		name string
		boot func(t *testing.T) rpc.Client
		use  func(t *testing.T, boot rpc.Client)
	}{
		{"bootstrap", func(t *testing.T) rpc.Client { return serveFile(t, "boot") }, func(t *testing.T, boot rpc.Client) {
			wantFile(t, boot, "boot")
			if got := wait(t, call(t.Context(), boot, 4)); got != 8 {
				t.Errorf("got %d", got)
			}
		}},
		{"result", give("result"), func(t *testing.T, boot rpc.Client) {
			f := call(t.Context(), boot, 0)
			defer f.Release()
			s, err := f.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, rpc.ReadClient(s.Ptr(0)), "result")
			wantFile(t, rpc.ReadClient(s.Ptr(0)), "result") // a duplicate each time
		}},
		{"promised result", give("result"), func(t *testing.T, boot rpc.Client) {
			f := call(t.Context(), boot, 0)
			defer f.Release()
			wantFile(t, f.Client(0), "result")
		}},
		{"parameter", func(t *testing.T) rpc.Client {
			return answering(func(ctx context.Context, c *rpc.Call) (rpc.Client, error) {
				got, err := content(ctx, rpc.ReadClient(c.Params().Ptr(0)))
				if err != nil || got != "parameter" {
					return rpc.Client{}, fmt.Errorf("the file %q, %w", got, err)
				}
				return rpc.Client{}, nil
			})
		}, func(t *testing.T, boot rpc.Client) {
			wait(t, with(t.Context(), boot, echo, serveFile(t, "parameter")))
			p, f := rpc.NewPromise()
			late := with(t.Context(), boot, echo, p)
			wait(t, with(t.Context(), boot, echo, serveFile(t, "parameter")))
			f.Resolve(serveFile(t, "parameter"))
			wait(t, late)
		}},
		{"promise in a result", func(t *testing.T) rpc.Client {
			return answering(func(context.Context, *rpc.Call) (rpc.Client, error) {
				p, f := rpc.NewPromise()
				time.AfterFunc(time.Millisecond, func() { f.Resolve(serveFile(t, "resolved")) })
				return p, nil
			})
		}, func(t *testing.T, boot rpc.Client) {
			f := call(t.Context(), boot, 0)
			defer f.Release()
			wantFile(t, f.Client(0), "resolved")
		}},
		{"home again", func(*testing.T) rpc.Client {
			return answering(func(_ context.Context, c *rpc.Call) (rpc.Client, error) {
				return rpc.ReadClient(c.Params().Ptr(0)).Retain(), nil
			})
		}, func(t *testing.T, boot rpc.Client) {
			f := with(t.Context(), boot, echo, serveFile(t, "own"))
			defer f.Release()
			wantFile(t, f.Client(0), "own")
		}},
		{"tail call", func(t *testing.T) rpc.Client {
			inner := give("tail")(t)
			return rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(ctx context.Context, c *rpc.Call) error {
				c.TailCall(call(ctx, inner, 0))
				return nil
			}, Object: shut(inner.Release)})
		}, func(t *testing.T, boot rpc.Client) {
			f := call(t.Context(), boot, 0)
			defer f.Release()
			wantFile(t, f.Client(0), "tail")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeakedFiles(t)
			a, b := fileVats(t, c.boot(t), taking, taking)
			boot := a.Bootstrap()
			c.use(t, boot)
			c.use(t, boot)
			boot.Release()
			_ = a.Close()
			_ = b.Close()
		})
		t.Run(c.name+", through a third", func(t *testing.T) {
			noLeakedFiles(t)
			a, b := fileVats(t, c.boot(t), taking, taking)
			outer, inner := fileVats(t, a.Bootstrap(), taking, taking)
			boot := outer.Bootstrap()
			c.use(t, boot)
			boot.Release()
			for _, conn := range []*rpc.Conn{outer, inner, a, b} {
				_ = conn.Close()
			}
		})
	}
}

type shut func()

func (f shut) Shutdown() { f() }

// Files stay where they are not taken, and the capabilities work without them.
func TestFileStays(t *testing.T) {
	for _, c := range []struct {
		name           string
		network        string
		client, server rpc.Limits
		why            string
	}{
		{"nobody takes them", "unix", rpc.Limits{}, rpc.Limits{}, "takes no files"},
		{"only the server takes them", "unix", rpc.Limits{}, taking, "takes no files"},
		{"tcp", "tcp", taking, taking, "carries no files"},
		{"less than none", "unix", rpc.Limits{Files: -1}, taking, "takes no files"},
		{"none is held", "unix", rpc.Limits{Files: 4, HeldFiles: -1}, taking, "without one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeakedFiles(t)
			var x, y net.Conn
			if c.network == "unix" {
				x, y = unixPair(t)
			} else {
				x, y = streamPair(t, "tcp", "127.0.0.1:0")
			}
			a := rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{Limits: c.client})
			b := rpc.NewConn(framing.NewPipe(y, framing.PipeOptions{}), rpc.ConnOptions{Limits: c.server, Bootstrap: serveFile(t, "boot")})
			boot := a.Bootstrap()
			wantNoFile(t, boot, c.why)
			if got := wait(t, call(t.Context(), boot, 4)); got != 8 {
				t.Errorf("got %d", got)
			}
			boot.Release()
			_ = a.Close()
			_ = b.Close()
		})
	}
}

// giver gives a list of capabilities with files, whose names are numbers.
func giver(t *testing.T) rpc.Client {
	var all []rpc.Client
	t.Cleanup(func() {
		for _, c := range all {
			c.Release()
		}
	})
	return rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(_ context.Context, c *rpc.Call) error {
		n := int(c.Params().Uint64(0))
		list := c.NewResults(size).Ptr(0).NewPtrs(n)
		for i := range n {
			if i == len(all) {
				all = append(all, serveFile(t, fmt.Sprint(i)))
			}
			rpc.SetClient(list.At(i), all[i].Retain())
		}
		return nil
	}})
}

func TestFileLimits(t *testing.T) {
	given := func(t *testing.T, boot rpc.Client, n uint64) (rpc.Future, segment.Ptrs) {
		t.Helper()
		f := call(t.Context(), boot, n)
		s, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f, s.Ptr(0).Ptrs()
	}
	t.Run("of a message", func(t *testing.T) {
		noLeakedFiles(t)
		a, b := fileVats(t, giver(t), rpc.Limits{Files: 2}, taking)
		boot := a.Bootstrap()
		f, caps := given(t, boot, 4)
		wantFile(t, rpc.ReadClient(caps.At(0)), "0")
		wantFile(t, rpc.ReadClient(caps.At(1)), "1")
		third := rpc.ReadClient(caps.At(2)).Retain()
		wantNoFile(t, third, "without one")
		wantNoFile(t, rpc.ReadClient(caps.At(3)), "without one")
		if n := a.Stats().HeldFiles; n != 2 {
			t.Errorf("%d files are held, want 2", n)
		}
		f.Release()
		soon(t, "the files are closed", func() bool { return a.Stats().HeldFiles == 0 })
		third.Release()
		boot.Release()
		_ = a.Close()
		_ = b.Close()
	})
	t.Run("of a connection", func(t *testing.T) {
		noLeakedFiles(t)
		a, b := fileVats(t, giver(t), rpc.Limits{Files: 100, HeldFiles: 3}, taking)
		boot := a.Bootstrap()
		f, caps := given(t, boot, 5)
		kept := rpc.ReadClient(caps.At(4)).Retain()
		wantFile(t, rpc.ReadClient(caps.At(2)), "2")
		wantNoFile(t, kept, "without one")
		g, caps := given(t, boot, 5)
		wantNoFile(t, rpc.ReadClient(caps.At(4)), "without one")
		f.Release()
		g.Release()
		soon(t, "the files are closed", func() bool { return a.Stats().HeldFiles == 0 })
		// It comes again, and now there is room for its file.
		f, caps = given(t, boot, 5)
		if n := a.Stats().HeldFiles; n != 3 {
			t.Errorf("%d files are held, want 3", n)
		}
		wantFile(t, rpc.ReadClient(caps.At(0)), "0")
		f.Release()
		kept.Release()
		boot.Release()
		_ = a.Close()
		_ = b.Close()
	})
	t.Run("more than go", func(t *testing.T) {
		noLeakedFiles(t)
		a, b := fileVats(t, giver(t), rpc.Limits{Files: rpc.Unlimited, HeldFiles: rpc.Unlimited}, taking)
		boot := a.Bootstrap()
		f, caps := given(t, boot, 260)
		wantFile(t, rpc.ReadClient(caps.At(252)), "252")
		wantNoFile(t, rpc.ReadClient(caps.At(253)), "without one")
		if n := a.Stats().HeldFiles; n != 253 {
			t.Errorf("%d files are held, want 253", n)
		}
		f.Release()
		boot.Release()
		_ = a.Close()
		_ = b.Close()
	})
}

// A file outlives the connection that it came over, and not its capability.
func TestFileAfterTheConnection(t *testing.T) {
	noLeakedFiles(t)
	a, b := fileVats(t, serveFile(t, "boot"), taking, taking)
	boot := a.Bootstrap()
	wantFile(t, boot, "boot")
	own, err := boot.AttachedFile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	<-a.Done()
	wantFile(t, boot, "boot")
	boot.Release()
	_ = a.Close()
	if _, err := own.Stat(); err != nil {
		t.Errorf("one's own duplicate: %v", err)
	}
	_ = own.Close()
}

// Wrappers keep files to themselves, but for a membrane that is told otherwise.
func TestFileBehindWrappers(t *testing.T) {
	allowing, blocking := &rpc.Membrane{AllowFiles: true}, new(rpc.Membrane)
	pass := func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
		return ctx, nil, nil
	}
	for _, c := range []struct {
		name  string
		wrap  func(rpc.Client) rpc.Client
		keeps bool
	}{
		{"membrane", blocking.Export, true},
		{"membrane that allows it", allowing.Export, false},
		{"two membranes", func(c rpc.Client) rpc.Client { return blocking.Export(allowing.Export(c)) }, true},
		{"intercept", func(c rpc.Client) rpc.Client { return rpc.Intercept(c, pass) }, true},
		{"revocable", func(c rpc.Client) rpc.Client { c, _ = rpc.Revocable(c); return c }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeakedFiles(t)
			check := wantFile
			if c.keeps {
				check = func(t *testing.T, c rpc.Client, _ string) { t.Helper(); wantNoFile(t, c, "") }
			}
			here := c.wrap(serveFile(t, "wrapped"))
			check(t, here, "wrapped")
			here.Release()
			a, b := fileVats(t, c.wrap(serveFile(t, "wrapped")), taking, taking)
			boot := a.Bootstrap()
			check(t, boot, "wrapped")
			boot.Release()
			_ = a.Close()
			_ = b.Close()
		})
	}
	t.Run("revoked", func(t *testing.T) {
		noLeakedFiles(t)
		m := &rpc.Membrane{AllowFiles: true}
		c := m.Export(serveFile(t, "wrapped"))
		defer c.Release()
		wantFile(t, c, "wrapped")
		m.Revoke(fmt.Errorf("%w: no more", rpc.ErrOverloaded))
		if _, err := content(t.Context(), c); !errors.Is(err, rpc.ErrOverloaded) {
			t.Errorf("revoked: %v", err)
		}
	})
}

func TestFileOfAReconnectingClient(t *testing.T) {
	noLeakedFiles(t)
	var dials atomic.Int32
	var server atomic.Pointer[rpc.Conn]
	c := rpc.Reconnect(func(context.Context) (*rpc.Conn, error) {
		n := dials.Add(1)
		if n == 1 {
			return nil, errors.New("nobody answers")
		}
		a, b := fileVats(t, serveFile(t, fmt.Sprint(n)), taking, taking)
		server.Store(b)
		return a, nil
	}, fast)
	wantFile(t, c, "2")
	wantFile(t, c, "2")
	_ = server.Load().Close()
	soon(t, "another file", func() bool { got, _ := content(t.Context(), c); return got == "3" })
	// It may be another when it gets there.
	a, b := fileVats(t, c.Retain(), taking, taking)
	boot := a.Bootstrap()
	wantNoFile(t, boot, "without one")
	boot.Release()
	_ = a.Close()
	_ = b.Close()
	c.Release()
}

// A program whose AttachedFile fails loses the file, and nothing else.
type fickle struct{ closed *os.File }

func (f fickle) AttachedFile() *os.File {
	if f.closed == nil {
		panic("no file")
	}
	return f.closed
}

func TestFileThatIsNotThere(t *testing.T) {
	noLeakedFiles(t)
	closed := newFile(t, "closed")
	_ = closed.Close()
	for name, o := range map[string]fickle{"panic": {}, "closed": {closed}} {
		c := rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: o, Logger: slog.New(slog.DiscardHandler)})
		if _, err := content(t.Context(), c); err == nil {
			t.Errorf("%s: no error", name)
		}
		a, b := fileVats(t, c, taking, taking)
		boot := a.Bootstrap()
		wantNoFile(t, boot, "without one")
		if got := wait(t, call(t.Context(), boot, 4)); got != 8 {
			t.Errorf("got %d", got)
		}
		boot.Release()
		_ = a.Close()
		_ = b.Close()
	}
}

// Many at once, with other calls between, from both sides.
func TestManyFiles(t *testing.T) {
	noLeakedFiles(t)
	boot := rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(ctx context.Context, c *rpc.Call) error {
		c.Go()
		n := c.Params().Uint64(0)
		if p := rpc.ReadClient(c.Params().Ptr(0)); !p.IsNull() {
			if got, err := content(ctx, p); got != fmt.Sprint("in ", n) {
				return fmt.Errorf("the file %q, %w", got, err)
			}
		}
		res := c.NewResults(size)
		res.SetUint64(0, 2*n)
		if n%3 != 0 {
			rpc.SetClient(res.Ptr(0), serveFile(t, fmt.Sprint("out ", n)))
		}
		return nil
	}})
	x, y := unixPair(t)
	client, server := framing.NewPipe(x, framing.PipeOptions{}), framing.NewPipe(y, framing.PipeOptions{ManualFlush: true})
	a := rpc.NewConn(client, rpc.ConnOptions{Limits: taking})
	b := rpc.NewConn(server, rpc.ConnOptions{Limits: taking, Bootstrap: boot})
	root := a.Bootstrap()
	ended := make(chan error, 8)
	for g := range cap(ended) {
		go func() {
			ended <- func() error {
				for i := g; i < *fileRounds; i += cap(ended) {
					n := uint64(i)
					r := root.NewCall(t.Context(), echo, size)
					r.Params().SetUint64(0, n)
					if i%2 == 0 {
						rpc.SetClient(r.Params().Ptr(0), serveFile(t, fmt.Sprint("in ", n)))
					}
					f := r.Send()
					s, err := f.Wait(t.Context())
					if err != nil {
						return err
					}
					if n%3 != 0 {
						if got, err := content(t.Context(), rpc.ReadClient(s.Ptr(0))); got != fmt.Sprint("out ", n) {
							return fmt.Errorf("the file %q, %w, want %q", got, err, fmt.Sprint("out ", n))
						}
					}
					f.Release()
				}
				return nil
			}()
		}()
	}
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	root.Release()
	_ = a.Close()
	_ = b.Close()
	in, out := (*fileRounds+1)/2, 0
	for n := range *fileRounds {
		if n%3 != 0 {
			out++
		}
	}
	if c, s := client.Stats().SentFiles, server.Stats().SentFiles; c != uint64(in) || s != uint64(out) {
		t.Errorf("%d and %d files were sent, want %d and %d", c, s, in, out)
	}
}

// TestHostileFiles sends files with messages that do not name them, or wrongly.
func TestHostileFiles(t *testing.T) {
	cap := func(build func(d wire.CapDescriptorBuilder)) func(wire.MessageBuilder) {
		return func(m wire.MessageBuilder) {
			ret := m.NewReturn()
			p := ret.NewResults()
			p.Content().SetCapability(0)
			build(p.NewCapTable(1).At(0))
		}
	}
	for _, c := range []struct {
		name   string
		answer func(wire.MessageBuilder) // to Bootstrap
		held   int
	}{
		{"the last index", cap(func(d wire.CapDescriptorBuilder) { d.SetSenderHosted(7); d.SetAttachedFd(2) }), 1},
		{"an index too large", cap(func(d wire.CapDescriptorBuilder) { d.SetSenderHosted(7); d.SetAttachedFd(3) }), 0},
		{"the index that is none", cap(func(d wire.CapDescriptorBuilder) { d.SetSenderHosted(7); d.SetAttachedFd(255) }), 0},
		{"none named", cap(func(d wire.CapDescriptorBuilder) { d.SetSenderHosted(7) }), 0},
		{"of a promise", cap(func(d wire.CapDescriptorBuilder) { d.SetSenderPromise(7); d.SetAttachedFd(0) }), 0},
		{"of nothing", cap(func(d wire.CapDescriptorBuilder) { d.SetNone(); d.SetAttachedFd(0) }), 0},
		{"of what is not there", cap(func(d wire.CapDescriptorBuilder) { d.SetReceiverHosted(9); d.SetAttachedFd(0) }), 0},
		{"of a third party's", cap(func(d wire.CapDescriptorBuilder) {
			d.NewThirdPartyHosted().SetVineID(7)
			d.SetAttachedFd(1)
		}), 1},
		{"one for two", func(m wire.MessageBuilder) {
			p := m.NewReturn().NewResults()
			list := p.NewCapTable(2)
			for i := range 2 {
				list.At(i).SetSenderHosted(uint32(7 + i))
				list.At(i).SetAttachedFd(1)
			}
		}, 1},
		{"two for one", func(m wire.MessageBuilder) {
			p := m.NewReturn().NewResults()
			list := p.NewCapTable(2)
			for i := range 2 {
				list.At(i).SetSenderHosted(7)
				list.At(i).SetAttachedFd(uint8(i))
			}
		}, 1},
		{"of no table", func(m wire.MessageBuilder) { m.NewReturn().NewResults() }, 0},
		{"with an exception", func(m wire.MessageBuilder) { m.NewReturn().NewException() }, 0},
		{"with a message that is not known", func(m wire.MessageBuilder) { m.NewProvide() }, 0},
		{"with an echo", func(m wire.MessageBuilder) { m.NewUnimplemented() }, 0},
		{"with a Finish", func(m wire.MessageBuilder) { m.NewFinish() }, 0},
		{"with a call of nothing", func(m wire.MessageBuilder) { m.NewCall().NewTarget().SetImportedCap(5) }, 0},
		{"with a Resolve", func(m wire.MessageBuilder) {
			r := m.NewResolve()
			r.SetPromiseID(5)
			d := r.NewCap()
			d.SetSenderHosted(7)
			d.SetAttachedFd(0)
		}, 0},
		{"with an Abort", func(m wire.MessageBuilder) { m.NewAbort() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeakedFiles(t)
			x, y := unixPair(t)
			conn := rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{Limits: taking})
			peer := framing.NewPipe(y, framing.PipeOptions{})
			boot := conn.Bootstrap()
			go func() { _ = boot.WaitResolved(t.Context()) }()
			m, err := peer.Recv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Release()
			f := newFile(t, "hostile")
			files := []*os.File{f, f, f, f, f, f} // of which four are taken
			if c.held > 0 || strings.HasPrefix(c.name, "an index") {
				files = files[:3]
			}
			before := openFiles(t)
			m = peer.NewMessage(0)
			c.answer(wire.NewRootMessage(m))
			if err := peer.SendFiles(t.Context(), m, files); err != nil {
				t.Fatal(err)
			}
			soon(t, "it has come", func() bool { return conn.Stats().Received > 0 || conn.Err() != nil })
			if c.held > 0 {
				soon(t, "it is held", func() bool { return conn.Stats().HeldFiles == c.held })
			}
			soon(t, "none but those held are open", func() bool { return openFiles(t) <= before+c.held })
			if n := conn.Stats().HeldFiles; n != c.held {
				t.Errorf("%d files are held, want %d", n, c.held)
			}
			boot.Release()
			_ = conn.Close()
			_ = peer.Close()
			_ = f.Close()
		})
	}
}

// Files that a call brings for nothing are closed before its handler runs, which
// may take long, and lose the connection's reader to others.
func TestFilesOfACallThatBlocks(t *testing.T) {
	for _, caps := range []int{0, 1} {
		t.Run(fmt.Sprint(caps, " capabilities"), func(t *testing.T) {
			noLeakedFiles(t)
			entered, release := make(chan struct{}), make(chan struct{})
			boot := rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(context.Context, *rpc.Call) error {
				close(entered)
				<-release
				return nil
			}})
			x, y := unixPair(t)
			conn := rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{Limits: taking, Bootstrap: boot})
			peer := framing.NewPipe(y, framing.PipeOptions{})
			f := newFile(t, "hostile")
			before := openFiles(t)
			m := peer.NewMessage(0)
			wire.NewRootMessage(m).NewBootstrap().SetQuestionID(0)
			if err := peer.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			for i := range 2 { // the second comes while the first one's handler blocks
				m = peer.NewMessage(0)
				c := wire.NewRootMessage(m).NewCall()
				c.SetQuestionID(uint32(1 + i))
				c.SetInterfaceID(1)
				c.NewTarget().NewPromisedAnswer().SetQuestionID(0)
				c.NewParams().NewCapTable(caps)
				if err := peer.SendFiles(t.Context(), m, []*os.File{f, f, f}); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					<-entered
				}
			}
			soon(t, "both have come", func() bool { return conn.Stats().Received == 3 })
			soon(t, "no file is open", func() bool { return openFiles(t) <= before })
			// The second call would close it again.
			go func() { _ = conn.Close() }()
			<-conn.Done()
			close(release)
			_ = conn.Close()
			_ = peer.Close()
			_ = f.Close()
		})
	}
}
