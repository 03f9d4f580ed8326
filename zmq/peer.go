package zmq

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// A peer is the socket's view of one socket at another end. That of an endpoint
// to which this socket connects outlives its connections; that of one that
// connected to this socket lives as long as its connection.
type peer struct {
	s   *Socket
	end *endpoint
	in  inbox
	// Set when a connection begins, before anything arrives by it:
	id    []byte // its routing id
	links uint32 // which connection it is

	drain func() // writes until nothing is left to write

	remote atomic.Pointer[peer] // inproc: what the other socket has of us; set under the socket's mutex

	// Guarded by the socket's mutex:
	conn           *conn // nil while there is none
	pending        *batch
	out            *batch // what is being written; belongs to the writer while writing
	written        int64  // of out, by this connection
	writing        bool
	queued         int    // messages in pending and out
	waiting        int64  // bytes of them
	done           uint64 // messages that left the queue, written or dropped
	pinged, ponged bool   // a PING, a PONG is in pending
	gone           bool   // takes no part
	lost           bool   // a pipe's: its connection has ended
	cause          error  // by which its last connection ended
	routed         bool   // is in byID
	streak         int64  // when the last message came, see idle
	turn           uint64 // how many messages had been received when the last was sent
	topics         int    // subscriptions that it has
	match          uint64 // the last message published to it
}

func newPeer(s *Socket, end *endpoint) *peer {
	p := &peer{s: s, end: end, pending: new(batch), out: new(batch)}
	p.in.room = make(chan struct{}, 1)
	p.drain = func() {
		defer s.running.Done()
		p.write(false)
	}
	return p
}

// firstNumber is what routing ids and requests are counted up from, by chance: a socket
// may be taken for one that was there before it.
func firstNumber() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// keepsPeers tells whether what this socket connects to takes part while there is no
// connection, and what waits for it stays. A reply is for whoever asked, and not for who
// is there next.
func (s *Socket) keepsPeers() bool {
	return !s.opt.Immediate && s.typ != Router && s.typ != Rep
}

// isLost tells whether the peer was a pipe's, and its connection has ended.
func (p *peer) isLost() bool {
	p.s.mu.Lock()
	defer p.s.unlock()
	return p.lost
}

// full tells whether the socket takes no other peer than those it has. The caller
// has the lock.
func (s *Socket) full(p *peer) bool {
	return (s.traits.single || s.one) && len(s.peers) > 0 || s.only != nil && s.only != p
}

// identify gives a peer its routing id. The caller has the lock. It returns a
// peer that lost its id to this one, and false if the id is taken.
func (s *Socket) identify(p *peer, id []byte) (loser *peer, ok bool) {
	if s.typ != Router {
		p.id = id
		return nil, true
	}
	if len(id) == 0 {
		id = p.id // a peer that was here before keeps what it was given
	}
	if len(id) == 0 {
		id = make([]byte, 5)
		s.autoID++
		binary.BigEndian.PutUint32(id[1:], s.autoID)
	}
	if old := s.byID[string(id)]; old != nil && old != p {
		if !s.opt.Handover {
			return nil, false
		}
		old.routed = false
		loser = old
	}
	if p.routed {
		delete(s.byID, string(p.id))
	}
	p.id = id
	p.routed = true
	s.byID[string(id)] = p
	s.room.tellAll()
	return loser, true
}

// detach forgets a peer, and drops what waits for it.
func (s *Socket) detach(p *peer) {
	s.mu.Lock()
	for i, q := range s.peers {
		if q == p {
			s.peers = append(s.peers[:i], s.peers[i+1:]...)
			if i < s.next {
				s.next--
			}
			break
		}
	}
	p.gone = true
	for i, q := range s.fresh {
		if q == p {
			s.fresh = append(s.fresh[:i], s.fresh[i+1:]...)
			break
		}
	}
	if p.routed {
		delete(s.byID, string(p.id))
		p.routed = false
	}
	p.discard()
	s.forgetTopics(p)
	s.room.tellAll()
	s.unlock()
}

// discard drops what waits for the peer. The caller has the lock, and nobody
// writes.
func (p *peer) discard() {
	p.s.stats.dropped.Add(uint64(p.queued))
	p.done += uint64(p.queued)
	p.queued, p.waiting, p.written = 0, 0, 0
	p.pinged, p.ponged = false, false
	p.pending.reset(p.s.drop())
	p.out.reset(p.s.drop())
}

// drop gives the list of what is to be released as soon as the lock is free. The
// caller has the lock.
func (s *Socket) drop() *[]owner {
	if s.dropped == nil {
		s.dropped = ownerLists.Get().(*[]owner)
	}
	return s.dropped
}

var ownerLists = sync.Pool{New: func() any { return new([]owner) }}

// unlock frees the socket's mutex, and then releases what was dropped: the hook
// of external data is not ours, and may look at the socket.
func (s *Socket) unlock() {
	list := s.dropped
	s.dropped = nil
	s.mu.Unlock()
	releaseDropped(list)
}

func releaseDropped(list *[]owner) {
	if list == nil {
		return
	}
	for _, o := range *list {
		o.release()
	}
	clear(*list)
	*list = (*list)[:0]
	ownerLists.Put(list)
}

// hasRoom tells whether the peer takes another message. The caller has the lock.
func (p *peer) hasRoom() bool {
	if p.s.opt.Conflate {
		return true
	}
	o := &p.s.opt
	if r := p.remote.Load(); r != nil {
		ro := &r.s.opt
		return r.in.msgs.Load() < int64(o.SendHighWater)+int64(ro.RecvHighWater) &&
			r.in.bytes.Load() < o.SendHighWaterBytes+ro.RecvHighWaterBytes
	}
	return p.queued < o.SendHighWater && p.waiting < o.SendHighWaterBytes
}

// takesReply tells whether the peer takes another reply. What is being written does not
// count: the peer may have it already, and ask again, before the writer knows that it is
// written. The caller has the lock.
func (p *peer) takesReply() bool {
	return p.hasRoom() || p.remote.Load() == nil && p.pending.empty()
}

// post queues a message, and writes it if the connection is idle. The caller has
// the lock, which is free afterwards.
func (p *peer) post(frames [][]byte, own owner) error {
	lead, err := p.enqueue(frames, own, nil)
	p.s.unlock()
	if lead {
		p.write(true)
	}
	return err
}

// enqueue queues a message, and tells whether the caller has to write it. wire is
// how it is written, where that is known. The caller has the lock.
func (p *peer) enqueue(frames [][]byte, own owner, wire []byte) (lead bool, err error) {
	if r := p.remote.Load(); r != nil {
		return false, p.inject(r, frames, own)
	}
	if p.s.opt.Conflate && p.pending.msgs > 0 {
		p.s.stats.dropped.Add(uint64(p.pending.msgs))
		p.done += uint64(p.pending.msgs)
		p.queued -= p.pending.msgs
		p.waiting -= p.pending.bytes
		p.pending.reset(p.s.drop())
		p.pinged, p.ponged = false, false
	}
	before := p.pending.bytes
	if wire != nil {
		p.pending.addWire(wire, size(frames))
	} else if err := p.pending.add(frames, own); err != nil {
		return false, err
	}
	p.queued++
	p.waiting += p.pending.bytes - before
	return p.start(true), nil
}

// idleAfter is how long a connection has nothing to write until the next sender
// writes at once. A sender that comes back earlier has a stream of messages,
// which leave together.
const idleAfter = 50 * time.Microsecond

// start sees to it that what is pending is written: by the caller, who then has
// to call write, or in the background. The caller has the lock.
func (p *peer) start(inline bool) (lead bool) {
	if p.writing || p.conn == nil || p.pending.empty() && p.out.empty() {
		return false
	}
	p.writing = true
	if inline && p.conn.try != nil && len(p.pending.vec) <= tryPieces && p.pending.bytes <= tryBytes && p.out.empty() && p.idle() {
		return true
	}
	p.background()
	return false
}

// idle tells whether this is a single message and not one of a stream: something
// was received since the last, and nothing more waits to be, or time has passed.
func (p *peer) idle() bool {
	if turn, unread := p.s.in.counts(); turn != p.turn {
		p.turn = turn
		return unread == 0
	}
	t := now()
	idle := t-p.streak > int64(idleAfter) || p.streak == 0
	p.streak = t
	return idle
}

// background makes a goroutine the writer. The caller has the lock.
func (p *peer) background() {
	p.s.running.Add(1)
	go p.drain()
}

// write is run by the writer, which it ceases to be when nothing is left. An
// inline writer does not wait for the connection, and leaves to a goroutine what
// it does not take at once.
func (p *peer) write(inline bool) {
	s := p.s
	s.mu.Lock()
	for {
		if p.out.empty() {
			p.out, p.pending = p.pending, p.out
			p.pinged, p.ponged, p.written = false, false, 0
		}
		c := p.conn
		if c == nil || p.out.empty() {
			p.writing = false
			s.room.tellAll()
			s.unlock()
			return
		}
		s.unlock()
		whole, err := c.writeBatch(p, inline)
		s.mu.Lock()
		if err != nil {
			p.writing = false
			c.unwritten(p, err)
			if p.conn == c {
				p.conn = nil
			}
			c.shut(err)
			s.room.tellAll()
			s.unlock()
			return
		}
		if whole {
			p.sent()
		}
		if inline && (!whole || !p.pending.empty()) {
			p.background()
			s.unlock()
			return
		}
	}
}

// sent counts the batch as written and makes room. The caller has the lock.
func (p *peer) sent() {
	b := p.out
	s := p.s
	s.stats.sent.Add(uint64(b.msgs))
	s.stats.sentBytes.Add(uint64(b.bytes))
	s.stats.copiedBytes.Add(uint64(b.copied))
	p.done += uint64(b.msgs)
	p.queued -= b.msgs
	p.waiting -= b.bytes
	b.reset(p.s.drop())
	p.written = 0
	s.room.tellAll()
}

// taken is called when a message of this peer was received.
func (p *peer) taken() {
	if r := p.remote.Load(); r != nil {
		r.s.mu.Lock()
		r.s.room.tellAll()
		r.s.unlock()
	}
}

// waitIdle waits until nobody writes to a connection that failed. The caller has
// the lock.
func (p *peer) waitIdle() {
	for p.writing {
		_ = p.s.room.wait(&p.s.mu, context.Background())
	}
}
