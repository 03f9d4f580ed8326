package zmq

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// PipeOptions says how a pipe works. The zero value is useful.
type PipeOptions struct {
	// Arena is where NewMessage takes memory from. Default [arena.Pool].
	Arena segment.Arena
	// Socket is how its socket works.
	Socket Options
}

func (o *PipeOptions) arena() segment.Arena {
	if o.Arena == nil {
		return arena.Pool()
	}
	return o.Arena
}

// Pipe sends and receives messages to and from one peer, one segment a frame.
// It lasts as long as the connection: when that is lost, Recv gives what has
// arrived and then io.EOF, and Send an error that matches [ErrDisconnected]. All
// methods may be called from any goroutine.
type Pipe struct {
	s     *Socket
	arena segment.Arena
	peer  *peer
	owns  bool // the socket is this pipe's
	addr  string
	user  string
	stats pipeCounters
	once  sync.Once
	err   error
}

// newPipe makes a pipe of a peer. The caller has the socket's mutex.
func newPipe(s *Socket, a segment.Arena, p *peer, owns bool) *Pipe {
	pipe := &Pipe{s: s, arena: a, peer: p, owns: owns}
	if p.conn != nil {
		pipe.addr, pipe.user = p.conn.remote(), p.conn.mech.User()
	}
	return pipe
}

// Remote is the address of the other end, which is empty inproc and where a peer
// of Listen was lost before Accept.
func (p *Pipe) Remote() string { return p.addr }

// Cause is why the connection has ended: nil while it lasts and inproc, io.EOF
// if the peer closed it.
func (p *Pipe) Cause() error {
	p.s.mu.Lock()
	defer p.s.unlock()
	return p.peer.cause
}

// User is who the [Authenticator] of this end said that the peer is, and empty
// if it was not asked.
func (p *Pipe) User() string { return p.user }

// Dial connects a pipe to an endpoint: to a [Listener], or to a DEALER. It waits
// until the peer is there or the context ends; then the error says why the last
// attempt failed.
func Dial(ctx context.Context, endpoint string, o PipeOptions) (*Pipe, error) {
	s := New(Dealer, o.Socket)
	s.one = true
	if err := s.Connect(endpoint); err != nil {
		_ = s.Close()
		return nil, err
	}
	return firstPeer(ctx, s, o)
}

// NewPipe makes a pipe of a DEALER or PAIR socket that is bound or connected to
// one endpoint, and of which nothing was received yet. It waits until a peer is
// there or the context ends. The socket belongs to the pipe from now on in every
// case, and takes no other peer.
func NewPipe(ctx context.Context, s *Socket, o PipeOptions) (*Pipe, error) {
	if s.typ != Dealer && s.typ != Pair {
		_ = s.Close()
		return nil, stateError("a %v cannot be a pipe", s.typ)
	}
	s.mu.Lock()
	s.one = true
	s.unlock()
	return firstPeer(ctx, s, o)
}

func firstPeer(ctx context.Context, s *Socket, o PipeOptions) (*Pipe, error) {
	s.mu.Lock()
	for {
		if s.closing {
			s.unlock()
			return nil, ErrClosed
		}
		for _, p := range s.peers {
			if p.conn != nil || p.remote.Load() != nil || p.lost { // lost: it came and went meanwhile
				s.in.makePrivate(p)
				s.only = p
				for _, q := range s.peers {
					if q != p && q.conn != nil {
						q.conn.shut(errSingle)
					}
				}
				pipe := newPipe(s, o.arena(), p, true)
				s.unlock()
				return pipe, nil
			}
		}
		if err := s.room.wait(&s.mu, ctx); err != nil {
			s.unlock()
			why := s.monitor.lastFailure()
			_ = s.Close()
			if why != nil {
				return nil, fmt.Errorf("zmq: no peer: %w: the last attempt: %w", err, why)
			}
			return nil, fmt.Errorf("zmq: no peer: %w", err)
		}
	}
}

// Listener accepts pipes, one a peer, on a ROUTER socket.
type Listener struct {
	s        *Socket
	arena    segment.Arena
	endpoint string
}

// Listen binds an endpoint for pipes. The caller closes the listener.
func Listen(endpoint string, o PipeOptions) (*Listener, error) {
	s := New(Router, o.Socket)
	s.accepts = true
	actual, err := s.Bind(endpoint)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return &Listener{s: s, arena: o.arena(), endpoint: actual}, nil
}

// Endpoint is where the listener is bound, as others can connect to it.
func (l *Listener) Endpoint() string { return l.endpoint }

// Accept waits for the next peer. The caller closes the pipe, which Close of the
// listener does as well.
func (l *Listener) Accept(ctx context.Context) (*Pipe, error) {
	s := l.s
	s.mu.Lock()
	defer s.unlock()
	for {
		if s.closing {
			return nil, ErrClosed
		}
		if len(s.fresh) > 0 {
			p := s.fresh[0]
			s.fresh = s.fresh[1:]
			return newPipe(s, l.arena, p, false), nil
		}
		if err := s.room.wait(&s.mu, ctx); err != nil {
			return nil, fmt.Errorf("zmq: accept: %w", err)
		}
	}
}

// StopListening gives the endpoint back: nobody can connect to it any more. The
// pipes live on, and those who had connected can still be accepted.
func (l *Listener) StopListening() {
	l.s.mu.Lock()
	ends := slices.Clone(l.s.ends)
	l.s.unlock()
	for _, e := range ends {
		e.stopListening()
	}
}

// Close ends the listener and every pipe that it accepted. See [Socket.Close].
func (l *Listener) Close() error { return l.s.Close() }

// Stats are the counts of all its pipes together.
func (l *Listener) Stats() Stats { return l.s.Stats() }

// NewMessage starts a message of about sizeHint bytes, 0 if that is not known,
// in memory of the pipe's arena. It belongs to the caller until it is sent.
func (p *Pipe) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized(p.arena, sizeHint)
}

// Send queues a message, which belongs to the pipe from now on in every case. It
// blocks while the pipe is full. See [Socket.SendMessage].
func (p *Pipe) Send(ctx context.Context, msg *segment.Message) error {
	var few [8][]byte
	frames, err := msg.AppendSegments(few[:0])
	bytes, small := 0, true
	for _, f := range frames {
		bytes += len(f)
		small = small && len(f) <= joined
	}
	if err == nil {
		err = p.s.sendTo(ctx, p.peer, frames, owner{msg: msg})
	}
	msg.Release()
	if err != nil {
		p.s.stats.errors.Add(1)
		p.stats.errors.Add(1)
		return err
	}
	p.sending(bytes, small)
	return nil
}

// sendTo sends to one peer, and waits until it has room.
func (s *Socket) sendTo(ctx context.Context, p *peer, frames [][]byte, own owner) error {
	if len(frames) > maxFrames {
		return tooManyFrames(len(frames))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("zmq: send: %w", err)
	}
	s.mu.Lock()
	for {
		switch {
		case s.closing:
			s.unlock()
			return ErrClosed
		case p.gone || p.lost:
			s.unlock()
			return ErrDisconnected
		case p.hasRoom():
			return p.post(frames, own)
		}
		if err := s.room.wait(&s.mu, ctx); err != nil {
			s.unlock()
			return fmt.Errorf("zmq: send: the peer has no room: %w", err)
		}
	}
}

// Flush waits until every message that was queued before is written. It fails
// with [ErrDisconnected] or [ErrClosed] if one of them could not be.
func (p *Pipe) Flush() error { return p.s.flush(p.peer) }

// Recv waits for the next message and returns it, to be read where it arrived.
// The caller releases it. The error is io.EOF if the connection is lost and
// everything that arrived was received. See [Socket.RecvMessage].
func (p *Pipe) Recv(ctx context.Context) (*segment.Message, error) {
	a, err := p.s.in.nextFrom(ctx, p.peer)
	if err == nil {
		var msg *segment.Message
		if msg, err = p.s.openSegments(a, a.frames()); err == nil {
			p.stats.received.Add(1)
			p.stats.receivedBytes.Add(uint64(msg.SizeBytes()))
			return msg, nil
		}
		a.release()
	}
	if err != io.EOF {
		p.s.stats.errors.Add(1)
		p.stats.errors.Add(1)
	}
	return nil, err
}

// Buffered tells whether Recv has a message at hand, so that it does not wait.
func (p *Pipe) Buffered() bool { return p.s.in.holds(p.peer) }

// Close writes what is waiting, for as long as Linger lets it, ends the
// connection and wakes every call. Messages that were received stay valid.
// Closing again does nothing.
func (p *Pipe) Close() error {
	p.once.Do(func() {
		if p.owns {
			p.err = p.s.Close()
		} else {
			p.err = p.s.dismiss(p.peer)
		}
	})
	return p.err
}

// dismiss ends a connection once what waits for it is written.
func (s *Socket) dismiss(p *peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), max(s.opt.Linger, 0))
	defer cancel()
	s.mu.Lock()
	p.lost = true
	s.room.tellAll()
	for p.queued > 0 && !p.gone && !s.closing && s.room.wait(&s.mu, ctx) == nil {
	}
	unsent := p.queued
	c := p.conn
	s.unlock()
	s.in.finish(p, ErrClosed)
	if c != nil {
		c.shut(ErrClosed)
	}
	s.opt.Namespace.part(p)
	if unsent > 0 {
		return fmt.Errorf("%w with %d messages unsent", ErrClosed, unsent)
	}
	return nil
}
