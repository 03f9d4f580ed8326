package gozmq_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
)

// These tests talk to libzmq through pyzmq, about messages of the capnp tool:
// the wire of pycapnp's users.

// missing skips a test, or fails it where peers are required.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatalf("%s is required and not installed", what)
	}
	t.Skipf("SKIPPED: %s is not installed", what)
}

// findPython finds an interpreter that has pyzmq; a system's own may stand behind
// another one in PATH.
var findPython = sync.OnceValue(func() string {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		cmd := exec.Command(name, "-c", "import zmq; zmq.Context")
		cmd.Dir = "testdata" // where no folder is called zmq
		if cmd.Run() == nil {
			return name
		}
	}
	return ""
})

func capnp(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		missing(t, "the capnp tool")
	}
	cmd := exec.Command(path, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("capnp %v: %v %s", args, err, said.Bytes())
	}
	return out
}

func decode(t *testing.T, framed []byte) string {
	t.Helper()
	return string(capnp(t, framed, "decode", "--short", "testdata/reading.capnp", "Reading"))
}

// A helper is pyzmq at work.
type helper struct {
	cmd      *exec.Cmd
	endpoint string // what it is bound or connected to
	out      bytes.Buffer
	said     bytes.Buffer
	rest     chan struct{} // closed when all it said is read
}

func start(t *testing.T, stdin []byte, args ...string) *helper {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	python := findPython()
	if python == "" {
		missing(t, "pyzmq")
	}
	h := &helper{cmd: exec.CommandContext(ctx, python, append([]string{"peer.py"}, args...)...), rest: make(chan struct{})}
	h.cmd.Dir = "testdata"
	h.cmd.Stdin, h.cmd.Stdout = bytes.NewReader(stdin), &h.out
	stderr, err := h.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(stderr)
	line, _ := r.ReadString('\n')
	h.endpoint = strings.TrimSpace(line)
	go func() {
		io.Copy(&h.said, r)
		close(h.rest)
	}()
	return h
}

// end gives what the helper wrote.
func (h *helper) end(t *testing.T) []byte {
	t.Helper()
	<-h.rest
	if err := h.cmd.Wait(); err != nil {
		t.Fatalf("pyzmq: %v: %s\n%s", err, h.endpoint, h.said.Bytes())
	}
	return h.out.Bytes()
}

// toolMade is a message of the capnp tool, in many segments or in one.
func toolMade(t *testing.T, segmentWords int) (framed []byte, text string) {
	t.Helper()
	text = `(station = "Troll", at = 1763769600, values = [-21.5, 0.25], notes = [`
	for i := range 40 {
		text += fmt.Sprintf("%q, ", strings.Repeat(string(rune('a'+i%26)), 3*i))
	}
	text += `"end"])`
	return capnp(t, []byte(text), "encode", fmt.Sprintf("--segment-size=%d", segmentWords), "testdata/reading.capnp", "Reading"), text
}

// ourOwn is a message of the same schema that is built here, in many segments.
func ourOwn(a *poisoner) *segment.Message {
	msg := segment.NewSized(a, 16)
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 3})
	root.SetText(0, "Halley")
	root.SetUint64(0, 42)
	notes := root.Ptr(2).NewPtrs(60)
	for i := range 60 {
		notes.At(i).SetText(strings.Repeat("n", 50*i))
	}
	return msg
}

var interop = []struct {
	name     string
	ours     maker
	theirs   string
	sends    bool // we speak first
	answers  bool
	envelope []string // what pyzmq sends before its segments, or gets
	send     [][]byte // what we send before ours, when we speak first
	recv     gozmq.RecvOptions
}{
	{name: "PUSH to PULL", ours: zmq4.NewPush, theirs: "PULL", sends: true},
	{name: "PULL from PUSH", ours: zmq4.NewPull, theirs: "PUSH"},
	{name: "PUB to SUB", ours: zmq4.NewPub, theirs: "SUB", sends: true, envelope: []string{"ice"}, send: frames("ice")},
	{name: "SUB from XPUB", ours: zmq4.NewSub, theirs: "XPUB", envelope: []string{"ice"}, recv: gozmq.RecvOptions{Envelope: 1}},
	{name: "PAIR to PAIR", ours: zmq4.NewPair, theirs: "PAIR", sends: true, answers: true},
	{name: "PAIR from PAIR", ours: zmq4.NewPair, theirs: "PAIR", answers: true},
	{name: "REQ to REP", ours: zmq4.NewReq, theirs: "REP", sends: true, answers: true},
	{name: "REP from REQ", ours: zmq4.NewRep, theirs: "REQ", answers: true},
	{name: "ROUTER from REQ", ours: zmq4.NewRouter, theirs: "REQ", answers: true, recv: gozmq.RecvOptions{Envelope: gozmq.Delimited}},
	{name: "ROUTER from DEALER", ours: zmq4.NewRouter, theirs: "DEALER", answers: true, recv: gozmq.RecvOptions{Envelope: 1}},
	{name: "DEALER to ROUTER", ours: zmq4.NewDealer, theirs: "ROUTER", sends: true, answers: true},
	{name: "DEALER to REP", ours: zmq4.NewDealer, theirs: "REP", sends: true, answers: true, send: frames(""), recv: gozmq.RecvOptions{Envelope: 1}},
	{name: "REP from DEALER", ours: zmq4.NewRep, theirs: "DEALER", answers: true, envelope: []string{""}},
}

func TestInteropPyzmq(t *testing.T) {
	tool, toolText := toolMade(t, 16)
	if n := 1 + int(tool[0]); n < 10 {
		t.Fatalf("the capnp tool made %d segments; the tests are for many", n)
	}
	for _, tc := range interop {
		for _, transport := range []string{"tcp", "ipc"} {
			for _, weBind := range []bool{true, false} {
				if weBind != (transport == "tcp") && os.Getenv("FAIRLEAD_REQUIRE_PEERS") != "1" {
					continue // half of the matrix has each transport and each side too
				}
				side := "we bind"
				if !weBind {
					side = "they bind"
				}
				t.Run(tc.name+"/"+transport+"/"+side, func(t *testing.T) {
					sock := open(t, tc.ours, named("ours"))
					if sock.Type() == zmq4.Sub {
						if err := sock.SetOption(zmq4.OptionSubscribe, "ic"); err != nil {
							t.Fatal(err)
						}
					}
					action, stdin := "send", tool
					switch {
					case tc.sends && tc.answers:
						action, stdin = "echo", nil
					case tc.sends:
						action, stdin = "recv", nil
					case tc.answers:
						action = "ask"
					}
					args := []string{tc.theirs, "connect", "", action}
					if weBind {
						args[2] = listen(t, sock, transport)
					} else {
						args[1], args[2] = "bind", "tcp://127.0.0.1:*"
						if transport == "ipc" {
							args[2] = "ipc://" + sockFile(t)
						}
					}
					h := start(t, stdin, append(args, tc.envelope...)...)
					if !weBind {
						dial(t, sock, h.endpoint)
					}
					if tc.sends {
						we(t, sock, h, tc.send, tc.recv, tc.answers)
					} else {
						they(t, sock, h, tc.recv, tc.answers, tool, toolText)
					}
				})
			}
		}
	}
}

// we sends a message of ours, which pyzmq gets and perhaps sends back.
func we(t *testing.T, sock zmq4.Socket, h *helper, envelope [][]byte, o gozmq.RecvOptions, answers bool) {
	if _, ok := sock.(zmq4.Topics); ok {
		subscribed(t, sock)
	}
	var want []byte
	eventually(t, "a peer for "+string(sock.Type()), func() bool {
		msg := ourOwn(new(poisoner))
		if n := msg.Segments(); n < 5 {
			t.Fatalf("%d segments; the test is for many", n)
		}
		want, _ = framing.Marshal(msg)
		err := gozmq.Send(sock, msg, envelope...)
		if err != nil && sock.Type() != zmq4.Req { // a REQ doesn't wait for a peer
			t.Fatal(err)
		}
		return err == nil
	})
	if answers {
		_, back := recv(t, sock, o)
		if got, err := framing.Marshal(back); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the answer is another message, %v", err)
		}
		back.Release()
	}
	got := h.end(t)
	if !bytes.Equal(got, want) {
		t.Fatal("pyzmq got other segments")
	}
	if said := decode(t, got); !strings.HasPrefix(said, `(station = "Halley", at = 42, notes = ["", "nnnn`) || strings.Count(said, "n") < 50*59*60/2 {
		t.Errorf("the capnp tool reads %.200s", said)
	}
}

// they receives the tool's message from pyzmq, in place, and sends it back if an
// answer is asked for.
func they(t *testing.T, sock zmq4.Socket, h *helper, o gozmq.RecvOptions, answers bool, tool []byte, text string) {
	counts := delta(func() {
		o.Verify = true
		env, msg := recv(t, sock, o)
		root := msg.Root().Struct()
		if root.Text(0) != "Troll" || root.Uint64(0) != 1763769600 || root.Ptr(2).Texts().At(40) != "end" {
			t.Errorf("read %q, %d", root.Text(0), root.Uint64(0))
		}
		got, err := framing.Marshal(msg)
		if err != nil || !bytes.Equal(got, tool) {
			t.Errorf("other segments arrived, %v", err)
		}
		if said := decode(t, got); !strings.Contains(said, `station = "Troll"`) || len(said) < len(text) {
			t.Errorf("the capnp tool reads %.200s", said)
		}
		if !answers {
			msg.Release()
			return
		}
		// A message that was received can be sent as it is.
		if err := gozmq.Send(sock, msg, env...); err != nil {
			t.Fatal(err)
		}
	})
	if counts.RecvCopied != 0 || counts.Received != 1 {
		t.Errorf("counts %+v; want a message read in place", counts)
	}
	got := h.end(t)
	if answers && !bytes.Equal(got, tool) {
		t.Error("pyzmq got another answer")
	}
}

// TestHazardHeartbeatsEndTheConnection: libzmq gives up a peer of zmq4, for it
// never answers.
func TestHazardHeartbeatsEndTheConnection(t *testing.T) {
	pull := open(t, zmq4.NewPull)
	h := start(t, nil, "PUSH", "connect", listen(t, pull, "tcp"), "beat")
	got := delta(func() {
		wantErr(t, pull, gozmq.RecvOptions{}, io.EOF)
	})
	if got.Commands == 0 {
		t.Error("no PING was skipped before the end")
	}
	if said := string(h.end(t)); said != "DISCONNECTED" {
		t.Errorf("libzmq says %q", said)
	}
}
