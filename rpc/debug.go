package rpc

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
)

// debugging is set by FAIRLEAD_DEBUG=1: nothing is used again, and what nobody
// released is reported, as what was released too often, to slog.Default. See
// debug_report.go. Otherwise all of this is a branch where clients and futures are
// made.
var debugging = func() bool {
	on, err := strconv.ParseBool(os.Getenv("FAIRLEAD_DEBUG"))
	return err == nil && on
}()

// The kinds of what is tracked.
const (
	kindServed    = "a served object"
	kindBootstrap = "a bootstrap capability"
	kindPromise   = "a promise"
	kindWrapper   = "a wrapper"
	kindReceived  = "a received capability"
	kindFuture    = "a future"
)

// track gives a capability that was just made, or received, as its owner gets it.
func track(c Client, kind string, conn *Conn) Client {
	if !debugging || c.t == nil {
		return c
	}
	return trackClient(c, kind, conn)
}

// A held is what is known of something that is to be released: who made it, and
// who holds it. It does not keep it alive, for one that nobody has any more is to
// be found.
type held struct {
	kind string
	conn *Conn // that it came over or goes by; nil if it is none's
	made stack // of received ones, where they were first retained
	refs atomic.Int32
	lent atomic.Int32 // of refs: those of messages, which give them back themselves

	retained map[stack]int // how often where; guarded by the registry
}

// owned is how many references are its users' to release.
func (h *held) owned() int32 { return h.refs.Load() - h.lent.Load() }

// retain notes one reference more.
func (h *held) retain() {
	at := callers()
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if h.kind == kindReceived && h.made == (stack{}) {
		h.made = at
		registry.tally(h).made++
	}
	if h.retained == nil {
		h.retained = map[stack]int{}
	}
	if _, ok := h.retained[at]; ok || len(h.retained) < maxSites {
		h.retained[at]++
	}
}

// A tracked capability is another one under an owner's eyes. It is to what it
// stands for as a promise that is resolved, so that nothing but its owners meets it.
type tracked struct {
	to   Client
	held *held
}

func trackClient(c Client, kind string, conn *Conn) Client {
	if _, ok := c.t.(*broken); ok {
		return c // which nobody has to release
	}
	h := &held{kind: kind, conn: conn}
	if kind == kindReceived {
		h.lent.Store(1)
	} else {
		h.made = callers()
	}
	h.refs.Store(1)
	w := &tracked{c, h}
	registry.add(h)
	runtime.AddCleanup(w, registry.collected, h)
	return Client{w}
}

func (w *tracked) retain() {
	w.held.refs.Add(1)
	w.held.retain()
}

func (w *tracked) release() {
	switch n := w.held.refs.Add(-1); {
	case n == 0:
		registry.remove(w.held)
		w.to.Release()
	case n < 0:
		registry.twice(w.held)
	}
}

func (w *tracked) start(x *exchange)      { w.to.t.start(x) }
func (w *tracked) flow() *flow            { return w.to.t.flow() }
func (w *tracked) conn() *Conn            { return w.to.t.conn() }
func (w *tracked) state() (Client, state) { return w.to, resolved }

func (w *tracked) whenResolved(f func(), off *atomic.Bool) { w.to.t.whenResolved(f, off) }

// lend notes that a message's table has taken over a reference to c, and unlend
// that it gives it up.
func lend(c Client)   { lendBy(c, 1) }
func unlend(c Client) { lendBy(c, -1) }

func lendBy(c Client, n int32) {
	if w, ok := c.t.(*tracked); ok && debugging {
		w.held.lent.Add(n)
	}
}

// trackFuture notes that the caller of a method of Request has to release x.
func (x *exchange) trackFuture() {
	h := &held{kind: kindFuture, conn: x.envelope, made: callers()}
	h.refs.Store(1)
	x.held = h
	registry.add(h)
	runtime.AddCleanup(x, registry.collected, h)
}

// untrack is called when nobody holds x any more.
func (x *exchange) untrack() {
	if h := x.held; h != nil {
		h.refs.Store(0)
		registry.remove(h)
	}
}
