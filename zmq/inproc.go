package zmq

import (
	"fmt"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// A Namespace is where the names of inproc endpoints live. The zero value is
// ready to be used.
type Namespace struct {
	mu    sync.Mutex // locked before the sockets'
	bound map[string]*endpoint
	calls map[string][]*endpoint // those that connected and found nobody
}

// processWide is the namespace of sockets that have no other.
var processWide = new(Namespace)

// bind gives an endpoint its name. The socket notes the endpoint under the same lock:
// whoever finds it there, to give it up, finds it here.
func (n *Namespace) bind(e *endpoint) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := e.addr.rest
	if n.bound[name] != nil {
		return fmt.Errorf("%w: bind %s: the name is in use", ErrEndpoint, e.text)
	}
	if err := e.s.keepEndpoint(e, nil); err != nil {
		return err
	}
	if n.bound == nil {
		n.bound = make(map[string]*endpoint)
	}
	n.bound[name] = e
	calls := n.calls[name]
	delete(n.calls, name)
	for _, c := range calls {
		if n.link(c, e) != nil {
			n.comeBack(c)
		}
	}
	return nil
}

// connect connects an endpoint to who is bound to its name, or has it wait for one.
// For the lock see bind.
func (n *Namespace) connect(e *endpoint) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := e.s
	if err := s.keepEndpoint(e, nil); err != nil {
		return err
	}
	b := n.bound[e.addr.rest]
	if b == nil {
		n.call(e)
		return nil
	}
	err := n.link(e, b)
	switch {
	case err == nil:
		return nil
	case s.isClosing() || b.s.isClosing(): // and gives up the endpoint, or the name
		n.call(e)
		return nil
	}
	s.dropEndpoint(e)
	s.detach(e.peer)
	return fmt.Errorf("%w: %s: %w", ErrEndpoint, e.text, err)
}

// call waits for somebody to bind. The caller has the lock.
func (n *Namespace) call(e *endpoint) {
	if n.calls == nil {
		n.calls = make(map[string][]*endpoint)
	}
	n.calls[e.addr.rest] = append(n.calls[e.addr.rest], e)
}

// leave gives a name back, or stops to wait for it.
func (n *Namespace) leave(e *endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := e.addr.rest
	if n.bound[name] == e {
		delete(n.bound, name)
	}
	for i, c := range n.calls[name] {
		if c == e {
			n.calls[name] = append(n.calls[name][:i], n.calls[name][i+1:]...)
			break
		}
	}
	if len(n.calls[name]) == 0 {
		delete(n.calls, name)
	}
}

// link makes two sockets each other's peers, and sends what waited for that. Nobody
// sends meanwhile, so that it comes first. The caller has the lock.
func (n *Namespace) link(caller, bound *endpoint) error {
	a, b := caller.peer, newPeer(bound.s, bound)
	if !caller.s.traits.wire.Compatible(bound.s.traits.wire) {
		err := fmt.Errorf("%w: a %v cannot talk to a %v", ErrHandshake, caller.s.typ, bound.s.typ)
		caller.s.event(Event{Kind: HandshakeFailed, Endpoint: caller.text, Err: err})
		return err
	}
	unlock := lockBoth(a.s, b.s)
	failed, err := bound, b.meet(a)
	if err == nil {
		failed, err = caller, a.meet(b)
	}
	if err != nil {
		unlock()
		bound.s.detach(b)
		failed.s.event(Event{Kind: HandshakeFailed, Endpoint: failed.text, Err: err})
		return err
	}
	for _, p := range [...]*peer{a, b} {
		p.s.offer(p)
		p.s.in.local(1)
		p.s.room.tellAll()
	}
	a.remote.Store(b)
	b.remote.Store(a)
	a.greetInproc(b)
	b.greetInproc(a)
	unlock()
	a.subscribeInproc(b)
	b.subscribeInproc(a)
	bound.s.event(Event{Kind: HandshakeDone, Endpoint: bound.text})
	caller.s.event(Event{Kind: HandshakeDone, Endpoint: caller.text})
	return nil
}

// lockBoth locks two sockets, which may be one, and gives what unlocks them. Only who
// has the lock of a namespace may.
func lockBoth(s, r *Socket) (unlock func()) {
	s.mu.Lock()
	if s == r {
		return s.unlock
	}
	r.mu.Lock()
	return func() {
		list := r.dropped
		r.dropped = nil
		r.mu.Unlock()
		s.unlock()
		releaseDropped(list)
	}
}

// meet prepares p for its other end r. The caller has the lock.
func (p *peer) meet(r *peer) error {
	s := p.s
	known := false
	for _, q := range s.peers {
		known = known || q == p
	}
	if s.closing {
		return ErrClosed
	}
	if !known && s.full(p) {
		return errSingle
	}
	loser, ok := s.identify(p, r.s.opt.RoutingID)
	if !ok {
		return errTaken
	}
	if loser != nil && loser.conn != nil {
		loser.conn.shut(errHandover)
	}
	if !known {
		s.peers = append(s.peers, p)
	}
	p.gone = false
	p.links++
	s.forgetTopics(p)
	return nil
}

// subscribeInproc tells r what its other end wants.
func (p *peer) subscribeInproc(r *peer) {
	s := p.s
	if s.traits.subscribe {
		s.subMu.Lock()
		defer s.subMu.Unlock()
		s.wanted.all(func(topic []byte) { _ = r.s.subscribed(r, zmtp.Subscription{Topic: topic}) })
	}
}

// greetInproc sends r what is due to a new peer. The caller has the lock of both.
func (p *peer) greetInproc(r *peer) {
	s := p.s
	if s.opt.ProbeRouter {
		switch s.typ {
		case Dealer, Req, Router:
			_ = p.inject(r, [][]byte{{}}, owner{}) // which nobody can take away
		}
	}
	if s.opt.Welcome != nil {
		_ = p.inject(r, [][]byte{s.opt.Welcome}, owner{})
	}
	var frames [][]byte
	gone := false
	for w := (frameWalk{vec: p.pending.vec}); ; {
		h, body, ok := w.next()
		if !ok {
			break
		}
		var own []byte
		copied := func() error {
			own = append([]byte{}, body...)
			return nil
		}
		if p.pending.mapped && mem.Guard(body, copied) != nil {
			gone = true // its memory
		} else if !p.pending.mapped {
			_ = copied()
		}
		frames = append(frames, own)
		if !h.More {
			if gone {
				s.stats.dropped.Add(1)
			} else {
				_ = p.inject(r, frames, owner{})
			}
			frames, gone = nil, false
		}
	}
	p.done += uint64(p.queued)
	p.queued, p.waiting = 0, 0
	p.pending.reset(p.s.drop())
	s.room.tellAll()
}

// inject puts a message into the queue of the other end. The caller has the lock.
func (p *peer) inject(r *peer, frames [][]byte, own owner) error {
	keep := true
	if r.s.traits.filter || !r.s.traits.recv {
		err := own.guarded(frames[0], func() { keep, _ = r.s.arrived(r, frames) })
		if err != nil {
			return err
		}
	}
	p.done++
	p.s.stats.sent.Add(1)
	p.s.stats.sentBytes.Add(uint64(size(frames)))
	if !keep {
		return nil
	}
	sl := newSlab()
	sl.frames = append(sl.frames, frames...)
	sl.ends = append(sl.ends, int32(len(frames)))
	sl.bytes = size(frames)
	sl.lead[0], sl.link = r.id, r.links
	sl.plain = !own.some()
	if !sl.plain {
		own.retain()
		sl.origin = own
	}
	r.s.stats.receivedBytes.Add(uint64(sl.bytes))
	old, _ := r.s.in.put(r, sl, r.s.opt.Conflate || p.s.opt.Conflate, false)
	for _, a := range old {
		*p.s.drop() = append(*p.s.drop(), owner{slab: a.slab})
	}
	return nil
}

// part ends a connection inproc. A peer that had connected waits for the name to
// be bound again.
func (n *Namespace) part(p *peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := p.remote.Load()
	if r == nil {
		return
	}
	for _, q := range [...]*peer{p, r} {
		q.s.mu.Lock()
		q.remote.Store(nil)
		q.s.in.local(-1)
		q.s.ended(q)
		q.s.unlock()
	}
	p.s.event(Event{Kind: Disconnected, Endpoint: p.end.text})
	r.s.event(Event{Kind: Disconnected, Endpoint: r.end.text})
	for _, q := range [...]*peer{p, r} {
		switch {
		case q.end.peer != q:
			q.s.detach(q)
		case q.s.isClosing() || q.isLost() || q.end.isStopped():
			// Its own socket sees to it.
		default:
			if !q.s.keepsPeers() {
				q.s.detach(q) // until it is connected again
			}
			if n.bound[q.end.addr.rest] == nil {
				n.call(q.end)
			} else {
				n.comeBack(q.end)
			}
		}
	}
}

// comeBack has an endpoint connect again to a name that is still bound, after a while
// as over other transports.
func (n *Namespace) comeBack(e *endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || e.s.opt.ReconnectInterval < 0 {
		return
	}
	e.spawn(func() {
		for failures := 0; e.s.sleepBefore(failures, e.ctx.Done()) && !n.again(e); failures++ {
		}
	})
}

// again tells whether an endpoint is connected again, or nothing is left to do for it.
func (n *Namespace) again(e *endpoint) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.isStopped() || e.s.isClosing() {
		return true
	}
	e.s.event(Event{Kind: ConnectRetried, Endpoint: e.text})
	b := n.bound[e.addr.rest]
	if b == nil {
		n.call(e)
		return true
	}
	return n.link(e, b) == nil
}

// partFrom ends all connections of an inproc endpoint.
func (s *Socket) partFrom(e *endpoint) {
	s.mu.Lock()
	var all []*peer
	for _, p := range s.peers {
		if p.end == e {
			all = append(all, p)
		}
	}
	s.unlock()
	for _, p := range all {
		s.opt.Namespace.part(p)
	}
	if e.peer != nil {
		s.detach(e.peer)
	}
}

func (e *endpoint) isStopped() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stopped
}
