package zmq

import (
	"fmt"
	"math"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// Options says how a socket works. The zero value is useful. A negative number
// where nothing else is said switches a limit or a time off.
type Options struct {
	// SendHighWater and RecvHighWater are how many messages may wait for each
	// peer, and from each peer, until the socket blocks, or drops where its type
	// says so. Default 1000. Between two sockets inproc there is one queue, with
	// room for both sides' numbers together.
	SendHighWater, RecvHighWater int
	// SendHighWaterBytes and RecvHighWaterBytes are the same for the bytes of
	// messages. Default 64 MiB. A message is accepted while fewer are waiting,
	// however large it is.
	SendHighWaterBytes, RecvHighWaterBytes int64
	// Linger is how long Close may take to write what is waiting. Default 1 s;
	// negative means that it is dropped.
	Linger time.Duration

	// Immediate leaves out peers that are not connected yet: without it, messages
	// are queued for an endpoint as soon as Connect was called.
	Immediate bool
	// ReconnectInterval is how long after a failure the first attempt to connect
	// again is made. Default 100 ms. It doubles with each attempt, up to
	// ReconnectMax, default 10 s, and up to half of it is left to chance.
	ReconnectInterval, ReconnectMax time.Duration
	// ConnectTimeout bounds one attempt to connect. Default 10 s.
	ConnectTimeout time.Duration
	// HandshakeTimeout bounds the greeting and handshake. Default 5 s.
	HandshakeTimeout time.Duration
	// HeartbeatInterval is how often a silent peer of ZMTP 3.1 is sent a PING.
	// Default 10 s. HeartbeatTimeout is how long a peer may then be silent until
	// it is dropped. Default 30 s. HeartbeatTTL, if positive, is what the peer is
	// told of how long it may wait for us. At most 6553 s.
	HeartbeatInterval, HeartbeatTimeout, HeartbeatTTL time.Duration
	// KeepAlive is the interval of TCP's own keep-alive probes. Default 15 s.
	KeepAlive time.Duration

	// MaxMessageBytes is how large the frames of a received message may be
	// together. Default 64 MiB. A peer that sends more is dropped.
	MaxMessageBytes int64
	// Limits bound what RecvMessage accepts and what reading the message may
	// cost; zero fields mean the defaults of package segment.
	Limits segment.Limits
	// VerifyOnRecv walks each message once in RecvMessage, so that reading it
	// meets no fault and charges no budget. A faulty one is an error of that
	// call and is left out.
	VerifyOnRecv bool

	// RoutingID is what this socket wants to be called by a ROUTER. At most 255
	// bytes, of which the first is not zero. Empty leaves it to the ROUTER.
	RoutingID []byte
	// Mandatory makes sending to a peer that a ROUTER does not have an error,
	// and sending to one that takes no more block; otherwise both drop.
	Mandatory bool
	// Handover makes a ROUTER give a routing id that is in use to the peer that
	// claims it last; otherwise that one is refused.
	Handover bool
	// ProbeRouter sends an empty message to each new peer, so that a ROUTER
	// learns of it. DEALER, REQ and ROUTER.
	ProbeRouter bool
	// Relaxed lets a REQ send again before its reply came, which is then dropped:
	// without it, a REQ whose peer died waits for its context to end, for ever.
	// Correlate puts a number before each request, so that a reply to an earlier
	// one is told apart; the REP must be one that keeps it, as they all do.
	Relaxed, Correlate bool
	// Backlog is how many connections that nobody has accepted yet each listener
	// lets wait. Default as many as the system lets wait at most. It is left at
	// that where the system cannot change it.
	Backlog int
	// Conflate keeps only the last message of each queue. For PUSH, PULL, PUB,
	// SUB and DEALER; messages have one frame. Inproc, where there is one queue,
	// either side's is enough.
	Conflate bool
	// Verbose makes an XPUB receive every subscription, and not only the first
	// to a topic; VerboseCancel also each that is cancelled.
	Verbose, VerboseCancel bool
	// Manual makes an XPUB leave subscriptions to the program: see
	// [Socket.Admit].
	Manual bool
	// NoDrop makes a PUB or XPUB wait until every subscriber of a message has room
	// for it, for as long as the context lets it; otherwise those that have none
	// do not get it.
	NoDrop bool
	// Welcome, if not nil, is a message that a PUB or XPUB sends to each new peer.
	// A SUB receives it if it has subscribed to what it begins with.
	Welcome []byte
	// MaxSubscriptions is how many subscriptions a peer may have. Default 10,000.
	// More drop it. An XPUB reads no more from a peer while so many that it has made
	// or taken back, and RecvHighWater more, are not received.
	MaxSubscriptions int

	// Security is the mechanism that peers must use. Default NULL, which is none.
	Security Security
	// Namespace is where the names of inproc endpoints live. Default one that
	// the whole process shares.
	Namespace *Namespace
}

const (
	defaultHighWater      = 1000
	defaultHighWaterBytes = 64 << 20
	defaultMaxMessage     = 64 << 20
	defaultSubscriptions  = 10_000

	maxFrames     = 1024 // of a message
	maxHandshakes = 256  // at once, of one listener
)

func orDefault[T int | int64 | time.Duration](v *T, def, off T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = off
	}
}

// withDefaults gives o with each zero field set to its default, checked for a
// socket of type t.
func (o Options) withDefaults(t Type) (Options, error) {
	orDefault(&o.SendHighWater, defaultHighWater, math.MaxInt32)
	orDefault(&o.RecvHighWater, defaultHighWater, math.MaxInt32)
	orDefault(&o.SendHighWaterBytes, defaultHighWaterBytes, math.MaxInt64/4)
	orDefault(&o.RecvHighWaterBytes, defaultHighWaterBytes, math.MaxInt64/4)
	orDefault(&o.Linger, time.Second, -1)
	orDefault(&o.ReconnectInterval, 100*time.Millisecond, -1)
	orDefault(&o.ReconnectMax, 10*time.Second, 0)
	orDefault(&o.ConnectTimeout, 10*time.Second, 0)
	orDefault(&o.HandshakeTimeout, 5*time.Second, math.MaxInt64)
	orDefault(&o.HeartbeatInterval, 10*time.Second, 0)
	orDefault(&o.HeartbeatTimeout, 30*time.Second, 0)
	orDefault(&o.KeepAlive, 15*time.Second, -1)
	orDefault(&o.MaxMessageBytes, defaultMaxMessage, math.MaxInt64)
	orDefault(&o.MaxSubscriptions, defaultSubscriptions, math.MaxInt32)
	o.Limits = o.Limits.WithDefaults()
	if o.Namespace == nil {
		o.Namespace = processWide
	}
	if len(o.RoutingID) > 255 {
		return o, fmt.Errorf("zmq: routing id of %d bytes, at most 255", len(o.RoutingID))
	}
	if len(o.RoutingID) > 0 && o.RoutingID[0] == 0 {
		return o, fmt.Errorf("zmq: routing id %q begins with a zero byte, which is reserved", o.RoutingID)
	}
	if o.Conflate {
		switch t {
		case Push, Pull, Pub, Sub, Dealer:
		default:
			return o, fmt.Errorf("zmq: a %v cannot conflate", t)
		}
	}
	if o.Welcome != nil && t != Pub && t != XPub {
		return o, fmt.Errorf("zmq: a %v has no welcome message", t)
	}
	if o.NoDrop && t != Pub && t != XPub {
		return o, fmt.Errorf("zmq: a %v has no subscribers to wait for", t)
	}
	if o.Backlog < 0 {
		return o, fmt.Errorf("zmq: backlog of %d connections", o.Backlog)
	}
	if o.Manual && t != XPub {
		return o, fmt.Errorf("zmq: a %v has no manual subscriptions", t)
	}
	return o, o.Security.check()
}
