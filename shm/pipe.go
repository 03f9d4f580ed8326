package shm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// Whether a pipe has come to its end.
const (
	overNot    = iota
	overGone   // the peer is gone; what it sent can be received
	overClosed // we have closed
)

// Pipe is one end of a connection to another process, which has the other end. It
// sends and receives messages by reference. All methods may be called from any
// goroutine.
//
// Messages arrive in the order in which Send accepted them, each once. Several
// goroutines may receive; each message goes to one.
//
// A context that ends while Send or Recv waits breaks nothing: no message is lost
// or sent in part.
//
// A pipe ends when either end closes it or dies, or breaks the protocol. The other
// end learns of it at once, however the process ended. What had been sent before is
// still received; Send gives [ErrDisconnected].
type Pipe struct {
	conn   *net.UnixConn
	own    words // our first region
	peer   words // the peer's
	user   Peer
	limits segment.Limits
	manual bool

	receiveBell *mem.Doorbell // at which both ends' receivers sleep
	sendBell    *mem.Doorbell // and their senders

	memory memory
	small  [smallClasses]memory

	out  outgoing
	in   incoming
	back returns

	over       atomic.Uint32
	drained    atomic.Bool           // nothing more is read from the socket
	cause      atomic.Pointer[error] // why the peer is gone
	left       atomic.Int64          // what does not keep the mappings any more: see leave
	last       atomic.Int64          // how many there are to leave, once that is known
	leftItself atomic.Int64          // 1 once the pipe itself is among those that left
	errors     atomic.Uint64
	rings      atomic.Uint64

	control control
	process *mem.Process // the peer, if it is known and another
	running sync.WaitGroup

	closing  sync.Once
	closeErr error
	onClose  func() // tells the listener
}

// Peer is who is at the other end of a pipe, as the kernel knew it when the pipe
// was made.
type Peer struct {
	PID, UID, GID int
}

// Peer tells who is at the other end. Of a pipe that was made by [Attach] it is who
// called [Pair].
func (p *Pipe) Peer() Peer { return p.user }

// errGone is why a pipe has ended that the peer closed, in order or by dying.
var errGone = fmt.Errorf("%w: the peer is gone", ErrDisconnected)

func disconnected(err error) error { return fmt.Errorf("%w: %w", ErrDisconnected, err) }

// end ends a pipe because the peer is gone, or has to be. The first cause is kept.
func (p *Pipe) end(cause error) {
	if !p.cause.CompareAndSwap(nil, &cause) {
		return
	}
	p.over.CompareAndSwap(overNot, overGone)
	point("end.marked")
	p.out.wait.watch.Close(true)
	p.in.wait.watch.Close(true)
	// The peer learns of it. What it told before, such as where the memory is of
	// messages that nobody has received yet, is still read; then our goroutine ends.
	if errors.Is(cause, ErrCorrupt) {
		_ = p.conn.CloseRead()
	} else {
		_ = p.conn.SetReadDeadline(time.Now().Add(drainTime))
	}
	_ = p.conn.CloseWrite()
	point("end.shut")
}

// gone gives the reason why the peer is gone.
func (p *Pipe) gone() error {
	if c := p.cause.Load(); c != nil {
		return *c
	}
	return errGone
}

// eof is the error of a Recv when everything was received.
func (p *Pipe) eof() error {
	err := p.gone()
	if !errors.Is(err, ErrCorrupt) && p.peer.end.Load() == stateClosed {
		return io.EOF
	}
	return err
}

// Close ends the pipe, wakes every call with [ErrClosed] and waits until no
// goroutine of the pipe is left. The peer still receives what was sent. Messages
// that were received or are being built stay valid until they are released.
// Closing again waits for the first Close and gives the same.
func (p *Pipe) Close() error {
	p.closing.Do(p.close)
	return p.closeErr
}

func (p *Pipe) close() {
	p.out.mu.Lock() // a Send that finds the pipe open is done before the peer is told
	p.over.Store(overClosed)
	p.out.mu.Unlock()
	p.own.end.Swap(stateClosed)
	point("close.marked")
	p.out.wait.watch.Close(true)
	p.in.wait.watch.Close(true)
	err := p.conn.Close()
	point("close.hungup")
	if p.process != nil {
		err = errors.Join(err, p.process.Close())
	}
	p.running.Wait()

	p.in.mu.Lock()
	p.in.closed = true
	p.in.wait.settle(&p.in.mu)
	packs := p.in.packs
	p.in.packs = nil
	p.last.Store(p.in.opened + 1)
	p.in.mu.Unlock()
	for _, r := range packs {
		r.leave()
	}

	p.out.mu.Lock()
	p.out.wait.settle(&p.out.mu) // a sender sleeps in our memory, which may go from then on
	p.out.closed = true
	free := p.out.store.taken == 0
	p.out.mu.Unlock()

	p.back.mu.Lock()
	p.back.closed = true
	p.back.mu.Unlock()

	point("close.drained")
	err = errors.Join(err, p.closeBells())
	if free { // else the last message that is built leaves
		p.leaveItself()
	}
	if p.onClose != nil {
		p.onClose()
	}
	if err != nil {
		p.closeErr = fmt.Errorf("shm: close: %w", err)
	}
}

// leaveItself is leave for the use of the pipe itself.
func (p *Pipe) leaveItself() {
	p.leftItself.Store(1)
	p.leave()
}

// leave ends one use of the mappings: that of the pipe itself, and of each message
// that was received by reference. The last gives them back. That there is a last
// one is known after Close only.
func (p *Pipe) leave() {
	if p.left.Add(1) != p.last.Load() {
		return
	}
	point("leave.unmap")
	p.out.mu.Lock()
	p.out.store.release()
	p.out.mu.Unlock()
	p.in.mu.Lock()
	for i, s := range p.in.regions {
		if s != nil {
			_ = s.Release()
			p.in.regions[i] = nil
		}
	}
	p.in.mu.Unlock()
}

// ringReceiver wakes the peer's receiver, ringSender its sender.
func (p *Pipe) ringReceiver() { p.ring(p.receiveBell) }
func (p *Pipe) ringSender()   { p.ring(p.sendBell) }

func (p *Pipe) ring(bell *mem.Doorbell) {
	p.rings.Add(1)
	point("ring")
	_ = bell.Ring() // a peer that is gone is noticed by who waits for it
}

// Stats are counts of what a pipe has done since it was made.
type Stats struct {
	Sent, SentBytes         uint64 // messages, and their segments' bytes
	Received, ReceivedBytes uint64

	// Copied is how many of the messages sent had to be copied, because they were
	// not in blocks of the pipe. Small messages that travel in the slot do not
	// count.
	Copied uint64
	// Waiting is how many slots the peer has not taken; one that a Writer has packed
	// has many messages.
	Waiting uint64
	// Lent is how many messages the peer holds, or has not taken yet; Blocks how
	// many blocks they, messages that are being built and Writers have.
	Lent, Blocks int
	// Held is how many received messages have not been released. A Reader counts for
	// one until it waits or is closed.
	Held int
	// Bytes is the size of our regions, PeerBytes that of the peer's.
	Bytes, PeerBytes int64
	// Sleeps is how often a call slept, Rings how often the peer was woken.
	Sleeps, Rings uint64
	// Errors is how many calls of Send, Flush and Recv failed; the end of the
	// stream is not an error.
	Errors uint64
}

// Stats returns the counts. It may be called at any time, also after Close. The
// counts are each exact but not of one instant.
func (p *Pipe) Stats() Stats {
	var s Stats
	in := &p.in
	in.mu.Lock()
	if !in.closed {
		in.settleBacks()
	}
	s.Received, s.ReceivedBytes, s.PeerBytes = in.taken+in.packed, in.bytes, in.size
	s.Held = int(max(0, in.opened+p.leftItself.Load()-p.left.Load()))
	s.Sleeps = in.wait.sleeps.Load()
	in.mu.Unlock()
	o := &p.out
	o.mu.Lock()
	if !o.closed {
		_ = o.refresh()
		o.collect(leases)
	}
	s.Sent, s.SentBytes, s.Copied = o.sent+o.packed, o.bytes, o.copied
	s.Waiting = o.sent - o.consumed
	s.Lent, s.Blocks, s.Bytes = o.loans.lent, o.store.taken, o.store.bytes
	s.Sleeps += o.wait.sleeps.Load()
	o.mu.Unlock()
	s.Rings = p.rings.Load()
	s.Errors = p.errors.Load()
	return s
}
