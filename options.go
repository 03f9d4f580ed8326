package fairlead

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
	"github.com/fairlead-go/fairlead/zmq"
)

// Options says how pipes work. The zero value is useful. What only one transport
// knows is left out by the others.
type Options struct {
	// Limits bound what a received message may cost; zero fields mean the
	// defaults. What shm receives takes no memory, and so is not held against
	// MessageBytes.
	Limits segment.Limits
	// VerifyOnRecv walks each message once when it is received, so that reading
	// it meets no fault and charges no budget. A faulty one is an error of that
	// Recv and is left out.
	VerifyOnRecv bool
	// Arena is where NewMessage takes memory from. Default: the transport's own,
	// which is memory that the peer can see for shm, and else [arena.Pool].
	Arena segment.Arena
	// HighWater is how many bytes may wait until Send blocks. Default: the
	// transport's own. For shm see SHM.MaxBytes.
	HighWater int
	// Linger is how long Close may take to send what is waiting. Default 1 s;
	// negative means that it is dropped.
	Linger time.Duration

	// TLS says how connections of tls:// are secured. One that dials needs it
	// for authorities that the system does not know, and to prove itself; one
	// that listens needs it for its certificate.
	TLS *tls.Config
	// ZMQ is what only ZeroMQ has, such as security and heartbeats. Its fields
	// that are named above, or set by them, are not used.
	ZMQ zmq.Options
	// SHM is what only shared memory has, such as how to wait and how much memory
	// there may be. Its fields that are named above are not used.
	SHM shm.Options

	// RPC is how DialRPC and ServeRPC make their connections. The capability of
	// its Bootstrap is what the peer of DialRPC can ask for; that of ServeRPC's
	// peers is an argument.
	RPC rpc.ConnOptions
	// Drain is how long ServeRPC waits for calls under way when its context ends.
	// Default 10 s; negative does not wait.
	Drain time.Duration

	// Logger is told of peers that could not be accepted, and, unless RPC has one of
	// its own, of what the connections of DialRPC and ServeRPC have to tell. Default:
	// nobody is.
	Logger *slog.Logger

	calls bool // the pipe is for package rpc, which says when to flush
}

// withDefaults checks o for a URL, and fills in what must not be nil.
func (o Options) withDefaults(doing, url string) (Options, error) {
	if o.HighWater < 0 {
		return o, about(doing, url, fmt.Errorf("a high-water mark of %d bytes, want 1 or more, or 0 for the default", o.HighWater))
	}
	if o.RPC.Logger == nil {
		o.RPC.Logger = o.Logger
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func (o *Options) stream() framing.PipeOptions {
	return framing.PipeOptions{
		Limits:       o.Limits,
		VerifyOnRecv: o.VerifyOnRecv,
		Arena:        o.Arena,
		HighWater:    o.HighWater,
		Linger:       o.Linger,
		ManualFlush:  o.calls,
	}
}

func (o *Options) zmq() zmq.PipeOptions {
	s := o.ZMQ
	s.Limits, s.VerifyOnRecv, s.Linger = o.Limits, o.VerifyOnRecv, o.Linger
	s.SendHighWaterBytes = int64(o.HighWater)
	s.MaxMessageBytes = o.Limits.MessageBytes
	return zmq.PipeOptions{Arena: o.Arena, Socket: s}
}

func (o *Options) shm() shm.Options {
	s := o.SHM
	s.Limits = o.Limits
	return s
}
