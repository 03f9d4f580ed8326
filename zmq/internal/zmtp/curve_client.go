package zmtp

import (
	"encoding/binary"

	"golang.org/x/crypto/nacl/secretbox"
)

// The mechanism CURVE, RFC 26. S and C are the long-term keys of server and
// client, S' and C' those of the connection, Box [x](A→B) is x encrypted with
// what A's and B's keys share, and t is a key of the server for 60 seconds.
//
//	client  HELLO     version, 72 zeros, C', nonce, Box [64 zeros](C'→S)
//	server  WELCOME   nonce, Box [S', cookie](S→C')
//	client  INITIATE  cookie, nonce, Box [C, vouch, metadata](C'→S')
//	server  READY     nonce, Box [metadata](S'→C')
//
//	cookie  nonce, Box [C', s'](t)
//	vouch   nonce, Box [C', S](C→S')

// The sizes of the commands' parts in bytes.
const (
	helloVersion  = 1 + len(cmdHello)
	helloPadding  = helloVersion + 2
	helloKey      = helloPadding + 72
	helloNonce    = helloKey + keySize
	helloBox      = helloNonce + shortNonce
	signatureSize = 64
	helloSize     = helloBox + boxOverhead + signatureSize

	cookieSize  = longNonce + boxOverhead + 2*keySize
	welcomeBox  = 1 + len(cmdWelcome) + longNonce
	welcomeSize = welcomeBox + boxOverhead + keySize + cookieSize

	vouchSize      = longNonce + boxOverhead + 2*keySize
	initiateCookie = 1 + len(cmdInitiate)
	initiateNonce  = initiateCookie + cookieSize
	initiateBox    = initiateNonce + shortNonce
	initiateSize   = initiateBox + boxOverhead + keySize + vouchSize // the least

	readyNonce = 1 + len(cmdReady)
	readyBox   = readyNonce + shortNonce
	readySize  = readyBox + boxOverhead // the least
)

// The prefixes of the nonces.
const (
	prefixHello    = "CurveZMQHELLO---"
	prefixWelcome  = "WELCOME-"
	prefixCookie   = "COOKIE--"
	prefixInitiate = "CurveZMQINITIATE"
	prefixVouch    = "VOUCH---"
	prefixReady    = "CurveZMQREADY---"
)

// curve is what both sides of the mechanism have in common.
type curve struct {
	handshake
	keys    KeyPair // long-term
	wrapper *Wrapper
}

func newCurve(keys KeyPair, first state, local Metadata) (curve, error) {
	h, err := newHandshake(CURVE, first, ErrAuth, local)
	if err == nil && keys == (KeyPair{}) {
		err = fault(ErrAuth, "CURVE needs a key pair")
	}
	return curve{handshake: h, keys: keys}, err
}

// Wrapper implements [Mechanism].
func (m *curve) Wrapper() *Wrapper {
	if m.state != over {
		return nil
	}
	return m.wrapper
}

// takeSized is take for a command of at least, or exactly, size bytes.
func (m *curve) takeSized(in []byte, size int, exactly bool) error {
	if _, err := m.take(in); err != nil {
		return err
	}
	if len(in) < size || exactly && len(in) > size {
		return fault(ErrAuth, "CURVE %s of %d bytes, not %d", m.state.expected(), len(in), size)
	}
	return nil
}

// unopened is the error of a box that can't be opened.
func unopened(command, part, cause string) error {
	return fault(ErrAuth, "CURVE %s: can't open %s: %s", command, part, cause)
}

type curveClient struct {
	curve
	server    PublicKey     // S
	transient KeyPair       // C'
	signing   [keySize]byte // of C' and S
}

// NewCURVEClient returns the client's side of the mechanism CURVE: keys are its
// own, server is the key that the server has to prove to own. The metadata must
// have a Socket-Type; it is not copied and must not change until the handshake
// is over.
func NewCURVEClient(keys KeyPair, server PublicKey, local Metadata) (Mechanism, error) {
	c, err := newCurve(keys, start, local)
	if err != nil {
		return nil, err
	}
	transient := GenerateKeyPair()
	signing, err := sharedKey(&server, &transient.secret)
	if err != nil {
		return nil, err
	}
	return &curveClient{curve: c, server: server, transient: transient, signing: signing}, nil
}

// Next implements [Mechanism].
func (m *curveClient) Next(in []byte) ([]byte, bool, error) {
	out, done, err := m.finish(m.step(in))
	if m.state >= over {
		m.transient, m.signing = KeyPair{}, [keySize]byte{}
	}
	return out, done, err
}

func (m *curveClient) step(in []byte) ([]byte, error) {
	switch {
	case m.state == start && in == nil:
		m.state = expectWelcome
		return m.hello(), nil
	case m.state == expectWelcome:
		return m.welcome(in)
	default:
		return nil, m.ready(in)
	}
}

// hello makes the HELLO command. Its number is 1.
func (m *curveClient) hello() []byte {
	out := make([]byte, 0, helloSize)
	out = append(appendName(out, cmdHello), 1, 0)
	out = append(out[:helloKey], m.transient.public[:]...)
	nonce := numbered(prefixHello, 1)
	out = append(out, nonce[nonceSize-shortNonce:]...)
	return secretbox.Seal(out, make([]byte, signatureSize), &nonce, &m.signing)
}

// welcome takes the WELCOME command and makes the INITIATE command, number 2.
func (m *curveClient) welcome(in []byte) ([]byte, error) {
	if err := m.takeSized(in, welcomeSize, true); err != nil {
		return nil, err
	}
	nonce := given(prefixWelcome, in[welcomeBox-longNonce:welcomeBox])
	plain, ok := secretbox.Open(nil, in[welcomeBox:], &nonce, &m.signing)
	if !ok {
		return nil, unopened(cmdWelcome, "the box", "altered, or made with another key than the server's")
	}
	key, cookie := PublicKey(plain[:keySize]), plain[keySize:]
	session, err := sharedKey(&key, &m.transient.secret)
	if err != nil {
		return nil, err
	}
	vouching, err := sharedKey(&key, &m.keys.secret)
	if err != nil {
		return nil, err
	}

	inner := append(make([]byte, 0, keySize+vouchSize+MaxMetadata), m.keys.public[:]...)
	nonce = random(prefixVouch)
	inner = append(inner, nonce[nonceSize-longNonce:]...)
	inner = secretbox.Seal(inner, append(append([]byte{}, m.transient.public[:]...), m.server[:]...), &nonce, &vouching)
	inner = AppendMetadata(inner, m.local)

	out := append(appendName(nil, cmdInitiate), cookie...)
	nonce = numbered(prefixInitiate, 2)
	out = append(out, nonce[nonceSize-shortNonce:]...)
	m.wrapper = &Wrapper{key: session, sendPrefix: prefixFromClient, recvPrefix: prefixFromServer, next: 3}
	m.state = expectReady
	return secretbox.Seal(out, inner, &nonce, &session), nil
}

// ready takes the READY command.
func (m *curveClient) ready(in []byte) error {
	if err := m.takeSized(in, readySize, false); err != nil {
		return err
	}
	nonce := given(prefixReady, in[readyNonce:readyBox])
	plain, ok := secretbox.Open(nil, in[readyBox:], &nonce, &m.wrapper.key)
	if !ok {
		return unopened(cmdReady, "the box", "altered")
	}
	if err := m.learn(plain); err != nil {
		return err
	}
	m.wrapper.last = binary.BigEndian.Uint64(in[readyNonce:readyBox])
	m.state = over
	return nil
}
