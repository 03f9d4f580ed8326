package zmq

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/segment"
)

// Socket sends and receives messages of one or more frames. All methods may be
// called from any goroutine; where a type alternates between sending and
// receiving, as REQ and REP do, it is the program that has to alternate.
//
// # Sending
//
// Send and SendMessage queue a whole message, for the peers that the socket's
// type says, and the connection's goroutine writes it, or the caller itself if
// the connection is idle. A nil error means that it was queued: whether a peer
// got it only the peer can say. They block while no peer has room, for as long
// as the context lets them, and where a type drops (PUB, XPUB, ROUTER) they never
// block. A message is queued whole or not at all.
//
// What waits for a peer that this socket connects to stays when the connection
// is lost, and leaves when it is there again; a message of which only a part was
// written then leaves once more, whole. What waits for a peer that connected to
// this socket is dropped with it, and so is what a ROUTER or REP has for one peer,
// or any socket that is Immediate. What was with the kernel when a connection was
// lost may or may not have arrived. Over CURVE a batch of which anything was written
// is not written again.
//
// # Receiving
//
// Recv and RecvMessage take the next message from the peers in turn. Where there
// is only one connection to receive from, the goroutine that waits reads it
// itself; otherwise, and while nobody waits, the connection's goroutine reads
// ahead up to the high-water mark.
type Socket struct {
	typ    Type
	traits *traits
	opt    Options
	in     inbound
	_      [64]byte // what receivers and what connections write stays apart
	stats  counters

	mu      sync.Mutex
	peers   []*peer
	next    int              // of peers, for load balancing
	byID    map[string]*peer // ROUTER
	autoID  uint32
	room    waitList // told when a peer came or went, or has room, or has written
	dropped *[]owner // to be released when mu is free; see unlock
	closing bool
	one     bool    // takes one peer, like a PAIR
	only    *peer   // which one, once it is a pipe's
	accepts bool    // ROUTER of a Listener: peers are pipes of their own
	fresh   []*peer // of which these were not accepted yet
	ends    []*endpoint
	conns   map[net.Conn]struct{} // all, also in the handshake
	done    chan struct{}         // closed when Close begins
	over    chan struct{}         // closed when it lingers no longer
	closed  chan struct{}         // closed when it has ended
	running sync.WaitGroup

	turnMu  sync.Mutex // guards the alternation of REQ and REP
	asked   *peer      // REQ: who was asked, REP: who asked
	await   bool       // REQ: a reply is awaited; REP: a reply is owed
	request uint32     // REQ: number of the last request, to correlate
	awaited uint32     // REQ: of the one whose reply is awaited
	link    uint32     // REP: by which of the asker's connections
	address [][]byte   // REP: the envelope of the request

	subMu  sync.Mutex // orders subscriptions; locked before mu
	wanted topics     // SUB, XSUB: what this socket wants; guarded by subMu and wantMu
	wantMu sync.RWMutex

	wantsAll atomic.Bool // the empty topic is among them

	// PUB, XPUB, guarded by mu:
	wishes    wishes  // what peers want
	matched   []*peer // who wants the message being published
	published uint64  // its number
	wire      []byte  // as it is written
	last      *peer   // from which the last message was received
	news      *peer   // XPUB: nobody; in whose queue are all peers' subscriptions, in their order

	monitor monitor
}

// New makes a socket of a type. The caller closes it. Options that cannot be,
// such as a routing id of 300 bytes, are a mistake of the program, and panic.
func New(t Type, o ...Options) *Socket {
	if t == 0 || int(t) >= len(types) {
		panic(fmt.Sprintf("zmq: no type of socket has the number %d", t))
	}
	if len(o) > 1 {
		panic("zmq: more than one Options")
	}
	var opt Options
	if len(o) == 1 {
		opt = o[0]
	}
	opt, err := opt.withDefaults(t)
	if err != nil {
		panic(err.Error())
	}
	s := &Socket{
		typ:    t,
		traits: t.traits(),
		opt:    opt,
		conns:  make(map[net.Conn]struct{}),
		done:   make(chan struct{}),
		over:   make(chan struct{}),
		closed: make(chan struct{}),
		autoID: firstNumber(),
	}
	switch t {
	case Router:
		s.byID = make(map[string]*peer)
	case Req:
		s.request = firstNumber()
	case XPub:
		s.news = newPeer(s, nil)
	}
	return s
}

// NewPair makes a PAIR socket. See [New].
func NewPair(o ...Options) *Socket { return New(Pair, o...) }

// NewPub makes a PUB socket. See [New].
func NewPub(o ...Options) *Socket { return New(Pub, o...) }

// NewSub makes a SUB socket. See [New].
func NewSub(o ...Options) *Socket { return New(Sub, o...) }

// NewXPub makes an XPUB socket. See [New].
func NewXPub(o ...Options) *Socket { return New(XPub, o...) }

// NewXSub makes an XSUB socket. See [New].
func NewXSub(o ...Options) *Socket { return New(XSub, o...) }

// NewReq makes a REQ socket. See [New].
func NewReq(o ...Options) *Socket { return New(Req, o...) }

// NewRep makes a REP socket. See [New].
func NewRep(o ...Options) *Socket { return New(Rep, o...) }

// NewDealer makes a DEALER socket. See [New].
func NewDealer(o ...Options) *Socket { return New(Dealer, o...) }

// NewRouter makes a ROUTER socket. See [New].
func NewRouter(o ...Options) *Socket { return New(Router, o...) }

// NewPush makes a PUSH socket. See [New].
func NewPush(o ...Options) *Socket { return New(Push, o...) }

// NewPull makes a PULL socket. See [New].
func NewPull(o ...Options) *Socket { return New(Pull, o...) }

// Type is the socket's type.
func (s *Socket) Type() Type { return s.typ }

// Send sends a message of these frames. Their memory is the socket's from now
// on: frames of more than 2 KiB are written from where they lie, inproc the
// receiver gets the very same, and nobody may change them any more. The slice of
// frames stays the caller's.
//
// The first frame of a ROUTER's message names the peer. An error means that
// nothing was sent: the end of the context, [ErrClosed], [ErrState],
// [ErrUnroutable] or [ErrTooLarge].
func (s *Socket) Send(ctx context.Context, frames ...[]byte) error {
	if len(frames) == 0 {
		return fmt.Errorf("zmq: send: a message has at least one frame")
	}
	err := s.send(ctx, frames, owner{})
	if err != nil {
		s.stats.errors.Add(1)
	}
	return err
}

// SendMessage sends a message, one frame a segment, behind the frames of an
// envelope: a routing id, an empty delimiter, a topic. The message belongs to the
// socket from now on in every case: never release it as well. Its memory goes
// back to its arena when the last byte is with the kernel, or inproc when the
// receiver releases it. The envelope's memory is the socket's as with
// [Socket.Send].
//
// A message with a fault gives that fault, and one in a mapped file that was cut
// short [ErrCorrupt]. For other errors see [Socket.Send].
func (s *Socket) SendMessage(ctx context.Context, msg *segment.Message, envelope ...[]byte) error {
	var few [8][]byte
	frames, err := msg.AppendSegments(append(few[:0], envelope...))
	if err == nil {
		err = s.send(ctx, frames, owner{msg: msg})
	}
	msg.Release()
	if err != nil {
		s.stats.errors.Add(1)
	}
	return err
}

// send sends frames, of which some may lie in their owner's memory, by the rules of the
// socket's type.
func (s *Socket) send(ctx context.Context, frames [][]byte, own owner) error {
	if !s.traits.send {
		return stateError("a %v does not send", s.typ)
	}
	if len(frames) > maxFrames {
		return fmt.Errorf("%w: %d frames, at most %d", ErrTooLarge, len(frames), maxFrames)
	}
	if s.opt.Conflate && len(frames) > 1 {
		return stateError("a socket that conflates sends one frame, not %d", len(frames))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("zmq: send: %w", err)
	}
	switch s.typ {
	case Req:
		return s.sendRequest(ctx, frames, own)
	case Rep:
		return s.sendReply(frames, own)
	case Router:
		return s.route(ctx, frames, own)
	case Pub, XPub:
		return s.publish(ctx, frames, own)
	case XSub:
		return s.sendUp(frames, own)
	default:
		return s.balance(ctx, frames, own)
	}
}

// balance sends to the next peer that has room, and waits until there is one.
func (s *Socket) balance(ctx context.Context, frames [][]byte, own owner) error {
	s.mu.Lock()
	for {
		if s.closing {
			s.unlock()
			return ErrClosed
		}
		if p := s.nextPeer(); p != nil {
			if s.typ == Req {
				s.asks(p, frames)
			}
			return p.post(frames, own)
		}
		if err := s.room.wait(&s.mu, ctx); err != nil {
			n := len(s.peers)
			s.unlock()
			return fmt.Errorf("zmq: send: none of %d peers has room: %w", n, err)
		}
	}
}

// nextPeer gives the next peer with room, or nil. The caller has the lock.
func (s *Socket) nextPeer() *peer {
	for range s.peers {
		if s.next >= len(s.peers) {
			s.next = 0
		}
		p := s.peers[s.next]
		s.next++
		if p.hasRoom() {
			return p
		}
	}
	return nil
}

// Recv waits for the next message and returns its frames. They are the caller's
// for good, but inproc, where others may have the same, they must not be
// changed. The first frame of a ROUTER's message names the peer.
//
// The error is the end of the context, [ErrClosed] or [ErrState].
func (s *Socket) Recv(ctx context.Context) ([][]byte, error) {
	a, err := s.receive(ctx)
	if err != nil {
		s.stats.errors.Add(1)
		return nil, err
	}
	lead := s.lead(a)
	frames := make([][]byte, len(lead)+a.len())
	copy(frames, lead)
	a.keep(frames[len(lead):])
	return frames, nil
}

// RecvMessage waits for the next message, whose frames are segments, and returns
// it to be read where it arrived. The caller releases it. A message that has no
// frames of whole words is an error that matches [segment.ErrMalformed] or
// [segment.ErrLimit], and is left out; for other errors see [Socket.Recv].
func (s *Socket) RecvMessage(ctx context.Context) (*segment.Message, error) {
	return s.RecvEnvelope(ctx, nil)
}

// RecvEnvelope is [Socket.RecvMessage] for a message with an envelope: it fills
// envelope with the frames before the segments, as many as it is long. A ROUTER
// receives the sender's routing id first, and from a REQ an empty delimiter. The
// envelope's frames are valid until the message's Release. If the message cannot
// be read, envelope[0] is a copy and the others are nil, so that a ROUTER knows
// whom to answer.
func (s *Socket) RecvEnvelope(ctx context.Context, envelope [][]byte) (*segment.Message, error) {
	clear(envelope)
	a, err := s.receive(ctx)
	if err == nil {
		var msg *segment.Message
		if msg, err = s.open(a, envelope); err == nil {
			return msg, nil
		}
		if len(envelope) > 0 {
			first := slices.Clone(envelope[0])
			clear(envelope)
			envelope[0] = first
		}
		a.release()
	}
	s.stats.errors.Add(1)
	return nil, err
}

// open reads a message in place, behind its envelope.
func (s *Socket) open(a arrival, envelope [][]byte) (*segment.Message, error) {
	if len(envelope) == 0 {
		return s.openSegments(a, a.frames())
	}
	n := copy(envelope, s.lead(a))
	m := copy(envelope[n:], a.frames())
	if n+m < len(envelope) {
		return nil, fmt.Errorf("zmq: receive: %w: %d frames for an envelope of %d", segment.ErrMalformed, n+m, len(envelope))
	}
	return s.openSegments(a, a.frames()[m:])
}

// openSegments reads a message in place, of which segs are the segments.
func (s *Socket) openSegments(a arrival, segs [][]byte) (*segment.Message, error) {
	if total := size(segs); total > s.opt.Limits.MessageBytes {
		return nil, fmt.Errorf("zmq: receive: %w", &segment.LimitError{Limit: "MessageBytes", Max: uint64(s.opt.Limits.MessageBytes), Got: uint64(total)})
	}
	msg, err := segment.Open(segs, segment.Options{Limits: s.opt.Limits, Owner: a.slab, Debug: buffer.Debugging})
	if err != nil {
		return nil, fmt.Errorf("zmq: receive: %w", err)
	}
	if s.opt.VerifyOnRecv {
		if err := msg.Verify(); err != nil {
			a.slab.refs.Add(1) // the caller's, which Release takes with it
			msg.Release()
			return nil, fmt.Errorf("zmq: receive: %w", err)
		}
	}
	return msg, nil
}

// lead is what stands before the frames that arrived: a ROUTER's routing id.
func (s *Socket) lead(a arrival) [][]byte {
	if s.typ == Router {
		return a.slab.lead[:]
	}
	return nil
}

// receive takes the next message by the rules of the socket's type.
func (s *Socket) receive(ctx context.Context) (arrival, error) {
	if !s.traits.recv {
		return arrival{}, stateError("a %v does not receive", s.typ)
	}
	var a arrival
	var err error
	switch s.typ {
	case Req:
		a, err = s.receiveReply(ctx)
	case Rep:
		a, err = s.receiveRequest(ctx)
	case Sub:
		a, err = s.receiveWanted(ctx)
	default:
		a, err = s.in.next(ctx)
		if s.opt.Manual && err == nil {
			s.mu.Lock()
			s.last = a.peer
			s.unlock()
		}
	}
	return a, err
}

// ignore drops what arrived and is not what the socket's type receives.
func (s *Socket) ignore(a arrival) {
	s.stats.ignored.Add(1)
	a.release()
}

// Close writes what is waiting, for as long as Linger lets it, wakes every call
// with [ErrClosed], closes all connections and waits until no goroutine of the
// socket is left. The error says what could not be written. Messages that were
// received stay valid; those not received yet are lost. Closing again waits for
// the first Close.
func (s *Socket) Close() error {
	s.mu.Lock()
	if s.closing {
		s.unlock()
		<-s.closed
		return nil
	}
	s.closing = true
	close(s.done)
	s.room.tellAll()
	ends := s.ends
	s.ends = nil
	s.unlock()
	for _, e := range ends {
		e.stopListening()
	}
	s.in.close()
	unsent := s.settle()

	s.mu.Lock()
	close(s.over)
	peers := slices.Clone(s.peers)
	s.unlock()
	for _, e := range ends {
		e.stop()
	}
	for _, p := range peers {
		if p.remote.Load() != nil {
			s.opt.Namespace.part(p)
		}
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.unlock()
	s.running.Wait()
	for _, p := range peers {
		s.detach(p)
	}
	s.monitor.close()
	close(s.closed)
	if unsent > 0 {
		return fmt.Errorf("%w with %d messages unsent", ErrClosed, unsent)
	}
	return nil
}

func (s *Socket) isClosing() bool {
	s.mu.Lock()
	defer s.unlock()
	return s.closing
}

// settle waits until what is queued is written, as long as Close may linger, and
// tells how many messages are left.
func (s *Socket) settle() (unsent int) {
	ctx := context.Background()
	if s.opt.Linger > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.opt.Linger)
		defer cancel()
	}
	s.mu.Lock()
	defer s.unlock()
	for {
		unsent = 0
		busy := false
		for _, p := range s.peers {
			unsent += p.queued
			over := p.lost && p.conn == nil // a pipe's: nobody will write that
			busy = busy || !over && (!p.pending.empty() || !p.out.empty())
		}
		if !busy || s.opt.Linger < 0 || s.room.wait(&s.mu, ctx) != nil {
			return unsent
		}
	}
}

// flush waits until everything queued for a peer before is written.
func (s *Socket) flush(p *peer) error {
	s.mu.Lock()
	defer s.unlock()
	target := p.done + uint64(p.queued)
	for p.done < target {
		switch {
		case s.closing:
			return ErrClosed
		case p.gone || p.lost:
			return ErrDisconnected
		}
		_ = s.room.wait(&s.mu, context.Background())
	}
	if p.gone || p.lost {
		return ErrDisconnected
	}
	return nil
}

// sleep waits for d, or less if the socket closes or stop is closed; then it
// gives false.
func (s *Socket) sleep(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	case <-s.over:
		return false
	}
}
