package interop_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// A letter is what the sockets of a session send: a head, which is told here, and
// frames behind it. Before it may stand frames of an envelope.
type letter struct {
	topic  string // of 8 bytes
	from   uint64 // who sends it, or asked what it answers
	n      uint64 // how many that one sent before
	by     uint64 // who answers
	phase  phase
	last   bool
	answer bool
}

const headBytes = 8 + 3*8 + 3

// head is the letter's first frame.
func (l letter) head() []byte {
	b := append(make([]byte, 0, headBytes), l.topic...)
	for _, v := range [...]uint64{l.from, l.n, l.by} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = append(b, byte(l.phase), 0, 0)
	if l.last {
		b[headBytes-2] = 1
	}
	if l.answer {
		b[headBytes-1] = 1
	}
	return b
}

func parseHead(b []byte) (l letter, ok bool) {
	if len(b) != headBytes {
		return l, false
	}
	number := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return letter{string(b[:8]), number(1), number(2), number(3), phase(b[headBytes-3]), b[headBytes-2] == 1, b[headBytes-1] == 1}, true
}

// A socket is one of either make. What it receives are messages in words, as
// peers tell frames.
type socket interface {
	// send sends an envelope, a head, and frames that it makes up: it gives them
	// to sending first. It tries until the context ends.
	send(ctx context.Context, rnd *rand.Rand, envelope [][]byte, head []byte, sending func(words []string)) error
	recv(ctx context.Context) ([][]string, error)
	subscribe(topic string, cancel bool) error
	bind(endpoint string) error
	unbind(endpoint string) error
	connect(endpoint string) error
	disconnect(endpoint string) error
	close(linger time.Duration) error
}

// errNobody is the error of a ROUTER that does not know the peer.
var errNobody = errors.New("no such peer")

// someSizes are how large the frames behind a head are.
func someSizes(rnd *rand.Rand, segments bool) (sizes []int) {
	unit, n := 1, rnd.IntN(5)
	if segments {
		unit, n = 8, 1+rnd.IntN(4)
	}
	for i := range n {
		size := 0
		switch rnd.IntN(24) {
		case 0:
			size = rnd.IntN(200_000)
		case 1:
			size = 8<<10 + rnd.IntN(17) - 8
		case 2:
			size = 2<<10 + rnd.IntN(17) - 8
		case 3, 4:
			size = 255 + rnd.IntN(2)
		case 5:
			size = rnd.IntN(20_000)
		case 6, 7:
		default:
			size = rnd.IntN(300)
		}
		size -= size % unit
		if segments && i == 0 {
			size = max(size, unit)
		}
		sizes = append(sizes, size)
	}
	return sizes
}

// ours is a socket of ours.
type chaosOurs struct {
	*zmq.Socket
	pool     *arena.Pooled // if messages are sent, and not frames
	envelope int           // frames before a message's segments; negative if frames are received
}

func (o *chaosOurs) send(ctx context.Context, rnd *rand.Rand, envelope [][]byte, head []byte, sending func([]string)) error {
	frames := append(envelope[:len(envelope):len(envelope)], head)
	var err error
	if o.pool != nil {
		sizes := someSizes(rnd, true)
		hint := 0
		if rnd.IntN(2) == 0 {
			hint = 100 + sizes[0]
		}
		m := segment.NewSized(o.pool, hint)
		root := m.NewRoot(segment.Size{Ptrs: uint16(len(sizes))})
		for i, size := range sizes {
			copy(root.NewData(uint16(i), size), frame(fmt.Sprintf("#%d:%d", size, rnd.IntN(251))))
		}
		segs, err := m.AppendSegments(nil)
		if err != nil {
			return err
		}
		sending(toldAll(segs))
		err = o.SendMessage(ctx, m, frames...)
		return o.known(err)
	}
	for _, size := range someSizes(rnd, false) {
		frames = append(frames, frame(fmt.Sprintf("#%d:%d", size, rnd.IntN(251))))
	}
	sending(toldAll(frames[len(envelope)+1:]))
	err = o.Send(ctx, frames...)
	return o.known(err)
}

func (o *chaosOurs) known(err error) error {
	if errors.Is(err, zmq.ErrUnroutable) {
		return errNobody
	}
	return err
}

func (o *chaosOurs) recv(ctx context.Context) ([][]string, error) {
	if o.pool == nil || o.envelope < 0 {
		frames, err := o.Recv(ctx)
		if err != nil {
			return nil, err
		}
		return [][]string{toldAll(frames)}, nil
	}
	envelope := make([][]byte, o.envelope)
	m, err := o.RecvEnvelope(ctx, envelope)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	segs, err := m.AppendSegments(nil)
	if err != nil {
		return nil, err
	}
	return [][]string{append(toldAll(envelope), toldAll(segs)...)}, nil
}

func (o *chaosOurs) subscribe(topic string, cancel bool) error {
	if cancel {
		return o.Unsubscribe(topic)
	}
	return o.Subscribe(topic)
}

func (o *chaosOurs) bind(endpoint string) error {
	_, err := o.Bind(endpoint)
	return err
}

func (o *chaosOurs) unbind(endpoint string) error     { return o.Unbind(endpoint) }
func (o *chaosOurs) connect(endpoint string) error    { return o.Connect(endpoint) }
func (o *chaosOurs) disconnect(endpoint string) error { return o.Disconnect(endpoint) }

// close takes as long as the socket's options let it linger.
func (o *chaosOurs) close(time.Duration) error {
	if err := o.Close(); err != nil && !errors.Is(err, zmq.ErrClosed) {
		return err
	}
	if st := o.Stats(); st.Waiting != 0 || st.WaitingBytes != 0 || st.Unread != 0 || st.Peers != 0 {
		return fmt.Errorf("a closed %v has %+v", o.Type(), st)
	}
	return nil
}

// A talker gives a peer orders from any goroutine.
type talker struct {
	*peer
	mu      sync.Mutex
	awaited chan chan string // of those whose answers are to come
	killed  atomic.Bool
	silent  chan struct{} // closed at the end of its output
}

// errKilled is the error of an order to a peer that was killed.
var errKilled = errors.New("the peer was killed")

// talkTo begins to talk to a peer. If it ends by itself, died is called.
func talkTo(p *peer, died func(log string)) *talker {
	k := &talker{peer: p, awaited: make(chan chan string, 1024), silent: make(chan struct{})}
	go func() {
		for line := range p.lines {
			(<-k.awaited) <- line
		}
		close(k.silent)
		if !k.killed.Load() {
			died(p.log.String())
		}
		for a := range k.awaited {
			close(a)
		}
	}()
	return k
}

// order gives an order and its outcome.
func (k *talker) order(words ...string) ([]string, error) {
	answer := make(chan string, 1)
	k.mu.Lock()
	if k.ended {
		k.mu.Unlock()
		return nil, errKilled
	}
	k.awaited <- answer
	_, _ = io.WriteString(k.in, strings.Join(words, " ")+"\n") // which fails if it was killed
	k.mu.Unlock()
	line, ok := <-answer
	if !ok {
		return nil, errKilled
	}
	if rest, ok := strings.CutPrefix(line, "ok"); ok {
		return strings.Fields(rest), nil
	}
	return nil, fmt.Errorf("%s: %s", strings.Join(words[:min(3, len(words))], " "), line)
}

// end kills the peer.
func (k *talker) end() {
	k.killed.Store(true)
	_ = k.cmd.Process.Kill()
	<-k.silent
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ended {
		k.kill()
		close(k.awaited)
	}
}

// theirs is a socket of libzmq.
type chaosTheirs struct {
	k        *talker
	name     string
	typ      string
	segments bool
}

// again waits until something may have changed, longer each time.
func again(ctx context.Context, wait *time.Duration) error {
	*wait = min(max(2**wait, 100*time.Microsecond), 3*time.Millisecond)
	select {
	case <-time.After(*wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *chaosTheirs) send(ctx context.Context, rnd *rand.Rand, envelope [][]byte, head []byte, sending func([]string)) error {
	words := []string{"trysend", s.name}
	for _, f := range append(envelope[:len(envelope):len(envelope)], head) {
		words = append(words, word(string(f)))
	}
	var as []string
	for _, size := range someSizes(rnd, s.segments) {
		w := "-"
		if size > 0 {
			w = fmt.Sprintf("#%d:%d", size, rnd.IntN(251))
		}
		as = append(as, told(frame(w)))
		words = append(words, w)
	}
	sending(as)
	for wait := time.Duration(0); ; {
		_, err := s.k.order(words...)
		switch {
		case err == nil || errors.Is(err, errKilled):
			return err
		case strings.HasSuffix(err.Error(), "error EHOSTUNREACH"):
			return errNobody
		case !strings.HasSuffix(err.Error(), "error EAGAIN"):
			return err
		}
		if err := again(ctx, &wait); err != nil {
			return err
		}
	}
}

func (s *chaosTheirs) recv(ctx context.Context) ([][]string, error) {
	for wait := time.Duration(0); ; {
		words, err := s.k.order("tryrecv", s.name, "16")
		if err != nil {
			return nil, err
		}
		var all [][]string
		for _, w := range words {
			if w == ";" {
				all = append(all, nil)
			} else {
				all[len(all)-1] = append(all[len(all)-1], w)
			}
		}
		if len(all) > 0 {
			return all, nil
		}
		if err := again(ctx, &wait); err != nil {
			return nil, err
		}
	}
}

func (s *chaosTheirs) subscribe(topic string, cancel bool) (err error) {
	switch {
	case s.typ == "XSUB" && cancel:
		return s.order("trysend", word("\x00"+topic))
	case s.typ == "XSUB":
		return s.order("trysend", word("\x01"+topic))
	case cancel:
		return s.order("set", "UNSUBSCRIBE", hexOption(topic))
	}
	return s.order("set", "SUBSCRIBE", hexOption(topic))
}

func (s *chaosTheirs) order(verb string, words ...string) error {
	_, err := s.k.order(append([]string{verb, s.name}, words...)...)
	return err
}

func (s *chaosTheirs) bind(endpoint string) error       { return s.order("bind", endpoint) }
func (s *chaosTheirs) unbind(endpoint string) error     { return s.order("unbind", endpoint) }
func (s *chaosTheirs) connect(endpoint string) error    { return s.order("connect", endpoint) }
func (s *chaosTheirs) disconnect(endpoint string) error { return s.order("disconnect", endpoint) }

func (s *chaosTheirs) close(linger time.Duration) error {
	_ = s.order("set", "LINGER", "int:"+strconv.FormatInt(linger.Milliseconds(), 10))
	return s.order("close")
}

// A place is where sockets of a session meet: who binds, binds at; who connects
// does so there, or through a relay, which can be cut.
type place struct {
	at    string
	relay *relay
}

// front is where to connect.
func (p *place) front(rnd *rand.Rand) string {
	if p.relay == nil || rnd.IntN(2) == 0 {
		return p.at
	}
	return p.relay.at
}

// A relay passes on what connections say, until it is cut.
type relay struct {
	at   string
	ln   net.Listener
	over sync.WaitGroup

	mu     sync.Mutex
	live   map[net.Conn]bool
	closed bool
}

func dialable(endpoint string) (network, addr string) {
	if path, ok := strings.CutPrefix(endpoint, "ipc://"); ok {
		return "unix", path
	}
	return "tcp", strings.TrimPrefix(endpoint, "tcp://")
}

func newRelay(at, to string) (*relay, error) {
	network, addr := dialable(at)
	ln, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	r := &relay{at: at, ln: ln, live: make(map[net.Conn]bool)}
	if network == "tcp" {
		r.at = "tcp://" + ln.Addr().String()
	}
	r.over.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			network, addr := dialable(to)
			d, err := net.Dial(network, addr)
			if err != nil {
				_ = c.Close()
				continue
			}
			r.mu.Lock()
			r.live[c], r.live[d] = true, true
			if r.closed {
				_, _ = c.Close(), d.Close()
			}
			r.mu.Unlock()
			pass := func(dst, src net.Conn) {
				_, _ = io.Copy(dst, src)
				_ = dst.Close()
				_ = src.Close()
				r.mu.Lock()
				delete(r.live, src)
				r.mu.Unlock()
			}
			r.over.Go(func() { pass(c, d) })
			r.over.Go(func() { pass(d, c) })
		}
	})
	return r, nil
}

// cut breaks all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.live {
		_ = c.Close()
	}
}

func (r *relay) close() {
	_ = r.ln.Close()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cut()
	r.over.Wait()
}

// newPlace finds an endpoint that nobody uses.
func newPlace(t *testing.T, transport, dir string, i int, relayed bool) *place {
	p := &place{at: "ipc://" + filepath.Join(dir, strconv.Itoa(i))}
	front := p.at + "r"
	if transport == "tcp" {
		// At an address where no other process takes the port meanwhile.
		ln, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		p.at, front = "tcp://"+ln.Addr().String(), "tcp://127.0.0.1:0"
	}
	if relayed {
		var err error
		if p.relay, err = newRelay(front, p.at); err != nil {
			t.Fatal(err)
		}
	}
	return p
}
