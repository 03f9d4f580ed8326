package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A peer is a child process with libzmq. It reads orders, one a line, and answers
// each with one line: "ok" and what was asked for, or "error" and why. Words are
// separated by spaces.
//
//	version                      of libzmq
//	new NAME TYPE                a socket such as PUSH
//	set NAME OPTION int:N        an option, or hex:FRAME
//	bind NAME ENDPOINT           answers the actual endpoint
//	connect NAME ENDPOINT
//	send NAME FRAME...           waits for room
//	trysend NAME FRAME...        fails with EAGAIN if there is none
//	flood NAME COUNT FRAME...    messages that begin with a number of 8 digits
//	drain NAME COUNT FRAME...    receives what flood sends, and fails if it is not that
//	recv NAME                    answers FRAME...
//	poll NAME MILLISECONDS       answers 1 if a message can be received
//	close NAME
//
// The peer in C also has:
//
//	tryrecv NAME COUNT           up to so many messages, as ; FRAME... each
//	disconnect NAME ENDPOINT
//	unbind NAME ENDPOINT
//	state                        of each socket: its name, type, and whether it can receive and send
//
// The peer in Python also has:
//
//	monitor NAME                 watches a socket
//	event NAME MILLISECONDS      the next event's name and value, or NONE 0
//	zap PLAIN USER PASSWORD      lets a user in, both as FRAME
//	zap CURVE KEY                lets the owner of a public key in
//	asked                        how many were asked about, and who was last
//	sendsegments NAME PATH FRAME...  sends the message in a file, a frame each
//	                             segment, behind an envelope
//	recvsegments NAME PATH N     writes the message behind an envelope of N frames
//	                             to a file; answers its segments and the envelope
//
// A FRAME is hexadecimal, or - if it is empty, or #SIZE:SEED for bytes that count
// from seed modulo 251; large ones are told as =SIZE:CRC32.
type peer struct {
	t     testing.TB
	kind  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed at the end of the peer's output
	log   logTail
	ended bool
}

// listed is the size up to which the peers tell frames in full.
const listed = 1024

// logTail keeps the first bytes of what a child writes to its standard error.
type logTail struct {
	mu  sync.Mutex
	buf []byte
}

func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := 4096 - len(l.buf); room > 0 {
		l.buf = append(l.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}

// missing skips a test whose peer is not installed.
func missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatalf("%s is required: %v", what, err)
	}
	t.Skipf("NOT TESTED AGAINST LIBZMQ: no %s: %v", what, err)
}

// pythonPath finds a python3 with pyzmq. The system's comes first, because a
// distribution's pyzmq belongs to that.
var pythonPath = sync.OnceValues(func() (string, error) {
	var failed error
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(name, "-c", "import zmq; assert zmq.has('curve')").CombinedOutput()
		if err == nil {
			return name, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w %s", name, err, out))
	}
	return "", failed
})

// compiled is the C peer, or why there is none.
var compiled struct {
	mu   sync.Mutex
	path string
	bad  error // the peer is there and does not compile
	none error // there is no compiler or no libzmq
}

// cPeer compiles the C peer. It is kept in the user's cache, by the hash of its
// source and libzmq's version.
func cPeer(t testing.TB) string {
	t.Helper()
	c := &compiled
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path == "" && c.bad == nil && c.none == nil {
		c.path, c.none, c.bad = compile()
	}
	if c.bad != nil {
		t.Fatal(c.bad)
	}
	if c.none != nil {
		missing(t, "C compiler with libzmq", c.none)
	}
	return c.path
}

func compile() (path string, none, bad error) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	probe := exec.CommandContext(ctx, cc, "-E", "-x", "c", "-")
	probe.Stdin = strings.NewReader("#include <zmq.h>\nversion ZMQ_VERSION_MAJOR ZMQ_VERSION_MINOR ZMQ_VERSION_PATCH\n")
	headers, err := probe.Output()
	if err != nil {
		return "", fmt.Errorf("%s with zmq.h: %w", cc, err), nil
	}
	source, err := os.ReadFile("testdata/peer.c")
	if err != nil {
		return "", nil, err
	}
	sum := crc32.ChecksumIEEE(append(headers, source...))
	root, err := os.UserCacheDir()
	if err == nil {
		root = filepath.Join(root, "fairlead-zmq-interop")
		err = os.MkdirAll(root, 0o700)
	}
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(root, fmt.Sprintf("peer-%08x", sum))
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, nil, nil
	}
	// Built beside and renamed, so that of two tests that start at once neither
	// runs half a file.
	work, err := os.MkdirTemp(root, "build-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(work)
	built := filepath.Join(work, "peer")
	cmd := exec.CommandContext(ctx, cc, "-std=gnu11", "-Wall", "-Wextra", "-O2", "testdata/peer.c", "-o", built, "-lzmq")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return path, nil, os.Rename(built, path)
}

// kinds are the peers. All have the orders of the matrix.
var kinds = []string{"c", "python"}

// startPeer starts a peer that lives until the end of the test.
func startPeer(t testing.TB, kind string) *peer {
	t.Helper()
	var cmd *exec.Cmd
	if kind == "python" {
		path, err := pythonPath()
		if err != nil {
			missing(t, "python3 with pyzmq", err)
		}
		cmd = exec.Command(path, "testdata/peer.py")
	} else {
		cmd = exec.Command(cPeer(t))
	}
	p := &peer{t: t, kind: kind, cmd: cmd, lines: make(chan string, 16)}
	cmd.Stderr = &p.log
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		r := bufio.NewReaderSize(out, 1<<16)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			p.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the peer with SIGKILL. It may have ended already.
func (p *peer) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill()
	for range p.lines { // to the end of its output
	}
	_ = p.in.Close()
	_ = p.cmd.Wait()
	if p.t.Failed() && p.log.String() != "" {
		p.t.Logf("%s peer: %s", p.kind, p.log.String())
	}
}

// begin gives an order without waiting for its outcome.
func (p *peer) begin(words ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, strings.Join(words, " ")+"\n"); err != nil {
		p.t.Fatalf("%s peer: %.100q: %v %s", p.kind, words, err, p.log.String())
	}
}

// end gives the outcome of the oldest order that was begun.
func (p *peer) end() ([]string, error) {
	p.t.Helper()
	timeout := time.NewTimer(*patience)
	defer timeout.Stop()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("%s peer ended: %s", p.kind, p.log.String())
		}
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "ok" {
			return nil, errors.New(strings.TrimPrefix(line, "error "))
		}
		return words[1:], nil
	case <-timeout.C:
		p.t.Fatalf("%s peer does not answer: %s", p.kind, p.log.String())
	}
	return nil, nil
}

// try gives an order and its outcome.
func (p *peer) try(words ...string) ([]string, error) {
	p.t.Helper()
	p.begin(words...)
	return p.end()
}

// do gives an order that has to succeed.
func (p *peer) do(words ...string) []string {
	p.t.Helper()
	answer, err := p.try(words...)
	if err != nil {
		p.t.Fatalf("%s peer: %.100q: %v", p.kind, words, err)
	}
	return answer
}

// open makes a socket, with options in pairs, which is closed with the test t.
func (p *peer) open(t testing.TB, typ string, options ...string) (name string) {
	t.Helper()
	p.t = t
	name = fmt.Sprintf("s%d", peerSockets.next())
	p.do("new", name, typ)
	for i := 0; i < len(options); i += 2 {
		p.do("set", name, options[i], options[i+1])
	}
	t.Cleanup(func() {
		if !p.ended && !t.Failed() { // a test that failed may have left it busy
			_, _ = p.try("close", name)
		}
	})
	return name
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

var peerSockets counter

func (p *peer) poll(name string, d time.Duration) bool {
	p.t.Helper()
	return p.do("poll", name, strconv.FormatInt(d.Milliseconds(), 10))[0] == "1"
}

// word is how the peers are told a frame.
func word(frame string) string {
	if frame == "" {
		return "-"
	}
	return hex.EncodeToString([]byte(frame))
}

// hexOption is an option's value.
func hexOption(v string) string { return "hex:" + word(v) }

// frame gives the bytes that a word stands for.
func frame(word string) []byte {
	if word == "-" {
		return []byte{}
	}
	if spec, ok := strings.CutPrefix(word, "#"); ok {
		var size, seed int
		if _, err := fmt.Sscanf(spec, "%d:%d", &size, &seed); err != nil {
			panic(err)
		}
		const period = 251
		block := make([]byte, period)
		for i := range block {
			block[i] = byte((seed + i) % period)
		}
		return bytes.Repeat(block, size/period+1)[:size:size]
	}
	b, err := hex.DecodeString(word)
	if err != nil {
		panic(err)
	}
	return b
}

// told is how the peers tell a frame that they received.
func told(frame []byte) string {
	switch {
	case len(frame) == 0:
		return "-"
	case len(frame) > listed:
		return fmt.Sprintf("=%d:%08x", len(frame), crc32.ChecksumIEEE(frame))
	}
	return hex.EncodeToString(frame)
}

func frames(words []string) (all [][]byte) {
	for _, w := range words {
		all = append(all, frame(w))
	}
	return all
}

func toldAll(frames [][]byte) (all []string) {
	for _, f := range frames {
		all = append(all, told(f))
	}
	return all
}
