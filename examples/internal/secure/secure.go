// Package secure has what the examples need at tls:// URLs.
package secure

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/fairlead-go/fairlead"
)

// The variables of the environment that name files of PEM blocks: a server's
// certificate and its key, and the authorities that a client trusts beside those
// of the system.
const (
	CertVariable = "EXAMPLE_CERT"
	KeyVariable  = "EXAMPLE_KEY"
	CAVariable   = "EXAMPLE_CA"
)

// Options gives the options of both sides, from the environment.
func Options() (fairlead.Options, error) {
	var c tls.Config
	if cert, key := os.Getenv(CertVariable), os.Getenv(KeyVariable); cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fairlead.Options{}, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if ca := os.Getenv(CAVariable); ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return fairlead.Options{}, err
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			return fairlead.Options{}, err
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fairlead.Options{}, fmt.Errorf("%s: no certificate in %s", CAVariable, ca)
		}
	}
	return fairlead.Options{TLS: &c}, nil
}
