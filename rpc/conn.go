package rpc

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/segment"
)

// ConnOptions says how a connection works. The zero value is useful.
type ConnOptions struct {
	// Bootstrap is the capability that the peer gets by asking for it; null
	// answers that there is none. The connection takes it over.
	Bootstrap Client
	// Exports are what the peer can ask for by name; nil are none. They stay the
	// caller's.
	Exports *Exports
	// Restorer, if it is not nil, answers [RestoreMethod] and [DropMethod] on the
	// bootstrap capability, as a Server's Dispatch does. Package rpc/sturdy has one.
	Restorer func(ctx context.Context, call *Call) error
	// Name, if it is not empty, is what Bootstrap asks the peer for: one of its
	// Exports, in the place of its bootstrap capability.
	Name string
	// Limits bound what the peer may cost; zero fields mean the defaults.
	Limits Limits
	// HideSchemas keeps from the peer what the schemas of capabilities are: see
	// [DescribeMethod].
	HideSchemas bool
	// Incoming is asked about each call of the peer's, when it arrives and before it
	// starts, whatever it is made on; Outgoing about each call that is about to leave
	// for the peer, pipelined, tail and streaming calls among them, and those that
	// are passed on. An error refuses the call. Nil asks nobody, and costs nothing.
	// See [Interceptor], and [Chain] for several.
	//
	// What Outgoing adds to the context stays in this process: a Call has no place
	// for it. Asking for a bootstrap capability is no call. Incoming is told of
	// calls that a limit refuses, which it can't let through.
	Incoming, Outgoing Interceptor
	// Logger is told how the connection begins and ends and what the peer did wrong,
	// and of panics of its calls' handlers and interceptors. Nil is silent, but that
	// panics go to slog.Default.
	Logger *slog.Logger
}

// Conn is a connection to a peer: capabilities of each side can be called from
// the other. All methods may be called from any goroutine.
type Conn struct {
	t         Transport
	limits    Limits
	log       *slog.Logger
	bootstrap Client
	beside    Client // what has the methods beside its own; null if there are none
	names     *Exports
	name      string      // of what the peer is asked for
	hides     bool        // schemas
	warned    atomic.Bool // of calls that are refused
	incoming  Interceptor
	outgoing  Interceptor
	batcher   interface {
		SendAll(ctx context.Context, msgs []*segment.Message) error
	}
	buffered func() bool
	lends    func() (held, most int)
	inbox    inbox
	files    conveyor
	ctx      context.Context // ends with the connection
	stop     context.CancelFunc

	mu        sync.Mutex
	questions ownIDs[*exchange]
	answers   peerIDs[*exchange]
	exports   ownIDs[*export]
	byTarget  map[target]*export
	imports   peerIDs[*importCap]
	embargoes ownIDs[*embargo]
	echoes    int // of Disembargos that wait
	executing int // calls of the peer's whose handlers run or wait to
	err       error
	closing   bool // by us
	drained   chan struct{}
	stats     connStats
	streams   *link            // of the streaming calls to the peer
	held      int64            // bytes of results, of answers that are not finished
	welcomes  *segment.Message // the results of every bootstrap
	outbox

	role     atomic.Int32
	borrowed atomic.Bool   // the role is a caller's with a context of its own
	progress atomic.Uint64 // of the reader; odd while it is in a handler or a write
	methods  habits
	kept

	done    chan struct{} // closed when the connection has ended
	running sync.WaitGroup
}

// NewConn starts a connection over t, which it takes over. The caller closes it.
func NewConn(t Transport, o ConnOptions) *Conn {
	c := &Conn{
		t:         t,
		limits:    o.Limits.withDefaults(),
		log:       o.Logger,
		bootstrap: o.Bootstrap,
		names:     o.Exports,
		name:      o.Name,
		hides:     o.HideSchemas,
		incoming:  o.Incoming,
		outgoing:  o.Outgoing,
		byTarget:  map[target]*export{},
		done:      make(chan struct{}),
	}
	c.batcher, _ = t.(interface {
		SendAll(ctx context.Context, msgs []*segment.Message) error
	})
	if b, ok := t.(interface{ Buffered() bool }); ok {
		c.buffered = b.Buffered
	}
	if l, ok := t.(interface{ Held() (held, most int) }); ok {
		c.lends = l.Held
	}
	if c.carryFiles(); c.files.takes == 0 {
		c.inbox.from, _ = t.(manyReceiver)
	}
	if o.Restorer != nil || o.Exports != nil {
		c.beside = c.serveBeside(o.Restorer)
		if c.bootstrap.t == nil {
			c.bootstrap = c.beside.Retain()
		}
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.streams = newLink(c.limits)
	c.room.L = &c.mu
	c.role.Store(roleTaken)
	c.running.Add(1) // as long as there is a role
	c.logBegin()
	go c.read()
	return c
}

// Bootstrap gives the peer's bootstrap capability, which can be called at once, or
// what [ConnOptions.Name] names. The caller owns it.
func (c *Conn) Bootstrap() Client {
	if c.name != "" {
		return c.BootstrapNamed(c.name)
	}
	return c.main()
}

// NewMessage starts a message of about sizeHint bytes, 0 if that is not known, in the
// memory that the transport likes best to send from. The caller releases it.
//
// It is for data that calls refer to instead of having a copy of it. Over shared memory
// data of such a message crosses by reference, as often as it is sent:
//
//	frame := conn.NewMessage(size)
//	data := frame.RootBuilder().NewData(size)
//	fill(data)
//	for … {
//		frame.Retain()
//		f := client.Process(ctx, func(p ProcessParams) { p.SetExternalFrame(data, frame.Release) })
//	}
//	frame.Release()
//
// Nobody may write to the data while a call with it is under way. A server that sends
// back part of its parameters in this way, with their message retained, copies nothing
// over shared memory either.
func (c *Conn) NewMessage(sizeHint int) *segment.Message { return c.t.NewMessage(sizeHint) }

// Peer tells who the peer is, as far as the transport knows: its user, its
// certificate or its key. It is what the transport's Peer method gives; nil if it
// has none.
func (c *Conn) Peer() any {
	if p, ok := c.t.(interface{ Peer() any }); ok {
		return p.Peer()
	}
	return nil
}

// Done gives a channel that is closed when the connection has ended, and all
// calls over it have.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err tells why the connection ended; nil while it has not. It matches
// ErrDisconnected, and says what the peer aborted the connection for, or the
// transport's error.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection: calls over it fail as disconnected, handlers of the
// peer's calls have their contexts cancelled. It waits until nothing of the
// connection runs but those handlers. Closing again does the same.
func (c *Conn) Close() error {
	c.fail(errClosed)
	c.running.Wait()
	return nil
}

// Shutdown ends the connection once all calls of both sides are done and what
// they sent has left, or when ctx ends, whose error it gives then. New calls of
// the peer's are refused as disconnected meanwhile.
func (c *Conn) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	if c.drained == nil {
		c.drained = make(chan struct{})
		c.checkDrained()
	}
	drained := c.drained
	c.mu.Unlock()
	var err error
	select {
	case <-drained:
		if !c.awaitFlush(ctx) {
			err = context.Cause(ctx)
		}
	case <-c.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	_ = c.Close()
	return err
}

// checkDrained tells Shutdown when nothing is under way. The caller has the lock.
func (c *Conn) checkDrained() {
	if c.drained != nil && c.executing == 0 && c.questions.n == 0 {
		select {
		case <-c.drained:
		default:
			close(c.drained)
		}
	}
}
