package zmq

import (
	"fmt"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// Credentials are what a server's authenticator is asked about.
type Credentials struct {
	Mechanism string    // PLAIN or CURVE
	Address   string    // of the client
	User      string    // PLAIN
	Password  string    // PLAIN
	PublicKey PublicKey // CURVE: the client's, which it has proved to own
}

// Authenticator decides about a client: it returns who that is, in whatever
// terms the program uses, or an error that says why not. The client is told only
// that it was denied. It is called from many goroutines.
type Authenticator func(Credentials) (user string, err error)

// PublicKey is the public half of a CURVE key.
type PublicKey = zmtp.PublicKey

// SecretKey is the secret half of a CURVE key. It does not print.
type SecretKey = zmtp.SecretKey

// KeyPair is both halves of a CURVE key.
type KeyPair = zmtp.KeyPair

// NewKeyPair makes a new key.
func NewKeyPair() KeyPair { return zmtp.GenerateKeyPair() }

// KeyPairOf gives the pair with a secret key.
func KeyPairOf(secret SecretKey) KeyPair { return zmtp.NewKeyPair(secret) }

// ParsePublicKey parses a key of 40 characters of Z85.
func ParsePublicKey(text string) (PublicKey, error) { return zmtp.ParsePublicKey(text) }

// ParseSecretKey parses a key of 40 characters of Z85.
func ParseSecretKey(text string) (SecretKey, error) { return zmtp.ParseSecretKey(text) }

// AllowUsers admits PLAIN clients by user name and password, in a time that does
// not tell how wrong they are. The map is copied.
func AllowUsers(passwords map[string]string) Authenticator {
	return authenticator(zmtp.AllowUsers(passwords))
}

// AllowKeys admits CURVE clients by their public keys.
func AllowKeys(keys ...PublicKey) Authenticator { return authenticator(zmtp.AllowKeys(keys...)) }

// AllowAny admits every client: any password, and any key that the client has.
func AllowAny(c Credentials) (user string, err error) { return authenticator(zmtp.AllowAny)(c) }

func authenticator(a zmtp.Authenticator) Authenticator {
	return func(c Credentials) (string, error) {
		return a(zmtp.Request{Mechanism: c.Mechanism, Address: c.Address, User: c.User, Password: c.Password, PublicKey: c.PublicKey})
	}
}

// Security is how peers prove who they are, and whether what they say is
// encrypted. All peers of a socket use the same; inproc uses none. The zero
// value is NULL: no proof and no encryption. Who is client and who is server
// does not depend on who binds.
type Security struct {
	mechanism  string
	server     bool
	auth       Authenticator
	user, pass string
	keys       KeyPair
	serverKey  PublicKey
}

// PlainClient proves itself by user name and password, of at most 255 bytes
// each, which are not encrypted.
func PlainClient(user, password string) Security {
	return Security{mechanism: zmtp.PLAIN, user: user, pass: password}
}

// PlainServer asks clients for user name and password. A nil auth denies
// everybody.
func PlainServer(auth Authenticator) Security {
	return Security{mechanism: zmtp.PLAIN, server: true, auth: auth}
}

// CurveClient proves that it has keys, has the server prove that it has the
// secret of serverKey, and encrypts.
func CurveClient(keys KeyPair, serverKey PublicKey) Security {
	return Security{mechanism: zmtp.CURVE, keys: keys, serverKey: serverKey}
}

// CurveServer has clients prove that they have a key that auth admits, proves
// that it has keys, and encrypts. A nil auth denies everybody.
func CurveServer(keys KeyPair, auth Authenticator) Security {
	return Security{mechanism: zmtp.CURVE, server: true, auth: auth, keys: keys}
}

func (s Security) check() error {
	if s.mechanism == zmtp.PLAIN && (len(s.user) > 255 || len(s.pass) > 255) {
		return fmt.Errorf("zmq: user name of %d and password of %d bytes, at most 255 each", len(s.user), len(s.pass))
	}
	if s.mechanism == zmtp.CURVE && s.keys == (KeyPair{}) {
		return fmt.Errorf("zmq: CURVE without keys")
	}
	return nil
}

// name is the mechanism's name.
func (s Security) name() string {
	if s.mechanism == "" {
		return zmtp.NULL
	}
	return s.mechanism
}

// start begins the handshake with a peer at an address.
func (s Security) start(local zmtp.Metadata, address string) (zmtp.Mechanism, error) {
	var ask zmtp.Authenticator
	if s.auth != nil {
		ask = func(r zmtp.Request) (string, error) {
			return s.auth(Credentials{Mechanism: r.Mechanism, Address: address, User: r.User, Password: r.Password, PublicKey: r.PublicKey})
		}
	}
	switch {
	case s.mechanism == zmtp.PLAIN && s.server:
		return zmtp.NewPLAINServer(ask, local)
	case s.mechanism == zmtp.PLAIN:
		return zmtp.NewPLAINClient(s.user, s.pass, local)
	case s.mechanism == zmtp.CURVE && s.server:
		return zmtp.NewCURVEServer(s.keys, ask, local)
	case s.mechanism == zmtp.CURVE:
		return zmtp.NewCURVEClient(s.keys, s.serverKey, local)
	}
	return zmtp.NewNULL(local)
}
