package rpc

import (
	"sync/atomic"

	"github.com/fairlead-go/fairlead/segment"
)

// A Membrane stands between a group of objects and the rest: every capability
// that passes it, in parameters or results, is wrapped, so that all calls
// between inside and outside go through it, and it can revoke all of them at
// once. One that passes back is unwrapped.
//
// The zero Membrane lets everything through until it is revoked. It must not be
// copied, nor its fields changed, once it is used.
type Membrane struct {
	// Inbound, if not nil, is asked about each call from outside in; Outbound about
	// each from inside out.
	Inbound, Outbound Interceptor
	// AllowFiles lets the files that capabilities have pass too: see
	// [Client.AttachedFile]. Revoke does not take them back.
	AllowFiles bool

	crossings
	wraps map[*wrapped]bool // guarded by crossings.mu
}

// Export gives the view from outside of a capability that is inside. It takes
// inside over; the caller owns what it gives.
func (m *Membrane) Export(inside Client) Client {
	return track(m.cross(inside, false), kindWrapper, nil)
}

// Import gives the view from inside of a capability that is outside. It takes
// outside over; the caller owns what it gives.
func (m *Membrane) Import(outside Client) Client {
	return track(m.cross(outside, true), kindWrapper, nil)
}

// Revoke makes every call through the membrane fail with err, those under way at
// once, and releases what it stands before. Nil gives an error that says that it
// was revoked.
func (m *Membrane) Revoke(err error) {
	m.crossings.revoke(func() (all []Client) {
		for w := range m.wraps {
			all = append(all, w.to)
		}
		m.wraps = nil
		return all
	})(err)
}

// cross makes of a capability at one side what it is at the other: inward tells
// that it comes from outside.
func (m *Membrane) cross(c Client, inward bool) Client {
	if c.t == nil {
		return c
	}
	in, _ := c.innermost()
	if _, ok := in.t.(*broken); ok {
		return c
	}
	if w, ok := in.t.(*wrapped); ok && w.m == m && w.inward != inward {
		m.mu.Lock()
		revoked := m.revoked
		to := w.to
		if revoked == nil {
			to.Retain()
		}
		m.mu.Unlock()
		c.Release()
		if revoked != nil {
			return Broken(revoked)
		}
		return to
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.revoked != nil {
		defer c.Release()
		return Broken(m.revoked)
	}
	w := &wrapped{m: m, to: c, inward: inward}
	w.refs.Store(1)
	if m.wraps == nil {
		m.wraps = map[*wrapped]bool{}
	}
	m.wraps[w] = true
	return Client{w}
}

// wrapped is a capability as the other side sees it.
type wrapped struct {
	fixed
	fl     flowRef
	refs   atomic.Int32
	m      *Membrane
	to     Client
	inward bool // to is outside, and this is seen inside
}

func (w *wrapped) flow() *flow { return w.fl.get() }
func (w *wrapped) retain()     { w.refs.Add(1) }

func (w *wrapped) release() {
	if w.refs.Add(-1) > 0 {
		return
	}
	w.m.mu.Lock()
	ours := w.m.wraps[w]
	delete(w.m.wraps, w)
	w.m.mu.Unlock()
	if ours {
		w.to.Release()
	}
}

func (w *wrapped) start(x *exchange) {
	i := w.m.Inbound
	if w.inward {
		i = w.m.Outbound
	}
	w.m.pass(x, w.to, i,
		func(c Client) Client { return w.m.cross(c, !w.inward) },
		func(c Client) Client { return w.m.cross(c, w.inward) })
}

// pipelineVia is pipeline on the results of x as via shows them; nil shows them as
// they are.
func (x *exchange) pipelineVia(via func(Client) Client, path []uint16, c *exchange) {
	if via == nil {
		x.pipeline(path, c)
		return
	}
	x.refs.Add(1)
	to := via(Client{&promised{f: x.future(), path: path}})
	to.deliver(c)
	to.Release()
}

// replaceCaps gives results with capabilities of their own, which via, if it is
// not nil, has replaced. It takes over the caller's share of the results. They are
// a copy where they have any, for others see the old ones.
func replaceCaps(results *segment.Message, at segment.Ptr, via func(Client) Client) (*segment.Message, segment.Ptr) {
	if t := tableOf(results); t == nil || len(t.clients) == 0 {
		return results, at
	}
	m := newMessage()
	m.RootBuilder().Set(at)
	results.Release()
	if t := tableOf(m); t != nil && via != nil {
		t.replace(via)
	}
	return m, m.Root()
}
