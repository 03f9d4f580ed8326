package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// Pipe is what the demo needs of a connection: the contract that all of
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

// Listener accepts connections at one address.
type Listener interface {
	Accept(ctx context.Context, lim segment.Limits) (Pipe, error)
	Addr() string
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

// Transports is every transport that the demo runs over, in this order.
var Transports = []Transport{
	stream("unix", "unix", func(dir string) string { return filepath.Join(dir, "demo.sock") }),
	stream("tcp", "tcp", func(string) string { return "127.0.0.1:0" }),
	overZMQ("zmq+ipc", zmqIPC),
	overZMQ("zmq+tcp", zmqTCP),
	fanOut("zmq+fan", 2),
}

func transportNamed(name string) (Transport, error) {
	for _, t := range Transports {
		if t.Name == name {
			return t, nil
		}
	}
	return Transport{}, fmt.Errorf("demo: no transport %q", name)
}

// stream is the transport over a byte stream of package net.
func stream(name, network string, addr func(dir string) string) Transport {
	return Transport{
		Name: name,
		Listen: func(ctx context.Context, dir string) (Listener, error) {
			var lc net.ListenConfig
			ln, err := lc.Listen(ctx, network, addr(dir))
			if err != nil {
				return nil, err
			}
			return streamListener{ln}, nil
		},
		Dial: func(ctx context.Context, addr string) (Pipe, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return newStreamPipe(conn, segment.Limits{}), nil
		},
	}
}

type streamListener struct{ ln net.Listener }

func (l streamListener) Addr() string { return l.ln.Addr().String() }
func (l streamListener) Close() error { return l.ln.Close() }

// Accept waits for the next connection. The context's end closes the listener.
func (l streamListener) Accept(ctx context.Context, lim segment.Limits) (Pipe, error) {
	stop := context.AfterFunc(ctx, func() { _ = l.ln.Close() })
	defer stop()
	conn, err := l.ln.Accept()
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	return newStreamPipe(conn, lim), nil
}

type streamPipe struct{ *framing.Pipe }

func newStreamPipe(conn net.Conn, lim segment.Limits) Pipe {
	return streamPipe{framing.NewPipe(conn, framing.PipeOptions{Limits: lim})}
}

func (p streamPipe) Copied() uint64 { return p.Stats().Copied }
