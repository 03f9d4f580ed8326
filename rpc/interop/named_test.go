package interop_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
	"github.com/fairlead-go/fairlead/rpc/sturdy"
	"github.com/fairlead-go/fairlead/segment"
)

// from gives a sequence that starts with n.
func from(n uint32) interop.Sequence { return interop.ServeSequence(&sequence{n: n}) }

// connect gives a connection to a server.
func connect(t testing.TB, network, address string, o rpc.ConnOptions) *rpc.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	conn := rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), o)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Our client with the server of the C++ library: what it exports by name, and what
// its bootstrap capability saves and restores by methods of its own.
func TestNamedByCpp(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			address, _ := cppProgram(t, network, "named", "serve")
			ctx := within(t)
			conn := connect(t, network, address, rpc.ConnOptions{})
			for _, tc := range []struct {
				name string
				c    rpc.Client
				want uint32
				err  string
			}{
				{"bootstrap", conn.Bootstrap(), 100, ""},
				{"by name", conn.BootstrapNamed("seven"), 7, ""},
				{"by name again", conn.BootstrapNamed("seven"), 8, ""},
				{"the empty name", conn.BootstrapNamed(""), 1, ""},
				{"unknown", conn.BootstrapNamed("nowhere"), 0, "nowhere"},
				{"by the connection's name", connect(t, network, address, rpc.ConnOptions{Name: "seven"}).Bootstrap(), 9, ""},
			} {
				n, err := next(ctx, interop.NewSequence(tc.c))
				if n != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%s: %d, %v, want %d, %q", tc.name, n, err, tc.want, tc.err)
				}
				tc.c.Release()
			}
			if names, err := conn.Names(ctx); err != nil || !slices.Equal(names, []string{"", "seven"}) {
				t.Errorf("the names are %q, %v", names, err)
			}

			boot := conn.Bootstrap()
			defer boot.Release()
			ref, err := sturdy.Save(ctx, boot, sturdy.Anyone)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sturdy.Save(ctx, boot, "user:c++"); err != nil {
				t.Error(err)
			}
			if _, err := sturdy.Save(ctx, boot, "user:go"); err == nil || !strings.Contains(err.Error(), "owner") {
				t.Errorf("%v, want that the owner is not known", err)
			}
			conn = connect(t, network, address, rpc.ConnOptions{})
			c := sturdy.Restore(ctx, conn, ref)
			defer c.Release()
			if n, err := next(ctx, interop.NewSequence(c)); n != 200 || err != nil {
				t.Errorf("restored: %d, %v", n, err)
			}
			if err := sturdy.Drop(ctx, conn, ref); err != nil {
				t.Error(err)
			}
			gone := sturdy.Restore(ctx, conn, ref)
			defer gone.Release()
			if n, err := next(ctx, interop.NewSequence(gone)); err == nil {
				t.Errorf("restored after it was dropped: %d", n)
			}
			seven := conn.BootstrapNamed("seven")
			defer seven.Release()
			if _, err := sturdy.Save(ctx, seven, sturdy.Anyone); !errors.Is(err, rpc.ErrUnimplemented) {
				t.Errorf("%v, want unimplemented", err)
			}
		})
	}
}

// A server of the C++ library that restores by object ids that are structs, and has
// no bootstrap capability.
func TestRestoredByCpp(t *testing.T) {
	address, _ := cppProgram(t, "unix", "named", "restorer")
	ctx := within(t)
	conn := connect(t, "unix", address, rpc.ConnOptions{})
	for id, want := range map[uint32]bool{5: true, 13: false} {
		c := conn.BootstrapObject(func(p segment.PtrBuilder) { p.NewStruct(segment.Size{DataWords: 1}).SetUint32(0, id) })
		n, err := next(ctx, interop.NewSequence(c))
		if (err == nil) != want || want && n != id {
			t.Errorf("object %d gives %d, %v", id, n, err)
		}
		c.Release()
	}
	if err := conn.Err(); err != nil {
		t.Error(err)
	}
}

// The client of the C++ library with our server.
func TestNamedByUs(t *testing.T) {
	program := peer(t, "named")
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			keeper := sturdy.NewKeeper(sturdy.Options{Owners: func(*rpc.Conn) []string { return []string{"user:c++"} }})
			defer keeper.Close()
			boot := from(100)
			defer boot.Release()
			if err := keeper.Persist(boot.Client, "the sequence"); err != nil {
				t.Fatal(err)
			}
			exports := rpc.Exports{Listed: true, Restore: func(_ *rpc.Conn, id segment.Ptr) (rpc.Client, error) {
				if id.Kind() != segment.KindStruct {
					return rpc.Client{}, nil
				}
				n := id.Struct().Uint32(0)
				if n == 13 {
					return rpc.Client{}, errors.New("object 13 brings bad luck")
				}
				return from(n).Client, nil
			}}
			defer exports.Release()
			exports.Set("seven", from(7).Client)
			exports.Set("", from(1).Client)
			address := serveNamed(t, network, func() rpc.ConnOptions {
				return rpc.ConnOptions{Bootstrap: boot.Retain().Client, Exports: &exports, Restorer: keeper.Dispatch}
			})
			if network == "unix" {
				address = "unix:" + address
			}
			ctx, cancel := context.WithTimeout(t.Context(), *patience)
			defer cancel()
			if out, err := exec.CommandContext(ctx, program, "client", address).CombinedOutput(); err != nil || string(out) != "ok\n" {
				t.Errorf("the C++ client: %v\n%s", err, out)
			}
		})
	}
}

// serveNamed serves everyone who connects, until the test ends.
func serveNamed(t *testing.T, network string, options func() rpc.ConnOptions) (address string) {
	t.Helper()
	address = "127.0.0.1:0"
	if network == "unix" {
		address = socket(t)
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var conns []*rpc.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns = append(conns, rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), options()))
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-ended
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return ln.Addr().String()
}
