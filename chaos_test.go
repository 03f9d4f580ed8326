package fairlead_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	chaosSessions = flag.Int("chaos", 40, "how many sessions TestChaos and TestPipeChaos have over each transport")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what they begin with; 0 for any")
)

// chaosBegins gives what the random numbers of a test begin with, and tells it.
func chaosBegins(t *testing.T) uint64 {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", seed)
	return seed
}

// An imp does one of these.
const (
	impEcho = iota // gives the number and 1
	impGive        // gives another imp
	impBack        // calls the imp that it is given
	impTail        // leaves the answer to it
	impKeep        // gives it back
	impHang        // until it is cancelled
	impFail
	impCut    // ends the connection
	impEarly  // gives another imp, and says so before
	impStream // gives nothing
)

const impID = 0xc4a05

var impSize = segment.Size{DataWords: 1, Ptrs: 1}

var errImp = errors.New("as asked")

// errTaken is what calls fail with through a wrapper that was revoked.
var errTaken = errors.New("taken away")

// A crowd are clients that come and go and the server that does.
type crowd struct {
	imps  atomic.Int64 // that were not shut down
	file  *os.File     // which every other imp has, where files can be passed on
	all   sync.WaitGroup
	tight bool // limits are so low that calls may be refused

	begun, over atomic.Int64 // calls that were watched
}

// watch is an interceptor.
func (c *crowd) watch(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
	c.begun.Add(1)
	return ctx, func(rpc.Outcome) { c.over.Add(1) }, nil
}

// limits are those of one connection.
func (c *crowd) limits(rnd *rand.Rand) rpc.Limits {
	if !c.tight {
		return rpc.Limits{Files: 1}
	}
	return rpc.Limits{
		Files:         rnd.IntN(2),
		HeldFiles:     1 + rnd.IntN(4),
		Calls:         4 + rnd.IntN(40),
		PipelineDepth: 1 + rnd.IntN(4),
		HeldBytes:     int64(64 + rnd.IntN(4096)),
		Exports:       2 + rnd.IntN(20),
		QueuedBytes:   int64(2048 + rnd.IntN(16384)),
		StreamBytes:   1024,
	}
}

type imp struct {
	c    *crowd
	file *os.File
	last atomic.Uint64 // number that it was called with
	t    testing.TB    // told if the numbers do not grow; nil if they need not
}

func (c *crowd) imp(t testing.TB) rpc.Client {
	i := &imp{c: c, t: t}
	if c.imps.Add(1)%2 == 0 {
		i.file = c.file
	}
	return rpc.Serve(rpc.Server{Interface: impID, Object: i, Dispatch: i.dispatch})
}

func (i *imp) Shutdown() { i.c.imps.Add(-1) }

func (i *imp) AttachedFile() *os.File { return i.file }

func (i *imp) dispatch(ctx context.Context, call *rpc.Call) error {
	n := call.Params().Uint64(0)
	switch call.Method().Ordinal {
	case impEcho:
		if was := i.last.Swap(n); i.t != nil && was >= n {
			i.t.Errorf("call %d came after %d", n, was)
		}
		call.NewResults(impSize).SetUint64(0, n+1)
	case impGive:
		rpc.SetClient(call.NewResults(impSize).Ptr(0), i.c.imp(nil))
	case impBack:
		f := tell(ctx, rpc.ReadClient(call.Params().Ptr(0)), impEcho, n, rpc.Client{})
		defer f.Release()
		s, err := f.Wait(ctx)
		if err != nil {
			return err
		}
		call.NewResults(impSize).SetUint64(0, s.Uint64(0))
	case impTail:
		call.TailCall(tell(ctx, rpc.ReadClient(call.Params().Ptr(0)), impEcho, n, rpc.Client{}))
	case impKeep:
		rpc.SetClient(call.NewResults(impSize).Ptr(0), rpc.ReadClient(call.Params().Ptr(0)).Retain())
	case impEarly:
		early := i.c.imp(nil)
		call.SetPipeline(early.Retain(), 0)
		call.Go()
		time.Sleep(time.Duration(n))
		rpc.SetClient(call.NewResults(impSize).Ptr(0), early)
	case impHang:
		call.Go()
		<-ctx.Done()
		return ctx.Err()
	case impFail:
		return errImp
	case impCut:
		if conn := call.Conn(); conn != nil {
			i.c.all.Go(func() { _ = conn.Close() })
		}
	}
	return nil
}

// tell calls an imp. It takes with over.
func tell(ctx context.Context, c rpc.Client, ordinal uint16, n uint64, with rpc.Client) rpc.Future {
	r := c.NewCall(ctx, rpc.Method{Interface: impID, Ordinal: ordinal}, impSize)
	r.Params().SetUint64(0, n)
	if !with.IsNull() {
		rpc.SetClient(r.Params().Ptr(0), with)
	}
	return r.Send()
}

// serveOften serves until ctx ends, and begins anew again and again. It tells url where.
func (c *crowd) serveOften(ctx context.Context, t *testing.T, w way, url chan<- string, rnd *rand.Rand) {
	for first := true; first || ctx.Err() == nil; first = false {
		w.server.RPC.Limits = c.limits(rnd)
		ln, err := fairlead.Listen(w.url, w.server)
		if err != nil { // somebody else has the port that was free before
			t.Error(err)
			return
		}
		if first {
			w.url = ln.URL()
			url <- w.url
		}
		life, cancel := context.WithTimeout(ctx, time.Duration(20+rnd.IntN(150))*time.Millisecond)
		var clients atomic.Uint32
		err = ln.ServeRPCFunc(life, func(context.Context, fairlead.Peer) (rpc.Client, error) {
			if clients.Add(1)%8 == 0 {
				return rpc.Client{}, errors.New("refused")
			}
			return c.imp(nil), nil
		})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
}

// A guest is one client.
type guest struct {
	*crowd
	t     *testing.T
	rnd   *rand.Rand
	way   way
	url   string
	conn  *atomic.Pointer[rpc.Conn] // the last
	boot  rpc.Client
	taken func()        // takes boot away; nil where that can't be
	calls *atomic.Int64 // that were answered
}

// may tells whether a call can fail so.
func (g *guest) may(err error) bool {
	var e *rpc.Exception
	return errors.Is(err, rpc.ErrDisconnected) || g.tight && errors.As(err, &e) && e.Type == rpc.Overloaded ||
		g.taken != nil && strings.Contains(err.Error(), errTaken.Error()) // also if the peer was told so
}

// want waits for an answer, which is to be n unless the call could not be made.
func (g *guest) want(f rpc.Future, what string, n uint64) {
	g.t.Helper()
	s, err := f.Wait(within(g.t))
	switch {
	case err == nil && s.Uint64(0) == n:
		g.calls.Add(1)
	case err == nil:
		g.t.Errorf("%s gave %d, want %d", what, s.Uint64(0), n)
	case !g.may(err):
		g.t.Errorf("%s: %v", what, err)
	}
}

// act does something with the server.
func (g *guest) act() {
	ctx, n := context.Background(), g.rnd.Uint64N(1<<40)
	switch what := g.rnd.IntN(30); what {
	default:
		f := tell(ctx, g.boot, impEcho, n, rpc.Client{})
		g.want(f, "echo", n+1)
		f.Release()
	case 1, 2:
		var all [64]rpc.Future
		for i := range all {
			all[i] = tell(ctx, g.boot, impEcho, n+uint64(i), rpc.Client{})
		}
		for i, f := range all {
			if g.rnd.IntN(4) > 0 {
				g.want(f, "one of many", n+uint64(i)+1)
			}
			f.Release()
		}
	case 3, 4:
		f := tell(ctx, g.boot, impGive, 0, rpc.Client{})
		h := tell(ctx, f.Client(0), impGive, 0, rpc.Client{})
		last := tell(ctx, h.Client(0), impEcho, n, rpc.Client{})
		if what == 3 {
			f.Release()
			h.Release()
			g.want(last, "a chain that was released", n+1)
		} else {
			g.want(last, "a chain", n+1)
			f.Release()
			h.Release()
		}
		last.Release()
	case 5, 6:
		ordinal := uint16(impBack + what - 5)
		f := tell(ctx, g.boot, ordinal, n, g.imp(nil))
		g.want(f, "back", n+1)
		f.Release()
	case 7, 8: // calls on what turns out to be ours keep their order
		f := tell(ctx, g.boot, impKeep, 0, g.imp(g.t))
		own := f.Client(0).Retain()
		f.Release()
		var all [8]rpc.Future
		for i := range all {
			all[i] = tell(ctx, own, impEcho, uint64(i+1), rpc.Client{})
			if i == 4 && what == 8 {
				_ = own.WaitResolved(within(g.t))
			}
		}
		own.Release()
		for i, f := range all {
			g.want(f, "our own", uint64(i+2))
			f.Release()
		}
	case 9, 10:
		short, cancel := context.WithTimeout(ctx, time.Duration(g.rnd.IntN(3000))*time.Microsecond)
		f := tell(short, g.boot, impHang, 0, rpc.Client{})
		if what == 9 {
			if _, err := f.Wait(short); err == nil {
				g.t.Error("what hangs was answered")
			}
		}
		f.Release()
		cancel()
	case 11:
		f := tell(ctx, g.boot, impFail, 0, rpc.Client{})
		_, err := f.Wait(within(g.t))
		if e := new(rpc.Exception); !errors.As(err, &e) || e.Type != rpc.Failed && !g.may(err) {
			g.t.Errorf("what fails: %v", err)
		}
		f.Release()
	case 12:
		tell(ctx, g.boot, impCut, 0, rpc.Client{}).Release()
	case 14:
		f := tell(ctx, g.boot, impEarly, g.rnd.Uint64N(1e6), rpc.Client{})
		last := tell(ctx, f.Client(0), impEcho, n, rpc.Client{})
		if g.rnd.IntN(2) == 0 {
			f.Release()
			g.want(last, "an early one", n+1)
		} else {
			g.want(last, "an early one", n+1)
			f.Release()
		}
		last.Release()
	case 15, 16: // with a promise
		p, fulfil := rpc.NewPromise()
		g.all.Go(func() {
			if what == 15 {
				runtime.Gosched()
			}
			fulfil.Resolve(g.imp(nil))
		})
		f := tell(ctx, g.boot, impBack, n, p)
		g.want(f, "a promise", n+1)
		f.Release()
	case 17:
		for range 32 {
			r := g.boot.NewCall(ctx, rpc.Method{Interface: impID, Ordinal: impStream}, impSize)
			if err := r.Stream(within(g.t)); err != nil && !g.may(err) {
				g.t.Errorf("streaming: %v", err)
			}
		}
		if g.rnd.IntN(2) == 0 {
			if err := g.boot.WaitStreaming(within(g.t)); err != nil && !g.may(err) {
				g.t.Errorf("the end of streaming: %v", err)
			}
		}
	case 18, 19: // from one connection over another
		other, err := fairlead.DialRPC(within(g.t), g.url, g.way.dial)
		if err != nil {
			break // it is between two lives
		}
		f := tell(ctx, g.boot, impGive, 0, rpc.Client{})
		boot := other.Bootstrap()
		h := tell(ctx, boot, uint16(impBack+what-18), n, f.Client(0).Retain())
		f.Release()
		g.want(h, "of another connection", n+1)
		h.Release()
		boot.Release()
		_ = other.Close()
	case 21, 22:
		f := tell(ctx, g.boot, impGive, 0, rpc.Client{})
		file, err := f.Client(0).AttachedFile(within(g.t))
		if err == nil {
			_ = file.Close()
		} else if !errors.Is(err, rpc.ErrNoFile) && !g.may(err) {
			g.t.Errorf("a file: %v", err)
		}
		f.Release()
	case 13, 20:
		f := tell(ctx, g.boot, impHang, 0, rpc.Client{})
		conn, taken := g.conn.Load(), g.taken
		g.all.Go(func() {
			if what == 20 && taken != nil {
				taken()
			} else if conn != nil {
				_ = conn.Close()
			}
		})
		if _, err := f.Wait(within(g.t)); !g.may(err) {
			g.t.Errorf("what hung when it was cut off: %v", err)
		}
		f.Release()
	}
}

// come is one session, of several at once at times.
func (g *guest) come() {
	o := g.way.dial
	o.RPC.Limits = g.limits(g.rnd)
	o.RPC.Outgoing = g.watch
	connect := func(ctx context.Context) (*rpc.Conn, error) {
		for {
			conn, err := fairlead.DialRPC(ctx, g.url, o)
			if err == nil || ctx.Err() != nil {
				g.conn.Store(conn)
				return conn, err
			}
			time.Sleep(time.Millisecond) // it is between two lives
		}
	}
	g.taken = nil
	if g.rnd.IntN(6) == 0 {
		g.boot = rpc.Reconnect(connect, rpc.ReconnectOptions{MinDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond})
	} else {
		conn, err := connect(within(g.t))
		if err != nil {
			g.t.Error(err)
			return
		}
		g.boot = conn.Bootstrap()
		defer func() { g.end(conn) }()
	}
	g.wrap()
	var hands sync.WaitGroup
	for range g.rnd.IntN(4) {
		hand := *g
		hand.rnd = rand.New(rand.NewPCG(g.rnd.Uint64(), 0))
		hands.Go(func() { hand.work() })
	}
	g.work()
	if g.taken != nil && g.rnd.IntN(2) == 0 {
		g.taken()
	}
	hands.Wait()
	g.boot.Release()
}

func (g *guest) work() {
	for range 1 + g.rnd.IntN(30) {
		g.act()
	}
}

// end ends a connection, or has it end.
func (g *guest) end(conn *rpc.Conn) {
	if g.rnd.IntN(2) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(g.rnd.IntN(2000))*time.Microsecond)
		defer cancel()
		_ = conn.Shutdown(ctx)
	} else {
		_ = conn.Close()
	}
}

// wrap puts something before the server, at times.
func (g *guest) wrap() {
	switch g.rnd.IntN(6) {
	case 0:
		c, revoke := rpc.Revocable(g.boot)
		g.boot, g.taken = c, func() { revoke(errTaken) }
	case 1:
		m := &rpc.Membrane{Inbound: g.watch, Outbound: g.watch}
		g.boot, g.taken = m.Import(g.boot), func() { m.Revoke(errTaken) }
	case 2:
		g.boot = rpc.Intercept(g.boot, g.watch)
	case 3:
		p, fulfil := rpc.NewPromise()
		boot := g.boot
		g.boot = p
		g.all.Go(func() { fulfil.Resolve(boot) })
	}
}

// Clients come and go, a server ends and begins again, calls are cancelled and
// connections cut, and what they are made on is wrapped and taken away: what is
// answered is right, whoever waits learns of the end, and nothing is left.
func TestChaos(t *testing.T) {
	onAll(t, func(t *testing.T, w way) { riot(t, w, new(crowd)) })
}

// The same where limits are met all the time.
func TestChaosAtLimits(t *testing.T) {
	onAll(t, func(t *testing.T, w way) { riot(t, w, &crowd{tight: true}) })
}

func riot(t *testing.T, w way, c *crowd) {
	seed := chaosBegins(t)
	if runtime.GOOS == "linux" {
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.file = f
		defer func() { until(t, "every file is closed", func() bool { return opened(t, f) == 1 }) }()
	}
	w.server.Drain = 5 * time.Millisecond
	w.server.RPC.Incoming = c.watch
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	url, served := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(served)
		defer close(url)
		c.serveOften(ctx, t, w, url, rand.New(rand.NewPCG(seed, 0)))
	}()
	at, ok := <-url
	if !ok {
		return
	}
	var guests sync.WaitGroup
	var left, calls atomic.Int64
	left.Store(int64(*chaosSessions))
	for i := range 6 {
		g := &guest{
			crowd: c, t: t, way: w, url: at, rnd: rand.New(rand.NewPCG(seed, uint64(i+1))),
			conn: new(atomic.Pointer[rpc.Conn]), calls: &calls,
		}
		guests.Go(func() {
			for left.Add(-1) >= 0 && !t.Failed() {
				g.come()
			}
		})
	}
	guests.Wait()
	stop()
	<-served
	c.all.Wait()
	if calls.Load() == 0 {
		t.Error("no call was answered")
	}
	until(t, "every imp is shut down", func() bool { return c.imps.Load() == 0 })
	until(t, "every call is over", func() bool { return c.begun.Load() == c.over.Load() })
}

// opened is how many descriptors this process has of a file.
func opened(t *testing.T, f *os.File) (n int) {
	t.Helper()
	const all = "/proc/self/fd"
	entries, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink(filepath.Join(all, e.Name())); to == f.Name() {
			n++
		}
	}
	return n
}
