package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// errClosed is why a connection ended that was closed here.
var errClosed = fmt.Errorf("%w: the connection was closed", ErrDisconnected)

// errHungUp is why a connection ended that the peer closed.
var errHungUp = fmt.Errorf("%w: the peer has closed the connection", ErrDisconnected)

// abortTime is how long the peer has to take the reason why it is disconnected.
const abortTime = time.Second

// A reader has the role of reading from a connection's transport and doing what
// its messages say, which one goroutine has at a time. It runs handlers itself.
// While it does, or writes, the role can be taken from it, so that a handler that
// blocks holds up nobody; then it goes on as an ordinary goroutine.
type reader struct {
	c      *Conn
	turn   uint64 // what progress is while it is in a handler or a write
	lost   bool
	kept   bool // somebody else has the message now
	atRest bool // nobody needs a reader

	caller    *exchange // what a caller waits for, who must not run handlers; nil for read
	elsewhere bool      // it was answered, and is not over
	done      bool      // it was answered by what this reader took, and is over
}

// The role is free while nobody has to read: nothing was asked, and the peer has
// nothing to call. Then the next caller who waits takes it, so that no other
// goroutine has to be woken for its answer; or the keeper, if none comes.
const (
	roleFree = iota
	roleTaken
)

// read takes what the peer sends, until the connection ends, the role is lost or
// nobody needs it.
func (c *Conn) read() {
	r := &reader{c: c}
	for {
		m, err := c.next(c.ctx)
		if err != nil {
			c.failRead(err)
			break
		}
		if err := r.take(m); err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrDisconnected, err))
			break
		}
		if r.lost || r.atRest && c.rest() {
			return
		}
	}
	c.tearDown()
	c.running.Done()
}

// readFor is read by a caller who waits for x. It runs no code but ours. It
// returns false where the caller has to wait otherwise: somebody else has the
// role, or ctx has ended.
func (c *Conn) readFor(ctx context.Context, x *exchange) bool {
	r := &x.asReader
	*r = reader{c: c, caller: x}
	c.mu.Lock()
	r.elsewhere = x.q.returned // to who had the role before
	c.mu.Unlock()
	if ctx.Done() == nil {
		ctx = c.ctx
	}
	set(&c.borrowed, ctx != c.ctx)
	for {
		select {
		case <-x.wake:
			c.leaveRole()
			return true
		default:
		}
		if r.elsewhere { // what completes x now is no message
			c.leaveRole()
			return false
		}
		m, err := c.next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				c.failRead(err)
			}
			c.borrowed.Store(false)
			go c.read() // which meets the same error
			return false
		}
		if err := r.take(m); err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrDisconnected, err))
			go c.read()
			return false
		}
		if r.lost {
			return r.done
		}
		if r.done {
			c.leaveRole()
			return true
		}
	}
}

// A manyReceiver is a transport that gives what has arrived together at once.
type manyReceiver interface {
	RecvAll(ctx context.Context, msgs []*segment.Message) (int, error)
}

// An inbox has messages that were received together, and not handled yet. It
// belongs to whoever has the role.
type inbox struct {
	from  manyReceiver
	msgs  [manyMessages]*segment.Message
	at, n int
}

// next gives the next message.
func (c *Conn) next(ctx context.Context) (*segment.Message, error) {
	in := &c.inbox
	if in.from == nil {
		return c.recv(ctx)
	}
	if in.at == in.n {
		n, err := in.from.RecvAll(ctx, in.msgs[:])
		if err != nil {
			return nil, err
		}
		in.at, in.n = 0, n
	} else if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := in.msgs[in.at]
	in.msgs[in.at] = nil
	in.at++
	return m, nil
}

// more tells whether next would not have to wait.
func (c *Conn) more() bool {
	in := &c.inbox
	if in.from != nil && in.n < len(in.msgs) { // they were all
		return in.at < in.n
	}
	return in.at < in.n || c.buffered != nil && c.buffered()
}

// take does what a message says, and sends what came of it once there is no more
// at hand.
func (r *reader) take(m *segment.Message) error {
	c := r.c
	err := c.handle(r, m)
	if !r.lost && c.files.received != nil {
		c.dropFiles()
	}
	if !r.kept {
		m.Release()
	}
	r.kept = false
	if err != nil || r.lost {
		return err
	}
	more := c.more()
	// A caller leaves anyway, and who has a bootstrap capability always reads.
	if r.atRest = !more && r.caller == nil && c.bootstrap.t == nil; r.atRest {
		c.mu.Lock()
		r.atRest = c.questions.n == 0 && c.exports.n == 0
		c.mu.Unlock()
	}
	if c.many.Load() || !more && c.waits.Load() {
		r.enter()
		c.flush()
		r.leave()
	}
	return nil
}

// rest frees the role, and tells whether it stays free.
func (c *Conn) rest() bool {
	set(&c.borrowed, false)
	c.touch()
	c.role.Store(roleFree)
	c.mu.Lock()
	needed := c.questions.n > 0 || c.exports.n > 0 || c.err != nil
	c.mu.Unlock()
	return !needed || !c.role.CompareAndSwap(roleFree, roleTaken)
}

// leaveRole is rest for a caller, who does not go on.
func (c *Conn) leaveRole() {
	if c.more() || !c.rest() {
		go c.read()
	}
}

// replyBytes is how much the reader lets wait for the end of what it has at
// hand.
const replyBytes = 256 << 10

// enter begins a part in which the role can be taken.
func (r *reader) enter() {
	r.turn = r.c.progress.Add(1)
	r.c.touch()
}

// leave ends it. Nothing of the connection's reading side may be used afterwards
// if the role is lost.
func (r *reader) leave() {
	if !r.c.progress.CompareAndSwap(r.turn, r.turn+1) {
		r.lost = true
	}
}

// takeRole starts another reader in the place of one that is in the given turn.
func (c *Conn) takeRole(turn uint64) {
	if c.progress.CompareAndSwap(turn, turn+1) {
		go c.read()
	}
}

// readError says why nothing more can be received.
func readError(err error) error {
	switch {
	case err == io.EOF:
		return errHungUp
	case errors.Is(err, segment.ErrMalformed), errors.Is(err, segment.ErrLimit):
		return fmt.Errorf("%w: %w", ErrDisconnected, violation("a message that can't be read: %v", err))
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, err)
}

// handle does what a message says. An error means that the peer is to be
// disconnected for it.
func (c *Conn) handle(r *reader, m *segment.Message) error {
	msg := wire.RootMessage(m)
	which := msg.Which()
	if which != wire.MessageCall && which != wire.MessageReturn { // those are counted with the lock that they take
		c.mu.Lock()
		c.stats.received++
		c.mu.Unlock()
	}
	var err error
	switch which {
	case wire.MessageCall:
		err = c.handleCall(r, m, msg.Call())
	case wire.MessageReturn:
		err = c.handleReturn(r, m, msg.Return())
	case wire.MessageFinish:
		err = c.handleFinish(m, msg.Finish())
	case wire.MessageRelease:
		err = c.handleRelease(m, msg.Release())
	case wire.MessageResolve:
		err = c.handleResolve(m, msg.Resolve())
	case wire.MessageDisembargo:
		err = c.handleDisembargo(m, msg.Disembargo())
	case wire.MessageBootstrap:
		err = c.handleBootstrap(m, msg.Bootstrap())
	case wire.MessageUnimplemented:
		err = c.handleUnimplemented(m, msg.Unimplemented())
	case wire.MessageAbort:
		return &abortError{fromWire(msg.Abort())}
	default:
		err = c.sendUnimplemented(m)
	}
	if err != nil && (errors.Is(err, segment.ErrMalformed) || errors.Is(err, segment.ErrLimit)) {
		err = violation("a message that can't be read: %v", err)
	}
	return err
}

// abortError is what the peer ended the connection for.
type abortError struct{ e *Exception }

func (e *abortError) Error() string { return "rpc: the peer aborted the connection: " + e.e.Reason }
func (e *abortError) Unwrap() error { return e.e }

// handleRelease gives references to an export back.
func (c *Conn) handleRelease(m *segment.Message, r wire.Release) error {
	id, n := r.ID(), r.ReferenceCount()
	if err := m.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	cl, err := c.releaseExport(id, n)
	c.mu.Unlock()
	cl.Release()
	return err
}

// handleUnimplemented is told that the peer does not know a message of ours.
func (c *Conn) handleUnimplemented(m *segment.Message, echo wire.Message) error {
	which := echo.Which()
	if err := m.Err(); err != nil {
		return err
	}
	switch which {
	case wire.MessageCall:
		return c.questionUnimplemented(m, echo.Call().QuestionID())
	case wire.MessageBootstrap:
		return c.questionUnimplemented(m, echo.Bootstrap().QuestionID())
	case wire.MessageResolve:
		d := echo.Resolve().Cap()
		var id uint32
		switch d.Which() {
		case wire.CapDescriptorSenderHosted:
			id = d.SenderHosted()
		case wire.CapDescriptorSenderPromise:
			id = d.SenderPromise()
		default:
			return m.Err()
		}
		if err := m.Err(); err != nil || echo.Resolve().Which() != wire.ResolveCap {
			return err
		}
		c.mu.Lock()
		cl, err := c.releaseExport(id, 1)
		c.mu.Unlock()
		cl.Release()
		return err
	case wire.MessageDisembargo, wire.MessageReturn, wire.MessageFinish, wire.MessageRelease:
		return violation("that it does not implement messages of kind %d, which every peer must", which)
	}
	return nil
}

// questionUnimplemented fails a question that the peer did not understand.
func (c *Conn) questionUnimplemented(m *segment.Message, id uint32) error {
	if err := m.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	x := c.questions.at(id)
	if x == nil || x.q.returned {
		c.mu.Unlock()
		return violation("that it does not implement question %d, which is not there", id)
	}
	x.q.returned, x.q.finished = true, true
	drop := c.releaseParams(x)
	c.forget(x)
	c.mu.Unlock()
	releaseAll(drop)
	x.complete(exceptionf(Unimplemented, "the peer does not implement a message that %v needs", x.method))
	x.unhold()
	return nil
}

// fail ends the connection; only the first reason counts. What is under way
// fails on the goroutine that reads.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	c.failLocked(err)
	c.mu.Unlock()
}

// failRead is fail because nothing more can be received. If a write is under way,
// it may be why, and it may be known only when the peer has ended already.
func (c *Conn) failRead(err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.wakeAtEnd(ctx)()
	for c.flushing && c.err == nil && ctx.Err() == nil {
		c.room.Wait()
	}
	c.failLocked(readError(err))
}

func (c *Conn) failLocked(err error) {
	if c.err != nil {
		return
	}
	if c.unsent != nil && !said(err) {
		err = c.unsent // the peer's end came of that
	}
	c.err = err
	c.room.Broadcast()
	c.stop()
	if c.borrowed.Load() { // by one who does not see the end of c.ctx
		go c.t.Close()
	}
	if c.role.CompareAndSwap(roleFree, roleTaken) {
		go c.read()
	}
}

// said tells whether the peer has said why it ended the connection: by an Abort, or by
// an alert of TLS.
func said(err error) bool {
	if _, ok := errors.AsType[*abortError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// lost is the error of a call that the end of the connection failed. The caller
// has the lock.
func (c *Conn) lost(sent bool) *Exception {
	e := exception(c.err)
	what := "the call was sent"
	if !sent {
		what = "the call was not sent"
	}
	return &Exception{Type: Disconnected, Reason: clip(e.Reason + "; " + what), NotSent: !sent}
}

// endedBy gives why a call over the connection has failed whose results stayed here,
// where err ended them: the end of the connection, if that cancelled them.
func (c *Conn) endedBy(err *Exception) *Exception {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil || err.Reason != reasonCancelled {
		return err
	}
	return c.lost(true)
}

// tearDown ends everything that is under way when the connection has failed.
func (c *Conn) tearDown() {
	c.mu.Lock()
	err := c.err
	type asked struct {
		x      *exchange
		e      *Exception
		callee bool
	}
	var questions []asked
	for _, x := range c.questions.list {
		if x == nil {
			continue
		}
		// One that took another's results is ended by that.
		callee := !x.q.returned || x.q.yourself
		questions = append(questions, asked{x, c.lost(x.q.number <= c.taken), callee})
		x.q.sent = false
	}
	answers, imports := c.answers.all(), c.imports.all()
	exports, embargoes := c.exports.list, c.embargoes.list
	imported, exported := c.imports.n, c.exports.n
	out := c.out
	c.questions, c.answers, c.imports = ownIDs[*exchange]{}, peerIDs[*exchange]{}, peerIDs[*importCap]{}
	c.exports, c.embargoes = ownIDs[*export]{}, ownIDs[*embargo]{}
	c.byTarget, c.out, c.files.out = nil, nil, nil
	gone := c.lost(true)
	bootstrap, beside := c.bootstrap, c.beside
	c.bootstrap, c.beside = Client{}, Client{}
	welcomes := c.welcomes
	c.welcomes = nil
	for _, x := range answers {
		x.a.listed = false
		x.holds.Add(1) // for here
	}
	for _, q := range questions {
		q.x.holds.Add(1)
	}
	for _, i := range imports {
		i.refs.Add(1)
	}
	c.mu.Unlock()

	for _, m := range out {
		m.Release()
	}
	for c.inbox.at < c.inbox.n {
		c.inbox.msgs[c.inbox.at].Release()
		c.inbox.at++
	}
	for _, q := range questions {
		q.x.complete(q.e)
		if q.callee {
			q.x.unhold()
		}
		q.x.unhold()
	}
	for _, x := range answers {
		x.cancel()
		if !x.a.finished {
			x.drop()
		}
		x.unhold()
	}
	for _, e := range embargoes {
		if e != nil {
			e.lift(Broken(gone))
			e.to.Release()
		}
	}
	for _, i := range imports {
		c.mu.Lock()
		open := i.promise && i.to.t == nil
		c.mu.Unlock()
		if open {
			c.resolveImport(i, Broken(gone), false)
		}
		i.release()
	}
	for _, e := range exports {
		if e != nil {
			e.gone.Store(true)
			e.client.Release()
		}
	}
	welcomes.Release()
	bootstrap.Release()
	beside.Release()
	if debugging {
		c.reportHeld(imported, exported, err == errClosed)
	}
	c.hangUp(err)
	close(c.done)
}

// hangUp closes the transport, and tells the peer why if it was its fault.
func (c *Conn) hangUp(err error) {
	c.logEnd(err)
	var bad *protocolError
	if errors.As(err, &bad) {
		ctx, cancel := context.WithTimeout(context.Background(), abortTime)
		if c.awaitFlush(ctx) {
			m := c.t.NewMessage(0)
			toWire(wire.NewRootMessage(m).NewAbort(), &Exception{Reason: "you sent " + bad.reason})
			if c.t.Send(ctx, m) == nil {
				_ = c.t.Flush()
			}
		}
		cancel()
	}
	_ = c.t.Close()
}
