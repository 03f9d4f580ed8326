package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// patience is how long something may take that is not expected to take long.
const patience = 30 * time.Second

// A running command is one in a goroutine.
type running struct {
	t        *testing.T
	name     string
	cancel   context.CancelFunc
	out, say lockedBuffer
	ended    chan struct{}
	err      error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// launch runs a command beside the test.
func launch(t *testing.T, stdin io.Reader, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r := &running{t: t, name: strings.Join(args, " "), cancel: cancel, ended: make(chan struct{})}
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(&r.out)
	cmd.SetErr(&r.say)
	go func() {
		defer close(r.ended)
		r.err = cmd.ExecuteContext(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

// wait waits for the end, and gives what was printed.
func (r *running) wait() string {
	r.t.Helper()
	<-r.ended
	if r.err != nil {
		r.t.Fatalf("%s: %v\n%s", r.name, r.err, r.say.String())
	}
	return r.out.String()
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// address is where a command listens that was told to take any port.
func (r *running) address() string {
	r.t.Helper()
	const told = "fairlead: listening at "
	until(r.t, "an address", func() bool { return strings.Contains(r.say.String(), told) && strings.HasSuffix(r.say.String(), "\n") })
	_, rest, _ := strings.Cut(r.say.String(), told)
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

const anyPort = "zmq+tcp://127.0.0.1:*"

// ipc gives a URL of a socket file that no other test uses.
func ipc(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // short, for the name of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return "zmq+ipc://" + filepath.Join(dir, "s")
}

// TestSendRecv sends from every type to every type that it can talk to.
func TestSendRecv(t *testing.T) {
	for _, tc := range []struct{ send, recv string }{
		{"push", "pull"},
		{"dealer", "dealer"},
		{"pair", "pair"},
		{"PUSH", "Pull"},
		{"pub", "sub"},
		{"pub", "xsub"},
		{"xpub", "sub"},
		{"xpub", "xsub"},
		{"dealer", "router"},
	} {
		for _, bound := range []string{"send", "recv"} {
			t.Run(tc.send+" to "+tc.recv+", "+bound+" bound", func(t *testing.T) {
				url := ipc(t)
				sendArgs := []string{"send", "-t", tc.send, "--raw", "--wait", "1", url}
				recvArgs := []string{"recv", "-t", tc.recv, "--raw", "-n", "3", url}
				if bound == "send" {
					sendArgs = append(sendArgs, "--bind")
				} else {
					recvArgs = append(recvArgs, "--bind")
				}
				if tc.recv == "router" {
					sendArgs = append(sendArgs, "--id", "me")
				}
				recv := launch(t, nil, recvArgs...)
				send := launch(t, strings.NewReader("one\ntwo\t\\x00\n\n"), sendArgs...)
				want := "one\ntwo\t\\x00\n\n"
				if tc.recv == "router" {
					want = "me\tone\nme\ttwo\t\\x00\nme\t\n"
				}
				if got := recv.wait(); got != want {
					t.Errorf("received %q; want %q", got, want)
				}
				if got := send.wait(); got != "" {
					t.Errorf("send printed %q", got)
				}
			})
		}
	}
}

// TestSendRecvMessages exchanges messages by a schema, in each format.
func TestSendRecvMessages(t *testing.T) {
	dir := files(t, map[string]string{"point.capnp": pointSchema})
	schema := filepath.Join(dir, "point.capnp")
	const text, json = "(x = 1, y = 0, label = \"a\")\n(x = 2, y = 0)\n", "{\"x\":1,\"y\":0,\"label\":\"a\"}\n{\"x\":2,\"y\":0}\n"
	binary, err := execute(text, "encode", schema, "Point")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		in, out, stdin, want string
	}{
		{"json", "json", json, json},
		{"text", "text", text, text},
		{"text", "json", text, json},
		{"binary", "json", binary, json},
		{"json", "binary", json, binary},
		{"json", "packed", json, toPacked(t, binary)},
	} {
		t.Run(tc.in+" to "+tc.out, func(t *testing.T) {
			url := ipc(t)
			recvArgs, sendArgs := []string{"recv", "--bind", "-n", "2", "--format", tc.out, url}, []string{"send", "--format", tc.in, url}
			if tc.out == "json" || tc.out == "text" {
				recvArgs = append(recvArgs, schema, "Point")
			}
			if tc.in == "json" || tc.in == "text" {
				sendArgs = append(sendArgs, schema, "Point")
			}
			recv := launch(t, nil, recvArgs...)
			launch(t, strings.NewReader(tc.stdin), sendArgs...).wait()
			if got := recv.wait(); got != tc.want {
				t.Errorf("received %q; want %q", got, tc.want)
			}
		})
	}
}

func toPacked(t *testing.T, binary string) string {
	t.Helper()
	packed, err := execute(binary, "convert", "binary:packed")
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestTopics(t *testing.T) {
	schema := filepath.Join(files(t, map[string]string{"point.capnp": pointSchema}), "point.capnp")
	url := ipc(t)
	first := launch(t, nil, "recv", "-t", "sub", "--topic", "oslo", "--topic", `ber\x67en`, "-n", "2", url, schema, "Point")
	send := func(topic, x string) {
		t.Helper()
		launch(t, strings.NewReader(`{"x": `+x+`}`), "send", "-t", "pub", "--bind", "--wait", "2", "--topic", topic, url, schema, "Point").wait()
	}
	send("oslo.north", "1")
	send("bergen", "2")
	if got, want := first.wait(), "oslo.north\t{\"x\":1,\"y\":0}\nbergen\t{\"x\":2,\"y\":0}\n"; got != want {
		t.Errorf("received %q; want %q", got, want)
	}
	// Of two topics one is wanted. What comes without any has no frame for it.
	second := launch(t, nil, "recv", "-t", "sub", "--bind", "--topic", "b", "-n", "1", "--raw", url)
	out := launch(t, strings.NewReader("a\t1\nb\t2\n"), "send", "-t", "pub", "--wait", "1", "--raw", url)
	out.wait()
	if got := second.wait(); got != "b\t2\n" {
		t.Errorf("received %q", got)
	}
}

// TestRequests asks and answers, with replies of another type too.
func TestRequests(t *testing.T) {
	schema := filepath.Join(files(t, map[string]string{"q.capnp": "@0xe1f2a3b4c5d6e7f1; struct Q { n @0 :Int32; } struct A { text @0 :Text; }"}), "q.capnp")
	for _, tc := range []struct {
		name                           string
		args                           []string
		requests, replies, asked, told string
	}{
		{"raw", []string{"--raw"}, "1\n2\tx\n", "one\ntwo\t\n", "1\n2\tx\n", "one\ntwo\t\n"},
		{
			"by a schema",
			[]string{schema, "Q", "--reply", "A"},
			`{"n":1} {"n":2}`, `{"text":"one"} {"text":"two"}`, "{\"n\":1}\n{\"n\":2}\n", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n",
		},
		{"of the same type", []string{schema, "Q"}, `{"n":1}{"n":2}`, `{"n":3}{"n":4}`, "{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n{\"n\":4}\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := ipc(t)
			rep := launch(t, strings.NewReader(tc.replies), append([]string{"recv", "-t", "rep", "--bind", "-n", "2", url}, tc.args...)...)
			req := launch(t, strings.NewReader(tc.requests), append([]string{"send", "-t", "req", url}, tc.args...)...)
			if got := req.wait(); got != tc.told {
				t.Errorf("replies %q; want %q", got, tc.told)
			}
			if got := rep.wait(); got != tc.asked {
				t.Errorf("requests %q; want %q", got, tc.asked)
			}
		})
	}
	t.Run("no reply", func(t *testing.T) {
		url := ipc(t)
		rep := launch(t, strings.NewReader(""), "recv", "-t", "rep", "--bind", "--raw", url)
		launch(t, strings.NewReader("1\n"), "send", "-t", "req", "--raw", url)
		<-rep.ended
		if !errors.Is(rep.err, errNoReply) || rep.out.String() != "1\n" {
			t.Errorf("%v, %q", rep.err, rep.out.String())
		}
	})
}

// TestRouter sends to the one of two that is named.
func TestRouter(t *testing.T) {
	schema := filepath.Join(files(t, map[string]string{"point.capnp": pointSchema}), "point.capnp")
	url := ipc(t)
	one := launch(t, nil, "recv", "-t", "dealer", "--id", "one", "-n", "1", url, schema, "Point")
	two := launch(t, nil, "recv", "-t", "dealer", "--id", "two", "-n", "1", url, schema, "Point")
	for _, id := range []string{"two", "one"} {
		launch(t, strings.NewReader(`{"label": "to `+id+`"}`), "send", "-t", "router", "--bind", "--wait", "2", "--to", id, url, schema, "Point").wait()
		if id == "two" {
			two.wait()
			two = launch(t, nil, "recv", "-t", "dealer", "--id", "two", "-n", "1", url, schema, "Point")
		}
	}
	if got := one.wait(); !strings.Contains(got, "to one") {
		t.Errorf("one received %q", got)
	}
	nobody := launch(t, strings.NewReader("nobody\tx\n"), "send", "-t", "router", "--raw", "--bind", ipc(t))
	<-nobody.ended
	if !errors.Is(nobody.err, zmq.ErrUnroutable) {
		t.Errorf("%v; want that there is no such peer", nobody.err)
	}
}

// TestUnreadable leaves out what is no message of the type.
func TestUnreadable(t *testing.T) {
	schema := filepath.Join(files(t, map[string]string{"point.capnp": pointSchema}), "point.capnp")
	recv := launch(t, nil, "recv", "--bind", "-n", "1", anyPort, schema, "Point")
	url := recv.address()
	// Not of whole words; a pointer out of bounds; and one that is read.
	raw := "short\n" + strings.Repeat(`\x01`, 8) + "\n" + strings.Repeat(`\x00`, 8) + "\n"
	launch(t, strings.NewReader(raw), "send", "--raw", url).wait()
	<-recv.ended
	if recv.err == nil || !strings.Contains(recv.err.Error(), "2 messages left out") || recv.out.String() != "{\"x\":0,\"y\":0}\n" {
		t.Errorf("%v, %q, %s", recv.err, recv.out.String(), recv.say.String())
	}
	if got := strings.Count(recv.say.String(), "fairlead: warning: "); got != 2 {
		t.Errorf("%d warnings:\n%s", got, recv.say.String())
	}
}

// TestSendFaults tells which message it was.
func TestSendFaults(t *testing.T) {
	schema := filepath.Join(files(t, map[string]string{"point.capnp": pointSchema}), "point.capnp")
	for _, tc := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"raw", "a\nb\\\n", []string{"--raw"}, "send: message 2: line 2, frame 1"},
		{"JSON", `{"x": 1} {"z": 2, "x": "no"}`, []string{schema, "Point"}, "send: message 2: convert: message 2, at byte 9"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := ipc(t)
			launch(t, nil, "recv", "--bind", "--raw", url)
			send := launch(t, strings.NewReader(tc.stdin), append([]string{"send", url}, tc.args...)...)
			<-send.ended
			if send.err == nil || !strings.HasPrefix(send.err.Error(), tc.want) {
				t.Errorf("%v; want %q", send.err, tc.want)
			}
		})
	}
}

// TestWarnings tells why nothing comes.
func TestWarnings(t *testing.T) {
	url := ipc(t)
	send := launch(t, strings.NewReader("late\n"), "send", "--raw", url)
	until(t, "a warning", func() bool { return strings.Contains(send.say.String(), "warning: connect delayed") })
	if got := launch(t, nil, "recv", "--bind", "--raw", "-n", "1", url).wait(); got != "late\n" {
		t.Errorf("received %q", got)
	}
	send.wait()

	url = ipc(t)
	launch(t, nil, "recv", "-t", "rep", "--bind", "--raw", url)
	wrong := launch(t, strings.NewReader("x\n"), "send", "-t", "push", "--raw", url)
	until(t, "a warning", func() bool { return strings.Contains(wrong.say.String(), "handshake failed") })
	// It goes on trying until it is interrupted.
	wrong.cancel()
	<-wrong.ended
	if !errors.Is(wrong.err, context.Canceled) {
		t.Errorf("%v", wrong.err)
	}
}

func TestCount(t *testing.T) {
	url := ipc(t)
	recv := launch(t, nil, "recv", "--bind", "--raw", "-n", "2", url)
	launch(t, strings.NewReader("1\n2\n3\n"), "send", "-n", "2", "--raw", url).wait()
	if got := recv.wait(); got != "1\n2\n" {
		t.Errorf("received %q", got)
	}
}

// TestSecurity admits who may come in, and nobody else.
func TestSecurity(t *testing.T) {
	dir := t.TempDir()
	key := func(name string) (file, public string) {
		t.Helper()
		file = filepath.Join(dir, name)
		out, err := execute("", "keygen", file)
		if err != nil || len(out) != 41 {
			t.Fatalf("%v, %q", err, out)
		}
		return file, strings.TrimSpace(out)
	}
	server, serverKey := key("server")
	client, clientKey := key("client")
	stranger, _ := key("stranger")
	put := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if _, err := execute("", "keygen", server); err == nil {
		t.Error("keygen replaced a key")
	}
	allowed := put("allowed", "# who may come in\n"+clientKey+"\n")
	users := put("users", "alice secret of hers\nbob other\n")
	for _, tc := range []struct {
		name    string
		recv    []string
		send    []string
		refused []string
	}{
		{
			"CURVE",
			[]string{"--curve-secret", server, "--curve-allow", allowed},
			[]string{"--curve-secret", client, "--curve-server", serverKey},
			[]string{"--curve-secret", stranger, "--curve-server", serverKey},
		},
		{
			"PLAIN",
			[]string{"--plain-allow", users},
			[]string{"--plain-login", put("login", "alice secret of hers\n")},
			[]string{"--plain-login", put("wrong", "alice other\n")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			recv := launch(t, nil, append([]string{"recv", "--bind", "--raw", "-n", "1", anyPort}, tc.recv...)...)
			url := recv.address()
			bad := launch(t, strings.NewReader("stranger\n"), append([]string{"send", "--raw", url}, tc.refused...)...)
			until(t, "a refusal", func() bool { return strings.Contains(recv.say.String(), "handshake failed") })
			open := launch(t, strings.NewReader("open\n"), "send", "--raw", url)
			until(t, "another", func() bool { return strings.Contains(open.say.String(), "handshake failed") })
			launch(t, strings.NewReader("friend\n"), append([]string{"send", "--raw", url}, tc.send...)...).wait()
			if got := recv.wait(); got != "friend\n" {
				t.Errorf("received %q", got)
			}
			bad.cancel()
			open.cancel()
		})
	}
	for name, args := range map[string][]string{
		"no secret":         {"--curve-allow", allowed},
		"not a key":         {"--curve-server", "xyz"},
		"a missing file":    {"--plain-login", filepath.Join(dir, "missing")},
		"an empty file":     {"--plain-login", put("empty", "\n# nothing\n")},
		"no password":       {"--plain-login", put("half", "alice\n")},
		"not a secret":      {"--curve-server", serverKey, "--curve-secret", put("bad", "private words\n")},
		"two secrets":       {"--curve-server", serverKey, "--curve-secret", put("two", read(t, server)+read(t, client))},
		"secret without":    {"--curve-secret", server},
		"client and server": {"--curve-server", serverKey, "--curve-allow", allowed},
		"too long":          {"--plain-login", put("long", "alice "+strings.Repeat("x", 256)+"\n")},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := execute("", append([]string{"send", "--raw", ipc(t)}, args...)...)
			if err == nil || strings.Contains(err.Error()+out, "private") {
				t.Errorf("%v, %q; want an error that keeps secrets", err, out)
			}
		})
	}
}

func TestSocketsMisused(t *testing.T) {
	schema := filepath.Join(files(t, map[string]string{"point.capnp": pointSchema}), "point.capnp")
	for _, args := range [][]string{
		{"send"},
		{"send", "--raw"},
		{"send", "point"},
		{"send", "zmq+tcp://127.0.0.1:1"},
		{"send", "zmq+tcp://127.0.0.1:1", schema},
		{"send", "zmq+tcp://127.0.0.1:1", schema, "Point", "more"},
		{"send", "--raw", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"send", "--raw", "--format", "text", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "--reply", "Point", "zmq+tcp://127.0.0.1:1"},
		{"send", "--reply", "Point", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"send", "--format", "yaml", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"send", "--raw", "zmq+inproc://here"},
		{"send", "--raw", "udp://127.0.0.1:1"},
		{"send", "--raw", "-t", "pull", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "-t", "nonsense", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "-n", "-1", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "--wait", "-1", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "--topic", "x", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "-t", "pub", "--topic", "x", "--topic", "y", "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "-t", "pub", "--topic", `\q`, "zmq+tcp://127.0.0.1:1"},
		{"send", "--raw", "--to", "x", "zmq+tcp://127.0.0.1:1"},
		{"send", "-t", "router", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"send", "-t", "xsub", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"send", "--raw", "--id", `\x00`, "--id", "\x00x", "zmq+tcp://127.0.0.1:1"},
		{"recv"},
		{"recv", "-t", "push", "--raw", "zmq+tcp://127.0.0.1:1"},
		{"recv", "-t", "req", "--raw", "zmq+tcp://127.0.0.1:1"},
		{"recv", "-t", "xpub", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"recv", "--topic", "x", "--raw", "zmq+tcp://127.0.0.1:1"},
		{"recv", "-t", "sub", "--topic", `\q`, "--raw", "zmq+tcp://127.0.0.1:1"},
		{"recv", "-t", "sub", "--topic", strings.Repeat("x", 5000), "--raw", "zmq+tcp://127.0.0.1:1"},
		{"recv", "--envelope", "-1", "zmq+tcp://127.0.0.1:1", schema, "Point"},
		{"recv", "--max-message-bytes", "0", "--raw", "zmq+tcp://127.0.0.1:1"},
		{"proxy", "pull:push", "zmq+tcp://127.0.0.1:*"},
		{"proxy", "push:pull", anyPort, anyPort},
		{"proxy", "pull:push", "here", anyPort},
		{"proxy", "pull:push", "--max-message-bytes", "-1", anyPort, anyPort},
		{"keygen"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			_, err := execute("", args...)
			var misused *usageError
			if !errors.As(err, &misused) {
				t.Errorf("%v; want that the command line makes no sense", err)
			}
		})
	}
	// These make sense, and fail.
	for _, args := range [][]string{
		{"recv", "--raw", "--bind", "zmq+tcp://host.invalid:1"},
		{"recv", "--raw", "zmq+tcp://127.0.0.1:*"},
		{"recv", "--raw", "zmq+tcp://127.0.0.1"},
		{"proxy", "pull:push", anyPort, "zmq+tcp://127.0.0.1"},
		{"send", anyPort, schema, "Missing"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			_, err := execute("", args...)
			var misused *usageError
			if err == nil || errors.As(err, &misused) {
				t.Errorf("%v; want a failure", err)
			}
		})
	}
}

func TestProxy(t *testing.T) {
	for _, tc := range []struct {
		pair, send, recv string
		stdin            string // of the receiver
		want, back       string
	}{
		{"pull:push", "push", "pull", "", "1\n2\n", ""},
		{"xsub:xpub", "pub", "sub", "", "1\n2\n", ""},
		{"router:dealer", "req", "rep", "one\ntwo\n", "1\n2\n", "one\ntwo\n"},
	} {
		t.Run(tc.pair, func(t *testing.T) {
			front, back := ipc(t), ipc(t)
			proxy := launch(t, nil, "proxy", tc.pair, front, back)
			recv := launch(t, strings.NewReader(tc.stdin), "recv", "-t", tc.recv, "--raw", "-n", "2", back)
			send := launch(t, strings.NewReader("1\n2\n"), "send", "-t", tc.send, "--raw", "--wait", "1", front)
			if got := recv.wait(); got != tc.want {
				t.Errorf("received %q; want %q", got, tc.want)
			}
			if got := send.wait(); got != tc.back {
				t.Errorf("replies %q; want %q", got, tc.back)
			}
			proxy.cancel()
			<-proxy.ended
			if !errors.Is(proxy.err, context.Canceled) || !strings.HasPrefix(proxy.out.String(), "in 2 messages") {
				t.Errorf("%v, %q; want that it was interrupted after two", proxy.err, proxy.out.String())
			}
		})
	}
}

// TestProxyCounts shows on a terminal what passes.
func TestProxyCounts(t *testing.T) {
	pull, push := zmq.NewPull(), zmq.NewPush()
	defer pull.Close()
	defer push.Close()
	p := &proxy{zmq.NewProxy(pull, push, nil), &station{Socket: pull}, &station{Socket: push}}
	var shown lockedBuffer
	stop := p.show(&shown)
	until(t, "a line", func() bool { return strings.Contains(shown.String(), "in 0 messages, 0 bytes; ") })
	stop()
	if !strings.HasSuffix(shown.String(), "\r\x1b[K") {
		t.Errorf("%q; want that the line is cleared", shown.String())
	}
	if stop := p.show(nil); stop == nil {
		t.Error("no way to stop what is not shown")
	}
}

// TestManyMessages loses none on the way.
func TestManyMessages(t *testing.T) {
	const n = 20_000
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "%d\n", i)
	}
	url := ipc(t)
	recv := launch(t, nil, "recv", "--bind", "--raw", "-n", fmt.Sprint(n), url)
	launch(t, strings.NewReader(all.String()), "send", "--raw", url).wait()
	if got := recv.wait(); got != all.String() {
		t.Errorf("received %d bytes, want %d", len(got), all.Len())
	}
}
