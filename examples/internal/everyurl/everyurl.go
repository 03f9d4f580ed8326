// Package everyurl runs an example's two sides over each transport, as its user
// would.
package everyurl

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/examples/internal/secure"
)

// A Program is an example's main function, without what belongs to the process.
type Program func(ctx context.Context, args []string, out io.Writer) error

// Serving is the word in front of the URL in the first line that a server
// writes.
const Serving = "serving at "

// urls are where servers listen, one for each transport; %s is a folder.
var urls = []string{
	"tcp://127.0.0.1:0", "tls://127.0.0.1:0", "unix://%s/x.sock", "shm://%s/x.sock",
	"zmq+tcp://127.0.0.1:0", "zmq+ipc://%s/z.sock", "zmq+inproc://%s",
}

// Test runs a server with the arguments that serve gives for a URL, and use with
// the URL to dial, for every transport. Its context ends the server, which must
// end without an error.
func Test(t *testing.T, program Program, serve func(url string) []string, use func(t *testing.T, url string)) {
	certificate(t)
	for _, url := range urls {
		name, _, _ := strings.Cut(url, ":")
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "x") // short enough for a socket
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			url := strings.ReplaceAll(url, "%s", filepath.ToSlash(dir))
			if name == "shm" {
				ln, err := fairlead.Listen(url, fairlead.Options{})
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skipf("SKIPPED: %v", err)
				} else if err != nil {
					t.Fatal(err)
				}
				if err := ln.Close(); err != nil {
					t.Fatal(err)
				}
			}
			at, stop := Start(t, program, serve(url)...)
			use(t, at)
			stop()
		})
	}
}

// Start starts a server and gives the URL that it says. Stop ends it, which must
// go without an error.
func Start(t *testing.T, program Program, args ...string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := program(ctx, args, w)
		w.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	line := make([]byte, 256)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), Serving)
	if !ok {
		t.Fatalf("the server says %q", line[:n])
	}
	go io.Copy(io.Discard, r)
	return url, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ends with %v", err)
		}
	}
}

// Run runs a program to its end and gives what it writes.
func Run(t *testing.T, program Program, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out strings.Builder
	if err := program(ctx, args, &out); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, &out)
	}
	return out.String()
}

// Eventually waits until ok says so. What is released is shut down a moment
// later.
func Eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not come about")
		}
	}
}

// GivesBack checks at the end of a test that all segments of the pool which it
// took have been given back.
func GivesBack(t *testing.T) {
	t.Helper()
	before, _ := arena.Pool().Outstanding()
	t.Cleanup(func() {
		Eventually(t, func() bool {
			now, _ := arena.Pool().Outstanding()
			return now == before
		})
	})
}

// certificate makes one for both sides of tls, and names it in the environment.
func certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, b *pem.Block, variables ...string) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range variables {
			t.Setenv(v, path)
		}
	}
	write("cert.pem", &pem.Block{Type: "CERTIFICATE", Bytes: cert}, secure.CertVariable, secure.CAVariable)
	write("key.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: der}, secure.KeyVariable)
}
