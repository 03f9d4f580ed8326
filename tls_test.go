package fairlead_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := new(authority)
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	made := a.sign(t, c)
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign makes a certificate, signed by itself if there is no authority yet.
func (a *authority) sign(t *testing.T, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// leaf makes a certificate for a use, good from one time to another.
func (a *authority) leaf(t *testing.T, name string, use x509.ExtKeyUsage, from, to time.Duration) tls.Certificate {
	t.Helper()
	return a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{use},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
	})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Calls over tls:// by each version, and with each way in which one of both sides
// is not who he has to be.
func TestTLSMatrix(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	const server, client = x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	good := ours.leaf(t, "server", server, -time.Hour, time.Hour)
	known := ours.leaf(t, "client", client, -time.Hour, time.Hour)
	for _, test := range []struct {
		name     string
		serves   tls.Certificate
		asks     tls.ClientAuthType
		proves   []tls.Certificate
		host     string
		versions [4]uint16 // the server's least and most, the client's
		refused  bool
	}{
		{name: "server that is known", serves: good},
		{name: "1.2 and 1.2", serves: good, versions: [4]uint16{tls.VersionTLS12, tls.VersionTLS12, tls.VersionTLS12, tls.VersionTLS12}},
		{name: "1.2 and either", serves: good, versions: [4]uint16{tls.VersionTLS12, tls.VersionTLS12, tls.VersionTLS12, tls.VersionTLS13}},
		{name: "either and 1.2", serves: good, versions: [4]uint16{tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS12}},
		{name: "1.3 and 1.3", serves: good, versions: [4]uint16{tls.VersionTLS13, tls.VersionTLS13, tls.VersionTLS13, tls.VersionTLS13}},
		{name: "1.3 and 1.2", serves: good, versions: [4]uint16{tls.VersionTLS13, tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS12}, refused: true},
		{name: "1.2 and 1.3", serves: good, versions: [4]uint16{tls.VersionTLS12, tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS13}, refused: true},

		{name: "server of an unknown authority", serves: theirs.leaf(t, "server", server, -time.Hour, time.Hour), refused: true},
		{name: "server that has expired", serves: ours.leaf(t, "server", server, -2*time.Hour, -time.Hour), refused: true},
		{name: "server of tomorrow", serves: ours.leaf(t, "server", server, time.Hour, 2*time.Hour), refused: true},
		{name: "server of another name", serves: good, host: "elsewhere", refused: true},
		{name: "server with a client's certificate", serves: ours.leaf(t, "server", client, -time.Hour, time.Hour), refused: true},

		{name: "client that is known", serves: good, asks: tls.RequireAndVerifyClientCert, proves: []tls.Certificate{known}},
		{name: "client that need not be known", serves: good, asks: tls.VerifyClientCertIfGiven},
		{name: "client without a certificate", serves: good, asks: tls.RequireAndVerifyClientCert, refused: true},
		{name: "client of an unknown authority", serves: good, asks: tls.RequireAndVerifyClientCert, proves: []tls.Certificate{theirs.leaf(t, "client", client, -time.Hour, time.Hour)}, refused: true},
		{name: "client of an unknown authority, unasked", serves: good, asks: tls.VerifyClientCertIfGiven, proves: []tls.Certificate{theirs.leaf(t, "client", client, -time.Hour, time.Hour)}, refused: true},
		{name: "client that has expired", serves: good, asks: tls.RequireAndVerifyClientCert, proves: []tls.Certificate{ours.leaf(t, "client", client, -2*time.Hour, -time.Hour)}, refused: true},
		{name: "client of tomorrow", serves: good, asks: tls.RequireAndVerifyClientCert, proves: []tls.Certificate{ours.leaf(t, "client", client, time.Hour, 2*time.Hour)}, refused: true},
		{name: "client with a server's certificate", serves: good, asks: tls.RequireAndVerifyClientCert, proves: []tls.Certificate{ours.leaf(t, "client", server, -time.Hour, time.Hour)}, refused: true},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			v := test.versions
			if v == [4]uint16{} {
				v = [4]uint16{version, version, version, version}
			} else if version == tls.VersionTLS12 {
				continue // the row has its own
			}
			t.Run(test.name+" "+tls.VersionName(v[1])+" "+tls.VersionName(v[3]), func(t *testing.T) {
				w := way{url: "tls://127.0.0.1:0", server: fairlead.Options{TLS: &tls.Config{
					Certificates: []tls.Certificate{test.serves}, ClientCAs: ours.pool(), ClientAuth: test.asks, MinVersion: v[0], MaxVersion: v[1],
				}}}
				asked := false
				_, boot := newDoubler(t)
				url, _ := serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error {
					defer boot.Release()
					return ln.ServeRPCFunc(ctx, func(_ context.Context, p fairlead.Peer) (rpc.Client, error) {
						asked = true
						if test.asks == tls.RequireAndVerifyClientCert && (len(p.TLS.VerifiedChains) == 0 || p.TLS.PeerCertificates[0].Subject.CommonName != "client") {
							t.Errorf("the server takes the client for %v", p.TLS.PeerCertificates)
						}
						return boot.Retain(), nil
					})
				})
				host := test.host
				if host == "" {
					host = "server"
				}
				conn, err := fairlead.DialRPC(within(t), url, fairlead.Options{TLS: &tls.Config{
					RootCAs: ours.pool(), ServerName: host, MinVersion: v[2], MaxVersion: v[3],
					GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
						if len(test.proves) == 0 {
							return new(tls.Certificate), nil
						}
						return &test.proves[0], nil
					},
				}})
				if err == nil { // by TLS 1.3 a client learns with the first answer that it is refused
					c := conn.Bootstrap()
					f := start(within(t), c, double, 21)
					var s interface{ Uint64(uint32) uint64 }
					s, err = f.Wait(within(t))
					if err == nil && s.Uint64(0) != 42 {
						t.Errorf("21 doubled is %d", s.Uint64(0))
					}
					f.Release()
					c.Release()
					if err := conn.Close(); err != nil {
						t.Error(err)
					}
				}
				if refused := err != nil; refused != test.refused {
					t.Errorf("refused: %v (%v), want %v", refused, err, test.refused)
				}
				if asked == test.refused {
					t.Errorf("the server got to the client: %v", asked)
				}
			})
		}
	}
}

// Each side of tls:// with one who does not speak it, or says nothing: that one
// gets an error, in a bounded time, and others are served.
func TestTLSWithOthers(t *testing.T) {
	ours := newAuthority(t)
	secure := way{
		url: "tls://127.0.0.1:0",
		server: fairlead.Options{TLS: &tls.Config{
			Certificates: []tls.Certificate{ours.leaf(t, "server", x509.ExtKeyUsageServerAuth, -time.Hour, time.Hour)},
		}},
		dial: fairlead.Options{TLS: &tls.Config{RootCAs: ours.pool(), ServerName: "server"}},
	}
	plain := way{url: "tcp://127.0.0.1:0"}
	up := func(t *testing.T, w way) (url string, sound func()) {
		_, boot := newDoubler(t)
		url, _ = serve(t, w, func(ctx context.Context, ln *fairlead.Listener) error { return ln.ServeRPC(ctx, boot) })
		return url, func() {
			t.Helper()
			_, c := dial(t, w, url)
			if got := result(t, start(within(t), c, double, 21)); got != 42 {
				t.Errorf("21 doubled is %d", got)
			}
		}
	}
	t.Run("plain client", func(t *testing.T) {
		t.Parallel()
		url, sound := up(t, secure)
		conn, err := fairlead.DialRPC(within(t), "tcp"+strings.TrimPrefix(url, "tls"), fairlead.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := conn.Bootstrap()
		defer c.Release()
		f := start(within(t), c, double, 21)
		defer f.Release()
		if _, err := f.Wait(within(t)); !errors.Is(err, rpc.ErrDisconnected) {
			t.Errorf("a call gave %v, want disconnected", err)
		}
		sound()
	})
	t.Run("plain server", func(t *testing.T) {
		t.Parallel()
		url, sound := up(t, plain)
		if conn, err := fairlead.DialRPC(within(t), "tls"+strings.TrimPrefix(url, "tcp"), secure.dial); err == nil {
			t.Error("a server without TLS was taken for one")
			_ = conn.Close()
		}
		sound()
	})
	t.Run("silent client", func(t *testing.T) {
		t.Parallel()
		url, sound := up(t, secure)
		var all []net.Conn
		for i := range 20 {
			c, err := net.Dial("tcp", strings.TrimPrefix(url, "tls://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if i%2 == 0 { // the header of a record that never comes
				if _, err := c.Write([]byte{22, 3, 1, 2, 0}); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, c)
		}
		sound()
		for _, c := range all {
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the server waits for a handshake for ever")
			}
		}
		sound()
	})
	t.Run("silent server", func(t *testing.T) {
		t.Parallel()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		// Not even the caller has set a limit.
		if conn, err := fairlead.DialRPC(context.Background(), "tls://"+ln.Addr().String(), secure.dial); err == nil {
			t.Error("a server that says nothing was taken for one")
			_ = conn.Close()
		}
	})
}

// What ends a connection below TLS is not the peer: either side is told.
func TestTLSCut(t *testing.T) {
	ours := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{ours.leaf(t, "server", x509.ExtKeyUsageServerAuth, -time.Hour, time.Hour)}}
	client := &tls.Config{RootCAs: ours.pool(), ServerName: "server"}
	told := func(t *testing.T, p fairlead.Pipe) {
		defer p.Close()
		if _, err := p.Recv(within(t)); !errors.Is(err, fairlead.ErrDisconnected) {
			t.Errorf("received %v, want ErrDisconnected", err)
		}
	}
	t.Run("client", func(t *testing.T) {
		ln, err := fairlead.Listen("tls://127.0.0.1:0", fairlead.Options{TLS: server})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		c, err := tls.Dial("tcp", strings.TrimPrefix(ln.URL(), "tls://"), client)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ln.Accept(within(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.NetConn().Close()
		told(t, p)
	})
	t.Run("server", func(t *testing.T) {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			if c, err := ln.Accept(); err == nil {
				_ = c.(*tls.Conn).Handshake()
				_ = c.(*tls.Conn).NetConn().Close()
			}
		}()
		p, err := fairlead.Dial(within(t), "tls://"+ln.Addr().String(), fairlead.Options{TLS: client})
		if err != nil {
			t.Fatal(err)
		}
		told(t, p)
	})
}
