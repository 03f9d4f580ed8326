package fairlead

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

var zmqErrors = dialect{closed: zmq.ErrClosed, disconnected: zmq.ErrDisconnected}

// A zmqPipe is a pipe over ZeroMQ: a DEALER that connects to a ROUTER.
type zmqPipe struct {
	*zmq.Pipe
	l    *zmqListener // that accepted it, or nil
	once sync.Once
	err  error // of Close
}

func dialZMQ(ctx context.Context, t *target, o *Options) (Pipe, error) {
	p, err := zmq.Dial(ctx, t.endpoint(), o.zmq())
	if err != nil {
		return nil, err
	}
	return &zmqPipe{Pipe: p}, nil
}

// lost adds to the error of a lost connection what it was lost by.
func (p *zmqPipe) lost(err error) error {
	if err == nil {
		return nil
	}
	if cause := p.Cause(); cause != nil && cause != io.EOF && (err == io.EOF || errors.Is(err, zmq.ErrDisconnected)) {
		err = fmt.Errorf("%w: %w", zmq.ErrDisconnected, cause)
	}
	return zmqErrors.translate(err)
}

func (p *zmqPipe) Send(ctx context.Context, msg *segment.Message) error {
	return p.lost(p.Pipe.Send(ctx, msg))
}

func (p *zmqPipe) Flush() error { return p.lost(p.Pipe.Flush()) }

func (p *zmqPipe) Recv(ctx context.Context) (*segment.Message, error) {
	msg, err := p.Pipe.Recv(ctx)
	return msg, p.lost(err)
}

func (p *zmqPipe) Close() error {
	p.once.Do(func() {
		p.err = zmqErrors.translate(p.Pipe.Close())
		if p.l != nil {
			p.l.leave()
		}
	})
	return p.err
}

func (p *zmqPipe) Peer() Peer { return Peer{Addr: p.Remote(), User: p.User()} }

func (p *zmqPipe) Stats() Stats {
	s := p.Pipe.Stats()
	return Stats{
		Sent: s.Sent, SentBytes: s.SentBytes, Received: s.Received, ReceivedBytes: s.ReceivedBytes,
		Copied: s.Copied, WaitingBytes: s.WaitingBytes, Errors: s.Errors,
	}
}

// A zmqListener keeps the socket until it and all its pipes are closed, because
// they share it.
type zmqListener struct {
	ln     *zmq.Listener
	closed context.Context
	end    context.CancelFunc

	mu    sync.Mutex
	pipes int // accepted and not closed
}

func listenZMQ(t *target, o *Options) (backend, string, error) {
	ln, err := zmq.Listen(t.endpoint(), o.zmq())
	if err != nil {
		return nil, "", err
	}
	l := &zmqListener{ln: ln}
	l.closed, l.end = context.WithCancel(context.Background())
	return l, "zmq+" + ln.Endpoint(), nil
}

func (l *zmqListener) accept(ctx context.Context, _ bool) (Pipe, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.closed, cancel)()
	p, err := l.ln.Accept(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Err() != nil {
		if err == nil {
			_ = p.Close()
		}
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	l.pipes++
	return &zmqPipe{Pipe: p, l: l}, nil
}

// leave counts a pipe out, and ends the socket with the last.
func (l *zmqListener) leave() {
	l.mu.Lock()
	l.pipes--
	last := l.pipes == 0 && l.closed.Err() != nil
	l.mu.Unlock()
	if last {
		_ = l.ln.Close() // its pipes have told what was not sent
	}
}

func (l *zmqListener) close() error {
	l.mu.Lock()
	if l.closed.Err() != nil {
		l.mu.Unlock()
		return nil
	}
	l.end()
	last := l.pipes == 0
	l.mu.Unlock()
	if last {
		return l.ln.Close()
	}
	l.ln.StopListening()
	go l.dismiss()
	return nil
}

// dismiss closes the connections of those who had connected, but were not
// accepted. It ends with the socket.
func (l *zmqListener) dismiss() {
	for {
		p, err := l.ln.Accept(context.Background())
		if err != nil {
			return
		}
		_ = p.Close()
	}
}
