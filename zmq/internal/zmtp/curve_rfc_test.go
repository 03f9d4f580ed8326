package zmtp_test

import (
	"crypto/rand"
	"encoding/binary"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
	"golang.org/x/crypto/nacl/box"
)

// The client of RFC 26, written down from the RFC a second time with package
// box and nothing of the code under test. Every part of it can be made wrong.
type rfcClient struct {
	serverKey, longPub, longSec, pub, sec *[32]byte // S, C, c, C', c'
	serverPub                             *[32]byte // S'
	cookie                                []byte

	vouchPub, vouchFor *[32]byte // what the vouch is about: C' and S
	vouchSec           *[32]byte // who makes it: c
}

func newRFCClient(server zmtp.PublicKey) *rfcClient {
	longPub, longSec, _ := box.GenerateKey(rand.Reader)
	pub, sec, _ := box.GenerateKey(rand.Reader)
	key := [32]byte(server)
	return &rfcClient{
		serverKey: &key, longPub: longPub, longSec: longSec, pub: pub, sec: sec,
		vouchPub: pub, vouchFor: &key, vouchSec: longSec,
	}
}

func short(prefix string, n uint64) (nonce [24]byte, tail []byte) {
	copy(nonce[:16], prefix)
	binary.BigEndian.PutUint64(nonce[16:], n)
	return nonce, nonce[16:]
}

func long(prefix string, tail []byte) (nonce [24]byte) {
	copy(nonce[:8], prefix)
	copy(nonce[8:], tail)
	return nonce
}

func (c *rfcClient) hello(n uint64) []byte {
	nonce, tail := short("CurveZMQHELLO---", n)
	out := append([]byte("\x05HELLO\x01\x00"), make([]byte, 72)...)
	out = append(append(out, c.pub[:]...), tail...)
	return box.Seal(out, make([]byte, 64), &nonce, c.serverKey, c.sec)
}

func (c *rfcClient) welcome(t testing.TB, b []byte) {
	t.Helper()
	if len(b) != 168 || string(b[:8]) != "\x07WELCOME" {
		t.Fatalf("WELCOME %q", b)
	}
	nonce := long("WELCOME-", b[8:24])
	plain, ok := box.Open(nil, b[24:], &nonce, c.serverKey, c.sec)
	if !ok || len(plain) != 128 {
		t.Fatal("can't open WELCOME")
	}
	c.serverPub, c.cookie = (*[32]byte)(plain[:32]), plain[32:]
}

func (c *rfcClient) initiate(n uint64, metadata []byte) []byte {
	var random [16]byte
	_, _ = rand.Read(random[:])
	nonce := long("VOUCH---", random[:])
	inner := append(append([]byte{}, c.longPub[:]...), random[:]...)
	inner = box.Seal(inner, append(append([]byte{}, c.vouchPub[:]...), c.vouchFor[:]...), &nonce, c.serverPub, c.vouchSec)
	inner = append(inner, metadata...)
	nonce, tail := short("CurveZMQINITIATE", n)
	out := append(append([]byte("\x08INITIATE"), c.cookie...), tail...)
	return box.Seal(out, inner, &nonce, c.serverPub, c.sec)
}

func (c *rfcClient) ready(t testing.TB, b []byte) (metadata []byte) {
	t.Helper()
	if len(b) < 30 || string(b[:6]) != "\x05READY" {
		t.Fatalf("READY %q", b)
	}
	nonce, _ := short("CurveZMQREADY---", binary.BigEndian.Uint64(b[6:]))
	plain, ok := box.Open(nil, b[14:], &nonce, c.serverPub, c.sec)
	if !ok {
		t.Fatal("can't open READY")
	}
	return plain
}

// The server of RFC 26, in the same way. Its cookie is just bytes.
type rfcServer struct {
	pub, sec *[32]byte // S', s'
	client   *[32]byte // C'
	cookie   [96]byte
}

func newRFCServer() *rfcServer {
	pub, sec, _ := box.GenerateKey(rand.Reader)
	s := &rfcServer{pub: pub, sec: sec}
	_, _ = rand.Read(s.cookie[:])
	return s
}

func (s *rfcServer) hello(t testing.TB, b []byte) {
	t.Helper()
	if len(b) != 200 || string(b[:8]) != "\x05HELLO\x01\x00" || string(b[8:80]) != string(make([]byte, 72)) {
		t.Fatalf("HELLO %q", b)
	}
	s.client = (*[32]byte)(b[80:112])
	nonce, _ := short("CurveZMQHELLO---", binary.BigEndian.Uint64(b[112:]))
	secret := rawSecret(serverKeys)
	plain, ok := box.Open(nil, b[120:], &nonce, s.client, &secret)
	if !ok || string(plain) != string(make([]byte, 64)) {
		t.Fatal("can't open HELLO")
	}
}

func (s *rfcServer) welcome() []byte {
	var random [16]byte
	_, _ = rand.Read(random[:])
	nonce := long("WELCOME-", random[:])
	secret := rawSecret(serverKeys)
	out := append([]byte("\x07WELCOME"), random[:]...)
	return box.Seal(out, append(append([]byte{}, s.pub[:]...), s.cookie[:]...), &nonce, s.client, &secret)
}

func (s *rfcServer) initiate(t testing.TB, b []byte) (metadata []byte) {
	t.Helper()
	if len(b) < 257 || string(b[:9]) != "\x08INITIATE" || string(b[9:105]) != string(s.cookie[:]) {
		t.Fatalf("INITIATE %q", b)
	}
	nonce, _ := short("CurveZMQINITIATE", binary.BigEndian.Uint64(b[105:]))
	inner, ok := box.Open(nil, b[113:], &nonce, s.client, s.sec)
	if !ok {
		t.Fatal("can't open INITIATE")
	}
	if zmtp.PublicKey(inner[:32]) != clientKeys.Public() {
		t.Fatal("another client's key")
	}
	nonce = long("VOUCH---", inner[32:48])
	vouch, ok := box.Open(nil, inner[48:128], &nonce, (*[32]byte)(inner[:32]), s.sec)
	server := serverKeys.Public()
	if !ok || string(vouch) != string(s.client[:])+string(server[:]) {
		t.Fatal("wrong vouch")
	}
	return inner[128:]
}

func (s *rfcServer) ready(n uint64, metadata []byte) []byte {
	nonce, tail := short("CurveZMQREADY---", n)
	return box.Seal(append([]byte("\x05READY"), tail...), metadata, &nonce, s.client, s.sec)
}

// rawSecret returns the bytes of a secret key.
func rawSecret(k zmtp.KeyPair) (b [32]byte) {
	if err := zmtp.DecodeZ85(b[:], k.Secret().Z85()); err != nil {
		panic(err)
	}
	return b
}

// message makes a MESSAGE command as RFC 26 has it.
func message(prefix string, n uint64, plain []byte, to, from *[32]byte) []byte {
	nonce, tail := short(prefix, n)
	return box.Seal(append([]byte("\x07MESSAGE"), tail...), plain, &nonce, to, from)
}

func TestServerAgainstRFC(t *testing.T) {
	m := must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Router, "")))
	c := newRFCClient(serverKeys.Public())
	welcome, _, err := m.Next(c.hello(1))
	if err != nil {
		t.Fatal(err)
	}
	c.welcome(t, welcome)
	ready, done, err := m.Next(c.initiate(2, zmtp.AppendMetadata(nil, says(zmtp.Dealer, "me"))))
	if err != nil || !done {
		t.Fatal(done, err)
	}
	if got := must(zmtp.ParseMetadata(c.ready(t, ready))); got.SocketType() != zmtp.Router {
		t.Errorf("READY says %+v", got)
	}
	if string(m.Peer().Identity()) != "me" || m.User() != zmtp.PublicKey(*c.longPub).String() {
		t.Errorf("%+v, %s", m.Peer(), m.User())
	}
	w := m.Wrapper()
	more, command, payload, err := w.Unwrap(message("CurveZMQMESSAGEC", 3, []byte("\x01hello"), c.serverPub, c.sec))
	if err != nil || !more || command || string(payload) != "hello" {
		t.Errorf("%v, %v, %q, %v", more, command, payload, err)
	}
	frame := must(w.Wrap(nil, false, true, []byte("\x04PING\x00\x00")))
	nonce, _ := short("CurveZMQMESSAGES", 2)
	plain, ok := box.Open(nil, frame[2+16:], &nonce, c.serverPub, c.sec)
	if !ok || string(plain) != "\x02\x04PING\x00\x00" {
		t.Errorf("opened as %q, %v", plain, ok)
	}
}

func TestClientAgainstRFC(t *testing.T) {
	m := must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), says(zmtp.Dealer, "me")))
	s := newRFCServer()
	hello, _, err := m.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.hello(t, hello)
	initiate, _, err := m.Next(s.welcome())
	if err != nil {
		t.Fatal(err)
	}
	if got := must(zmtp.ParseMetadata(s.initiate(t, initiate))); got.SocketType() != zmtp.Dealer || string(got.Identity()) != "me" {
		t.Errorf("INITIATE says %+v", got)
	}
	if _, done, err := m.Next(s.ready(1, zmtp.AppendMetadata(nil, says(zmtp.Router, "")))); err != nil || !done {
		t.Fatal(done, err)
	}
	w := m.Wrapper()
	_, _, payload, err := w.Unwrap(message("CurveZMQMESSAGES", 2, []byte("\x00hi"), s.client, s.sec))
	if err != nil || string(payload) != "hi" {
		t.Errorf("%q, %v", payload, err)
	}
	frame := must(w.Wrap(nil, true, false, []byte("hello")))
	nonce, _ := short("CurveZMQMESSAGEC", 3)
	plain, ok := box.Open(nil, frame[2+16:], &nonce, s.client, s.sec)
	if !ok || string(plain) != "\x01hello" {
		t.Errorf("opened as %q, %v", plain, ok)
	}
}
