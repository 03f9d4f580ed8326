package rpc

import "context"

// watchedATick is how many places of the table of questions the keeper looks at in
// a tick.
const watchedATick = 1 << 10

// looking is how far the keeper is with looking for calls whose contexts are to be
// watched. It goes through the table again after each time that the connection was
// used, and through all of it before it rests.
type looking struct {
	at    int
	found bool // a question that is not watched yet, in this round
	again bool // the connection was used meanwhile
	over  bool // the last round found none
}

// used notes that there may be new questions.
func (l *looking) used() { l.again, l.over = true, false }

// watchContexts sees to it that calls which are under way for longer than a tick
// are cancelled when their contexts end, also those that nobody waits for. Most
// calls are over sooner, and cost nothing.
func (c *Conn) watchContexts() {
	l := &c.looking
	if l.over {
		return
	}
	var old []*exchange
	c.mu.Lock()
	list := c.questions.list
	end := min(l.at+watchedATick, len(list))
	for _, x := range list[min(l.at, end):end] {
		switch {
		case x == nil || x.q.watched:
		case !x.q.seen:
			x.q.seen, l.found = true, true
		default:
			x.q.watched = true
			// A call of a peer's that goes on to another ends with its connection.
			if x.a.conn == nil && x.tryHold() {
				old = append(old, x)
			}
		}
	}
	l.at = end
	if end == len(list) {
		l.over = !l.found && !l.again
		l.at, l.found, l.again = 0, false, false
	}
	c.mu.Unlock()
	if old == nil {
		return
	}
	go func() { // who ends a call may need the keeper
		for _, x := range old {
			x.cancelAfter()
			x.unhold()
		}
	}()
}

// cancelAfter has the call cancelled when its context ends. The caller has a hold.
func (x *exchange) cancelAfter() {
	x.mu.Lock()
	ctx, f := x.ctx, x.future()
	settled := x.settled
	x.mu.Unlock()
	if settled {
		return
	}
	if stop := afterEnd(ctx, f.cancel); stop != nil {
		x.whenSettled(func() { stop() }, nil)
	}
}

// afterEnd is [context.AfterFunc], but that the context of a handler ends for it
// only by being cancelled: what a handler began, and left the results of to its
// caller, goes on when it returns. It gives nil if ctx never ends so.
func afterEnd(ctx context.Context, f func()) (stop func() bool) {
	done := ctx.Done()
	if done == nil || done == returned {
		return nil
	}
	if call, ok := ctx.Value(callKey{}).(*Call); ok {
		h := (*handlerContext)(call)
		if h.isDone(done) {
			return h.AfterFunc(f)
		}
		if ctx.Done() == returned {
			return nil
		}
	}
	return context.AfterFunc(ctx, f)
}

// isDone tells whether done is the channel of the context itself, which others that
// were made of it may share.
func (h *handlerContext) isDone(done <-chan struct{}) bool {
	if !h.lock() {
		return false
	}
	defer h.x.mu.Unlock()
	return h.x.stop == done
}

// AfterFunc calls f, on some goroutine, when the call is cancelled, unless stop is
// called before. It is what package context looks for.
func (h *handlerContext) AfterFunc(f func()) (stop func() bool) {
	if !h.lock() {
		return func() bool { return true }
	}
	x := h.x
	if x.cancelled != nil {
		x.mu.Unlock()
		go f()
		return func() bool { return false }
	}
	hook := &f
	x.hooks = append(x.hooks, hook)
	x.mu.Unlock()
	return func() bool {
		if !h.lock() {
			return true
		}
		defer h.x.mu.Unlock()
		for i, o := range h.x.hooks {
			if o == hook {
				last := len(h.x.hooks) - 1
				h.x.hooks[i] = h.x.hooks[last]
				h.x.hooks = h.x.hooks[:last]
				return true
			}
		}
		return false
	}
}
