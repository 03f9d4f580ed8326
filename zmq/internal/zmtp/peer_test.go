package zmtp_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// python returns an interpreter that has pyzmq with CURVE. The one of the
// system comes second, because it is that which has Debian's python3-zmq.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import zmq, zmq.auth; assert zmq.has('curve')").Run() == nil {
			return name
		}
	}
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatal("no python3 with zmq")
	}
	t.Skip("NOT TESTED AGAINST LIBZMQ: no python3 with zmq is installed")
	return ""
}

// peer is a connection to a pyzmq socket, read and written with nothing but this
// package.
type peer struct {
	t     *testing.T
	conn  net.Conn
	in    *bufio.Reader
	minor byte
	w     *zmtp.Wrapper
	out   *bufio.Reader // what the script prints
}

// meet starts the script, and connects to it or has it connect.
func meet(t *testing.T, weBind bool, mechanism, role, kind string, args ...string) *peer {
	t.Helper()
	endpoint := "tcp://127.0.0.1:*"
	var ln net.Listener
	if weBind {
		ln = must(net.Listen("tcp", "127.0.0.1:0"))
		t.Cleanup(func() { ln.Close() })
		endpoint = "tcp://" + ln.Addr().String()
	}
	cmd := exec.Command(python(t), append([]string{"testdata/peer.py", mechanism, role, kind, endpoint}, args...)...)
	cmd.Stderr = os.Stderr
	stdout := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := &peer{t: t, out: bufio.NewReader(stdout)}
	if weBind {
		if err := ln.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		p.conn = must(ln.Accept())
	} else {
		p.conn = must(net.Dial("tcp", "127.0.0.1:"+p.line()))
	}
	t.Cleanup(func() { p.conn.Close() })
	if err := p.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	p.in = bufio.NewReader(p.conn)
	return p
}

// line returns the next line that the script prints.
func (p *peer) line() string {
	p.t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the script ends: %v", err)
	}
	return strings.TrimSpace(s)
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next frame as it is on the wire.
func (p *peer) read(limit uint64) (zmtp.FrameHeader, []byte) {
	p.t.Helper()
	for need := 2; ; need = zmtp.MaxHeader {
		b, err := p.in.Peek(need)
		if err != nil {
			p.t.Fatal(err)
		}
		h, n, err := zmtp.ParseHeader(b, limit)
		if err != nil {
			p.t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		_, _ = p.in.Discard(n)
		body := make([]byte, h.Size)
		if _, err := io.ReadFull(p.in, body); err != nil {
			p.t.Fatal(err)
		}
		return h, body
	}
}

// shake exchanges greetings and goes through the handshake to its end or error.
func (p *peer) shake(m zmtp.Mechanism, asServer bool) error {
	p.t.Helper()
	local := zmtp.Greeting{Major: zmtp.Major, Minor: zmtp.Minor, Mechanism: m.Name(), AsServer: asServer}
	p.write(zmtp.AppendGreeting(nil, local))
	b := make([]byte, zmtp.GreetingSize)
	if _, err := io.ReadFull(p.in, b); err != nil {
		p.t.Fatal(err)
	}
	g, _, err := zmtp.ParseGreeting(b)
	if err != nil {
		return err
	}
	if p.minor, err = zmtp.Negotiate(local, g); err != nil {
		return err
	}
	for in := []byte(nil); ; {
		out, done, err := m.Next(in)
		if out != nil {
			p.write(append(zmtp.AppendHeader(nil, zmtp.FrameHeader{Command: true, Size: uint64(len(out))}), out...))
		}
		if err != nil || done {
			p.w = m.Wrapper()
			return err
		}
		h, body := p.read(zmtp.MaxHandshake)
		if !h.Command {
			p.t.Fatalf("a message in the handshake: %q", body)
		}
		in = body
	}
}

// frame returns the next frame, decrypted if need be.
func (p *peer) frame() (more, command bool, body []byte) {
	p.t.Helper()
	h, body := p.read(1 << 20)
	if p.w == nil {
		return h.More, h.Command, body
	}
	more, command, body, err := p.w.Unwrap(body)
	if err != nil {
		p.t.Fatal(err)
	}
	return more, command, body
}

func (p *peer) send(more, command bool, body []byte) {
	p.t.Helper()
	if p.w != nil {
		p.write(must(p.w.Wrap(nil, more, command, body)))
		return
	}
	p.write(append(zmtp.AppendHeader(nil, zmtp.FrameHeader{More: more, Command: command, Size: uint64(len(body))}), body...))
}

// exchange gets the script's message and sends one that it has to print.
func (p *peer) exchange() {
	p.t.Helper()
	for _, want := range []string{"from python", "", strings.Repeat("x", 300)} {
		more, command, body := p.frame()
		if command || string(body) != want || more != (len(want) < 300) {
			p.t.Fatalf("frame %q, more %v, command %v", body, more, command)
		}
	}
	frames := []string{"to python", "", strings.Repeat("y", 70000)}
	for i, f := range frames {
		p.send(i < 2, false, []byte(f))
	}
	for _, f := range frames {
		if got := p.line(); got != hex.EncodeToString([]byte(f)) {
			p.t.Fatalf("the script got %.80s of %d", got, len(got))
		}
	}
}

func TestPeer(t *testing.T) {
	python(t)
	dealer := says(zmtp.Dealer, "go")
	pyKeys := zmtp.GenerateKeyPair()
	py := []string{"public=" + pyKeys.Public().String(), "secret=" + pyKeys.Secret().Z85()}
	for _, test := range []struct {
		mechanism string
		asServer  bool
		m         func() zmtp.Mechanism
		args      []string
		user      string
	}{
		{zmtp.NULL, false, func() zmtp.Mechanism { return must(zmtp.NewNULL(dealer)) }, nil, ""},
		{
			zmtp.PLAIN, false,
			func() zmtp.Mechanism { return must(zmtp.NewPLAINClient("admin", "secret", dealer)) },
			nil, "",
		},
		{
			zmtp.PLAIN, true,
			func() zmtp.Mechanism {
				return must(zmtp.NewPLAINServer(zmtp.AllowUsers(map[string]string{"admin": "secret"}), dealer))
			},
			[]string{"user=admin", "password=secret"},
			"admin",
		},
		{
			zmtp.CURVE, false,
			func() zmtp.Mechanism { return must(zmtp.NewCURVEClient(clientKeys, pyKeys.Public(), dealer)) },
			py, "",
		},
		{
			zmtp.CURVE, true,
			func() zmtp.Mechanism {
				return must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowKeys(pyKeys.Public()), dealer))
			},
			append(py, "serverkey="+serverKeys.Public().String()), pyKeys.Public().String(),
		},
	} {
		for _, weBind := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/server=%v/bind=%v", test.mechanism, test.asServer, weBind), func(t *testing.T) {
				role := "server"
				if test.asServer {
					role = "client"
				}
				p := meet(t, weBind, test.mechanism, role, "DEALER", test.args...)
				m := test.m()
				if err := p.shake(m, test.asServer); err != nil {
					t.Fatal(err)
				}
				if m.Peer().SocketType() != zmtp.Dealer || string(m.Peer().Identity()) != "py" || m.User() != test.user || p.minor != 1 {
					t.Errorf("%+v, user %q, 3.%d", m.Peer(), m.User(), p.minor)
				}
				p.exchange()
			})
		}
	}
}

func TestPeerDenied(t *testing.T) {
	python(t)
	dealer := says(zmtp.Dealer, "")
	pyKeys := zmtp.GenerateKeyPair()
	py := []string{"public=" + pyKeys.Public().String(), "secret=" + pyKeys.Secret().Z85()}
	for _, test := range []struct {
		name, mechanism, role string
		m                     zmtp.Mechanism
		args                  []string
		want                  error
	}{
		{
			"PLAIN, libzmq denies", zmtp.PLAIN, "server",
			must(zmtp.NewPLAINClient("admin", "guess", dealer)), nil, zmtp.ErrRefused,
		},
		{
			"CURVE, libzmq denies", zmtp.CURVE, "server",
			must(zmtp.NewCURVEClient(clientKeys, pyKeys.Public(), dealer)), append(py, "deny=1"), zmtp.ErrRefused,
		},
		{
			"PLAIN, libzmq is denied", zmtp.PLAIN, "client",
			must(zmtp.NewPLAINServer(zmtp.AllowUsers(map[string]string{"admin": "secret"}), dealer)),
			[]string{"user=admin", "password=guess"},
			zmtp.ErrAuth,
		},
		{
			"CURVE, libzmq is denied", zmtp.CURVE, "client",
			must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowKeys(clientKeys.Public()), dealer)),
			append(py, "serverkey="+serverKeys.Public().String()), zmtp.ErrAuth,
		},
		{
			"CURVE, libzmq has another server's key", zmtp.CURVE, "client",
			must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, dealer)),
			append(py, "serverkey="+clientKeys.Public().String()), zmtp.ErrAuth,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := meet(t, test.role == "client", test.mechanism, test.role, "DEALER", test.args...)
			err := p.shake(test.m, test.role == "client")
			wantErr(t, err, test.want, "")
			if test.want == zmtp.ErrRefused {
				wantErr(t, err, zmtp.ErrAuth, "400")
			}
		})
	}
}

// libzmq's PINGs, in the clear and inside of CURVE, and its subscriptions.
func TestPeerCommands(t *testing.T) {
	python(t)
	pyKeys := zmtp.GenerateKeyPair()
	py := []string{
		"public=" + pyKeys.Public().String(), "secret=" + pyKeys.Secret().Z85(),
		"serverkey=" + serverKeys.Public().String(), "heartbeat=100",
	}
	for _, mechanism := range []string{zmtp.NULL, zmtp.CURVE} {
		t.Run(mechanism, func(t *testing.T) {
			p := meet(t, true, mechanism, "client", "SUB", py...)
			m := must(zmtp.NewNULL(says(zmtp.Pub, "")))
			if mechanism == zmtp.CURVE {
				m = must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Pub, "")))
			}
			if err := p.shake(m, mechanism == zmtp.CURVE); err != nil {
				t.Fatal(err)
			}
			subscribed, pinged := false, 0
			for !subscribed || pinged < 2 {
				_, command, body := p.frame()
				s, ok, err := zmtp.ParseSubscription(command, body)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					if s.Cancel || string(s.Topic) != "topic" || !command {
						t.Fatalf("subscription %+v, as a command %v", s, command)
					}
					subscribed = true
					continue
				}
				c := must(zmtp.ParseCommand(body))
				if !command || c.Name != "PING" {
					t.Fatalf("%+v, command %v", c, command)
				}
				ping := must(zmtp.ParsePing(c.Data))
				if ping.TTL != 3*time.Second {
					t.Errorf("PING with TTL %v", ping.TTL)
				}
				p.send(false, true, zmtp.AppendPong(nil, ping.Context))
				pinged++
			}
			context := []byte("0123456789abcdef")
			p.send(false, true, zmtp.AppendPing(nil, zmtp.Ping{TTL: time.Minute, Context: context}))
			for {
				_, command, body := p.frame()
				if c := must(zmtp.ParseCommand(body)); command && c.Name == "PONG" {
					if got := must(zmtp.ParsePong(c.Data)); !bytes.Equal(got, context) {
						t.Errorf("PONG with %q", got)
					}
					break
				}
			}
			p.send(false, false, []byte("other"))
			p.send(true, false, []byte("topic"))
			p.send(false, false, []byte("news"))
			if a, b := p.line(), p.line(); a != hex.EncodeToString([]byte("topic")) || b != hex.EncodeToString([]byte("news")) {
				t.Errorf("the script got %s, %s", a, b)
			}
		})
	}
}
