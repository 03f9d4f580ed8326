package zmtp

// The version of the protocol that is spoken here. Peers of 3.0 are understood.
const (
	Major = 3
	Minor = 1
)

// The names of the security mechanisms.
const (
	NULL  = "NULL"
	PLAIN = "PLAIN"
	CURVE = "CURVE"
)

// GreetingSize is the length of a greeting in bytes.
const GreetingSize = 64

// Where the fields of a greeting are.
const (
	signatureEnd    = 9
	majorAt         = 10
	minorAt         = 11
	mechanismAt     = 12
	asServerAt      = 32
	signatureFirst  = 0xff
	signatureLast   = 0x7f
	maxMechanismLen = asServerAt - mechanismAt
)

// Greeting is what both sides send first.
type Greeting struct {
	Major, Minor byte   // the version
	Mechanism    string // NULL, PLAIN, CURVE or another name of at most 20 letters
	AsServer     bool   // whether the sender is the mechanism's server; libzmq never sets it
}

// AppendGreeting appends g, [GreetingSize] bytes. It panics if the name of the
// mechanism is not a valid one.
func AppendGreeting(dst []byte, g Greeting) []byte {
	if !validMechanism(g.Mechanism) {
		panic("zmtp: invalid mechanism name " + g.Mechanism)
	}
	var b [GreetingSize]byte
	b[0], b[signatureEnd] = signatureFirst, signatureLast
	b[majorAt], b[minorAt] = g.Major, g.Minor
	copy(b[mechanismAt:], g.Mechanism)
	if g.AsServer {
		b[asServerAt] = 1
	}
	return append(dst, b[:]...)
}

// ParseGreeting parses the greeting at the start of b. It returns n == 0 if
// more bytes are needed, and an error as soon as the bytes so far show one:
// peers of old versions send fewer than [GreetingSize] bytes and wait, so that
// a caller has to look at each part as it arrives.
//
// The padding of the signature and the last 31 bytes have no meaning and are
// not looked at. Versions above 3.1 are accepted, as the protocol demands.
func ParseGreeting(b []byte) (g Greeting, n int, err error) {
	if len(b) > 0 && b[0] != signatureFirst {
		return Greeting{}, 0, fault(ErrVersion, "the first byte is %#02x, not 0xff: ZMTP 1.0 or another protocol", b[0])
	}
	if len(b) > signatureEnd && b[signatureEnd] != signatureLast {
		return Greeting{}, 0, fault(ErrVersion, "byte 9 is %#02x, not 0x7f: ZMTP 1.0 or another protocol", b[signatureEnd])
	}
	if len(b) > majorAt && b[majorAt] < Major {
		return Greeting{}, 0, fault(ErrVersion, "the peer announces revision %d, which is ZMTP 2.0 or older; at least 3.0 is needed", b[majorAt])
	}
	if len(b) < GreetingSize {
		return Greeting{}, 0, nil
	}
	name := b[mechanismAt:asServerAt]
	for len(name) > 0 && name[len(name)-1] == 0 {
		name = name[:len(name)-1]
	}
	g = Greeting{Major: b[majorAt], Minor: b[minorAt], Mechanism: string(name), AsServer: b[asServerAt] == 1}
	if !validMechanism(g.Mechanism) {
		return Greeting{}, 0, fault(ErrMalformed, "greeting with mechanism name %q", g.Mechanism)
	}
	if b[asServerAt] > 1 {
		return Greeting{}, 0, fault(ErrMalformed, "greeting with as-server %#02x, not 0 or 1", b[asServerAt])
	}
	return g, GreetingSize, nil
}

// Negotiate compares what was sent with what the peer sent, and returns the
// minor version of ZMTP 3 to speak: the lower of both. The error matches
// [ErrMechanism] if the mechanisms differ or both peers claim to be the server
// of one that has a server, and [ErrVersion] if the peer's version is too old.
// That neither claims to be the server is no error, because libzmq never does.
func Negotiate(local, peer Greeting) (minor byte, err error) {
	if peer.Major < Major {
		return 0, fault(ErrVersion, "the peer announces version %d.%d; at least 3.0 is needed", peer.Major, peer.Minor)
	}
	if local.Mechanism != peer.Mechanism {
		return 0, fault(ErrMechanism, "the peer wants %s, here it is %s", peer.Mechanism, local.Mechanism)
	}
	if local.Mechanism != NULL && local.AsServer && peer.AsServer {
		return 0, fault(ErrMechanism, "both peers are %s servers", local.Mechanism)
	}
	if peer.Major > Major {
		return local.Minor, nil
	}
	return min(local.Minor, peer.Minor), nil
}

// validMechanism tells whether name can stand in a greeting.
func validMechanism(name string) bool {
	if name == "" || len(name) > maxMechanismLen {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '+':
		default:
			return false
		}
	}
	return true
}
