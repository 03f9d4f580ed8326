package zmtp_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
	"golang.org/x/crypto/nacl/box"
)

// The keys that zmq_curve(7) publishes for tests.
func TestPublishedKeys(t *testing.T) {
	for _, test := range []struct{ name, public, secret string }{
		{"client", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"},
		{"server", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			secret, err := zmtp.ParseSecretKey(test.secret)
			if err != nil {
				t.Fatal(err)
			}
			public, err := zmtp.ParsePublicKey(test.public)
			if err != nil {
				t.Fatal(err)
			}
			k := zmtp.NewKeyPair(secret)
			if k.Public() != public || k.Public().String() != test.public || k.Secret().Z85() != test.secret || secret.Public() != public {
				t.Errorf("public %s, secret %s", k.Public(), k.Secret().Z85())
			}
		})
	}
}

func TestZ85(t *testing.T) {
	hello := []byte{0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B} // RFC 32
	if got := zmtp.EncodeZ85(hello); got != "HelloWorld" {
		t.Errorf("%q", got)
	}
	got := make([]byte, 8)
	if err := zmtp.DecodeZ85(got, "HelloWorld"); err != nil || !bytes.Equal(got, hello) {
		t.Errorf("% x, %v", got, err)
	}
	if err := zmtp.DecodeZ85(got, "00000%nSc0"); err != nil || !bytes.Equal(got, []byte{0, 0, 0, 0, 255, 255, 255, 255}) {
		t.Errorf("% x, %v", got, err)
	}
	for _, test := range []struct{ name, text, says string }{
		{"short", "HelloWorl", "9 characters, not 10"},
		{"long", "HelloWorldx", "11 characters"},
		{"space", "Hello orld", "position 5"},
		{"quote", `Hello"orld`, "position 5"},
		{"not ASCII", "Hello\xffWorld"[:10], "position 5"},
		{"2^32", "00000%nSc1", "above 32 bits at position 5"},
		{"largest", "#####00000", "above 32 bits at position 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := zmtp.DecodeZ85(got, test.text)
			wantErr(t, err, zmtp.ErrMalformed, test.says)
			if strings.Contains(err.Error(), "Hello") {
				t.Error("the error tells the text")
			}
		})
	}
	if _, err := zmtp.ParsePublicKey("short"); !errors.Is(err, zmtp.ErrMalformed) {
		t.Error(err)
	}
	if _, err := zmtp.ParseSecretKey(strings.Repeat("~", 40)); !errors.Is(err, zmtp.ErrMalformed) {
		t.Error(err)
	}
}

func TestSecretsDontPrint(t *testing.T) {
	k := zmtp.GenerateKeyPair()
	raw := rawSecret(k)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{k, k.Secret(), &k, []zmtp.KeyPair{k}, struct{ K zmtp.SecretKey }{k.Secret()}} {
			got := fmt.Sprintf(format, v)
			for _, secret := range []string{k.Secret().Z85(), fmt.Sprintf("%x", raw), fmt.Sprintf("%d", raw)[1:20]} {
				if strings.Contains(got, secret) {
					t.Errorf("%s of %T is %s", format, v, got)
				}
			}
		}
	}
	if zmtp.GenerateKeyPair().Public() == k.Public() {
		t.Error("the same key twice")
	}
}

func TestWrap(t *testing.T) {
	client, server := session(t)
	sizes := []int{0, 1, 30, 31, 32, 62, 63, 64, 65, 95, 96, 127, 128, 221, 222, 223, 255, 256, 1000, 65536}
	for _, size := range sizes {
		for _, flags := range []byte{0, 1, 2} {
			body := make([]byte, size)
			_, _ = rand.Read(body)
			more, command := flags&1 != 0, flags&2 != 0

			want := client.Clone().Seal(append([]byte{flags}, body...))
			frame, err := client.Wrap([]byte("before"), more, command, bytes.Clone(body))
			if err != nil {
				t.Fatal(err)
			}
			if len(frame) != 6+zmtp.WrapOverhead(size)+size || string(frame[:6]) != "before" {
				t.Fatalf("%d bytes make %d", size, len(frame))
			}
			h, n, err := zmtp.ParseHeader(frame[6:], 1<<20)
			if err != nil || h != (zmtp.FrameHeader{Size: uint64(len(want))}) {
				t.Fatalf("header %+v, %v", h, err)
			}
			got := frame[6+n:]
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: not what package secretbox makes", size)
			}
			gotMore, gotCommand, payload, err := server.Unwrap(got)
			if err != nil || gotMore != more || gotCommand != command || !bytes.Equal(payload, body) {
				t.Fatalf("%d bytes: %v, %v, %v", size, gotMore, gotCommand, err)
			}
			if size > 0 && &payload[0] != &got[33] {
				t.Fatal("not decrypted in place")
			}
		}
	}
}

func TestWrapInPlace(t *testing.T) {
	client, server := session(t)
	for _, size := range []int{0, 1, 31, 32, 100, 222, 223, 5000} {
		const before = 5
		at := before + zmtp.WrapOverhead(size)
		b := make([]byte, at+size, at+size+3)
		_, _ = rand.Read(b)
		body := bytes.Clone(b[at:])
		frame, err := client.Wrap(b[:before], false, false, b[at:])
		if err != nil || &frame[0] != &b[0] || len(frame) != len(b) {
			t.Fatalf("%d bytes: not in place, %v", size, err)
		}
		_, n, _ := zmtp.ParseHeader(frame[before:], 1<<20)
		_, _, payload, err := server.Unwrap(frame[before+n:])
		if err != nil || !bytes.Equal(payload, body) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
}

func TestWrapLeavesTheBody(t *testing.T) {
	client, _ := session(t)
	body := bytes.Repeat([]byte("body"), 100)
	want := bytes.Clone(body)
	if _, err := client.Wrap(nil, false, false, body); err != nil || !bytes.Equal(body, want) {
		t.Error("Wrap changes the body", err)
	}
}

// Bits flipped, cut, repeated, exchanged, sent back, or from another connection:
// all ErrAuth, and the bytes stay as they were.
func TestMessageTampered(t *testing.T) {
	client, server := session(t)
	otherClient, _ := session(t)
	wrap := func(w *zmtp.Wrapper, text string) []byte { return must(w.Wrap(nil, false, false, []byte(text)))[2:] }
	first, second, third := wrap(client, "first"), wrap(client, "second"), wrap(client, "third")
	refuse := func(what string, b []byte) {
		t.Helper()
		given := bytes.Clone(b)
		_, _, payload, err := server.Unwrap(b)
		wantErr(t, err, zmtp.ErrAuth, "")
		if payload != nil || !bytes.Equal(b, given) {
			t.Errorf("%s: payload %q, or the frame changed", what, payload)
		}
	}
	accept := func(b []byte, text string) {
		t.Helper()
		if _, _, payload, err := server.Unwrap(bytes.Clone(b)); err != nil || string(payload) != text {
			t.Fatalf("%q, %v", payload, err)
		}
	}
	for bit := range len(first) * 8 {
		b := bytes.Clone(first)
		b[bit/8] ^= 1 << (bit % 8)
		refuse(fmt.Sprint("bit ", bit), b)
	}
	for n := range first {
		refuse(fmt.Sprint("cut at ", n), bytes.Clone(first[:n]))
	}
	refuse("longer", append(bytes.Clone(first), 0))
	refuse("empty", nil)
	refuse("not encrypted", []byte("hello, this is a frame that is not encrypted at all"))
	refuse("another connection", wrap(otherClient, "first"))
	refuse("sent back", wrap(server, "first"))
	accept(first, "first")
	refuse("repeated", bytes.Clone(first))
	accept(third, "third")
	refuse("late", bytes.Clone(second))
	refuse("repeated later", bytes.Clone(first))
}

func TestReservedPayloadFlags(t *testing.T) {
	client, server := session(t)
	for flags := 3; flags < 256; flags++ {
		_, _, payload, err := server.Unwrap(client.Seal([]byte{byte(flags), 'x'}))
		wantErr(t, err, zmtp.ErrMalformed, fmt.Sprintf("%#02x", flags))
		if payload != nil {
			t.Error("payload beside an error")
		}
	}
	_, _, _, err := server.Unwrap(client.Seal(nil))
	wantErr(t, err, zmtp.ErrAuth, "32 bytes")
}

func TestNoncesAreNeverReused(t *testing.T) {
	client, server := session(t)
	seen := map[string]bool{}
	for range 100 {
		for _, w := range []*zmtp.Wrapper{client, server} {
			nonce := string(must(w.Wrap(nil, false, false, nil))[10:18])
			if w == client {
				nonce = "client" + nonce
			}
			if seen[nonce] {
				t.Fatalf("nonce %x twice", nonce)
			}
			seen[nonce] = true
		}
	}
	client.SetNonce(1<<64 - 1)
	if _, err := client.Wrap(nil, false, false, nil); err != nil {
		t.Fatal("the last number", err)
	}
	for range 2 {
		dst, err := client.Wrap([]byte("as it was"), false, false, nil)
		wantErr(t, err, zmtp.ErrLimit, "18446744073709551614")
		if string(dst) != "as it was" {
			t.Errorf("%q", dst)
		}
	}
}

func TestWrongServerKey(t *testing.T) {
	client := must(zmtp.NewCURVEClient(clientKeys, zmtp.GenerateKeyPair().Public(), says(zmtp.Dealer, "")))
	server := must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Router, "")))
	steps, at, err := shake(client, server)
	wantErr(t, err, zmtp.ErrAuth, "another server's key")
	if at != server || len(steps) != 1 {
		t.Errorf("%d commands; the server has to close without an answer", len(steps))
	}

	// A server that is not the one that the client wants.
	client = must(zmtp.NewCURVEClient(clientKeys, zmtp.GenerateKeyPair().Public(), says(zmtp.Dealer, "")))
	hello, _, _ := client.Next(nil)
	s := newRFCServer()
	s.client = (*[32]byte)(hello[80:112])
	_, _, err = client.Next(s.welcome())
	wantErr(t, err, zmtp.ErrAuth, "another key than the server's")
}

func TestCookie(t *testing.T) {
	newServer := func() zmtp.Mechanism {
		return must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Router, "")))
	}
	metadata := zmtp.AppendMetadata(nil, says(zmtp.Dealer, ""))
	// upTo returns a client and its server after WELCOME.
	upTo := func(t *testing.T) (*rfcClient, zmtp.Mechanism) {
		m, c := newServer(), newRFCClient(serverKeys.Public())
		welcome, _, err := m.Next(c.hello(1))
		if err != nil {
			t.Fatal(err)
		}
		c.welcome(t, welcome)
		return c, m
	}
	for _, test := range []struct {
		name  string
		after time.Duration
		ok    bool
	}{
		{"at once", 0, true},
		{"just in time", zmtp.CookieLife, true},
		{"too late", zmtp.CookieLife + 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, m := upTo(t)
				time.Sleep(test.after)
				_, done, err := m.Next(c.initiate(2, metadata))
				if !test.ok {
					wantErr(t, err, zmtp.ErrAuth, "after its cookie's end")
				} else if !done || err != nil {
					t.Error(done, err)
				}
			})
		})
	}
	t.Run("of another connection", func(t *testing.T) {
		c, _ := upTo(t)
		_, m := upTo(t)
		_, _, err := m.Next(c.initiate(2, metadata))
		wantErr(t, err, zmtp.ErrAuth, "cookie")
	})
	t.Run("INITIATE repeated", func(t *testing.T) {
		c, m := upTo(t)
		initiate := c.initiate(2, metadata)
		if _, done, err := m.Next(initiate); !done || err != nil {
			t.Fatal(done, err)
		}
		_, _, err := m.Next(initiate)
		wantErr(t, err, zmtp.ErrAuth, "after its end")
	})
	t.Run("a fresh one each time", func(t *testing.T) {
		c := newRFCClient(serverKeys.Public())
		hello := c.hello(1)
		seen := map[string]bool{}
		for range 10 {
			welcome, _, err := newServer().Next(hello)
			if err != nil {
				t.Fatal(err)
			}
			c.welcome(t, welcome)
			for _, part := range []string{string(welcome[8:24]), string(c.cookie[:16]), string(c.serverPub[:])} {
				if seen[part] {
					t.Fatal("a nonce or a key twice")
				}
				seen[part] = true
			}
		}
	})
}

// What only a peer that knows its own keys can do wrong.
func TestDishonestClient(t *testing.T) {
	metadata := zmtp.AppendMetadata(nil, says(zmtp.Dealer, ""))
	otherPub, otherSec, _ := box.GenerateKey(rand.Reader)
	for _, test := range []struct {
		name  string
		hello func(c *rfcClient) []byte
		wrong func(c *rfcClient)
		n     uint64
		text  string
	}{
		{"vouch for another connection", nil, func(c *rfcClient) { c.vouchPub = otherPub }, 2, "another connection or server"},
		{"vouch for another server", nil, func(c *rfcClient) { c.vouchFor = otherPub }, 2, "another connection or server"},
		{"vouch made by another", nil, func(c *rfcClient) { c.vouchSec = otherSec }, 2, "not made with the key of client"},
		{"key of another", nil, func(c *rfcClient) { c.longPub = otherPub }, 2, "not made with the key of client"},
		{"key of zeros", nil, func(c *rfcClient) { c.longPub = new([32]byte) }, 2, "low order"},
		{"key of order 4", nil, func(c *rfcClient) { c.longPub = &[32]byte{1} }, 2, "low order"},
		{"number repeated", nil, func(*rfcClient) {}, 1, "INITIATE number 1 after HELLO number 1"},
		{"number 0", nil, func(*rfcClient) {}, 0, "INITIATE number 0"},
		{"version 2.0", func(c *rfcClient) []byte { b := c.hello(1); b[6] = 2; return b }, nil, 0, "version 2.0"},
		{"padding", func(c *rfcClient) []byte { b := c.hello(1); b[79] = 1; return b }, nil, 0, "padding"},
		{"transient key of zeros", func(c *rfcClient) []byte { b := c.hello(1); clear(b[80:112]); return b }, nil, 0, "low order"},
		{"longer signature", func(c *rfcClient) []byte {
			nonce, _ := short("CurveZMQHELLO---", 1)
			return box.Seal(c.hello(1)[:120], make([]byte, 65), &nonce, c.serverKey, c.sec)
		}, nil, 0, "HELLO of 201 bytes, not 200"},
		{"signature of another text", func(c *rfcClient) []byte {
			nonce, _ := short("CurveZMQHELLO---", 1)
			b := c.hello(1)
			return box.Seal(b[:120], bytes.Repeat([]byte{1}, 64), &nonce, c.serverKey, c.sec)
		}, nil, 0, "signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Router, "")))
			c := newRFCClient(serverKeys.Public())
			hello := c.hello(1)
			if test.hello != nil {
				hello = test.hello(c)
			}
			out, _, err := m.Next(hello)
			if test.hello == nil {
				if err != nil {
					t.Fatal(err)
				}
				c.welcome(t, out)
				test.wrong(c)
				out, _, err = m.Next(c.initiate(test.n, metadata))
			}
			wantErr(t, err, zmtp.ErrAuth, test.text)
			if out != nil {
				t.Errorf("answers %q", out)
			}
		})
	}
}

// The numbers of MESSAGEs go on from that of INITIATE or READY.
func TestNumbersGoOn(t *testing.T) {
	m := must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Router, "")))
	c := newRFCClient(serverKeys.Public())
	welcome, _, err := m.Next(c.hello(8))
	if err != nil {
		t.Fatal(err)
	}
	c.welcome(t, welcome)
	if _, _, err := m.Next(c.initiate(10, zmtp.AppendMetadata(nil, says(zmtp.Dealer, "")))); err != nil {
		t.Fatal(err)
	}
	for n, ok := range []bool{9: false, 10: false, 11: true} {
		_, _, _, err := m.Wrapper().Unwrap(message("CurveZMQMESSAGEC", uint64(n), []byte{0}, c.serverPub, c.sec))
		if (err == nil) != ok {
			t.Errorf("server, number %d: %v", n, err)
		}
	}

	m = must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), says(zmtp.Dealer, "")))
	s := newRFCServer()
	hello, _, _ := m.Next(nil)
	s.hello(t, hello)
	if _, _, err := m.Next(s.welcome()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Next(s.ready(7, zmtp.AppendMetadata(nil, says(zmtp.Router, "")))); err != nil {
		t.Fatal(err)
	}
	for n, ok := range []bool{6: false, 7: false, 8: true} {
		_, _, _, err := m.Wrapper().Unwrap(message("CurveZMQMESSAGES", uint64(n), []byte{0}, s.client, s.sec))
		if (err == nil) != ok {
			t.Errorf("client, number %d: %v", n, err)
		}
	}
}

func TestLongCookie(t *testing.T) {
	m := must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), says(zmtp.Dealer, "")))
	s := newRFCServer()
	hello, _, _ := m.Next(nil)
	s.hello(t, hello)
	secret, random := rawSecret(serverKeys), make([]byte, 16)
	nonce := long("WELCOME-", random)
	_, _, err := m.Next(box.Seal(append([]byte("\x07WELCOME"), random...), append(s.pub[:], make([]byte, 97)...), &nonce, s.client, &secret))
	wantErr(t, err, zmtp.ErrAuth, "WELCOME of 169 bytes, not 168")
}

func TestDishonestServer(t *testing.T) {
	for _, test := range []struct {
		name  string
		wrong func(s *rfcServer)
		raw   string
		want  error
		text  string
	}{
		{"key of zeros", func(s *rfcServer) { s.pub = new([32]byte) }, "", zmtp.ErrAuth, "low order"},
		{"READY with another key", func(s *rfcServer) { _, s.sec, _ = box.GenerateKey(rand.Reader) }, "", zmtp.ErrAuth, "READY"},
		{"READY without Socket-Type", func(*rfcServer) {}, "", zmtp.ErrMalformed, "Socket-Type"},
		{"READY cut short", func(*rfcServer) {}, "\x0bSocket", zmtp.ErrMalformed, "cut short"},
		{"READY of a type that doesn't fit", func(*rfcServer) {}, "\x0bSocket-Type\x00\x00\x00\x04PUSH", zmtp.ErrMalformed, "PUSH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), says(zmtp.Dealer, "")))
			s := newRFCServer()
			hello, _, _ := m.Next(nil)
			s.hello(t, hello)
			test.wrong(s)
			_, done, err := m.Next(s.welcome())
			if err == nil {
				_, done, err = m.Next(s.ready(1, []byte(test.raw)))
			}
			wantErr(t, err, test.want, test.text)
			if done || m.Wrapper() != nil {
				t.Error("done")
			}
		})
	}
}
