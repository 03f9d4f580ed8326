package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pyzmq runs a program of Python with pyzmq, or skips the test where there is
// none. args are its sys.argv from 1 on.
func pyzmq(t *testing.T, program string, args ...string) (output func() string) {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import zmq").Run() != nil {
			continue
		}
		const prelude = "import sys, zmq\nctx = zmq.Context()\ndef sock(t):\n s = ctx.socket(t); s.linger = 20000; s.rcvtimeo = s.sndtimeo = 20000; return s\n"
		cmd := exec.Command(python, append([]string{"-c", prelude + program}, args...)...)
		var out, say lockedBuffer
		cmd.Stdout, cmd.Stderr = &out, &say
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		return func() string {
			t.Helper()
			if err := <-ended; err != nil {
				t.Fatalf("python: %v\n%s", err, say.String())
			}
			return out.String()
		}
	}
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatal("python3 with pyzmq is required")
	}
	t.Skip("SKIPPED, NOT TESTED AGAINST LIBZMQ: there is no python3 with pyzmq")
	return nil
}

// TestRecvFromPyzmq prints what libzmq sends.
func TestRecvFromPyzmq(t *testing.T) {
	recv := launch(t, nil, "recv", "--type", "pull", "-n", "3", "--raw", "--bind", anyPort)
	sent := pyzmq(t, `
s = sock(zmq.PUSH); s.connect(sys.argv[1])
s.send(b'hello'); s.send_multipart([b'', b'\x00\xff', b'a\tb']); s.send(b'')
s.close(); ctx.term()
`, strings.TrimPrefix(recv.address(), "zmq+"))
	sent()
	if got, want := recv.wait(), "hello\n\t\\x00\\xff\ta\\tb\n\n"; got != want {
		t.Errorf("received %q; want %q", got, want)
	}
}

// TestSendToPyzmq has libzmq print what is sent, to a subscriber.
func TestSendToPyzmq(t *testing.T) {
	send := launch(t, strings.NewReader("1\ta\n2\t\n"), "send", "--type", "pub", "--raw", "--bind", "--wait", "1", "--topic", "news", anyPort)
	got := pyzmq(t, `
s = sock(zmq.SUB); s.subscribe(b'ne'); s.connect(sys.argv[1])
for i in range(2): print(s.recv_multipart())
`, strings.TrimPrefix(send.address(), "zmq+"))
	if got, want := got(), "[b'news', b'1', b'a']\n[b'news', b'2', b'']\n"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	send.wait()
}

// TestRequestsToPyzmq asks a REP of libzmq, over CURVE.
func TestRequestsToPyzmq(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	public, err := execute("", "keygen", secret)
	if err != nil {
		t.Fatal(err)
	}
	url := ipc(t)
	answered := pyzmq(t, `
s = sock(zmq.REP); s.curve_server = True; s.curve_secretkey = open(sys.argv[2], 'rb').read().strip(); s.curve_publickey = sys.argv[3].strip().encode()
s.bind(sys.argv[1])
for i in range(2): m = s.recv_multipart(); s.send_multipart([f[::-1] for f in m])
s.close(); ctx.term()
`, strings.TrimPrefix(url, "zmq+"), secret, public)
	send := launch(t, strings.NewReader("ab\tcd\nef\n"), "send", "-t", "req", "--raw", "--curve-server", strings.TrimSpace(public), url)
	if got := send.wait(); got != "ba\tdc\nfe\n" {
		t.Errorf("replies %q", got)
	}
	answered()
}

// TestMessageFromPyzmq reads the segments that pycapnp's users send as frames.
func TestMessageFromPyzmq(t *testing.T) {
	dir := files(t, map[string]string{"point.capnp": pointSchema})
	schema := filepath.Join(dir, "point.capnp")
	flat := filepath.Join(dir, "flat")
	if _, err := execute("(x = 5, label = \"five\")", "encode", "--flat", "-o", flat, schema, "Point"); err != nil {
		t.Fatal(err)
	}
	recv := launch(t, nil, "recv", "-t", "router", "--envelope", "2", "-n", "1", "--bind", anyPort, schema, "Point")
	sent := pyzmq(t, `
s = sock(zmq.REQ); s.identity = b'\x01me'; s.connect(sys.argv[1]); s.send(open(sys.argv[2], 'rb').read())
s.close(); ctx.term()
`, strings.TrimPrefix(recv.address(), "zmq+"), flat)
	sent()
	if got, want := recv.wait(), "\\x01me\t\t{\"x\":5,\"y\":0,\"label\":\"five\"}\n"; got != want {
		t.Errorf("received %q; want %q", got, want)
	}
}

// TestProxyBetweenPyzmq joins a publisher and a subscriber of libzmq.
func TestProxyBetweenPyzmq(t *testing.T) {
	front, back := ipc(t), ipc(t)
	launch(t, nil, "proxy", "xsub:xpub", front, back)
	got := pyzmq(t, `
p = sock(zmq.XPUB); p.connect(sys.argv[1]); s = sock(zmq.SUB); s.subscribe(b't'); s.connect(sys.argv[2])
print(p.recv())
p.send_multipart([b'other', b'0']); p.send_multipart([b'topic', b'1'])
print(s.recv_multipart())
s.unsubscribe(b't'); print(p.recv())
`, strings.TrimPrefix(front, "zmq+"), strings.TrimPrefix(back, "zmq+"))
	if got, want := got(), "b'\\x01t'\n[b'topic', b'1']\nb'\\x00t'\n"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}
