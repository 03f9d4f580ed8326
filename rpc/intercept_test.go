package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
)

// A diary has what an interceptor was told.
type diary struct {
	mu    sync.Mutex
	calls []rpc.CallInfo
	ends  []rpc.Outcome
	twice bool // an end was told again
}

func (d *diary) intercept(ctx context.Context, call rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, call)
	over := false
	return ctx, func(o rpc.Outcome) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ends = append(d.ends, o)
		d.twice = d.twice || over
		over = true
	}, nil
}

// check tells what is wrong when nothing is under way any more.
func (d *diary) check() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) != len(d.ends) || d.twice {
		return fmt.Sprintf("told of %d calls and %d ends, of one twice: %v", len(d.calls), len(d.ends), d.twice)
	}
	return ""
}

func (d *diary) counts() (calls, failed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.ends {
		if o.Err != nil {
			failed++
		}
	}
	return len(d.calls), failed
}

// watchAll has each call of two connections watched, and checks at the end of the
// test that each of them had one end.
func watchAll(t *testing.T, all ...*rpc.ConnOptions) {
	for i, o := range all {
		in, out := new(diary), new(diary)
		o.Incoming, o.Outgoing = in.intercept, out.intercept
		t.Cleanup(func() {
			within(t, func() string {
				for what, d := range map[string]*diary{"in": in, "out": out} {
					if s := d.check(); s != "" {
						return fmt.Sprintf("connection %d, calls %s: %s", i, what, s)
					}
				}
				return ""
			})
		})
	}
}

// meetWith connects two vats with options.
func meetWith(t *testing.T, w wiring, ours, theirs rpc.ConnOptions) vats {
	t.Helper()
	x, y := w.connect(t)
	v := vats{a: rpc.NewConn(x, ours), b: rpc.NewConn(y, theirs)}
	t.Cleanup(func() {
		if !t.Failed() && v.a.Err() == nil && v.b.Err() == nil {
			v.idle(t)
		}
		v.a.Close()
		v.b.Close()
	})
	return v
}

// onEachWith is onEach for connections with options.
func onEachWith(t *testing.T, test func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats)) {
	t.Helper()
	for _, w := range wirings {
		if w.name == watched {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			test(t, func(ours, theirs rpc.ConnOptions) vats { return meetWith(t, w, ours, theirs) })
		})
	}
}

// Each kind of call is seen once on each side, with its end.
func TestConnInterceptors(t *testing.T) {
	onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
		var out, in, back, home diary
		inner := serve(t, double)
		v := connect(rpc.ConnOptions{Outgoing: out.intercept, Incoming: home.intercept}, rpc.ConnOptions{
			Incoming: in.intercept, Outgoing: back.intercept,
			Bootstrap: served(t, func(ctx context.Context, c *rpc.Call) error {
				switch n := c.Params().Uint64(0); {
				case n == 13:
					return fmt.Errorf("%w: thirteen", rpc.ErrOverloaded)
				case n == 77: // to the peer, by a tail call
					to := param(c)
					defer to.Release()
					c.TailCall(call(ctx, to, n))
				default:
					rpc.SetClient(c.NewResults(size).Ptr(0), inner.Retain())
				}
				return nil
			}),
		})
		boot := v.a.Bootstrap()
		defer boot.Release()
		expectCounts := func(what string, d *diary, calls, failed int) {
			t.Helper()
			within(t, func() string {
				if s := d.check(); s != "" {
					return what + ": " + s
				}
				if n, f := d.counts(); n != calls || f != failed {
					return fmt.Sprintf("%s: %d calls, of which %d failed; want %d, %d", what, n, f, calls, failed)
				}
				return ""
			})
		}
		expectCounts("the bootstrap", &out, 0, 0)

		f := call(t.Context(), boot, 1)
		for i := range uint64(3) { // pipelined
			expect(t, call(t.Context(), f.Client(0), i), 2*i)
		}
		f.Release()
		expectCounts("pipelined, out", &out, 4, 0)
		expectCounts("pipelined, in", &in, 4, 0)

		expectError(t, call(t.Context(), boot, 13), rpc.ErrOverloaded, "thirteen")
		expectCounts("a failure, out", &out, 5, 1)
		expectCounts("a failure, in", &in, 5, 1)

		p, settle := rpc.NewPromise() // queued
		g := call(t.Context(), p, 1)
		expectCounts("while it is queued", &out, 5, 1)
		settle.Resolve(boot.Retain())
		if _, err := g.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.Release()
		p.Release()
		expectCounts("queued, out", &out, 6, 1)
		expectCounts("queued, in", &in, 6, 1)

		for range 10 {
			if err := stream(t.Context(), t.Context(), boot); err != nil {
				t.Fatal(err)
			}
		}
		if err := boot.WaitStreaming(t.Context()); err != nil {
			t.Fatal(err)
		}
		expectCounts("streamed, out", &out, 16, 1)
		expectCounts("streamed, in", &in, 16, 1)

		expect(t, callWith(t.Context(), boot, 77, inner.Retain()), 154)
		expectCounts("tail call, out", &out, 17, 1)
		expectCounts("tail call, in", &in, 17, 1)
		expectCounts("tail call, back", &back, 1, 0)
		expectCounts("tail call, home", &home, 1, 0)

		for i, info := range slices.Concat(out.calls, in.calls) {
			conn, incoming := v.a, false
			if i >= len(out.calls) {
				conn, incoming = v.b, true
			}
			if info.Conn != conn || info.Incoming != incoming || info.Method.Interface != 1 || info.Bytes < 64 {
				t.Errorf("call %d was told as %+v", i, info)
			}
		}
		for i, o := range slices.Concat(out.ends, in.ends, home.ends) {
			if o.Err == nil && o.Bytes < 32 && o != (rpc.Outcome{}) {
				t.Errorf("end %d: %+v", i, o)
			}
		}
		if got := v.a.Stats().Calls; got != 17 {
			t.Errorf("%d calls were sent, want 17", got)
		}
	})
}

// A call that goes through a process is seen on both of its connections.
func TestInterceptForwarded(t *testing.T) {
	var in, out diary
	w := wirings[0]
	far := meetWith(t, w, rpc.ConnOptions{Outgoing: out.intercept}, rpc.ConnOptions{Bootstrap: serve(t, double).Retain()})
	near := meetWith(t, w, rpc.ConnOptions{}, rpc.ConnOptions{Bootstrap: far.a.Bootstrap(), Incoming: in.intercept})
	boot := near.a.Bootstrap()
	expect(t, call(t.Context(), boot, 4), 8)
	boot.Release()
	for _, d := range []*diary{&in, &out} {
		within(t, d.check)
		if n, failed := d.counts(); n != 1 || failed != 0 {
			t.Errorf("%d calls, of which %d failed", n, failed)
		}
	}
	near.a.Close()
	near.b.Close()
}

func TestInterceptorsRefuse(t *testing.T) {
	onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
		refuse := func(n uint64, err error) rpc.Interceptor {
			return func(ctx context.Context, call rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
				if call.Params.Uint64(0) == n {
					return nil, nil, err
				}
				if call.Params.Uint64(0) == n+1 {
					panic("the interceptor's own fault")
				}
				return nil, nil, nil
			}
		}
		var log bytes.Buffer
		quiet := slog.New(slog.NewTextHandler(&log, nil))
		var handled atomic.Int64
		v := connect(
			rpc.ConnOptions{Outgoing: refuse(10, fmt.Errorf("%w: not out", rpc.ErrUnimplemented)), Logger: quiet},
			rpc.ConnOptions{
				Incoming: refuse(20, fmt.Errorf("%w: not in", rpc.ErrOverloaded)), Logger: quiet,
				Bootstrap: served(t, func(ctx context.Context, c *rpc.Call) error {
					handled.Add(1)
					return double(ctx, c)
				}),
			})
		boot := v.a.Bootstrap()
		defer boot.Release()
		mine := serve(t, double)
		expect(t, call(t.Context(), boot, 1), 2)
		sent := v.a.Stats().Calls
		expectError(t, callWith(t.Context(), boot, 10, mine.Retain()), rpc.ErrUnimplemented, "not out")
		expectError(t, callWith(t.Context(), boot, 11, mine.Retain()), rpc.ErrFailed, "an interceptor of @0x0000000000000001#0 panicked")
		if got := v.a.Stats().Calls; got != sent {
			t.Errorf("%d calls left that were refused", got-sent)
		}
		f := callWith(t.Context(), boot, 20, mine.Retain())
		g := call(t.Context(), f.Client(0), 1)
		expectError(t, g, rpc.ErrOverloaded, "not in")
		expectError(t, f, rpc.ErrOverloaded, "not in")
		expectError(t, callWith(t.Context(), boot, 21, mine.Retain()), rpc.ErrFailed, "panicked")
		expect(t, call(t.Context(), boot, 2), 4)
		if n := handled.Load(); n != 2 {
			t.Errorf("%d calls were handled, want 2", n)
		}
		if n := strings.Count(log.String(), "an interceptor panicked"); n != 2 {
			t.Errorf("%d panics in the log, want 2:\n%s", n, log.String())
		}
	})
}

// A refused call that waited behind others leaves them as they are.
func TestInterceptorRefusesQueued(t *testing.T) {
	onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
		inner := serve(t, double)
		v := connect(rpc.ConnOptions{Outgoing: func(ctx context.Context, call rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
			if call.Params.Uint64(0) == 3 {
				return nil, nil, errors.New("not three")
			}
			return ctx, nil, nil
		}}, rpc.ConnOptions{Bootstrap: served(t, func(_ context.Context, c *rpc.Call) error {
			rpc.SetClient(c.NewResults(size).Ptr(0), inner.Retain())
			return nil
		})})
		boot := v.a.Bootstrap()
		defer boot.Release()
		p, settle := rpc.NewPromise()
		defer p.Release()
		f := call(t.Context(), p, 0)
		var all []rpc.Future
		for i := range uint64(6) { // on the results of a call that waits
			all = append(all, call(t.Context(), f.Client(0), i))
		}
		settle.Resolve(boot.Retain())
		for i, f := range all {
			if i == 3 {
				expectError(t, f, rpc.ErrFailed, "not three")
			} else {
				expect(t, f, 2*uint64(i))
			}
		}
		f.Release()
	})
}

type traceKey struct{}

// What an interceptor puts into the context is there for the handler, and for the
// calls that it makes.
func TestInterceptorContext(t *testing.T) {
	onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
		var back atomic.Value
		v := connect(rpc.ConnOptions{}, rpc.ConnOptions{
			Incoming: func(ctx context.Context, call rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
				return context.WithValue(ctx, traceKey{}, fmt.Sprint("call ", call.Params.Uint64(0))), nil, nil
			},
			Outgoing: func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
				back.Store(fmt.Sprint(ctx.Value(traceKey{})))
				return ctx, nil, nil
			},
			Bootstrap: served(t, func(ctx context.Context, c *rpc.Call) error {
				to := param(c)
				defer to.Release()
				f := call(ctx, to, 1)
				defer f.Release()
				if _, err := f.Wait(ctx); err != nil {
					return err
				}
				c.NewResults(size).SetData(0, []byte(ctx.Value(traceKey{}).(string)))
				return nil
			}),
		})
		boot := v.a.Bootstrap()
		defer boot.Release()
		f := callWith(t.Context(), boot, 7, serve(t, double).Retain())
		defer f.Release()
		s, err := f.Wait(t.Context())
		if got := string(s.Data(0)); err != nil || got != "call 7" || back.Load() != got {
			t.Errorf("the handler saw %q and its call %q, %v", got, back.Load(), err)
		}
	})
}

// A context that an interceptor ends, ends the call: on the side of the caller,
// and the handler.
func TestInterceptorDeadline(t *testing.T) {
	for _, side := range []string{"outgoing", "incoming", "wrapped"} {
		t.Run(side, func(t *testing.T) {
			onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
				started, ended := make(chan struct{}), make(chan struct{})
				var stop context.CancelCauseFunc
				limit := func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
					ctx, stop = context.WithCancelCause(ctx)
					return ctx, nil, nil
				}
				var ours, theirs rpc.ConnOptions
				switch side {
				case "outgoing":
					ours.Outgoing = limit
				case "incoming":
					theirs.Incoming = limit
				}
				theirs.Bootstrap = served(t, func(ctx context.Context, c *rpc.Call) error {
					close(started)
					<-ctx.Done()
					close(ended)
					return fmt.Errorf("the handler: %w", context.Cause(ctx))
				})
				v := connect(ours, theirs)
				boot := v.a.Bootstrap()
				if side == "wrapped" {
					boot = rpc.Intercept(boot, limit)
				}
				defer boot.Release()
				f := call(t.Context(), boot, 1)
				f.Done()
				<-started
				stop(errors.New("time is up"))
				_, err := f.Wait(t.Context())
				f.Release()
				<-ended
				if err == nil || !strings.Contains(err.Error(), "time is up") {
					t.Errorf("error %v, want one that time is up", err)
				}
			})
		})
	}
}

// Calls that a limit refuses are told of, as what they are.
func TestInterceptorSeesOverload(t *testing.T) {
	onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
		var in diary
		var log bytes.Buffer
		started, release := make(chan struct{}), make(chan struct{})
		v := connect(rpc.ConnOptions{}, rpc.ConnOptions{
			Incoming: in.intercept, Limits: rpc.Limits{Calls: 1}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Bootstrap: served(t, func(_ context.Context, c *rpc.Call) error {
				close(started)
				c.Go()
				<-release
				return nil
			}),
		})
		boot := v.a.Bootstrap()
		defer boot.Release()
		f := call(t.Context(), boot, 1)
		f.Done()
		<-started
		for range 3 {
			expectError(t, call(t.Context(), boot, 2), rpc.ErrOverloaded, "1 calls are executing")
		}
		close(release)
		if _, err := f.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		f.Release()
		within(t, in.check)
		if n, failed := in.counts(); n != 4 || failed != 3 || !errors.Is(in.ends[0].Err, rpc.ErrOverloaded) {
			t.Errorf("%d calls, of which %d failed, the first with %v", n, failed, in.ends[0].Err)
		}
		v.b.Close() // the log is not written any more
		if n := strings.Count(log.String(), "are refused"); n != 1 {
			t.Errorf("the log warns %d times, want once:\n%s", n, log.String())
		}
	})
}

// When the connection is lost, each call has its end.
func TestInterceptorsAtDisconnect(t *testing.T) {
	onEachWith(t, func(t *testing.T, connect func(ours, theirs rpc.ConnOptions) vats) {
		var in, out diary
		v := connect(rpc.ConnOptions{Outgoing: out.intercept}, rpc.ConnOptions{
			Incoming: in.intercept,
			Bootstrap: served(t, func(ctx context.Context, _ *rpc.Call) error {
				<-ctx.Done()
				return ctx.Err()
			}),
		})
		boot := v.a.Bootstrap()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		g := call(t.Context(), f.Client(0), 1)
		queued := call(t.Context(), boot, 2)
		f.Done()
		within(t, func() string {
			if n, _ := in.counts(); n < 3 {
				return fmt.Sprintf("%d calls have come", n)
			}
			return ""
		})
		v.b.Close()
		for _, f := range []rpc.Future{f, g, queued} {
			expectError(t, f, rpc.ErrDisconnected, "was sent")
		}
		for _, d := range []*diary{&in, &out} {
			within(t, d.check)
			if n, failed := d.counts(); n != 3 || failed != 3 {
				t.Errorf("%d calls, of which %d failed, want 3 of 3", n, failed)
			}
		}
	})
}

func TestChain(t *testing.T) {
	if rpc.Chain() != nil || rpc.Chain(nil, nil) != nil {
		t.Error("a chain of none is not nil")
	}
	var seen []string
	note := func(name string) rpc.Interceptor {
		return func(ctx context.Context, call rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
			before, _ := ctx.Value(traceKey{}).(string)
			seen = append(seen, name+" after "+before)
			if call.Params.Uint64(0) == 9 && name == "third" {
				return nil, nil, errors.New("not nine")
			}
			return context.WithValue(ctx, traceKey{}, before+name), func(o rpc.Outcome) {
				seen = append(seen, fmt.Sprint(name, " ends: ", o.Err))
			}, nil
		}
	}
	c := rpc.Intercept(serve(t, double).Retain(), rpc.Chain(note("first"), nil, note("second"), note("third")))
	defer c.Release()
	expect(t, call(t.Context(), c, 4), 8)
	expectError(t, call(t.Context(), c, 9), rpc.ErrFailed, "not nine")
	want := []string{
		"first after ", "second after first", "third after firstsecond", "third ends: <nil>", "second ends: <nil>", "first ends: <nil>",
		"first after ", "second after first", "third after firstsecond", "second ends: rpc: failed: not nine", "first ends: rpc: failed: not nine",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
}

// A connection without interceptors allocates nothing for a call, but what 32
// calls share.
func TestCallAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	x, y := unixPair(t)
	server := rpc.NewConn(framing.NewPipe(y, framing.PipeOptions{}), rpc.ConnOptions{
		Bootstrap: rpc.Serve(rpc.Server{Interface: 1, Dispatch: add}),
	})
	defer server.Close()
	client := rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{})
	defer client.Close()
	boot := client.Bootstrap()
	defer boot.Release()
	once := func() {
		f := call(context.Background(), boot, 1)
		if _, err := f.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	within(t, func() string { // a collection empties the pools
		if n := testing.AllocsPerRun(2000, once); n >= 1 {
			return fmt.Sprintf("%v allocations a call", n)
		}
		return ""
	})
}

// The log of a connection has its beginning and end, and is silent without a
// logger.
func TestConnLog(t *testing.T) {
	var log bytes.Buffer
	x, y := loop(t)
	a := rpc.NewConn(x, rpc.ConnOptions{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	b := rpc.NewConn(y, rpc.ConnOptions{})
	b.Close()
	select {
	case <-a.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the connection does not end")
	}
	a.Close()
	for _, want := range []string{`level=DEBUG msg="rpc: connected" peer=unknown`, `level=DEBUG msg="rpc: disconnected"`, "the peer has closed the connection"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
}
