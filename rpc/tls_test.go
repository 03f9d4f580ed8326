package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	_, a.cert, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

// sign makes a certificate, signed by itself if there is no authority yet.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (tls.Certificate, *x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore = time.Now().Add(-2 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, cert, key
}

func (a *authority) leaf(t *testing.T, name string, ends time.Time) tls.Certificate {
	t.Helper()
	c, _, _ := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: ends,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return c
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Whoever is not who he has to be gets no call through, on either side.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	later, ago := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	good, client := ours.leaf(t, "server", later), ours.leaf(t, "client", later)
	for _, test := range []struct {
		name   string
		server tls.Certificate
		client []tls.Certificate
		host   string
		want   string // in the client's error; "" for none
	}{
		{"both known", good, []tls.Certificate{client}, "server", ""},
		{"server of an unknown authority", theirs.leaf(t, "server", later), []tls.Certificate{client}, "server", "unknown authority"},
		{"server of another name", good, []tls.Certificate{client}, "elsewhere", "not elsewhere"},
		{"server that has expired", ours.leaf(t, "server", ago), []tls.Certificate{client}, "server", "expired"},
		{"client without a certificate", good, nil, "server", "certificate required"},
		{"client of an unknown authority", good, []tls.Certificate{theirs.leaf(t, "client", later)}, "server", "tls"},
		{"client that has expired", good, []tls.Certificate{ours.leaf(t, "client", ago)}, "server", "tls"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			h := newHost()
			var called bool
			served := make(chan *rpc.Conn, 1)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					close(served)
					return
				}
				c = tls.Server(c, &tls.Config{
					Certificates: []tls.Certificate{test.server}, ClientCAs: ours.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
				})
				served <- rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: rpc.Intercept(h.serve(), func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
					called = true
					return ctx, nil, nil
				})})
			}()
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			// A client that has no certificate of an authority that the server names may
			// send none; this one sends what it has.
			conn := rpc.NewConn(framing.NewPipe(tls.Client(c, &tls.Config{
				RootCAs: ours.pool(), ServerName: test.host,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(test.client) == 0 {
						return new(tls.Certificate), nil
					}
					return &test.client[0], nil
				},
			}), framing.PipeOptions{}), rpc.ConnOptions{})
			boot := conn.Bootstrap()
			f := call(t.Context(), boot, 21)
			s, err := f.Wait(t.Context())
			if test.want == "" {
				if err != nil || s.Uint64(0) != 42 {
					t.Errorf("21 doubled is %d, %v", s.Uint64(0), err)
				}
			} else {
				if !errors.Is(err, rpc.ErrDisconnected) {
					t.Errorf("error %v, want disconnected", err)
				} else {
					holds(t, "error", err.Error(), test.want)
				}
			}
			f.Release()
			boot.Release()
			_ = conn.Close()
			if server := <-served; server != nil {
				<-server.Done()
				_ = server.Close()
			}
			if called != (test.want == "") {
				t.Errorf("the object was called: %v", called)
			}
			h.gone(t)
		})
	}
}
