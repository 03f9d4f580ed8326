package zmtp

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"time"

	"golang.org/x/crypto/nacl/secretbox"
)

// CookieLife is how long a client may take from the server's WELCOME to its
// INITIATE.
const CookieLife = 60 * time.Second

// curveServer keeps nothing of a client between WELCOME and INITIATE but the
// number of its HELLO: the keys of the connection are in the cookie alone.
type curveServer struct {
	curve
	auth     Authenticator
	baker    [keySize]byte // the key of this connection's cookie
	expiry   time.Time     // when that is forgotten
	helloNum uint64
}

// NewCURVEServer returns the server's side of the mechanism CURVE: keys are its
// own. A nil auth denies everybody. The metadata must have a Socket-Type; it is
// not copied and must not change until the handshake is over.
func NewCURVEServer(keys KeyPair, auth Authenticator, local Metadata) (Mechanism, error) {
	c, err := newCurve(keys, expectHello, local)
	if err != nil {
		return nil, err
	}
	return &curveServer{curve: c, auth: auth}, nil
}

// Next implements [Mechanism].
func (m *curveServer) Next(in []byte) ([]byte, bool, error) {
	if m.state == expectHello && in == nil {
		return nil, false, nil
	}
	return m.finish(m.step(in))
}

func (m *curveServer) step(in []byte) ([]byte, error) {
	if m.state == expectHello {
		return m.hello(in)
	}
	defer clear(m.baker[:]) // a cookie is taken once
	return m.initiate(in)
}

// hello takes the HELLO command and makes the WELCOME command.
func (m *curveServer) hello(in []byte) ([]byte, error) {
	if err := m.takeSized(in, helloSize, true); err != nil {
		return nil, err
	}
	if v := in[helloVersion:helloPadding]; v[0] != 1 || v[1] != 0 {
		return nil, fault(ErrAuth, "CURVE HELLO of version %d.%d, not 1.0", v[0], v[1])
	}
	if len(bytes.Trim(in[helloPadding:helloKey], "\x00")) != 0 {
		return nil, fault(ErrAuth, "CURVE HELLO whose padding is not zero")
	}
	client := PublicKey(in[helloKey:helloNonce])
	signing, err := sharedKey(&client, &m.keys.secret)
	if err != nil {
		return nil, err
	}
	nonce := given(prefixHello, in[helloNonce:helloBox])
	signature, ok := secretbox.Open(nil, in[helloBox:], &nonce, &signing)
	if !ok || len(bytes.Trim(signature, "\x00")) != 0 {
		return nil, unopened(cmdHello, "the signature", "altered, or made for another server's key")
	}
	m.helloNum = binary.BigEndian.Uint64(in[helloNonce:])

	transient := GenerateKeyPair()
	_, _ = rand.Read(m.baker[:]) // never fails: it ends the program instead
	m.expiry = time.Now().Add(CookieLife)
	inner := append(make([]byte, 0, keySize+cookieSize), transient.public[:]...)
	nonce = random(prefixCookie)
	inner = append(inner, nonce[nonceSize-longNonce:]...)
	inner = secretbox.Seal(inner, append(append([]byte{}, client[:]...), transient.secret.key[:]...), &nonce, &m.baker)

	nonce = random(prefixWelcome)
	out := append(appendName(make([]byte, 0, welcomeSize), cmdWelcome), nonce[nonceSize-longNonce:]...)
	m.state = expectInitiate
	return secretbox.Seal(out, inner, &nonce, &signing), nil
}

// initiate takes the INITIATE command and makes the READY command, number 1.
func (m *curveServer) initiate(in []byte) ([]byte, error) {
	if err := m.takeSized(in, initiateSize, false); err != nil {
		return nil, err
	}
	if late := time.Since(m.expiry); late > 0 {
		return nil, fault(ErrAuth, "CURVE INITIATE %v after its cookie's end", late)
	}
	cookie := in[initiateCookie:initiateNonce]
	nonce := given(prefixCookie, cookie[:longNonce])
	plain, ok := secretbox.Open(nil, cookie[longNonce:], &nonce, &m.baker)
	if !ok {
		return nil, unopened(cmdInitiate, "the cookie", "altered, or from another connection")
	}
	transient, secret := PublicKey(plain[:keySize]), NewSecretKey([keySize]byte(plain[keySize:]))
	session, err := sharedKey(&transient, &secret)
	if err != nil {
		return nil, err
	}
	number := binary.BigEndian.Uint64(in[initiateNonce:])
	if number <= m.helloNum {
		return nil, fault(ErrAuth, "CURVE INITIATE number %d after HELLO number %d", number, m.helloNum)
	}
	nonce = given(prefixInitiate, in[initiateNonce:initiateBox])
	inner, ok := secretbox.Open(nil, in[initiateBox:], &nonce, &session)
	if !ok {
		return nil, unopened(cmdInitiate, "the box", "altered")
	}
	client, err := m.vouched(inner, &transient, &secret)
	if err != nil {
		return nil, err
	}
	if m.user, err = m.auth.ask(Request{Mechanism: CURVE, PublicKey: client}); err != nil {
		return refusal(reasonDenied), err
	}
	if err := m.learn(inner[keySize+vouchSize:]); err != nil {
		return refusal(reasonMetadata), err
	}

	m.wrapper = &Wrapper{key: session, sendPrefix: prefixFromServer, recvPrefix: prefixFromClient, next: 2, last: number}
	nonce = numbered(prefixReady, 1)
	out := append(appendName(nil, cmdReady), nonce[nonceSize-shortNonce:]...)
	m.state = over
	return secretbox.Seal(out, AppendMetadata(nil, m.local), &nonce, &session), nil
}

// vouched returns the client's long-term key if the vouch at the start of inner
// shows that its owner made this connection's key for this server.
func (m *curveServer) vouched(inner []byte, transient *PublicKey, secret *SecretKey) (client PublicKey, err error) {
	client = PublicKey(inner[:keySize])
	vouching, err := sharedKey(&client, secret)
	if err != nil {
		return client, err
	}
	vouch := inner[keySize : keySize+vouchSize]
	nonce := given(prefixVouch, vouch[:longNonce])
	plain, ok := secretbox.Open(nil, vouch[longNonce:], &nonce, &vouching)
	if !ok {
		return client, unopened(cmdInitiate, "the vouch", "not made with the key of client "+client.String())
	}
	if subtle.ConstantTimeCompare(plain[:keySize], transient[:])&subtle.ConstantTimeCompare(plain[keySize:], m.keys.public[:]) != 1 {
		return client, fault(ErrAuth, "CURVE INITIATE: the vouch of client %s is for another connection or server", client)
	}
	return client, nil
}
