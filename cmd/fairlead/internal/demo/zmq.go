package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// overZMQ is the transport over ZeroMQ: a DEALER that connects to a ROUTER.
func overZMQ(name string, endpoint func(dir string) string) Transport {
	return Transport{
		Name: name,
		Listen: func(_ context.Context, dir string) (Listener, error) {
			ln, err := zmq.Listen(endpoint(dir), zmq.PipeOptions{Socket: zmqOptions()})
			if err != nil {
				return nil, err
			}
			return zmqListener{ln}, nil
		},
		Dial: func(ctx context.Context, addr string) (Pipe, error) {
			s := zmq.NewDealer(dialOptions())
			events := s.Monitor(16)
			if err := s.Connect(addr); err != nil {
				_ = s.Close()
				return nil, err
			}
			p, err := zmq.NewPipe(ctx, s, zmq.PipeOptions{})
			if err != nil {
				return nil, err
			}
			return &zmqPipe{Pipe: p, events: events}, nil
		},
	}
}

func zmqOptions() zmq.Options {
	lim := workerLimits()
	return zmq.Options{MaxMessageBytes: lim.MessageBytes, Limits: lim}
}

// dialOptions are those of the producer, who waits for every answer: what is left
// when it closes is left after a failure.
func dialOptions() zmq.Options {
	o := zmqOptions()
	o.Linger = -1
	return o
}

func zmqTCP(string) string { return "tcp://127.0.0.1:*" }

func zmqIPC(dir string) string { return "ipc://" + filepath.Join(dir, "zmq.sock") }

type zmqListener struct{ *zmq.Listener }

func (l zmqListener) Addr() string { return l.Endpoint() }

// Accept waits for the next peer. Its messages have the limits of the listener.
func (l zmqListener) Accept(ctx context.Context, _ segment.Limits) (Pipe, error) {
	p, err := l.Listener.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return &zmqPipe{Pipe: p}, nil
}

// A zmqPipe knows why its connection was lost, and lives through small files that
// are cut short.
type zmqPipe struct {
	*zmq.Pipe
	copied atomic.Uint64

	events <-chan zmq.Event
	lost   sync.Once
	cause  error
}

// smallFrame is how large a frame may be that package zmq copies, to leave with
// others.
const smallFrame = 2 << 10

func (p *zmqPipe) Send(ctx context.Context, msg *segment.Message) error {
	msg, err := keepSmall(msg, &p.copied)
	if err != nil {
		return err
	}
	return p.why(p.Pipe.Send(ctx, msg))
}

// keepSmall gives a copy of a message that package zmq would copy, and counts it.
// It would do so in this process, where a mapped file that is not there any more is
// a fault.
func keepSmall(msg *segment.Message, copied *atomic.Uint64) (*segment.Message, error) {
	for i := range msg.Segments() {
		if len(msg.Segment(i)) > smallFrame {
			return msg, nil
		}
	}
	copied.Add(1)
	return snapshot(msg)
}

// snapshot copies a message, and releases it.
func snapshot(msg *segment.Message) (kept *segment.Message, err error) {
	defer msg.Release()
	err = guarded(msg, 0, func() (err error) {
		kept, err = msg.Snapshot()
		return err
	})
	return kept, err
}

// guarded runs f, which reads the segments of msg from i on. Any may be a mapped
// file.
func guarded(msg *segment.Message, i int, f func() error) error {
	if i == msg.Segments() {
		return f()
	}
	return mem.Guard(msg.Segment(i), func() error { return guarded(msg, i+1, f) })
}

func (p *zmqPipe) Flush() error { return p.why(p.Pipe.Flush()) }

func (p *zmqPipe) Recv(ctx context.Context) (*segment.Message, error) {
	msg, err := p.Pipe.Recv(ctx)
	return msg, p.why(err)
}

// why adds to the error of a lost connection what it was lost by.
func (p *zmqPipe) why(err error) error {
	if p.events == nil || !errors.Is(err, zmq.ErrDisconnected) && !errors.Is(err, io.EOF) {
		return err
	}
	p.lost.Do(func() {
		for e := range p.events {
			if e.Kind == zmq.Disconnected {
				p.cause = e.Err
				return
			}
		}
	})
	return fmt.Errorf("%w: %w", err, p.cause)
}

// Copied is how many messages were sent from a copy.
func (p *zmqPipe) Copied() uint64 { return p.copied.Load() }
