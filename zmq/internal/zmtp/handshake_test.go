package zmtp_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

func TestHandshake(t *testing.T) {
	commands := map[string]string{
		zmtp.NULL:  "READY READY",
		zmtp.PLAIN: "HELLO WELCOME INITIATE READY",
		zmtp.CURVE: "HELLO WELCOME INITIATE READY",
	}
	users := map[string]string{zmtp.PLAIN: "admin", zmtp.CURVE: clientKeys.Public().String()}
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			client, server := p.client(), p.server()
			if client.Peer() != nil || server.Peer() != nil || client.Wrapper() != nil || server.Wrapper() != nil {
				t.Fatal("peer or wrapper before the handshake")
			}
			steps, _, err := shake(client, server)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range steps {
				names = append(names, must(zmtp.ParseCommand(s.body)).Name)
			}
			if got := strings.Join(names, " "); got != commands[p.name] {
				t.Errorf("commands %s", got)
			}
			if client.Name() != p.name || server.Name() != p.name {
				t.Errorf("named %s and %s", client.Name(), server.Name())
			}
			if m := client.Peer(); m.SocketType() != zmtp.Router || m.Identity() != nil {
				t.Errorf("client sees %+v", m)
			}
			if m := server.Peer(); m.SocketType() != zmtp.Dealer || string(m.Identity()) != "me" {
				t.Errorf("server sees %+v", m)
			}
			if client.User() != "" || server.User() != users[p.name] {
				t.Errorf("users %q and %q", client.User(), server.User())
			}
			if curve := p.name == zmtp.CURVE; (client.Wrapper() != nil) != curve || (server.Wrapper() != nil) != curve {
				t.Error("wrappers")
			}
			for _, m := range []zmtp.Mechanism{client, server} {
				if out, done, err := m.Next(steps[0].body); err == nil || done || out != nil {
					t.Errorf("a command after the end: %q, %v, %v", out, done, err)
				}
				if m.Peer() != nil || m.Wrapper() != nil {
					t.Error("peer or wrapper after a failure")
				}
			}
		})
	}
}

// The commands of NULL and PLAIN, byte by byte (RFC 37, RFC 24).
func TestHandshakeBytes(t *testing.T) {
	dealer := "\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x02me"
	router := "\x0bSocket-Type\x00\x00\x00\x06ROUTER\x08Identity\x00\x00\x00\x00"
	for i, want := range [][]string{
		{"\x05READY" + dealer, "\x05READY" + router},
		{"\x05HELLO\x05admin\x06secret", "\x07WELCOME", "\x08INITIATE" + dealer, "\x05READY" + router},
	} {
		steps, _, err := shake(pairs()[i].client(), pairs()[i].server())
		if err != nil {
			t.Fatal(err)
		}
		for j, s := range steps {
			if string(s.body) != want[j] {
				t.Errorf("%q, want %q", s.body, want[j])
			}
		}
	}
	m := must(zmtp.NewNULL(zmtp.Metadata{
		{Name: "Socket-Type", Value: []byte("DEALER")}, {Name: "Identity", Value: nil},
	}))
	if out, _, _ := m.Next(nil); string(out) != dealerReady {
		t.Errorf("worked example of RFC 37: %q", out)
	}
}

// Each state of each side takes one command, and ERROR; all others end it.
func TestOutOfOrder(t *testing.T) {
	names := []string{"READY", "HELLO", "WELCOME", "INITIATE", "PING", "PONG", "SUBSCRIBE", "CANCEL", "MESSAGE", "NONSENSE"}
	for _, p := range pairs() {
		steps, _, err := shake(p.client(), p.server())
		if err != nil {
			t.Fatal(err)
		}
		want := zmtp.ErrMalformed
		if p.name == zmtp.CURVE {
			want = zmtp.ErrAuth
		}
		for _, s := range steps {
			is := must(zmtp.ParseCommand(s.body)).Name
			t.Run(p.name+"/"+is, func(t *testing.T) {
				for _, name := range names {
					if name == is {
						continue
					}
					out, done, err := zmtp.Clone(s.to).Next(zmtp.AppendCommand(nil, name, nil))
					wantErr(t, err, want, name)
					if out != nil || done {
						t.Errorf("%s: %q, %v", name, out, done)
					}
				}
				for name, in := range map[string][]byte{"nil": nil, "empty": {}, "no name": {0}} {
					if is == "HELLO" && in == nil {
						continue // the first call
					}
					if _, _, err := zmtp.Clone(s.to).Next(in); !errors.Is(err, want) {
						t.Errorf("%s: %v", name, err)
					}
				}
				m := zmtp.Clone(s.to)
				_, _, err := m.Next(zmtp.AppendError(nil, "400"))
				wantErr(t, err, zmtp.ErrRefused, `"400"`)
				wantErr(t, err, zmtp.ErrAuth, p.name)
				if peer := (*zmtp.PeerError)(nil); !errors.As(err, &peer) || peer.Reason != "400" {
					t.Errorf("%v", err)
				}
				if _, _, err := m.Next(s.body); err == nil {
					t.Error("goes on after ERROR")
				}
				for _, bad := range []string{"\x05ERROR", "\x05ERROR\x05no", "\x05ERROR\x01no"} {
					_, _, err := zmtp.Clone(s.to).Next([]byte(bad))
					wantErr(t, err, want, "ERROR")
				}
			})
		}
	}
}

// A client speaks first.
func TestCommandBeforeTheStart(t *testing.T) {
	for _, p := range pairs() {
		_, _, err := p.client().Next([]byte("\x05READY"))
		if err == nil || !strings.Contains(err.Error(), "before its start") {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

func TestPLAINRefused(t *testing.T) {
	client := func() zmtp.Mechanism {
		m := pairs()[1].client()
		if _, _, err := m.Next(nil); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, test := range []struct {
		name, in string
		m        zmtp.Mechanism
		text     string
	}{
		{"HELLO, nothing", "\x05HELLO", pairs()[1].server(), "0 bytes"},
		{"HELLO, no password", "\x05HELLO\x05admin", pairs()[1].server(), "6 bytes"},
		{"HELLO, user cut short", "\x05HELLO\x06admin", pairs()[1].server(), "6 bytes"},
		{"HELLO, password cut short", "\x05HELLO\x05admin\x07secret", pairs()[1].server(), "13 bytes"},
		{"HELLO, too long", "\x05HELLO\x05admin\x06secret\x00", pairs()[1].server(), "14 bytes"},
		{"WELCOME with data", "\x07WELCOMEhome", client(), "4 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, _, err := test.m.Next([]byte(test.in))
			wantErr(t, err, zmtp.ErrMalformed, test.text)
			if out != nil {
				t.Errorf("answers %q", out)
			}
		})
	}
}

func TestErrorOfLibzmqInPLAIN(t *testing.T) {
	m := pairs()[1].client()
	if _, _, err := m.Next(nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := m.Next([]byte("^RROR\x03400")) // as libzmq 4.3.4 sends it
	wantErr(t, err, zmtp.ErrAuth, "400")
	wantErr(t, err, zmtp.ErrRefused, "PLAIN")
}

func TestErrorOfNULL(t *testing.T) {
	m := pairs()[0].client()
	if _, _, err := m.Next(nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := m.Next(zmtp.AppendError(nil, "Invalid metadata"))
	wantErr(t, err, zmtp.ErrRefused, "Invalid metadata")
	if errors.Is(err, zmtp.ErrAuth) {
		t.Error("a refusal that has nothing to do with credentials matches ErrAuth")
	}
}

// Every handshake message, cut at every byte and with every bit changed, ends in
// an error or in the right result.
func TestDamagedHandshake(t *testing.T) {
	for _, p := range pairs() {
		steps, _, err := shake(p.client(), p.server())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			t.Run(p.name+"/"+must(zmtp.ParseCommand(s.body)).Name, func(t *testing.T) {
				deliver := func(what string, at int, b []byte) {
					m := zmtp.Clone(s.to)
					given := bytes.Clone(b)
					out, done, err := m.Next(b)
					if !bytes.Equal(b, given) {
						t.Fatalf("%s at %d: changes what it was given", what, at)
					}
					known(t, err)
					if p.name == zmtp.CURVE && !errors.Is(err, zmtp.ErrAuth) {
						t.Fatalf("%s at %d: %v, want ErrAuth", what, at, err)
					}
					if err != nil && (done || m.Peer() != nil || out != nil && !bytes.HasPrefix(out, []byte("\x05ERROR"))) {
						t.Fatalf("%s at %d: %v beside done %v, out %q", what, at, err, done, out)
					}
					if done && (!m.Peer().SocketType().Valid() || m.Peer().SocketType() == "") {
						t.Fatalf("%s at %d: done with %+v", what, at, m.Peer())
					}
				}
				for n := range s.body {
					deliver("cut", n, s.body[:n:n])
				}
				deliver("longer", len(s.body), append(bytes.Clone(s.body), 0))
				for bit := range len(s.body) * 8 {
					b := bytes.Clone(s.body)
					b[bit/8] ^= 1 << (bit % 8)
					deliver("bit", bit, b)
				}
			})
		}
	}
}

func TestPeerMetadataRefused(t *testing.T) {
	long := strings.Repeat("i", 256)
	for _, test := range []struct {
		name, raw string
		want      error
		text      string
	}{
		{"no Socket-Type", "\x08Identity\x00\x00\x00\x02me", zmtp.ErrMalformed, "no property Socket-Type"},
		{"nothing", "", zmtp.ErrMalformed, "no property Socket-Type"},
		{"unknown type", "\x0bSocket-Type\x00\x00\x00\x06STREAM", zmtp.ErrMalformed, `"STREAM"`},
		{"type that doesn't fit", "\x0bSocket-Type\x00\x00\x00\x03PUB", zmtp.ErrMalformed, "PUB, which a ROUTER can't talk to"},
		{"truncated property", "\x0bSocket-Type\x00\x00\x00\x06DEALE", zmtp.ErrMalformed, "cut short"},
		{"reserved identity", "\x0bSocket-Type\x00\x00\x00\x03REQ\x08Identity\x00\x00\x00\x02\x00i", zmtp.ErrMalformed, "reserved"},
		{"long identity", "\x0bSocket-Type\x00\x00\x00\x03REQ\x08Identity\x00\x00\x01\x00" + long, zmtp.ErrLimit, "Identity is 256, at most 255"},
		{"long type", "\x0bSocket-Type\x00\x00\x01\x00" + long, zmtp.ErrMalformed, "unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := says(zmtp.Router, "")
			plain := must(zmtp.NewPLAINServer(zmtp.AllowAny, server))
			if _, _, err := plain.Next([]byte("\x05HELLO\x00\x00")); err != nil {
				t.Fatal(err)
			}
			null := must(zmtp.NewNULL(server))
			if _, _, err := null.Next(nil); err != nil {
				t.Fatal(err)
			}
			curve := must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, server))
			c := newRFCClient(serverKeys.Public())
			welcome, _, err := curve.Next(c.hello(1))
			if err != nil {
				t.Fatal(err)
			}
			c.welcome(t, welcome)
			for m, in := range map[zmtp.Mechanism][]byte{
				null:  []byte("\x05READY" + test.raw),
				plain: []byte("\x08INITIATE" + test.raw),
				curve: c.initiate(2, []byte(test.raw)),
			} {
				out, done, err := m.Next(in)
				wantErr(t, err, test.want, test.text)
				if string(out) != "\x05ERROR\x10Invalid metadata" || done || m.Peer() != nil {
					t.Errorf("%s: %q, %v, %v", m.Name(), out, done, m.Peer())
				}
			}
		})
	}
	t.Run("identity of a PUSH is ignored", func(t *testing.T) {
		m := must(zmtp.NewNULL(says(zmtp.Pull, "")))
		if _, _, err := m.Next(nil); err != nil {
			t.Fatal(err)
		}
		_, done, err := m.Next([]byte("\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH\x08Identity\x00\x00\x00\x02\x00i"))
		if !done || err != nil {
			t.Error(done, err)
		}
	})
}

func TestHandshakeLimit(t *testing.T) {
	m := must(zmtp.NewPLAINServer(zmtp.AllowAny, says(zmtp.Router, "")))
	hello := "\x05HELLO\xff" + strings.Repeat("u", 255) + "\xff" + strings.Repeat("p", 255)
	if _, _, err := m.Next([]byte(hello)); err != nil {
		t.Fatal(err)
	}
	_, _, err := m.Next(make([]byte, zmtp.MaxHandshake-len(hello)+1))
	wantErr(t, err, zmtp.ErrLimit, "size of a handshake is 4097, at most 4096")
}

// What one side may send, the other takes.
func TestLargestMetadata(t *testing.T) {
	local := says(zmtp.Dealer, "")
	rest := zmtp.MaxMetadata - len(zmtp.AppendMetadata(nil, local)) - len("\x03X-a\x00\x00\x00\x00")
	local = append(local, zmtp.Property{Name: "X-a", Value: make([]byte, rest)})
	long := strings.Repeat("x", 255)
	for name, sides := range map[string][2]zmtp.Mechanism{
		"NULL": {must(zmtp.NewNULL(local)), must(zmtp.NewNULL(local))},
		"PLAIN": {
			must(zmtp.NewPLAINClient(long, long, local)), must(zmtp.NewPLAINServer(zmtp.AllowAny, local)),
		},
		"CURVE": {
			must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), local)),
			must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, local)),
		},
	} {
		if _, _, err := shake(sides[0], sides[1]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	local[2].Value = make([]byte, rest+1)
	_, err := zmtp.NewNULL(local)
	wantErr(t, err, zmtp.ErrLimit, "metadata is 3073, at most 3072")
}

func TestConstructorsRefuse(t *testing.T) {
	good := says(zmtp.Router, "")
	long := strings.Repeat("x", 256)
	prop := func(name string) zmtp.Metadata { return append(says(zmtp.Router, ""), zmtp.Property{Name: name}) }
	many := says(zmtp.Router, "")
	for i := range zmtp.MaxProperties {
		many = append(many, zmtp.Property{Name: "X-" + strings.Repeat("a", i+1)[:1] + string(rune('A'+i%26)) + string(rune('a'+i/26))})
	}
	only := func(_ zmtp.Mechanism, err error) error { return err }
	for _, test := range []struct {
		name string
		err  error
		want error
		text string
	}{
		{"no Socket-Type", only(zmtp.NewNULL(nil)), zmtp.ErrMalformed, "Socket-Type"},
		{"unknown Socket-Type", only(zmtp.NewNULL(says("STREAM", ""))), zmtp.ErrMalformed, "STREAM"},
		{"identity", only(zmtp.NewPLAINServer(nil, says(zmtp.Req, "\x00"))), zmtp.ErrMalformed, "reserved"},
		{"property name", only(zmtp.NewPLAINClient("", "", prop("a b"))), zmtp.ErrMalformed, "a b"},
		{"property twice", only(zmtp.NewNULL(prop("identity"))), zmtp.ErrMalformed, "twice"},
		{"many properties", only(zmtp.NewNULL(many)), zmtp.ErrLimit, "at most 64"},
		{"user", only(zmtp.NewPLAINClient(long, "", good)), zmtp.ErrLimit, "user name is 256"},
		{"password", only(zmtp.NewPLAINClient("", long, good)), zmtp.ErrLimit, "password is 256"},
		{"client without a key", only(zmtp.NewCURVEClient(zmtp.KeyPair{}, serverKeys.Public(), good)), zmtp.ErrAuth, "key pair"},
		{"server without a key", only(zmtp.NewCURVEServer(zmtp.KeyPair{}, zmtp.AllowAny, good)), zmtp.ErrAuth, "key pair"},
		{"server key of zeros", only(zmtp.NewCURVEClient(clientKeys, zmtp.PublicKey{}, good)), zmtp.ErrAuth, "low order"},
		{"metadata of a client", only(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), nil)), zmtp.ErrMalformed, "Socket-Type"},
	} {
		t.Run(test.name, func(t *testing.T) { wantErr(t, test.err, test.want, test.text) })
	}
}

func TestAuthenticators(t *testing.T) {
	users := zmtp.AllowUsers(map[string]string{"admin": "secret", "empty": ""})
	keys := zmtp.AllowKeys(clientKeys.Public())
	plain := func(user, password string) zmtp.Request {
		return zmtp.Request{Mechanism: zmtp.PLAIN, User: user, Password: password}
	}
	key := func(k zmtp.PublicKey) zmtp.Request { return zmtp.Request{Mechanism: zmtp.CURVE, PublicKey: k} }
	for _, test := range []struct {
		name string
		auth zmtp.Authenticator
		r    zmtp.Request
		user string
		ok   bool
	}{
		{"password", users, plain("admin", "secret"), "admin", true},
		{"empty password", users, plain("empty", ""), "empty", true},
		{"wrong password", users, plain("admin", "secre"), "", false},
		{"no password", users, plain("admin", ""), "", false},
		{"unknown user", users, plain("root", ""), "", false},
		{"a key for users", users, key(clientKeys.Public()), "", false},
		{"key", keys, key(clientKeys.Public()), clientKeys.Public().String(), true},
		{"other key", keys, key(serverKeys.Public()), "", false},
		{"a user for keys", keys, plain("admin", "secret"), "", false},
		{"any user", zmtp.AllowAny, plain("root", "x"), "root", true},
		{"any key", zmtp.AllowAny, key(serverKeys.Public()), serverKeys.Public().String(), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			user, err := test.auth(test.r)
			if user != test.user || (err == nil) != test.ok {
				t.Errorf("%q, %v", user, err)
			}
		})
	}
}

// Denied clients get ERROR 400 and nothing else, and both sides see ErrAuth.
func TestDenied(t *testing.T) {
	client, server := says(zmtp.Dealer, ""), says(zmtp.Router, "")
	asked := errors.New("asked elsewhere")
	deny := func(zmtp.Request) (string, error) { return "root", asked }
	for _, test := range []struct {
		name           string
		client, server zmtp.Mechanism
		cause          string
	}{
		{
			"PLAIN, wrong password",
			must(zmtp.NewPLAINClient("admin", "guess", client)),
			must(zmtp.NewPLAINServer(zmtp.AllowUsers(map[string]string{"admin": "secret"}), server)), "wrong password",
		},
		{"PLAIN, no authenticator", must(zmtp.NewPLAINClient("admin", "", client)), must(zmtp.NewPLAINServer(nil, server)), "no authenticator"},
		{"PLAIN, denied", must(zmtp.NewPLAINClient("admin", "", client)), must(zmtp.NewPLAINServer(deny, server)), "asked elsewhere"},
		{
			"CURVE, other key",
			must(zmtp.NewCURVEClient(zmtp.GenerateKeyPair(), serverKeys.Public(), client)),
			must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowKeys(clientKeys.Public()), server)), "unknown public key",
		},
		{
			"CURVE, no authenticator",
			must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), client)),
			must(zmtp.NewCURVEServer(serverKeys, nil, server)), "no authenticator",
		},
		{
			"CURVE, denied",
			must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), client)),
			must(zmtp.NewCURVEServer(serverKeys, deny, server)), "asked elsewhere",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			steps, at, err := shake(test.client, test.server)
			wantErr(t, err, zmtp.ErrAuth, test.cause)
			if at != test.server {
				t.Error("the client fails first")
			}
			last := steps[len(steps)-1]
			if string(last.body) != "\x05ERROR\x03400" {
				t.Fatalf("the client gets %q", last.body)
			}
			_, _, err = last.to.Next(last.body)
			wantErr(t, err, zmtp.ErrAuth, "400")
			wantErr(t, err, zmtp.ErrRefused, "400")
			if test.server.User() != "" || test.server.Wrapper() != nil {
				t.Error("a denied client has a user or a wrapper")
			}
			if strings.Contains(err.Error(), "guess") {
				t.Error("the error tells the password")
			}
		})
	}
}
