package interop_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
)

// ourServer serves a lab to everyone who connects, until the test ends.
func ourServer(t testing.TB, network string) (address string, l *lab) {
	t.Helper()
	l = newLab()
	return listen(t, network, func(c net.Conn) rpc.Client { return l.on(c).Client }), l
}

// between serves what is served at an address.
func between(t testing.TB, network, address string) string {
	t.Helper()
	b := dial(t, network, address)
	return listen(t, network, func(net.Conn) rpc.Client { return b.lab.Client.Retain() })
}

// listen gives a capability to everyone who connects, until the test ends.
func listen(t testing.TB, network string, bootstrap func(net.Conn) rpc.Client) (address string) {
	t.Helper()
	address = "127.0.0.1:0"
	if network == "unix" {
		address = socket(t)
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	conns := map[*rpc.Conn]bool{}
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conn := rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: bootstrap(c)})
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			all.Go(func() {
				<-conn.Done()
				_ = conn.Close()
				mu.Lock()
				delete(conns, conn)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for c := range conns {
			all.Go(func() { _ = c.Close() })
		}
		mu.Unlock()
		all.Wait()
	})
	return ln.Addr().String()
}

// dial connects our client.
func dial(t testing.TB, network, address string) *bench {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return benchOn(t, framing.NewPipe(c, framing.PipeOptions{}))
}

func benchOn(t testing.TB, transport rpc.Transport) *bench {
	t.Helper()
	conn := rpc.NewConn(transport, rpc.ConnOptions{})
	b := &bench{TB: t, ctx: within(t), conn: conn, lab: interop.NewLab(conn.Bootstrap())}
	t.Cleanup(func() {
		b.finish()
		b.lab.Release()
		_ = conn.Close()
	})
	return b
}

// The peers understand each other: what fails between them and us is our fault.
func TestReference(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			address, _ := cppServer(t, network)
			for _, s := range scenarios {
				t.Run(s.name, func(t *testing.T) { cppClient(t, network, address, s.name) })
			}
		})
	}
}

func TestOurClient(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			address, _ := cppServer(t, network)
			for _, s := range scenarios {
				t.Run(s.name, func(t *testing.T) { s.run(dial(t, network, address)) })
			}
		})
	}
}

func TestOurServer(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			address, _ := ourServer(t, network)
			for _, s := range scenarios {
				t.Run(s.name, func(t *testing.T) { cppClient(t, network, address, s.name) })
			}
		})
	}
}

func TestOurselves(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			address, _ := ourServer(t, network)
			for _, s := range scenarios {
				t.Run(s.name, func(t *testing.T) { s.run(dial(t, network, address)) })
			}
		})
	}
}

// What was asked for and turned out to be null can be passed on: the reference does
// not take a message that refers to a descriptor of nothing.
func TestNullPassed(t *testing.T) {
	for _, network := range networks {
		for _, peer := range []struct {
			name    string
			address func() string
		}{
			{"C++", func() string { a, _ := cppServer(t, network); return a }},
			{"ours", func() string { a, _ := ourServer(t, network); return a }},
		} {
			t.Run(peer.name+"/"+network, func(t *testing.T) {
				b := dial(t, network, peer.address())
				f := b.lab.Kept(b.ctx, nil)
				defer f.Release()
				null := f.Cap()
				_, err := f.Wait(b.ctx)
				b.check(err)
				b.do(b.lab.Keep(b.ctx, func(p interop.LabKeepParamsBuilder) { p.SetCap(null.Retain()) }).Future)
				b.do(b.lab.Drop(b.ctx, nil).Future)
				b.fails(b.callNext(null).Future, rpc.ErrFailed, "null")
				b.sound()
			})
		}
	}
}

// A client that is gone leaves nothing behind at the server.
func TestVanish(t *testing.T) {
	gone := func(t *testing.T, b *bench) {
		b.until("nothing hangs", func() bool { now, _ := b.hanging(); return now == 0 })
		b.until("no sequences are left", func() bool { return b.live() == 0 })
		b.sound()
	}
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Run("C++ client", func(t *testing.T) {
				address, _ := ourServer(t, network)
				cppClient(t, network, address, "vanish")
				gone(t, dial(t, network, address))
			})
			t.Run("our client", func(t *testing.T) {
				address, _ := cppServer(t, network)
				c, err := net.Dial(network, address)
				if err != nil {
					t.Fatal(err)
				}
				b := benchOn(t, framing.NewPipe(c, framing.PipeOptions{}))
				all := b.under()
				_ = c.Close()
				for _, f := range all {
					b.fails(f, rpc.ErrDisconnected, "")
				}
				gone(t, dial(t, network, address))
			})
		})
	}
}

// A server that is killed while many calls are under way: each ends, with its
// result or as disconnected.
func TestKilled(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			address, kill := cppServer(t, network)
			b := dial(t, network, address)
			b.sound()
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for i := int64(0); ; i++ {
						f := b.lab.Add(context.Background(), func(p interop.LabAddParamsBuilder) { p.SetA(i); p.SetB(i) })
						res, err := f.Wait(b.ctx)
						if err == nil && res.Sum() != 2*i {
							t.Errorf("%d + %d = %d", i, i, res.Sum())
						}
						f.Release()
						if err != nil {
							if !errors.Is(err, rpc.ErrDisconnected) {
								t.Errorf("a call ended with %v", err)
							}
							return
						}
					}
				})
			}
			b.sound()
			kill()
			all.Wait()
		})
	}
}
