package interop_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
)

var (
	chaosSessions = flag.Int("chaos", 12, "how many sessions TestChaos has with each peer over each network")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what they begin with; 0 for any")
)

// chaosLimit is after how long a session is said to hang.
const chaosLimit = time.Minute

// Values of a sequence are its number and which of its calls it was.
const numberShift = 16

// chaosChain is how often a reference may be passed on.
const chaosChain = 10

// A thing is what references refer to: an object, nothing, an error, or a promise
// of another thing.
type thing struct {
	to     *thing // of a promise
	wait   bool   // it is not settled, or behind a gate that is not open
	number uint32 // of a sequence, from 1 on
	reason string // of an error

	issued, unseen int // calls, and those whose values nobody gets
	seen           map[uint32]bool
}

func (th *thing) end() *thing {
	for th.to != nil {
		th = th.to
	}
	return th
}

func (th *thing) ready() bool {
	for ; th != nil; th = th.to {
		if th.wait {
			return false
		}
	}
	return true
}

// A promise is settled once, with a reference or an error.
type promise struct {
	what   *thing
	settle func(interop.Sequence)
	reject func(reason string)
}

// A session is that of one client, which has two connections to one server.
type session struct {
	*testing.T
	ctx    context.Context
	conns  [2]*rpc.Conn
	labs   [2]interop.Lab
	counts counts
	cut    bool // the connections end in between
	serial uint32

	mu       sync.Mutex // of what is below and of all things
	number   uint32
	things   []*thing
	promises []promise
	gates    []func()
	undo     []func()
}

func (s *session) later(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = append(s.undo, f)
}

func (s *session) next() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	return s.number
}

func (s *session) thing(th *thing) *thing {
	s.mu.Lock()
	defer s.mu.Unlock()
	th.seen = map[uint32]bool{}
	s.things = append(s.things, th)
	return th
}

// lab gives one that is this session's.
func (s *session) lab(side int, n uint32) interop.Lab {
	f := s.labs[side].Numbered(s.ctx, func(p interop.LabNumberedParamsBuilder) { p.SetNumber(s.serial<<numberShift | n) })
	l := f.Lab().Retain()
	f.Release()
	return l
}

// done waits for a call whose results don't matter.
func (s *session) done(f rpc.Future, what string) bool {
	s.Helper()
	defer f.Release()
	_, err := f.Wait(s.ctx)
	if err != nil && !s.may(err) {
		s.Errorf("%s: %v", what, err)
	}
	return err == nil
}

// may tells whether calls can fail so.
func (s *session) may(err error) bool { return s.cut && errors.Is(err, rpc.ErrDisconnected) }

// A ref is a reference that one hand has.
type ref struct {
	s     interop.Sequence
	what  *thing
	chain int
	last  *int64 // value that a call on it gave
}

// A made call is looked at when it can have been answered.
type made struct {
	f         rpc.Future
	n         func() (uint32, error)
	what      *thing
	last      *int64 // nil if there is no order
	cancelled bool
	cancel    context.CancelFunc
}

// A hand is one goroutine of a session.
type hand struct {
	*session
	rnd  *rand.Rand
	refs []*ref
	made []*made
}

func (h *hand) get(s interop.Sequence, what *thing, chain int) {
	last := int64(-1)
	h.refs = append(h.refs, &ref{s, what, chain, &last})
}

func (h *hand) pick() *ref { return h.refs[h.rnd.IntN(len(h.refs))] }

func (h *hand) side() int { return h.rnd.IntN(len(h.conns)) }

// record takes note of a call on a thing, which calls it so often.
func (h *hand) record(m *made, times int) {
	h.session.mu.Lock()
	m.what.issued += times
	m.what.unseen += times - 1
	h.session.mu.Unlock()
	h.made = append(h.made, m)
}

func (h *hand) call(r *ref) {
	ctx, cancel := context.WithCancel(h.ctx)
	f := r.s.Next(ctx, nil)
	h.record(&made{f.Future, func() (uint32, error) {
		res, err := f.Wait(h.ctx)
		return res.N(), err
	}, r.what, r.last, false, cancel}, 1)
}

// cancel cancels a call that was made.
func (h *hand) cancel(m *made) {
	if m.cancelled || m.cancel == nil {
		return
	}
	m.cancelled = true
	h.session.mu.Lock()
	m.what.unseen++
	h.session.mu.Unlock()
	m.cancel()
}

// look looks at the calls that can be answered, in the order in which they were made.
func (h *hand) look() {
	var wait, ready []*made
	h.session.mu.Lock() // at once, for others settle promises meanwhile
	for _, m := range h.made {
		if m.what.ready() {
			ready = append(ready, m)
		} else {
			wait = append(wait, m)
		}
	}
	h.session.mu.Unlock()
	for _, m := range ready {
		h.session.mu.Lock()
		end := m.what.end()
		h.session.mu.Unlock()
		n, err := m.n()
		h.check(m, end, n, err)
		m.f.Release()
		if m.cancel != nil {
			m.cancel()
		}
	}
	h.made = wait
}

func (h *hand) check(m *made, end *thing, n uint32, err error) {
	var e *rpc.Exception
	switch {
	case err != nil && (m.cancelled || h.may(err)):
	case end.number == 0 && err == nil:
		h.Errorf("a call on what is not there (%q) gave %d", end.reason, n)
	case end.number == 0:
		if !errors.As(err, &e) || end.reason != "" && (e.Type != rpc.Overloaded || !strings.HasSuffix(e.Reason, end.reason)) {
			h.Errorf("a call gave %v, want %q as overloaded", err, end.reason)
		}
	case err != nil:
		h.Errorf("a call on %d: %v", end.number, err)
	case n>>numberShift != end.number:
		h.Errorf("a call on %d went to %d", end.number, n>>numberShift)
	default:
		h.session.mu.Lock()
		if end.seen[n] {
			h.Errorf("%#x came twice", n)
		}
		end.seen[n] = true
		h.session.mu.Unlock()
		if m.last != nil {
			if int64(n) <= *m.last {
				h.Errorf("%#x came after %#x", n, *m.last)
			}
			*m.last = int64(n)
		}
	}
}

// own makes a sequence of this process.
func (h *hand) own() (interop.Sequence, *thing) {
	n := h.next()
	return newSequenceFrom(&h.counts, n<<numberShift), h.thing(&thing{number: n})
}

// act does one thing.
func (h *hand) act() {
	if len(h.refs) == 0 || h.rnd.IntN(12) == 0 {
		h.make()
		return
	}
	r, side := h.pick(), h.side()
	passed := func() interop.Sequence { return r.s.Retain() }
	switch what := h.rnd.IntN(24); what {
	default:
		for range 1 + h.rnd.IntN(6) {
			h.call(r)
		}
	case 0, 1: // echoed
		if r.chain >= chaosChain {
			break
		}
		f := h.labs[side].EchoCap(h.ctx, func(p interop.LabEchoCapParamsBuilder) { p.SetCap(passed()) })
		h.get(f.Cap().Retain(), r.what, r.chain+1)
		f.Release()
	case 2, 3: // kept, and asked for over either connection
		if r.chain >= chaosChain {
			break
		}
		n := h.next()
		l := h.lab(side, n)
		f := l.Keep(h.ctx, func(p interop.LabKeepParamsBuilder) { p.SetCap(passed()) })
		from := l.Retain()
		if what == 3 && !h.cut { // a lab is lost with the connection that holds it
			if !h.done(f.Future, "keep") {
				l.Release()
				from.Release()
				break
			}
			from.Release()
			from = h.lab(h.side(), n)
		} else {
			h.later(f.Release)
		}
		k := from.Kept(h.ctx, nil)
		h.get(k.Cap().Retain(), r.what, r.chain+2)
		if what == 3 && !h.cut {
			h.done(k.Future, "kept")
		} else {
			h.later(k.Release)
		}
		l.Release()
		from.Release()
	case 4, 5: // called by the peer
		f := h.labs[side].CallNext(h.ctx, func(p interop.LabCallNextParamsBuilder) { p.SetSequence(passed()) })
		h.record(&made{f: f.Future, n: func() (uint32, error) {
			res, err := f.Wait(h.ctx)
			return res.N(), err
		}, what: r.what}, 1)
	case 6:
		f := h.labs[side].Twice(h.ctx, func(p interop.LabTwiceParamsBuilder) { p.SetOne(passed()); p.SetTwo(passed()) })
		h.record(&made{f: f.Future, n: func() (uint32, error) {
			res, err := f.Wait(h.ctx)
			return res.N(), err
		}, what: r.what}, 2)
	case 7, 8, 9:
		h.make()
	case 10, 11:
		h.settle()
	case 12: // released, which cancels no call on it
		i := h.rnd.IntN(len(h.refs))
		h.refs[i].s.Release()
		h.refs = append(h.refs[:i], h.refs[i+1:]...)
	case 13, 14: // cancelled
		if len(h.made) > 0 {
			h.cancel(h.made[h.rnd.IntN(len(h.made))])
		}
	case 15:
		h.look()
	case 16: // an answer that is not wanted
		h.labs[side].EchoCap(h.ctx, func(p interop.LabEchoCapParamsBuilder) { p.SetCap(passed()) }).Release()
	case 17:
		h.labs[side].Hang(h.ctx, nil).Release()
	case 18: // behind a gate
		if r.chain >= chaosChain {
			break
		}
		th := h.thing(&thing{to: r.what, wait: true})
		l := h.lab(side, h.next())
		g := l.Gate(h.ctx, nil)
		f := g.Lab().EchoCap(h.ctx, func(p interop.LabEchoCapParamsBuilder) { p.SetCap(passed()) })
		h.get(f.Cap().Retain(), th, r.chain+2)
		f.Release()
		h.session.mu.Lock()
		defer h.session.mu.Unlock()
		h.gates = append(h.gates, func() {
			h.done(l.Open(h.ctx, nil).Future, "open")
			h.session.mu.Lock()
			th.wait = false
			h.session.mu.Unlock()
			g.Release()
			l.Release()
		})
	}
}

// make makes a reference to something new.
func (h *hand) make() {
	side := h.side()
	switch h.rnd.IntN(6) {
	case 0, 1:
		s, th := h.own()
		h.get(s, th, 0)
	case 2:
		n := h.next()
		f := h.labs[side].Sequence(h.ctx, func(p interop.LabSequenceParamsBuilder) { p.SetFirst(n << numberShift) })
		h.get(f.Sequence().Retain(), h.thing(&thing{number: n}), 1)
		f.Release()
	case 3: // an error or nothing
		if h.rnd.IntN(2) == 0 {
			f := h.labs[side].Fail(h.ctx, func(p interop.LabFailParamsBuilder) { p.SetType(1); p.SetReason("as asked") })
			h.get(interop.NewSequence(f.Client(0)).Retain(), h.thing(&thing{reason: "as asked"}), 1)
			f.Release()
		} else {
			l := h.lab(side, h.next())
			f := l.Kept(h.ctx, nil)
			h.get(f.Cap().Retain(), h.thing(new(thing)), 1)
			f.Release()
			l.Release()
		}
	case 4: // a promise of ours
		c, f := rpc.NewPromise()
		th := h.thing(&thing{wait: true})
		h.get(interop.NewSequence(c), th, 0)
		h.promised(promise{th, func(s interop.Sequence) { f.Resolve(s.Client) }, func(reason string) {
			f.Reject(&rpc.Exception{Type: rpc.Overloaded, Reason: reason})
		}})
	case 5: // and of theirs
		l := h.lab(side, h.next())
		f := l.Hold(h.ctx, nil)
		th := h.thing(&thing{wait: true})
		h.get(f.Promise().Retain(), th, 1)
		h.later(f.Release) // cancelled, it may hold none
		h.promised(promise{th, func(s interop.Sequence) {
			h.done(l.Resolve(h.ctx, func(p interop.LabResolveParamsBuilder) { p.SetTo(s) }).Future, "resolve")
			l.Release()
		}, func(reason string) {
			h.done(l.Reject(h.ctx, func(p interop.LabRejectParamsBuilder) { p.SetType(1); p.SetReason(reason) }).Future, "reject")
			l.Release()
		}})
	}
}

func (h *hand) promised(p promise) {
	h.session.mu.Lock()
	defer h.session.mu.Unlock()
	h.promises = append(h.promises, p)
}

// settle settles a promise or opens a gate, and tells whether there was one.
func (h *hand) settle() bool {
	h.session.mu.Lock()
	if len(h.gates) > 0 && (len(h.promises) == 0 || h.rnd.IntN(2) == 0) {
		i := h.rnd.IntN(len(h.gates))
		open := h.gates[i]
		h.gates = append(h.gates[:i], h.gates[i+1:]...)
		h.session.mu.Unlock()
		open()
		return true
	}
	if len(h.promises) == 0 {
		h.session.mu.Unlock()
		return false
	}
	i := h.rnd.IntN(len(h.promises))
	p := h.promises[i]
	h.promises = append(h.promises[:i], h.promises[i+1:]...)
	p.what.wait = false
	if len(h.refs) > 0 && h.rnd.IntN(4) > 0 {
		// Nothing is settled with itself.
		if r := h.pick(); r.what.end() != p.what {
			p.what.to = r.what
			h.session.mu.Unlock()
			p.settle(r.s.Retain())
			return true
		}
	}
	if h.rnd.IntN(3) == 0 {
		h.session.mu.Unlock()
		p.settle(interop.Sequence{})
		return true
	}
	p.what.reason = "rejected " + strconv.Itoa(i)
	reason := p.what.reason
	h.session.mu.Unlock()
	p.reject(reason)
	return true
}

// run has one session with the server at an address.
func (s *session) run(network, address string, rnd *rand.Rand) {
	for i := range s.conns {
		c, err := net.Dial(network, address)
		if err != nil {
			s.Fatal(err)
		}
		s.conns[i] = rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), rpc.ConnOptions{})
		s.labs[i] = interop.NewLab(s.conns[i].Bootstrap())
	}
	hands := make([]*hand, 1+rnd.IntN(3))
	var work, cut sync.WaitGroup
	for i := range hands {
		h := &hand{session: s, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0))}
		hands[i] = h
		work.Go(func() {
			for range 10 + h.rnd.IntN(60) {
				h.act()
			}
		})
	}
	if s.cut {
		after, side := time.Duration(rnd.IntN(4000))*time.Microsecond, rnd.IntN(len(s.conns))
		cut.Go(func() {
			time.Sleep(after)
			_ = s.conns[side].Close()
		})
	}
	work.Wait()
	cut.Wait()
	for hands[0].settle() {
	}
	for _, h := range hands {
		work.Go(h.look)
	}
	work.Wait()
	for _, h := range hands {
		for _, r := range h.refs {
			r.s.Release()
		}
	}
	for _, f := range s.undo {
		f()
	}
	s.count()
	s.ends()
}

// count looks whether any value is missing.
func (s *session) count() {
	for _, th := range s.things {
		if end := th.end(); end != th {
			end.issued += th.issued
			end.unseen += th.unseen
		}
	}
	for _, th := range s.things {
		if th.number == 0 || s.cut {
			continue
		}
		if len(th.seen) < th.issued-th.unseen {
			s.Errorf("sequence %d gave %d values to %d calls, of which %d were not looked at", th.number, len(th.seen), th.issued, th.unseen)
		}
		for n := range th.seen {
			if int(n&(1<<numberShift-1)) >= th.issued {
				s.Errorf("sequence %d gave %#x to %d calls", th.number, n, th.issued)
			}
		}
	}
}

// ends looks whether anything is left.
func (s *session) ends() {
	for _, l := range s.labs {
		l.Release()
	}
	s.until("our sequences are gone", func() bool { return s.counts.sequences.Load() == 0 })
	for _, conn := range s.conns {
		s.until("the connection has nothing left", func() bool {
			st := conn.Stats()
			return st.Questions+st.Answers+st.Executing+st.Exports+st.Imports+st.Embargoes == 0
		})
		_ = conn.Close()
	}
}

func (s *session) until(what string, ready func() bool) {
	s.Helper()
	for !ready() {
		select {
		case <-s.ctx.Done():
			s.Errorf("never: %s: %d of ours, %+v, %+v", what, s.counts.sequences.Load(), s.conns[0].Stats(), s.conns[1].Stats())
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// References to objects of both sides and promises of them are passed to and fro
// over two connections, called, settled, cancelled and released: calls keep their
// order and reach what they were made on, once, and nothing is left.
func TestChaos(t *testing.T) {
	for _, kind := range []struct {
		name  string
		serve func(t *testing.T, network string) string
	}{
		{"C++", func(t *testing.T, network string) string {
			address, _ := cppServer(t, network)
			return address
		}},
		{"ours", func(t *testing.T, network string) string {
			address, _ := ourServer(t, network)
			return address
		}},
		{"C++ behind ours", func(t *testing.T, network string) string {
			address, _ := cppServer(t, network)
			return between(t, network, address)
		}},
		{"ours behind ours", func(t *testing.T, network string) string {
			address, _ := ourServer(t, network)
			return between(t, network, address)
		}},
	} {
		for _, network := range networks {
			t.Run(kind.name+"/"+network, func(t *testing.T) {
				seed := *chaosSeed
				if seed == 0 {
					seed = rand.Uint64()
				}
				t.Logf("-chaos.seed %d", seed)
				address := kind.serve(t, network)
				for i := range *chaosSessions {
					hangs := time.AfterFunc(chaosLimit, func() {
						debug.SetTraceback("all")
						panic("session " + strconv.Itoa(i) + " hangs, -chaos.seed " + strconv.FormatUint(seed, 10))
					})
					ctx, cancel := context.WithTimeout(context.Background(), *patience)
					s := &session{T: t, ctx: ctx, cut: i >= *chaosSessions*3/4, serial: uint32(i)}
					s.run(network, address, rand.New(rand.NewPCG(seed, uint64(i))))
					cancel()
					hangs.Stop()
					if t.Failed() {
						t.Fatalf("session %d", i)
					}
					if s.cut && strings.HasPrefix(kind.name, "C++") {
						continue // it goes on with calls that it may not cancel
					}
					b := dial(t, network, address)
					b.until("nothing is left at the server", func() bool { now, _ := b.hanging(); return b.live() == 0 && now == 0 })
				}
			})
		}
	}
}
