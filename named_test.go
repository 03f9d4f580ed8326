package fairlead_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/sturdy"
)

// A server exports capabilities by names, which are asked for by the URL.
func TestNamedExports(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		_, boot := newDoubler(t)
		_, named := newDoubler(t)
		exports := &rpc.Exports{Listed: true}
		defer exports.Release()
		exports.Set("by name #1", named)
		w.server.RPC.Exports = exports
		url, _ := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error { return ln.ServeRPC(ctx, boot) })
		conn, c := dial(t, w, url+"#by%20name%20%231")
		if got := result(t, start(within(t), c, double, 21)); got != 42 {
			t.Errorf("%d, want 42", got)
		}
		if names, err := conn.Names(within(t)); err != nil || !slices.Equal(names, []string{"by name #1"}) {
			t.Errorf("the names are %q, %v", names, err)
		}
		_, other := dial(t, w, url+"#elsewhere")
		f := start(within(t), other, double, 1)
		defer f.Release()
		if _, err := f.Wait(within(t)); err == nil || !strings.Contains(err.Error(), `"elsewhere"`) {
			t.Errorf("%v, want that nothing is exported as elsewhere", err)
		}
	})
	_, mine := newDoubler(t)
	if _, err := fairlead.DialRPC(t.Context(), "unix:///x#", fairlead.Options{RPC: rpc.ConnOptions{Bootstrap: mine}}); !errors.Is(err, fairlead.ErrURL) {
		t.Errorf("%v, want ErrURL", err)
	}
}

// What is saved over one connection is restored over the next, sealed for the
// peer wherever the transport proves who it is.
func TestSturdyReferences(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		_, boot := newDoubler(t)
		keeper := sturdy.NewKeeper(sturdy.Options{})
		defer keeper.Close()
		if err := keeper.Persist(boot, "the doubler"); err != nil {
			t.Fatal(err)
		}
		w.server.RPC.Restorer = keeper.Dispatch
		var owners atomic.Int32
		url, _ := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error {
			return ln.ServeRPCFunc(ctx, func(_ context.Context, p fairlead.Peer) (rpc.Client, error) {
				owners.Store(int32(len(p.Owners())))
				return boot.Retain(), nil
			})
		})
		defer boot.Release()
		_, c := dial(t, w, url)
		ref, err := sturdy.Save(within(t), c, sturdy.Anyone)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := sturdy.Save(within(t), c, sturdy.Self)
		if (err == nil) != (owners.Load() > 0) {
			t.Errorf("sealed for oneself: %v, with %d names", err, owners.Load())
		}
		if (w.name == "unix" || w.name == "shm") && runtime.GOOS == "linux" && owners.Load() == 0 {
			t.Error("nobody knows whose process it is")
		}
		conn, _ := dial(t, w, url)
		for _, r := range []sturdy.Ref{ref, sealed} {
			if r == nil {
				continue
			}
			d := sturdy.Restore(within(t), conn, r)
			if got := result(t, start(within(t), d, double, 21)); got != 42 {
				t.Errorf("%d, want 42", got)
			}
			d.Release()
		}
	})
}

func TestOwners(t *testing.T) {
	cert := func(names ...string) *x509.Certificate {
		c := &x509.Certificate{RawSubjectPublicKeyInfo: []byte("a key"), Subject: pkix.Name{CommonName: "common"}}
		for _, n := range names {
			switch u, err := url.Parse(n); {
			case strings.Contains(n, "@"):
				c.EmailAddresses = append(c.EmailAddresses, n)
			case err == nil && u.Scheme != "":
				c.URIs = append(c.URIs, u)
			default:
				c.DNSNames = append(c.DNSNames, n)
			}
		}
		return c
	}
	state := func(c *x509.Certificate, verified bool) *tls.ConnectionState {
		s := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
		if verified {
			s.VerifiedChains = [][]*x509.Certificate{{c}}
		}
		return s
	}
	for _, tc := range []struct {
		name string
		peer fairlead.Peer
		want []string
	}{
		{"nothing", fairlead.Peer{Addr: "127.0.0.1:5"}, nil},
		{"process", fairlead.Peer{Process: &fairlead.Process{UID: 7, GID: 8, PID: 9}}, []string{"uid:7"}},
		{"user", fairlead.Peer{User: "alice"}, []string{"user:alice"}},
		{"no certificate", fairlead.Peer{TLS: &tls.ConnectionState{}}, nil},
		{"a certificate of nobody's", fairlead.Peer{TLS: state(cert("a.example"), false)}, []string{"cert"}},
		{
			"a signed one",
			fairlead.Peer{TLS: state(cert("a.example", "a@b.example", "spiffe://a/b"), true)},
			[]string{"name:a.example", "name:a@b.example", "name:spiffe://a/b", "cert"},
		},
		{"one with a common name only", fairlead.Peer{TLS: state(cert(), true)}, []string{"name:common", "cert"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.peer.Owners()
			for i, o := range got {
				if kind, hash, _ := strings.Cut(o, ":"); kind == "cert" && len(hash) == 64 {
					got[i] = kind
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
