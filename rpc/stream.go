package rpc

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// localWindow is how many bytes of streaming calls on one capability within the
	// process may be under way.
	localWindow = 1 << 20
	// mostStreamed is how many streaming calls over a connection may be under way,
	// because the peer has a limit of its own for those that it executes.
	mostStreamed = 512
	// leastStreamed is how many of them one stream may have, however few there are,
	// unless there are very many streams.
	leastStreamed = 8
	// streamBatch is how many bytes of streaming calls are gathered at most before
	// they are sent.
	streamBatch = 64 << 10
)

// A link is what streams share that go the same way: over a connection, or to
// one capability within the process. Each gets an equal part of its window.
type link struct {
	mu       sync.Mutex
	window   window
	calls    int   // that may be under way
	inFlight int   // calls that are
	underWay int64 // their bytes
	streams  int   // that have some under way
	waiting  int   // callers that wait for room
	gathered int64 // bytes since the last flush
}

// newLink gives the link of a connection with such limits.
func newLink(l Limits) *link {
	return &link{
		window: newWindow(max(1, min(l.StreamBytes, l.QueuedBytes/2))),
		calls:  max(leastStreamed, min(mostStreamed, l.Calls/2)),
	}
}

// flow is the state of the streaming calls on one capability. Its lock is taken
// before that of its link, and no other with it.
type flow struct {
	mu     sync.Mutex
	into   *flow // which this has become a part of, and nothing below counts any more
	bytes  int64
	calls  int
	err    *Exception // the first that failed: the stream is broken
	change chan struct{}
	link   *link // that its newest calls went by
	local  *link // where there is no connection
}

// flowRef is the place of a capability's flow, which is made when it is asked for.
type flowRef struct{ atomic.Pointer[flow] }

// moved is in the place of the flow of a promise that is resolved.
var moved = new(flow)

// get gives the flow, or nil if the capability is resolved to another.
func (r *flowRef) get() *flow {
	f := r.Load()
	if f == nil {
		f = new(flow)
		if !r.CompareAndSwap(nil, f) {
			f = r.Load()
		}
	}
	if f == moved {
		return nil
	}
	return f
}

// join makes the flow a part of that of what the capability is about to tell that it is
// resolved to, so that those who stream on find there what is under way.
func (r *flowRef) join(to Client) {
	if f := r.Load(); f != nil && f != moved {
		f.merge(to)
	}
}

// move makes the flow that of what the capability is resolved to, which it tells
// already.
func (r *flowRef) move(to Client) {
	if f := r.Swap(moved); f != nil && f != moved {
		f.merge(to)
	}
}

// flow gives the flow of a capability, which is that of what it is resolved to.
func (c Client) flow() *flow {
	for {
		in, _ := c.innermost()
		if in.t == nil {
			return new(flow)
		}
		if f := in.t.flow(); f != nil {
			return f
		}
	}
}

// pathFlow is the flow of a capability among results that are not there yet.
type pathFlow struct {
	path []uint16
	f    *flow
}

// flow gives that of every capability at this path of the results, until they are
// there.
func (p *promised) flow() *flow {
	if !p.f.lock() {
		return new(flow)
	}
	x := p.f.x
	defer x.mu.Unlock()
	if x.settled {
		return nil
	}
	for _, pf := range x.flows {
		if slices.Equal(pf.path, p.path) {
			return pf.f
		}
	}
	f := new(flow)
	x.flows = append(x.flows, pathFlow{p.path, f})
	return f
}

// moveFlows makes the flows of capabilities among the results those of what these
// are. The caller has the lock, which is given away in between. Until then they are
// found where they are, for what is under way counts.
func (x *exchange) moveFlows() {
	flows := x.flows
	to := make([]Client, len(flows))
	for i, pf := range flows {
		to[i] = x.client(pf.path).Retain()
	}
	x.mu.Unlock()
	for i, pf := range flows {
		pf.f.merge(to[i])
		to[i].Release()
	}
	x.mu.Lock()
	if x.flows = x.flows[len(flows):]; len(x.flows) == 0 {
		x.flows = nil
	}
}

// lock locks what f has become, and gives it.
func (f *flow) lock() *flow {
	f.mu.Lock()
	for f.into != nil {
		next := f.into
		f.mu.Unlock()
		f = next
		f.mu.Lock()
	}
	return f
}

// merging is held while flows become one, so that no two become each other.
var merging sync.Mutex

// merge makes f a part of the flow of a capability. Those who wait wait for that.
func (f *flow) merge(c Client) {
	to := c.flow()
	merging.Lock()
	defer merging.Unlock()
	to = to.lock()
	to.mu.Unlock() // only merge makes it a part of another
	f = f.lock()
	defer f.mu.Unlock()
	if f == to {
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	f.into = to
	if f.calls > 0 {
		if to.calls == 0 {
			to.count(f.link)
		}
		f.uncount()
	}
	to.bytes += f.bytes
	to.calls += f.calls
	if to.err == nil {
		to.err = f.err
	}
	f.tell()
}

// count and uncount say that the flow has calls under way on a link, and that it
// has none any more.
func (f *flow) count(l *link) {
	f.link = l
	l.mu.Lock()
	l.streams++
	l.mu.Unlock()
}

func (f *flow) uncount() {
	f.link.mu.Lock()
	f.link.streams--
	f.link.mu.Unlock()
}

// tell wakes those who wait. The caller has the lock.
func (f *flow) tell() {
	if f.change != nil {
		close(f.change)
		f.change = nil
	}
}

// streamed is the part of an exchange that is a stream's.
type streamed struct {
	flow  *flow
	link  *link
	bytes int64
}

// Stream makes a streaming call. It waits while as much of the stream is under
// way as it gains by, until some of it is done or ctx ends, which ends this call
// too. How much that is is found out meanwhile, beginning with 64 KiB, and all
// streams over a connection share it; see [Limits].
//
// The first streaming call that fails breaks the stream: its error is that of
// every later Stream, and of [Client.WaitStreaming].
func (r Request) Stream(ctx context.Context) error {
	if r.to.t == nil {
		f := r.Send()
		defer f.Release()
		_, err := f.Wait(ctx)
		return err
	}
	conn := r.x.envelope
	s := streamed{flow: r.to.flow(), bytes: r.x.params.SizeBytes()}
	flush, err := s.enter(ctx, conn)
	if err != nil {
		r.Discard()
		return err
	}
	r.x.streamed = s // which releases the future in the end
	r.x.fresh = false
	r.Send()
	if flush {
		conn.flush()
	}
	return nil
}

// WaitStreaming waits until all streaming calls on c are done, and gives the
// error of the first that failed.
func (c Client) WaitStreaming(ctx context.Context) error {
	if c.t == nil {
		return nil
	}
	for f := c.flow().lock(); ; f = f.lock() {
		if f.err != nil || f.calls == 0 {
			return f.unlock()
		}
		if err := f.wait(ctx, c.conn()); err != nil {
			return err
		}
	}
}

// unlock gives the lock back, and the error.
func (f *flow) unlock() error {
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return nil
}

// enter waits until there is room, and takes it. It tells whether the connection
// is to be flushed.
func (s *streamed) enter(ctx context.Context, conn *Conn) (flush bool, err error) {
	for f := s.flow.lock(); ; f = s.flow.lock() {
		if f.err != nil {
			return false, f.unlock()
		}
		s.link = f.by(conn)
		if flush, ok := s.link.admit(f, s.bytes, conn); ok {
			f.bytes += s.bytes
			f.calls++
			f.mu.Unlock()
			return flush, nil
		}
		err := f.wait(ctx, conn)
		s.link.mu.Lock()
		s.link.waiting--
		s.link.mu.Unlock()
		if err != nil {
			return false, err
		}
	}
}

// by gives the link that calls of the flow go by.
func (f *flow) by(conn *Conn) *link {
	if conn != nil {
		return conn.streams
	}
	if f.local == nil {
		f.local = newLink(Limits{StreamBytes: localWindow, QueuedBytes: Unlimited, Calls: Unlimited})
	}
	return f.local
}

// admit takes room for one more call of the flow, if there is, or notes that it
// waits. The caller has the flow's lock.
func (l *link) admit(f *flow, bytes int64, conn *Conn) (flush, ok bool) {
	l.mu.Lock()
	counted := f.calls > 0 && f.link == l
	streams := l.streams
	if !counted {
		streams++
	}
	if !l.window.room(f.bytes, streams) || f.calls >= l.share(streams) {
		l.window.waits()
		l.waiting++
		l.gathered = 0 // who waits flushes
		l.mu.Unlock()
		return false, false
	}
	if !counted {
		l.streams++
	}
	l.window.sent(bytes, l.underWay, sinceStart)
	l.inFlight++
	l.underWay += bytes
	if conn != nil {
		if l.gathered += bytes; l.gathered >= streamBatch {
			l.gathered, flush = 0, true
		}
	}
	l.mu.Unlock()
	if !counted {
		if f.calls > 0 {
			f.uncount()
		}
		f.link = l
	}
	return flush, true
}

// share is how many calls one of so many streams may have under way: its part of
// all, or a few where others that came before it have so many that none are left. The
// caller has the lock.
func (l *link) share(streams int) int {
	if l.inFlight >= l.calls {
		return max(1, min(leastStreamed, l.calls/2/streams))
	}
	return max(leastStreamed, l.calls/streams)
}

// wait waits until something about the flow has changed. It gives the lock back.
func (f *flow) wait(ctx context.Context, conn *Conn) error {
	if f.change == nil {
		f.change = make(chan struct{})
	}
	change := f.change
	f.mu.Unlock()
	letNextStart(ctx)
	conn.await()
	select {
	case <-change:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave is told when the call is over.
func (s *streamed) leave(err *Exception) {
	f := s.flow.lock()
	f.bytes -= s.bytes
	f.calls--
	if f.err == nil {
		f.err = err
	}
	if f.calls == 0 {
		f.uncount()
	}
	l := s.link
	l.mu.Lock()
	l.inFlight--
	l.underWay -= s.bytes
	l.window.arrived(s.bytes, l.underWay, l.waiting > 0, sinceStart)
	room := l.window.room(f.bytes, l.streams)
	l.mu.Unlock()
	if room || f.calls == 0 || f.err != nil {
		f.tell()
	}
	f.mu.Unlock()
}

// sinceStart is the clock of streams.
func sinceStart() time.Duration { return time.Since(started) }

var started = time.Now()
