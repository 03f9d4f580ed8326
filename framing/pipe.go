package framing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// PipeOptions says how a pipe works. The zero value is useful.
type PipeOptions struct {
	// Limits bound what a received message may cost; zero fields mean the
	// defaults.
	Limits segment.Limits
	// VerifyOnRecv walks each message once when it is received, so that reading
	// it meets no fault and charges no budget. A faulty one is an error of that
	// Recv and is left out.
	VerifyOnRecv bool
	// Arena is where NewMessage takes memory from. Default [arena.Pool].
	Arena segment.Arena
	// ManualFlush makes Send only collect: messages leave at Flush, or when 64
	// KiB are waiting. By default a message leaves as soon as the connection is
	// not busy with those before it.
	ManualFlush bool
	// HighWater is how many bytes may wait until Send blocks. Default 4 MiB. A
	// message is accepted while fewer are waiting, however large it is.
	HighWater int
	// Linger is how long Close may take to write what is waiting. Default 1 s;
	// negative means that it is dropped.
	Linger time.Duration
}

const (
	defaultHighWater = 4 << 20
	defaultLinger    = time.Second
)

// Pipe sends and receives messages over a connection: TCP, unix, TLS or any
// other net.Conn. All methods may be called from any goroutine.
//
// # Sending
//
// Send accepts a message, and Flush waits until what was accepted is written.
// Many goroutines may send at once: while one of them writes, the messages of
// the others are collected, and leave together in its next write. Messages
// leave in the order in which Send accepted them, and never mixed.
//
// Send takes a message over in every case: the pipe releases it once its bytes
// are written or copied, or at an error. A nil error means that it was accepted;
// whether the peer got it, only the peer can say.
//
// A context bounds how long its Send blocks and breaks nothing: when it ends
// while the message waits for room, that message is not sent; when it ends while
// the message is being written, Send returns nil and a goroutine of the pipe
// writes the rest.
//
// If writing fails, the stream cannot be mended. What waits is dropped, the
// connection is closed for writing so that the peer learns of it, and every
// later Send and Flush gives an error that matches [ErrDisconnected] and the
// cause. What the peer sent can still be received, but not over connections that
// are neither a socket nor TLS over one: those are closed whole.
//
// A release hook of external data runs in whatever goroutine writes, so it must
// not call Close.
//
// # Receiving
//
// Recv gives the next message, read in place; the caller releases it, before or
// after Close. Several goroutines may receive; each message goes to one. A
// context that ends while Recv waits breaks nothing: what has arrived of a
// message stays, and a later Recv goes on. The peer's close gives io.EOF, or
// inside a message an error that matches io.ErrUnexpectedEOF. Where the connection was
// reset, or TLS ended without the peer's close_notify, the error matches
// [ErrDisconnected]; of TLS that is known in connections by package fairlead. After a malformed message nothing more can be
// received, but sending works on.
//
// Where for some time what was received was answered, or answers ours, before the next
// Recv, that looks for the next message for up to 50 µs before it sleeps, as long as
// that is not in vain: to be woken takes longer than such a message does there and
// back. No more than half of the processors look at a time; nobody does on a machine
// with one, on Windows, or over what is no socket.
type Pipe struct {
	conn      net.Conn
	socket    bool          // see isSocket
	unix      *net.UnixConn // one that files can ride on; nil if conn is none
	arena     segment.Arena
	manual    bool
	highWater int64
	linger    time.Duration
	stats     counters

	mu      sync.Mutex
	pending *batch // what Send accepted
	out     *batch // what is being written; belongs to the writer
	writing bool   // a goroutine is the writer
	crowded bool   // the last write took several messages
	waiting int64  // bytes in pending and out
	gen     uint64 // number of the pending batch
	written uint64 // number of the last batch that was written
	flush   uint64 // number of the last batch that must not wait
	err     error  // why nothing can be sent
	closing bool
	changed chan struct{} // closed when any of these changed for those who wait
	drain   func()        // writes until nothing is left to write
	running sync.WaitGroup
	unsent  []*segment.Message // dropped, and to be released without the lock

	sendWatch deadline.Watch

	ready     chan struct{} // closed after the connection's handshake; nil if it has none
	turn      chan struct{} // held by the one who receives
	dec       *Decoder
	in        io.Reader // the connection
	soon      soon
	recvCtx   context.Context // of the one who receives
	recvWatch deadline.Watch
	filesIn   filesIn

	done     chan struct{} // closed when Close begins
	closed   chan struct{} // closed when it has ended
	closeErr error
}

// NewPipe returns a pipe over conn, which belongs to it from now on: nobody else
// may read, write, close or set deadlines on it. The caller closes the pipe. A
// negative HighWater is a mistake of the program, and panics.
func NewPipe(conn net.Conn, o PipeOptions) *Pipe {
	if o.HighWater < 0 {
		panic(fmt.Sprintf("framing: high-water mark of %d bytes", o.HighWater))
	}
	p := &Pipe{
		conn:      conn,
		socket:    isSocket(conn),
		arena:     o.Arena,
		manual:    o.ManualFlush,
		highWater: int64(o.HighWater),
		linger:    o.Linger,
		pending:   new(batch),
		out:       new(batch),
		gen:       1,
		turn:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		closed:    make(chan struct{}),
	}
	if mem.CarriesFiles(conn) {
		p.unix = conn.(*net.UnixConn)
		p.filesIn.reader.Conn = p.unix
	}
	if p.arena == nil {
		p.arena = arena.Pool()
	}
	if p.highWater == 0 {
		p.highWater = defaultHighWater
	}
	if p.linger == 0 {
		p.linger = defaultLinger
	}
	p.in, p.soon.below = socketOf(conn)
	p.sendWatch.SetDeadline = conn.SetWriteDeadline
	p.recvWatch.SetDeadline = conn.SetReadDeadline
	p.dec = NewDecoder(pipeReader{p}, DecoderOptions{Limits: o.Limits, Verify: o.VerifyOnRecv})
	p.drain = func() {
		defer p.running.Done()
		_ = p.write(context.Background(), -1) // kept as p.err
	}
	if c, ok := conn.(interface{ HandshakeContext(context.Context) error }); ok {
		p.handshake(c.HandshakeContext)
	}
	return p
}

// handshake makes the handshake of a TLS connection, so that no Recv makes it:
// the end of that Recv's context would spoil it.
func (p *Pipe) handshake(do func(context.Context) error) {
	p.ready = make(chan struct{})
	p.running.Go(func() {
		defer close(p.ready)
		_ = do(context.Background()) // every read and write gives the same error
	})
}

// shaken tells whether no handshake is under way.
func (p *Pipe) shaken() bool {
	if p.ready == nil {
		return true
	}
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// NewMessage starts a message of about sizeHint bytes, 0 if that is not known,
// in memory of the pipe's arena. It belongs to the caller until it is sent.
func (p *Pipe) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized(p.arena, sizeHint)
}

// Close writes what is waiting, for as long as Linger lets it, closes the
// connection, wakes every call with [ErrClosed] and waits until no goroutine of
// the pipe is left. The error says what could not be written. Messages that
// were received stay valid. Closing again waits for the first Close and gives
// the same.
func (p *Pipe) Close() error {
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		<-p.closed
		return p.closeErr
	}
	p.closing = true
	close(p.done)
	p.signal()
	if p.linger > 0 && p.err == nil && !p.pending.empty() {
		p.flush = p.gen
		if !p.writing {
			p.background()
		}
	}
	p.mu.Unlock()
	if p.shaken() {
		p.recvWatch.Close(true)
	}

	err := p.settle()
	p.mu.Lock()
	p.stop(ErrClosed) // before what is under way fails by the closing
	p.mu.Unlock()
	cerr := p.conn.Close()
	p.recvWatch.Close(true)
	p.mu.Lock()
	for p.writing {
		p.wait(nil)
	}
	p.mu.Unlock()
	p.releaseUnsent()
	p.running.Wait()
	p.sendWatch.Close(false)
	p.turn <- struct{}{} // for good
	p.dec.drop()
	p.filesIn.drop()
	if err == nil && cerr != nil {
		err = fmt.Errorf("framing: close: %w", cerr)
	}
	p.closeErr = err
	close(p.closed)
	return err
}

// settle waits until what was accepted is written, as long as Close may linger.
func (p *Pipe) settle() error {
	var late <-chan time.Time
	if p.linger > 0 {
		t := time.NewTimer(p.linger)
		defer t.Stop()
		late = t.C
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.waiting > 0 && p.err == nil {
		if late == nil || !p.waitOr(late) {
			return fmt.Errorf("%w with %d bytes unsent", ErrClosed, p.waiting)
		}
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// signal wakes those who wait. The caller has the lock.
func (p *Pipe) signal() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// wait waits for a signal, or for stop, and tells whether it was a signal. The
// caller has the lock, which is free meanwhile.
func (p *Pipe) wait(stop <-chan struct{}) bool {
	changed := p.changes()
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-changed:
		return true
	case <-stop:
		return false
	}
}

// waitOr is wait with a timer.
func (p *Pipe) waitOr(late <-chan time.Time) bool {
	changed := p.changes()
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-changed:
		return true
	case <-late:
		return false
	}
}

func (p *Pipe) changes() <-chan struct{} {
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

// pipeReader is the connection as its decoder reads it.
type pipeReader struct{ p *Pipe }

func (r pipeReader) Read(b []byte) (int, error) {
	p := r.p
	if !p.shaken() {
		select {
		case <-p.ready:
		case <-p.done:
			return 0, errInterrupted
		case <-p.recvCtx.Done():
			return 0, errInterrupted
		}
	}
	if !p.recvWatch.Begin(p.recvCtx, 0) {
		return 0, errInterrupted
	}
	var n int
	var err error
	p.soon.before(p.stats.writes.Load())
	if p.filesIn.most == 0 {
		n, err = p.in.Read(b)
	} else {
		n, err = p.filesIn.read(p.dec, b)
	}
	p.soon.after(p.stats.writes.Load())
	p.stats.reads.Add(1)
	if p.recvWatch.End() && errors.Is(err, os.ErrDeadlineExceeded) {
		if n > 0 {
			return n, nil // the next read finds out whether its own context has ended
		}
		return 0, errInterrupted
	}
	if err == io.EOF {
		err = p.atEnd()
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return n, err
}
