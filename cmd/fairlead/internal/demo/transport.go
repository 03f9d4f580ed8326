package demo

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// Pipe is what the producer needs of a connection: the contract that all of
// Fairlead's pipes keep.
type Pipe interface {
	NewMessage(sizeHint int) *segment.Message
	Send(ctx context.Context, msg *segment.Message) error
	Flush() error
	Recv(ctx context.Context) (*segment.Message, error)
	Close() error
	// Copied is how many messages had to be copied to be sent or received.
	Copied() uint64
}

// Listener is where a worker is to be found.
type Listener interface {
	Addr() string
	// Serve answers whoever connects and knows the token, until the context ends.
	Serve(ctx context.Context, w *worker) error
	Close() error
}

// Transport is one way between two processes of one machine.
type Transport struct {
	Name string
	// Workers is how many share the files. 0 is one.
	Workers int
	// Listen opens an address that no other program uses; dir is an empty
	// folder that only this user can enter.
	Listen func(ctx context.Context, dir string) (Listener, error)
	// Dial connects to what Listen's Addr said, of all workers with
	// addrSeparator between them.
	Dial func(ctx context.Context, addr string) (Pipe, error)
}

const addrSeparator = "\n"

// Transports is every transport that the demo runs over here, in this order.
var Transports = transports()

func transports() []Transport {
	shared := mem.SharedSupported()
	all := []Transport{
		overURL("unix", "unix://", inFolder, nil),
		overURL("tcp", "tcp://", anyPort, nil),
	}
	if shared {
		all = append(all, overURL("shm", "shm://", inFolder, intoBlocks))
	}
	all = append(all,
		overURL("zmq+ipc", "zmq+ipc://", inFolder, keepSmall),
		overURL("zmq+tcp", "zmq+tcp://", anyPort, keepSmall),
		fanOut("zmq+fan", 2),
		overRPC("rpc+unix", "unix://", inFolder),
	)
	if shared {
		all = append(all, overRPC("rpc+shm", "shm://", inFolder))
	}
	return all
}

func inFolder(dir string) string { return filepath.ToSlash(filepath.Join(dir, "demo.sock")) }
func anyPort(string) string      { return "127.0.0.1:0" }

func transportNamed(name string) (Transport, error) {
	for _, t := range Transports {
		if t.Name == name {
			return t, nil
		}
	}
	return Transport{}, fmt.Errorf("demo: no transport %q", name)
}

// options are those of a worker. The producer waits for every answer: what is left
// when it closes is left after a failure.
func options() fairlead.Options {
	return fairlead.Options{Limits: workerLimits()}
}

func dialOptions() fairlead.Options {
	o := options()
	o.Linger = -1
	return o
}

// A prepare gives a message as a pipe can send it, and takes over the one that it
// got. It is for pipes that would read a mapped file in this process, where a file
// that was cut short is a fault.
type prepare func(p fairlead.Pipe, msg *segment.Message) (*segment.Message, error)

// overURL is a transport of Fairlead's front door.
func overURL(name, scheme string, rest func(dir string) string, prep prepare) Transport {
	return Transport{
		Name: name,
		Listen: func(_ context.Context, dir string) (Listener, error) {
			ln, err := fairlead.Listen(scheme+rest(dir), options())
			if err != nil {
				return nil, err
			}
			return urlListener{ln}, nil
		},
		Dial: func(ctx context.Context, addr string) (Pipe, error) {
			p, err := fairlead.Dial(ctx, addr, dialOptions())
			if err != nil {
				return nil, err
			}
			return urlPipe{p, prep}, nil
		},
	}
}

type urlListener struct{ *fairlead.Listener }

func (l urlListener) Addr() string { return l.URL() }

// Accept waits for the next connection.
func (l urlListener) Accept(ctx context.Context) (Pipe, error) {
	p, err := l.Listener.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return urlPipe{p, nil}, nil
}

func (l urlListener) Serve(ctx context.Context, w *worker) error { return w.serveAll(ctx, l.Accept) }

type urlPipe struct {
	fairlead.Pipe
	prepare prepare
}

func (p urlPipe) Send(ctx context.Context, msg *segment.Message) error {
	if p.prepare != nil {
		var err error
		if msg, err = p.prepare(p.Pipe, msg); err != nil {
			return err
		}
	}
	return p.Pipe.Send(ctx, msg)
}

func (p urlPipe) Copied() uint64 { return p.Stats().Copied }

// intoBlocks puts a message with a mapped file in it into memory of the pipe's.
// For shared memory that is where the peer reads it: the file is written once, into
// its place.
func intoBlocks(p fairlead.Pipe, msg *segment.Message) (*segment.Message, error) {
	if msg.OwnsMemory() {
		return msg, nil
	}
	defer msg.Release()
	kept := p.NewMessage(int(msg.SizeBytes()))
	err := guarded(msg, 0, func() error {
		kept.RootBuilder().Set(msg.Root())
		return kept.Err()
	})
	if err != nil {
		kept.Release()
		return nil, err
	}
	return kept, nil
}

// guarded runs f, which reads the segments of msg from i on. Any may be a mapped
// file.
func guarded(msg *segment.Message, i int, f func() error) error {
	if i == msg.Segments() {
		return f()
	}
	return mem.Guard(msg.Segment(i), func() error { return guarded(msg, i+1, f) })
}
