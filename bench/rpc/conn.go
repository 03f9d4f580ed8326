package rpcbench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files of a link's folder.
const (
	socketFile = "socket"
	certFile   = "cert.pem"
	keyFile    = "key.pem"
)

// errNoConn is the error of a transport that has no net.Conn.
var errNoConn = errors.New("rpcbench: no connection of package net")

// listen listens where a link says, for those who run on connections of package
// net.
func listen(l link) (net.Listener, error) {
	switch l.transport {
	case "unix":
		return net.Listen("unix", l.socketPath())
	case "tcp":
		return net.Listen("tcp", "127.0.0.1:0")
	case "tls":
		config, err := serverTLS(l.dir)
		if err != nil {
			return nil, err
		}
		return tls.Listen("tcp", "127.0.0.1:0", config)
	}
	return nil, fmt.Errorf("%w: %s", errNoConn, l.transport)
}

// listenAndServe has serve serve each connection. It gives the address.
func listenAndServe(l link, serve func(net.Conn)) (string, error) {
	ln, err := listen(l)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c)
		}
	}()
	return ln.Addr().String(), nil
}

// dialConn connects to what listen listens to.
func dialConn(ctx context.Context, l link) (net.Conn, error) {
	switch l.transport {
	case "unix", "tcp":
		var d net.Dialer
		return d.DialContext(ctx, l.transport, l.endpoint)
	case "tls":
		config, err := clientTLS(l.dir)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{Config: config}
		return d.DialContext(ctx, "tcp", l.endpoint)
	}
	return nil, fmt.Errorf("%w: %s", errNoConn, l.transport)
}

// writeCertificate makes the certificate of a link, with its key.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("rpcbench: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("rpcbench: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("rpcbench: %w", err)
	}
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("rpcbench: %w", err)
		}
	}
	return nil
}

func serverTLS(dir string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile))
	if err != nil {
		return nil, fmt.Errorf("rpcbench: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, nil
}

func clientTLS(dir string) (*tls.Config, error) {
	cert, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return nil, fmt.Errorf("rpcbench: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cert) {
		return nil, errors.New("rpcbench: no certificate in " + certFile)
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13}, nil
}
