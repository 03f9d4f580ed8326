package rpc

import "slices"

// follows makes the answer of f that of x, whose handler has returned. Calls on
// the results go to those of f from now on, behind those that waited. via, if it
// is not nil, replaces the capabilities of the results.
func (x *exchange) follows(f Future, via func(Client) Client) {
	y := f.x
	y.refs.Add(1) // until the end of this
	y.link.after(&x.link)
	x.dropParams()
	x.mu.Lock()
	old := x.results
	x.results = nil
	for {
		c := x.waiting.pop()
		if c == nil {
			break
		}
		path := c.path
		c.path = nil
		x.mu.Unlock()
		on := c.waitsOn.Swap(nil)
		f.x.pipelineVia(via, path, c)
		if on != nil {
			on.drop()
		}
		x.mu.Lock()
	}
	x.tail, x.via = f, via
	cancelled := x.cancelled != nil
	x.holds.Add(1) // for whenSettled
	x.mu.Unlock()
	old.Release()
	if x.a.conn != nil && via == nil {
		x.a.conn.redirect(x, f.x)
	}
	if cancelled {
		x.leaveTail()
	}
	y.whenSettled(func() { x.followInTurn(y) }, nil)
	y.drop()
}

// leaveTail ends a call that was cancelled while its handler made the tail call.
func (x *exchange) leaveTail() {
	x.mu.Lock()
	why, tail := x.cancelled, x.tail
	x.tail = Future{}
	x.mu.Unlock()
	x.complete(why)
	tail.abandonFrom(&x.link)
}

// abandon releases the call whose results nobody wants any more. One that the peer
// left here for them, which it still holds, is cancelled.
func (f Future) abandon() {
	if f.x != nil && f.x.a.yourself {
		f.x.cancel()
	}
	f.Release()
}

// follow ends x as y ended, which is settled. It does nothing if x has ended.
func (x *exchange) follow(y *exchange) {
	y.mu.Lock()
	err, results, at := y.err, y.results, y.at
	if results != nil {
		results.Retain()
		if x.via != nil || x.q.conn != nil {
			results, at = replaceCaps(results, at, x.via)
		}
	}
	y.mu.Unlock()
	if err != nil && x.q.conn != nil {
		err = x.q.conn.endedBy(err)
	}
	if err == nil && results == nil {
		err = exceptionf(Failed, "the results of the tail call %v were released", y.method)
	}
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		results.Release()
		return
	}
	x.results, x.at = results, at
	x.mu.Unlock()
	x.complete(err)
}

// redirect has the peer, which asked for x and is asked for y, keep the results
// of y as those of x. That works only while y has not left yet; else the results
// are passed on when they are here.
func (c *Conn) redirect(x, y *exchange) {
	y.mu.Lock()
	ours := y.q.conn == c && !y.ended
	y.mu.Unlock()
	if !ours || x.a.yourself {
		return
	}
	m, ret := c.newReturn(x.a.id, takeFromSize)
	ret.SetReleaseParamCaps(!x.a.hadCaps)
	x.mu.Lock() // so that whoever watches x is not told of the end that the peer answers this with
	c.mu.Lock()
	if c.err != nil || x.a.finished || x.a.returned || !y.q.sent || y.q.yourself || y.q.returned || y.q.finished || y.q.number <= c.taken {
		c.mu.Unlock()
		x.mu.Unlock()
		m.Release()
		return
	}
	y.call.SendResultsTo().SetYourself()
	y.q.yourself = true
	ret.SetTakeFromOtherQuestion(y.q.id)
	x.a.returned = true
	c.enqueue(m)
	c.endExecution(x)
	c.mu.Unlock()
	in := x.takeWatch()
	x.mu.Unlock()
	if in != nil {
		y.watchOut(in, nil)
	}
}

// startEarly starts the calls that wait for the capability at path, which is
// known now.
func (x *exchange) startEarly(path []uint16, cl Client) {
	x.mu.Lock()
	var ready, rest queue
	for c := x.waiting.pop(); c != nil; c = x.waiting.pop() {
		if slices.Equal(c.path, path) {
			ready.push(c)
		} else {
			rest.push(c)
		}
	}
	x.waiting = rest
	x.mu.Unlock()
	for c := ready.pop(); c != nil; c = ready.pop() {
		on := c.waitsOn.Swap(nil)
		cl.deliver(c)
		if on != nil {
			on.drop()
		}
	}
}
