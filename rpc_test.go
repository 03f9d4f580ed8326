package fairlead_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	one    = segment.Size{DataWords: 1}
	double = rpc.Method{Interface: 0xd0b1e, Ordinal: 0}
	hold   = rpc.Method{Interface: 0xd0b1e, Ordinal: 1}
)

// A doubler serves double, and hold, which ends when its context or let does.
type doubler struct {
	held chan struct{}
	let  chan struct{}
	down chan struct{}
}

func newDoubler(t testing.TB) (*doubler, rpc.Client) {
	d := &doubler{held: make(chan struct{}, 100), let: make(chan struct{}), down: make(chan struct{})}
	t.Cleanup(func() {
		select {
		case <-d.down:
		case <-time.After(20 * time.Second):
			t.Error("the server is not shut down: a reference is left")
		}
	})
	return d, rpc.Serve(rpc.Server{Interface: double.Interface, Object: d, Dispatch: d.dispatch})
}

func (d *doubler) Shutdown() { close(d.down) }

func (d *doubler) dispatch(ctx context.Context, call *rpc.Call) error {
	switch call.Method() {
	case double:
	case hold:
		call.Go()
		d.held <- struct{}{}
		select {
		case <-d.let:
		case <-ctx.Done():
			return ctx.Err()
		}
	default:
		return call.Unimplemented()
	}
	call.NewResults(one).SetUint64(0, 2*call.Params().Uint64(0))
	return nil
}

func start(ctx context.Context, c rpc.Client, m rpc.Method, n uint64) rpc.Future {
	r := c.NewCall(ctx, m, one)
	r.Params().SetUint64(0, n)
	return r.Send()
}

func result(t testing.TB, f rpc.Future) uint64 {
	t.Helper()
	defer f.Release()
	s, err := f.Wait(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return s.Uint64(0)
}

// serve serves until the test ends or stop is called, which gives the error.
func serve(t testing.TB, w way, run func(context.Context, *fairlead.Listener) error) (url string, stop func() error) {
	t.Helper()
	ln := listen(t, w)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, ln) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return ln.URL(), stop
}

func dial(t testing.TB, w way, url string) (*rpc.Conn, rpc.Client) {
	t.Helper()
	conn, err := fairlead.DialRPC(within(t), url, w.dial)
	if err != nil {
		t.Fatal(err)
	}
	c := conn.Bootstrap()
	t.Cleanup(func() {
		c.Release()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn, c
}

func TestRPC(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		_, boot := newDoubler(t)
		url, stop := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error { return ln.ServeRPC(ctx, boot) })
		for range 3 { // many clients, one after the other and at once
			_, c := dial(t, w, url)
			_, d := dial(t, w, url)
			var all []rpc.Future
			for i := range uint64(100) {
				all = append(all, start(within(t), c, double, i), start(within(t), d, double, 1000+i))
			}
			for i := range uint64(100) {
				if a, b := result(t, all[2*i]), result(t, all[2*i+1]); a != 2*i || b != 2*(1000+i) {
					t.Fatalf("call %d: %d and %d", i, a, b)
				}
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestServeRPC is the function: its listener is gone with it.
func TestServeRPC(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		url := ln.URL()
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		_, boot := newDoubler(t)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- fairlead.ServeRPC(ctx, url, boot, w.server) }()
		var conn *rpc.Conn
		for conn == nil {
			var err error
			if conn, err = fairlead.DialRPC(within(t), url, w.dial); err != nil {
				time.Sleep(time.Millisecond) // until it listens
			}
			if within(t).Err() != nil {
				t.Fatal(err)
			}
		}
		c := conn.Bootstrap()
		if got := result(t, start(within(t), c, double, 21)); got != 42 {
			t.Errorf("%d, want 42", got)
		}
		c.Release()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		<-conn.Done()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		listen(t, way{url: url, server: w.server}) // the address is free
	})
}

// TestServeRPCEndsAtOnce ends a server while a connection is about to begin, which
// must not be waited for then.
func TestServeRPCEndsAtOnce(t *testing.T) {
	ln, err := fairlead.Listen("tcp://127.0.0.1:*", fairlead.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, boot := newDoubler(t)
	defer boot.Release()
	entered, leave := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- ln.ServeRPCFunc(ctx, func(context.Context, fairlead.Peer) (rpc.Client, error) {
			close(entered)
			<-leave
			return boot.Retain(), nil
		})
	}()
	conn, err := fairlead.DialRPC(within(t), ln.URL(), fairlead.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-entered
	cancel()
	time.Sleep(50 * time.Millisecond) // by now it has ended the others
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-conn.Done()
}

func TestServeRPCBadURL(t *testing.T) {
	_, boot := newDoubler(t) // which has to be released too
	if err := fairlead.ServeRPC(t.Context(), "nowhere", boot, fairlead.Options{}); !errors.Is(err, fairlead.ErrURL) {
		t.Errorf("%v, want ErrURL", err)
	}
	_, mine := newDoubler(t)
	o := fairlead.Options{RPC: rpc.ConnOptions{Bootstrap: mine}}
	if _, err := fairlead.DialRPC(t.Context(), "nowhere", o); !errors.Is(err, fairlead.ErrURL) {
		t.Errorf("%v, want ErrURL", err)
	}
}

// TestDrain ends a server while a call is under way.
func TestDrain(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		t.Run("done in time", func(t *testing.T) {
			d, boot := newDoubler(t)
			url, stop := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error { return ln.ServeRPC(ctx, boot) })
			_, c := dial(t, w, url)
			f := start(within(t), c, hold, 21)
			<-d.held
			time.AfterFunc(20*time.Millisecond, func() { close(d.let) })
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got := result(t, f); got != 42 {
				t.Errorf("%d, want 42", got)
			}
		})
		t.Run("cut off", func(t *testing.T) {
			w.server.Drain = 20 * time.Millisecond
			d, boot := newDoubler(t)
			url, stop := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error { return ln.ServeRPC(ctx, boot) })
			_, c := dial(t, w, url)
			f := start(within(t), c, hold, 21)
			defer f.Release()
			<-d.held
			if err := stop(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cut off after 20ms: 1") {
				t.Errorf("%v, want one that tells of 1 connection and matches context.DeadlineExceeded", err)
			}
			if _, err := f.Wait(within(t)); !errors.Is(err, rpc.ErrDisconnected) {
				t.Errorf("%v, want ErrDisconnected", err)
			}
		})
	})
}

func TestBootstrapOfEach(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		var clients atomic.Uint64
		var peers [3]fairlead.Peer
		url, _ := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error {
			return ln.ServeRPCFunc(ctx, func(_ context.Context, p fairlead.Peer) (rpc.Client, error) {
				n := clients.Add(1)
				if n == 2 {
					return rpc.Client{}, errors.New("not this one")
				}
				peers[n-1] = p
				return rpc.Serve(rpc.Server{Interface: double.Interface, Dispatch: func(_ context.Context, call *rpc.Call) error {
					q, ok := fairlead.PeerOf(call.Conn())
					if !ok || q.String() != p.String() {
						t.Errorf("a handler sees the peer %v, %v, want %v", q, ok, p)
					}
					call.NewResults(one).SetUint64(0, n)
					return nil
				}}), nil
			})
		})
		for i := range uint64(3) {
			conn, c := dial(t, w, url)
			if i == 1 {
				f := start(within(t), c, double, 0)
				if _, err := f.Wait(within(t)); !errors.Is(err, rpc.ErrDisconnected) {
					t.Errorf("one that was refused: %v, want ErrDisconnected", err)
				}
				f.Release()
				continue
			}
			if got := result(t, start(within(t), c, double, 0)); got != i+1 {
				t.Errorf("client %d has the capability of client %d", i+1, got)
			}
			if _, ok := fairlead.PeerOf(conn); !ok {
				t.Error("the client does not know its peer")
			}
		}
		if p := peers[0].Process; (w.name == "unix" || w.name == "shm") && (p == nil || p.PID != os.Getpid()) {
			t.Errorf("the peer is %v, want this process", peers[0])
		}
	})
	if _, ok := fairlead.PeerOf(nil); ok {
		t.Error("a call within the process has a peer")
	}
}

// TestBothServe has the server call what its client serves.
func TestBothServe(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		_, mine := newDoubler(t)
		w.dial.RPC.Bootstrap = mine
		boot := rpc.Serve(rpc.Server{Interface: double.Interface, Dispatch: func(ctx context.Context, call *rpc.Call) error {
			back := call.Conn().Bootstrap()
			defer back.Release()
			n := call.Params().Uint64(0)
			f := start(ctx, back, double, n)
			defer f.Release()
			call.Go()
			res, err := f.Wait(ctx)
			if err != nil {
				return err
			}
			call.NewResults(one).SetUint64(0, res.Uint64(0)+1)
			return nil
		}})
		url, _ := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error { return ln.ServeRPC(ctx, boot) })
		_, c := dial(t, w, url)
		if got := result(t, start(within(t), c, double, 20)); got != 41 {
			t.Errorf("%d, want 41", got)
		}
	})
}

// TestListenerOfServeRPCCloses is a server whose listener somebody else closed.
func TestListenerOfServeRPCCloses(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		_, boot := newDoubler(t)
		ln := listen(t, w)
		ended := make(chan error)
		go func() { ended <- ln.ServeRPC(context.Background(), boot) }()
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, fairlead.ErrClosed) || !strings.Contains(err.Error(), ln.URL()) {
			t.Errorf("%v, want ErrClosed of %s", err, ln.URL())
		}
	})
}
