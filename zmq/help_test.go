package zmq_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// patience is how long something may take that is not expected to take long.
const patience = 10 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, typ zmq.Type, o ...zmq.Options) *zmq.Socket {
	t.Helper()
	s := zmq.New(typ, o...)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func bind(t testing.TB, s *zmq.Socket, endpoint string) string {
	t.Helper()
	actual, err := s.Bind(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return actual
}

func connect(t testing.TB, s *zmq.Socket, endpoint string) {
	t.Helper()
	if err := s.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
}

func send(t testing.TB, s *zmq.Socket, frames ...string) {
	t.Helper()
	if err := s.Send(within(t), byteFrames(frames)...); err != nil {
		t.Fatal(err)
	}
}

func byteFrames(frames []string) [][]byte {
	var b [][]byte
	for _, f := range frames {
		b = append(b, []byte(f))
	}
	return b
}

func recv(t testing.TB, s *zmq.Socket) []string {
	t.Helper()
	frames, err := s.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return texts(frames)
}

func texts(frames [][]byte) (s []string) {
	for _, f := range frames {
		s = append(s, string(f))
	}
	return s
}

func want(t testing.TB, s *zmq.Socket, frames ...string) {
	t.Helper()
	if got := recv(t, s); !equal(got, frames) {
		t.Fatalf("received %.200q, want %.200q", got, frames)
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// nothing fails if a message arrives in a short while.
func nothing(t testing.TB, s *zmq.Socket) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if frames, err := s.Recv(ctx); err == nil {
		t.Fatalf("received %.200q, want nothing", frames)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// transports are endpoints to bind.
func transports(t testing.TB) map[string]string {
	return map[string]string{
		"tcp":    "tcp://127.0.0.1:*",
		"ipc":    "ipc://" + filepath.Join(t.TempDir(), "s"),
		"inproc": "inproc://" + strings.ReplaceAll(t.Name(), "/", "-"),
	}
}

// A python is a child process with pyzmq that is told what to do line by line.
type python struct {
	t   testing.TB
	cmd *exec.Cmd
	in  *bufio.Writer
	out *bufio.Reader
	err bytes.Buffer
}

const pythonPrelude = `
import sys, zmq, binascii
ctx = zmq.Context()
socks = {}
def frames(words): return [b'' if w == '-' else binascii.unhexlify(w) for w in words]
def text(fs): return ' '.join('-' if len(f) == 0 else binascii.hexlify(f).decode() for f in fs)
for line in sys.stdin:
    w = line.split()
    if not w: continue
    try:
        r = 'ok'
        if w[0] == 'new':
            s = socks[w[1]] = ctx.socket(getattr(zmq, w[2])); s.linger = 2000; s.rcvtimeo = 20000; s.sndtimeo = 20000
        elif w[0] == 'opt':
            v = w[3]; o = getattr(zmq, w[2])
            v = int(v) if v.lstrip('-').isdigit() else v[2:].encode() if v.startswith('s:') else binascii.unhexlify(v)
            socks[w[1]].setsockopt(o, v)
        elif w[0] == 'bind': socks[w[1]].bind(w[2]); r = socks[w[1]].getsockopt(zmq.LAST_ENDPOINT).rstrip(b'\0').decode()
        elif w[0] == 'connect': socks[w[1]].connect(w[2])
        elif w[0] == 'send': socks[w[1]].send_multipart(frames(w[2:]))
        elif w[0] == 'recv': r = text(socks[w[1]].recv_multipart())
        elif w[0] == 'poll': r = str(socks[w[1]].poll(int(w[2])))
        elif w[0] == 'flood':
            for i in range(int(w[2])): socks[w[1]].send_multipart([b'%d' % i] + frames(w[3:]))
        elif w[0] == 'count':
            n = 0
            for i in range(int(w[2])):
                f = socks[w[1]].recv_multipart()
                if int(f[0]) != i: raise Exception('got %r, want %d' % (f[0], i))
                n += 1
            r = str(n)
        elif w[0] == 'close': socks[w[1]].close()
        else: exec(line[5:])
    except Exception as e:
        r = 'error %r' % (e,)
    print(r, flush=True)
ctx.destroy(linger=2000)
`

// startPython starts a peer with libzmq, or skips the test where there is none.
func startPython(t testing.TB) *python {
	t.Helper()
	const program = "/usr/bin/python3"
	if err := exec.Command(program, "-c", "import zmq").Run(); err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatalf("python3 with pyzmq is required: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED AGAINST LIBZMQ: python3 with pyzmq is not there: %v", err)
	}
	p := &python{t: t, cmd: exec.Command(program, "-c", pythonPrelude)}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in, p.out = bufio.NewWriter(in), bufio.NewReaderSize(out, 1<<20)
	t.Cleanup(func() {
		_ = in.Close()
		if t.Failed() {
			_ = p.cmd.Process.Kill()
			t.Logf("python: %s", p.err.String())
		}
		_ = p.cmd.Wait()
	})
	return p
}

// start gives an order without waiting for its outcome.
func (p *python) start(format string, args ...any) {
	p.t.Helper()
	fmt.Fprintf(p.in, format+"\n", args...)
	if err := p.in.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

// finish gives the outcome of the oldest order that was started.
func (p *python) finish() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	if err != nil || strings.HasPrefix(line, "error") {
		p.t.Fatalf("python: %s %v %s", line, err, p.err.String())
	}
	return line
}

func (p *python) do(format string, args ...any) string {
	p.t.Helper()
	p.start(format, args...)
	return p.finish()
}

// hexFrames is how python is told and tells frames.
func hexFrames(frames ...string) string {
	var words []string
	for _, f := range frames {
		if f == "" {
			words = append(words, "-")
		} else {
			words = append(words, hex.EncodeToString([]byte(f)))
		}
	}
	return strings.Join(words, " ")
}

// A failingListener is out of descriptors.
type failingListener struct{ calls atomic.Int64 }

func (l *failingListener) Accept() (net.Conn, error) {
	l.calls.Add(1)
	return nil, syscall.EMFILE
}
func (l *failingListener) Close() error   { return nil }
func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{} }
