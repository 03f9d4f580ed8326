package zmtp

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Request is what a server asks about a client, as in ZAP (RFC 27).
type Request struct {
	Mechanism string    // PLAIN or CURVE
	Domain    string    // left empty here: whoever knows the socket fills it in
	Address   string    // of the peer; left empty here as well
	User      string    // PLAIN
	Password  string    // PLAIN
	PublicKey PublicKey // CURVE: the client's, which it has proved to own
}

// Authenticator decides about a client. It returns who that is, in whatever
// terms the program uses, or an error that says why not; the peer is told no
// more than that it was denied. It is called by [Mechanism.Next], which waits
// for it, and for different connections at the same time. A nil Authenticator
// denies everybody.
type Authenticator func(Request) (user string, err error)

var (
	errNoAuthenticator = errors.New("no authenticator is set, so nobody is admitted")
	errUnknown         = errors.New("unknown user or wrong password")
	errUnknownKey      = errors.New("unknown public key")
	errOtherMechanism  = errors.New("credentials of another mechanism")
)

// ask turns the decision into an error that matches ErrAuth.
func (a Authenticator) ask(r Request) (string, error) {
	user, err := "", errNoAuthenticator
	if a != nil {
		user, err = a(r)
	}
	if err == nil {
		return user, nil
	}
	if r.Mechanism == PLAIN {
		return "", fmt.Errorf("%w: PLAIN user %q: %w", ErrAuth, r.User, err)
	}
	return "", fmt.Errorf("%w: CURVE client %s: %w", ErrAuth, r.PublicKey, err)
}

// AllowUsers admits PLAIN clients by user name and password. Passwords are
// compared in constant time. The map is copied.
func AllowUsers(passwords map[string]string) Authenticator {
	known := make(map[string][sha256.Size]byte, len(passwords))
	for user, password := range passwords {
		known[user] = sha256.Sum256([]byte(password))
	}
	return func(r Request) (string, error) {
		if r.Mechanism != PLAIN {
			return "", errOtherMechanism
		}
		want, ok := known[r.User]
		got := sha256.Sum256([]byte(r.Password))
		if same := subtle.ConstantTimeCompare(want[:], got[:]) == 1; !same || !ok {
			return "", errUnknown
		}
		return r.User, nil
	}
}

// AllowKeys admits CURVE clients by their public keys. The user is the key's
// text.
func AllowKeys(keys ...PublicKey) Authenticator {
	known := make(map[PublicKey]bool, len(keys))
	for _, k := range keys {
		known[k] = true
	}
	return func(r Request) (string, error) {
		if r.Mechanism != CURVE {
			return "", errOtherMechanism
		}
		if !known[r.PublicKey] {
			return "", errUnknownKey
		}
		return r.PublicKey.String(), nil
	}
}

// AllowAny admits every client of either mechanism: any password, and any key
// that the client has. The user is its name or its key's text.
func AllowAny(r Request) (string, error) {
	if r.Mechanism == PLAIN {
		return r.User, nil
	}
	return r.PublicKey.String(), nil
}
