package interop_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/rpc/interop"
)

var cuts = flag.Int("cuts", 3, "in how many places each scenario is cut")

// A relay stands between a client and a server, and cuts the connection when it
// has passed on so many bytes, of both sides together.
type relay struct {
	ln     net.Listener
	budget int64 // bytes; below 0 for no end

	mu     sync.Mutex
	passed int64
	conns  []net.Conn
	all    sync.WaitGroup
}

// relayTo gives a relay and its address.
func relayTo(t testing.TB, network, server string, budget int64) (r *relay, address string) {
	t.Helper()
	address = "127.0.0.1:0"
	if network == "unix" {
		address = socket(t)
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	r = &relay{ln: ln, budget: budget}
	r.all.Go(func() {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial(network, server)
		if err != nil {
			_ = near.Close()
			return
		}
		r.mu.Lock()
		r.conns = []net.Conn{near, far}
		r.mu.Unlock()
		r.all.Go(func() { r.pass(near, far) })
		r.all.Go(func() { r.pass(far, near) })
	})
	return r, ln.Addr().String()
}

func (r *relay) pass(to, from net.Conn) {
	defer r.cut()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		if left := r.budget - r.passed; r.budget >= 0 && int64(n) >= left {
			n, err = int(left), io.EOF
		}
		r.passed += int64(n)
		r.mu.Unlock()
		if _, failed := to.Write(b[:n]); failed != nil || err != nil {
			return
		}
	}
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

// close ends the relay and tells how many bytes have passed.
func (r *relay) close() int64 {
	_ = r.ln.Close()
	r.cut()
	r.all.Wait()
	return r.passed
}

// An attempt is a test that may fail: what it says is kept.
type attempt struct {
	testing.TB
	ctx  context.Context
	mu   sync.Mutex
	said []string
	ends []func()
}

func (a *attempt) Helper()                   {}
func (a *attempt) Context() context.Context  { return a.ctx }
func (a *attempt) Cleanup(f func())          { a.ends = append(a.ends, f) }
func (a *attempt) Error(args ...any)         { a.note(fmt.Sprint(args...)) }
func (a *attempt) Errorf(f string, v ...any) { a.note(fmt.Sprintf(f, v...)) }
func (a *attempt) Fatal(args ...any)         { a.Error(args...); runtime.Goexit() }
func (a *attempt) Fatalf(f string, v ...any) { a.Errorf(f, v...); runtime.Goexit() }

func (a *attempt) note(what string) {
	a.mu.Lock()
	a.said = append(a.said, what)
	a.mu.Unlock()
}

// try runs a scenario at a relay, and gives how it failed.
func try(t *testing.T, s scenario, network, address string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	a := &attempt{TB: t, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(a.ends) - 1; i >= 0; i-- {
				a.ends[i]()
			}
		}()
		s.run(dial(a, network, address))
	}()
	<-done
	return a.said
}

// tidy brings the lab into its first state, and checks that clients that are gone
// have left nothing.
func tidy(b *bench) {
	b.do(b.lab.Drop(b.ctx, nil).Future)
	b.open()
	f := b.lab.Reject(b.ctx, func(p interop.LabRejectParamsBuilder) { p.SetReason("tidy") })
	_, _ = f.Wait(b.ctx) // there may be none
	f.Release()
	b.until("nothing hangs", func() bool { now, _ := b.hanging(); return now == 0 })
	b.until("no sequences are left", func() bool { return b.live() == 0 })
	b.sound()
}

// Each scenario, with its connection lost in the middle: our side ends as
// disconnected, nothing waits for ever, and the server keeps nothing.
func TestCutScenarios(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Run("our client", func(t *testing.T) {
				address, _ := cppServer(t, network)
				cutEach(t, network, address, func(t *testing.T, s scenario, at string, cut bool) {
					for _, said := range try(t, s, network, at) {
						switch {
						case !cut:
							t.Errorf("without a cut: %s", said)
						case strings.Contains(said, "never: "), strings.Contains(said, context.DeadlineExceeded.Error()):
							t.Errorf("it waits for ever: %s", said)
						}
					}
				})
			})
			t.Run("our server", func(t *testing.T) {
				program := peer(t, "client")
				address, _ := ourServer(t, network)
				cutEach(t, network, address, func(t *testing.T, s scenario, at string, cut bool) {
					if !cut {
						cppClient(t, network, at, s.name)
						return
					}
					if network == "unix" {
						at = "unix:" + at
					}
					ctx, cancel := context.WithTimeout(t.Context(), *patience)
					defer cancel()
					out, _ := exec.CommandContext(ctx, program, at, s.name).CombinedOutput()
					if ctx.Err() != nil {
						t.Errorf("the C++ client waits for ever: %s", out)
					}
				})
			})
		})
	}
}

// cutEach runs each scenario once whole, and then cut, at a server that outlives
// all of them.
func cutEach(t *testing.T, network, server string, run func(t *testing.T, s scenario, at string, cut bool)) {
	for _, s := range scenarios {
		if s.name == "disconnect" {
			continue // it ends the server itself
		}
		t.Run(s.name, func(t *testing.T) {
			r, at := relayTo(t, network, server, -1)
			run(t, s, at, false)
			whole := r.close()
			for i := range int64(*cuts) {
				r, at := relayTo(t, network, server, (2*i+1)*whole/int64(2**cuts))
				run(t, s, at, true)
				r.close()
				tidy(dial(t, network, server))
			}
		})
	}
}
