package rpc

import "github.com/fairlead-go/fairlead/segment"

// onAnswer is what a call of the peer's was made on. It is guarded by the
// connection's lock, and may be used again for another call.
type onAnswer struct {
	x   *exchange
	gen uint32
	id  uint32
}

// tooDeep notes that x is made on the results of y, and tells whether more calls
// are under way that wait for each other than there may be.
func (c *Conn) tooDeep(x, y *exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x.a.on = onAnswer{y, y.gen.Load(), y.a.id}
	for deep := 1; y.a.listed && !y.a.returned; deep++ {
		if deep > c.limits.PipelineDepth {
			return true
		}
		on := y.a.on
		if was, ok := c.answers.get(on.id); !ok || was != on.x || was.gen.Load() != on.gen {
			return false // it is over
		}
		y = on.x
	}
	return false
}

// hold counts the results m of x, which are kept until the peer is done with its
// question, unless they are too many. The caller has the lock.
func (c *Conn) hold(x *exchange, m *segment.Message) *Exception {
	if x.results == c.welcomes {
		return nil // all have the same
	}
	size := max(m.SizeBytes(), messageCost)
	if c.held+size > c.limits.HeldBytes {
		return exceptionf(Overloaded, "%d bytes of results that are not finished, at most %d (HeldBytes)", c.held+size, c.limits.HeldBytes)
	}
	c.held += size
	x.a.held = size
	return nil
}

// letGo undoes hold. The caller has the lock.
func (c *Conn) letGo(x *exchange) {
	c.held -= x.a.held
	x.a.held = 0
}

// welcome gives the results of a question for the bootstrap capability, which all of
// them share: a peer may ask again and again.
func (c *Conn) welcome() (*segment.Message, segment.Ptr) {
	if c.welcomes == nil { // which only the reader makes
		m := newMessage()
		SetClient(m.RootBuilder(), c.bootstrap.Retain())
		c.mu.Lock()
		c.welcomes = m
		c.mu.Unlock()
	}
	return c.welcomes.Retain(), c.welcomes.RootBuilder().Reader()
}

// keep gives a message that was received, to be held for as long as a handler runs or
// somebody reads results, and what at is in it: a copy where the transport has lent
// us so many that it could soon lend no more, and then nothing could be received that
// ends the waiting. The reader does not release the message then, if nobody else can have it yet.
func (r *reader) keep(m *segment.Message, at segment.Ptr) (*segment.Message, segment.Ptr) {
	if c := r.c; c.lends != nil {
		if held, most := c.lends(); 2*held >= most {
			own := newMessage()
			own.RootBuilder().Set(at)
			own.Fail(m.Err())
			return own, own.Root()
		}
	}
	if r.c.incoming != nil {
		return m.Retain(), at // the call may be cancelled while the reader looks at the rest
	}
	r.kept = true
	return m, at
}
