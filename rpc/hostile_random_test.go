package rpc_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	sequences = flag.Int("sequences", 200, "random sequences of protocol messages against a live connection")
	seed      = flag.Int("seed", 0, "the first of the seeds of random sequences")
)

// A lifecycle is a peer that says random things that the protocol allows, and
// knows by a model what the connection must answer: which questions, with
// what, and what is left of its tables in the end. A hostile one ends with a
// message that the protocol does not allow.
type lifecycle struct {
	*wirePeer
	rng *rand.Rand

	log      []string
	nextID   uint32
	free     []uint32             // question ids that may be used again
	answers  map[uint32]*asked    // questions that are not finished or not returned
	objects  map[uint32]*exported // what the connection exports to us, by its ids
	calls    map[uint32]bool      // the connection's questions that we have not answered; true: results stay with us
	answered map[uint32]bool      // its questions that we have answered and it has not finished
	exports  map[uint32]int       // what we export: how many references the connection has
	nextExp  uint32
	promises map[uint32]bool // those of exports that are promises, not resolved
}

// asked is a question of ours.
type asked struct {
	method             rpc.Method
	boot               bool
	finished, returned bool
	failed             bool
	drops              bool // finished with the release of its results
	param              []uint32
	caps               []uint32 // what its results hold of the connection's exports
}

type exported struct {
	refs    int
	promise bool
}

func (l *lifecycle) note(format string, args ...any) {
	l.log = append(l.log, fmt.Sprintf(format, args...))
}

func (l *lifecycle) wrong(format string, args ...any) {
	l.Helper()
	l.Fatalf(format, args...)
}

func newLifecycle(t testing.TB, rng *rand.Rand, o rpc.ConnOptions) *lifecycle {
	l := &lifecycle{
		wirePeer: newWirePeer(t, o), rng: rng, answers: map[uint32]*asked{}, objects: map[uint32]*exported{},
		calls: map[uint32]bool{}, answered: map[uint32]bool{}, exports: map[uint32]int{}, promises: map[uint32]bool{},
	}
	return l
}

func (l *lifecycle) newQuestion(a *asked) uint32 {
	var id uint32
	if n := len(l.free); n > 0 && l.rng.IntN(2) == 0 {
		id = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		id = l.nextID
		l.nextID++
	}
	l.answers[id] = a
	return id
}

// settle forgets a question that is both returned and finished.
func (l *lifecycle) settle(id uint32) {
	if a := l.answers[id]; a.finished && a.returned {
		delete(l.answers, id)
		l.free = append(l.free, id)
	}
}

// pick gives a random key of m for which ok holds.
func pick[V any](l *lifecycle, m map[uint32]V, ok func(uint32, V) bool) (uint32, bool) {
	var all []uint32
	for k, v := range m {
		if ok == nil || ok(k, v) {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all) // maps have no order, and a seed has to give one run
	return all[l.rng.IntN(len(all))], true
}

// step says one thing that is allowed.
func (l *lifecycle) step() {
	switch l.rng.IntN(10) {
	case 0:
		id := l.newQuestion(&asked{boot: true})
		l.note("bootstrap %d", id)
		l.bootstrap(id)
	case 1, 2, 3, 4:
		l.call()
	case 5, 6:
		if id, ok := pick(l, l.answers, func(_ uint32, a *asked) bool { return !a.finished }); ok {
			a := l.answers[id]
			a.finished, a.drops = true, l.rng.IntN(2) == 0
			l.note("finish %d (release %v)", id, a.drops)
			l.finish(id, a.drops)
			if a.returned && a.drops {
				l.unref(a.caps)
			}
			l.settle(id)
		}
	case 7:
		if id, ok := pick(l, l.objects, func(_ uint32, e *exported) bool { return e.refs > 0 }); ok && l.spare(id) > 0 {
			n := 1 + l.rng.IntN(l.spare(id))
			l.note("release %d of %d", n, id)
			l.objects[id].refs -= n
			l.release(id, uint32(n))
			l.gc(id)
		}
	case 8:
		if id, ok := pick(l, l.calls, nil); ok {
			l.respond(id)
		}
	case 9:
		if id, ok := pick(l, l.promises, nil); ok {
			delete(l.promises, id)
			// Not to one of its promises: it may be a result of the call that waits for ours,
			// and that would never end before the connection.
			to, ok := pick(l, l.objects, func(_ uint32, e *exported) bool { return e.refs > 0 && !e.promise })
			if !ok || l.rng.IntN(2) == 0 {
				l.note("resolve %d to an error", id)
				l.resolve(id, func(r wire.ResolveBuilder) { r.NewException().SetReason("no") })
				return
			}
			l.note("resolve %d to its %d", id, to)
			l.resolve(id, func(r wire.ResolveBuilder) { r.NewCap().SetReceiverHosted(to) })
		}
	}
}

// spare is how many references of id we may release: those in results of
// questions that a later Finish may release are kept.
func (l *lifecycle) spare(id uint32) int {
	n := l.objects[id].refs
	for _, a := range l.answers {
		if a.returned && !a.finished {
			for _, c := range a.caps {
				if c == id {
					n--
				}
			}
		}
	}
	return n
}

func (l *lifecycle) gc(id uint32) {
	if e := l.objects[id]; e != nil && e.refs == 0 {
		delete(l.objects, id)
	}
}

func (l *lifecycle) unref(caps []uint32) {
	for _, c := range caps {
		l.objects[c].refs--
		l.gc(c)
	}
}

var lifecycleMethods = []rpc.Method{echo, makeOne, hold, use, keep, promiseOf, resolveTo, tailTo, giveBack, sleep, {Interface: 1, Ordinal: 99}}

func (l *lifecycle) call() {
	m := lifecycleMethods[l.rng.IntN(len(lifecycleMethods))]
	a := &asked{method: m}
	// The target: an import, or a capability of an answer. The latter is chosen
	// before the call has its id, which may not be its own target.
	on, pipelines := pick(l, l.answers, func(_ uint32, a *asked) bool { return !a.finished })
	imp, imports := pick(l, l.objects, func(_ uint32, e *exported) bool { return e.refs > 0 })
	if !pipelines && !imports {
		return
	}
	param := l.rng.IntN(6)
	if m == keep && param > 0 && param < 4 {
		param = 0 // an object that keeps itself would never go; a promise may become it
	}
	if m == resolveTo && param == 3 {
		param = 2 // nor would calls that wait for each other, before the connection goes
	}
	var param1, param2 uint32
	var ok1, ok2 bool
	if param == 2 {
		param1, ok1 = pick(l, l.objects, func(_ uint32, e *exported) bool { return e.refs > 0 && (m != resolveTo || !e.promise) })
	}
	if param == 3 {
		param2, ok2 = pick(l, l.answers, func(_ uint32, a *asked) bool { return !a.finished })
	}
	boot := pipelines && l.answers[on].boot
	id := l.newQuestion(a)
	desc := fmt.Sprintf("call %d of %v", id, m)
	l.send(func(msg wire.MessageBuilder) {
		c := msg.NewCall()
		c.SetQuestionID(id)
		c.SetInterfaceID(m.Interface)
		c.SetMethodID(m.Ordinal)
		if imports && (!pipelines || l.rng.IntN(2) == 0) {
			c.NewTarget().SetImportedCap(imp)
			desc += fmt.Sprintf(" on import %d", imp)
		} else {
			t := c.NewTarget().NewPromisedAnswer()
			t.SetQuestionID(on)
			if !boot {
				t.NewTransform(1).At(0).SetGetPointerField(0)
			}
			desc += fmt.Sprintf(" on answer %d", on)
		}
		p := c.NewParams()
		s := p.Content().NewStruct(size)
		s.SetUint64(0, 21)
		if param > 3 {
			return
		}
		s.Ptr(0).SetCapability(0)
		d := p.NewCapTable(1).At(0)
		switch {
		case param == 0 && m == keep:
			e := l.nextExp // none that was a promise
			l.nextExp++
			l.exports[e] = 1
			a.param = append(a.param, e)
			d.SetSenderHosted(e)
			desc += fmt.Sprintf(" with our new %d", e)
		case param == 0:
			e := l.export(false)
			a.param = append(a.param, e)
			d.SetSenderHosted(e)
			desc += fmt.Sprintf(" with our %d", e)
		case param == 1:
			e := l.export(true)
			a.param = append(a.param, e)
			if l.promises[e] {
				d.SetSenderPromise(e)
			} else {
				d.SetSenderHosted(e)
			}
			desc += fmt.Sprintf(" with our promise %d", e)
		case param == 2 && ok1:
			d.SetReceiverHosted(param1)
			desc += fmt.Sprintf(" with its %d", param1)
		case param == 3 && ok2:
			r := d.NewReceiverAnswer()
			r.SetQuestionID(param2)
			r.NewTransform(1).At(0).SetGetPointerField(0)
			desc += fmt.Sprintf(" with answer %d", param2)
		default:
			d.SetNone()
		}
	})
	l.note("%s", desc)
}

// export gives a capability of ours one reference more.
func (l *lifecycle) export(promise bool) uint32 {
	if id, ok := pick(l, l.exports, func(id uint32, n int) bool { return n > 0 && l.promises[id] == promise }); ok && l.rng.IntN(2) == 0 {
		l.exports[id]++
		return id
	}
	id := l.nextExp
	l.nextExp++
	l.exports[id] = 1
	if promise {
		l.promises[id] = true
	}
	return id
}

// respond answers a call of the connection.
func (l *lifecycle) respond(id uint32) {
	stay := l.calls[id]
	delete(l.calls, id)
	l.answered[id] = true
	l.note("answer %d", id)
	l.answer(id, func(r wire.ReturnBuilder) {
		r.SetReleaseParamCaps(false)
		switch {
		case stay:
			r.SetResultsSentElsewhere()
		case l.rng.IntN(3) == 0:
			r.NewException().SetReason("not now")
		default:
			res := r.NewResults()
			s := res.Content().NewStruct(size)
			s.SetUint64(0, 7)
			if to, ok := pick(l, l.objects, func(_ uint32, e *exported) bool { return e.refs > 0 }); ok && l.rng.IntN(2) == 0 {
				s.Ptr(0).SetCapability(0)
				res.NewCapTable(1).At(0).SetReceiverHosted(to)
			}
		}
	})
}

// hear takes what the connection says, and checks that it may.
func (l *lifecycle) hear(m wire.Message) {
	switch m.Which() {
	case wire.MessageReturn:
		r := m.Return()
		id := r.AnswerID()
		a := l.answers[id]
		if a == nil || a.returned {
			l.wrong("a Return for question %d, which we did not ask", id)
		}
		l.note("  heard return %d: %v", id, r.Which())
		a.returned = true
		if r.ReleaseParamCaps() {
			for _, e := range a.param {
				l.drop(e, 1)
			}
		}
		switch r.Which() {
		case wire.ReturnResults:
			if a.method == echo && !a.boot {
				if n := r.Results().Content().Struct().Uint64(0); n != 42 {
					l.wrong("question %d: 21 doubled is %d", id, n)
				}
			}
			if a.method == hold && !a.boot {
				l.wrong("a call that never returns did")
			}
			a.caps = l.take(r.Results().CapTable())
			if a.finished && a.drops {
				l.unref(a.caps)
			}
		case wire.ReturnException:
			a.failed = true
			if len(r.Exception().Reason()) == 0 {
				l.wrong("question %d failed without a reason", id)
			}
		case wire.ReturnCanceled:
			if !a.finished {
				l.wrong("question %d is cancelled, which it was not", id)
			}
		case wire.ReturnTakeFromOtherQuestion:
			if _, ok := l.calls[r.TakeFromOtherQuestion()]; !ok && !l.answered[r.TakeFromOtherQuestion()] {
				l.wrong("question %d takes the results of %d, which we were not asked", id, r.TakeFromOtherQuestion())
			}
		default:
			l.wrong("question %d returned %v", id, r.Which())
		}
		l.settle(id)
	case wire.MessageCall:
		c := m.Call()
		id := c.QuestionID()
		if _, ok := l.calls[id]; ok || l.answered[id] {
			l.wrong("it asks question %d again", id)
		}
		switch t := c.Target(); t.Which() {
		case wire.MessageTargetImportedCap:
			if l.exports[t.ImportedCap()] <= 0 {
				l.wrong("it calls our export %d, which it has not", t.ImportedCap())
			}
		default:
			q := t.PromisedAnswer().QuestionID()
			if _, ok := l.calls[q]; !ok && !l.answered[q] {
				l.wrong("it calls on the answer %d, which it has finished", q)
			}
		}
		l.note("  heard call %d (%v)", id, c.SendResultsTo().Which())
		l.calls[id] = c.SendResultsTo().Which() == wire.CallSendResultsToYourself
		l.take(c.Params().CapTable())
	case wire.MessageFinish:
		id := m.Finish().QuestionID()
		l.note("  heard finish %d", id)
		switch _, open := l.calls[id]; {
		case open: // cancelled: answer it
			l.respond(id)
			delete(l.answered, id)
		case l.answered[id]:
			delete(l.answered, id)
		default:
			l.wrong("it finishes question %d, which it has not asked", id)
		}
	case wire.MessageRelease:
		r := m.Release()
		l.note("  heard release %d of %d", r.ReferenceCount(), r.ID())
		l.drop(r.ID(), int(r.ReferenceCount()))
	case wire.MessageResolve:
		r := m.Resolve()
		l.note("  heard resolve %d", r.PromiseID())
		if r.Which() == wire.ResolveCap {
			l.takeOne(r.Cap())
		}
	case wire.MessageDisembargo:
		d := m.Disembargo()
		l.note("  heard disembargo %v", d.Context().Which())
		if d.Context().Which() == wire.DisembargoContextSenderLoopback {
			// Its calls before have been answered in the order in which they came.
			back := d.Context().SenderLoopback()
			l.send(func(m wire.MessageBuilder) {
				b := m.NewDisembargo()
				b.SetTarget(d.Target())
				b.Context().SetReceiverLoopback(back)
			})
		}
	case wire.MessageAbort:
		l.wrong("it aborts: %s", m.Abort().Reason())
	default:
		l.wrong("it says %v", m.Which())
	}
}

func (l *lifecycle) drop(id uint32, n int) {
	if l.exports[id] < n || n <= 0 {
		l.wrong("it releases %d of our export %d, of which it has %d", n, id, l.exports[id])
	}
	l.exports[id] -= n
	if l.exports[id] == 0 {
		delete(l.exports, id)
		delete(l.promises, id)
	}
}

// take counts the references of a table, and gives the exports that it names.
func (l *lifecycle) take(t segment.Structs[wire.CapDescriptor]) (ids []uint32) {
	for d := range t.All() {
		if id, ok := l.takeOne(d); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (l *lifecycle) takeOne(d wire.CapDescriptor) (uint32, bool) {
	var id uint32
	promise := false
	switch d.Which() {
	case wire.CapDescriptorSenderHosted:
		id = d.SenderHosted()
	case wire.CapDescriptorSenderPromise:
		id, promise = d.SenderPromise(), true
	case wire.CapDescriptorReceiverHosted:
		if l.exports[d.ReceiverHosted()] <= 0 {
			l.wrong("it gives back our export %d, which it has not", d.ReceiverHosted())
		}
		return 0, false
	default:
		return 0, false
	}
	e := l.objects[id]
	if e == nil {
		e = &exported{promise: promise}
		l.objects[id] = e
	}
	e.refs++
	return id, true
}

// listen hears all that was said so far.
func (l *lifecycle) listen() {
	for {
		m, ok, err := l.poll()
		if err != nil {
			l.wrong("it is gone: %v: %v", err, l.conn.Err())
		}
		if !ok {
			return
		}
		l.hear(m)
	}
}

// end finishes all and releases all, and checks that the connection keeps
// nothing of it.
func (l *lifecycle) end(h *host) {
	deadline := time.Now().Add(*patience)
	for last := false; ; {
		if !last && len(l.answers) == 0 {
			// What the bootstrap object keeps goes too, when no call is left that would have
			// it keep something else.
			last = true
			l.bootstrap(lastQuestion)
			l.answers[lastQuestion] = &asked{boot: true}
			l.wirePeer.call(lastQuestion+1, 0, keep, 0, pipelined(lastQuestion))
			l.answers[lastQuestion+1] = &asked{method: keep}
		}
		for id := range l.promises {
			delete(l.promises, id)
			l.note("resolve %d to an error", id)
			l.resolve(id, func(r wire.ResolveBuilder) { r.NewException().SetReason("no") })
		}
		for id := range l.calls {
			l.respond(id)
		}
		for id, a := range l.answers {
			if !a.finished && (id < lastQuestion || a.returned) {
				a.finished, a.drops = true, true
				l.note("finish %d", id)
				l.finish(id, true)
				if a.returned {
					l.unref(a.caps)
				}
				l.settle(id)
			}
		}
		l.listen()
		// A call is not cancelled while a capability of its results is held.
		finished := true
		for _, a := range l.answers {
			finished = finished && a.finished
		}
		if finished {
			for id, e := range l.objects {
				l.note("release %d of %d", e.refs, id)
				l.release(id, uint32(e.refs))
				delete(l.objects, id)
			}
		}
		s := l.conn.Stats()
		if last && len(l.answers)+len(l.objects)+len(l.calls)+len(l.promises) == 0 &&
			s.Answers+s.Exports+s.Questions+s.Imports+s.Embargoes+s.Executing == 0 && len(l.exports) == 0 && len(l.answered) == 0 {
			return
		}
		if time.Now().After(deadline) {
			l.wrong("left in the end: %+v; we have %d answers, %d imports, %d calls, %d promises, %v exports, %v answered",
				s, len(l.answers), len(l.objects), len(l.calls), len(l.promises), l.exports, l.answered)
		}
		runtime.Gosched()
	}
}

// lastQuestion is an id that no other question gets.
const lastQuestion = 1 << 21

// violate says one thing that is not allowed.
func (l *lifecycle) violate() {
	const no = 1 << 20 // an id that nothing has
	switch l.rng.IntN(8) {
	case 0:
		l.note("call on an unknown import")
		l.wirePeer.call(no, no, echo, 1)
	case 1:
		l.note("call on nothing")
		l.wirePeer.call(no, 0, echo, 1, func(c wire.CallBuilder) { discriminant(segment.StructBuilder(c.Target()), 4) })
	case 2:
		l.note("a list as a message")
		l.sendRaw(1|2<<32, 0)
	case 3:
		l.note("release of an unknown export")
		l.release(no, 1)
	case 4:
		l.note("return of an unknown question")
		l.answer(no, func(r wire.ReturnBuilder) { r.NewResults() })
	case 5:
		l.note("disembargo that nobody waits for")
		l.send(func(m wire.MessageBuilder) {
			d := m.NewDisembargo()
			d.NewTarget().SetImportedCap(0)
			d.Context().SetReceiverLoopback(no)
		})
	case 6:
		l.note("a message beyond its end")
		l.sendRaw(0 | 100<<2 | 1<<32)
	case 7:
		// One that may have returned may need no Finish.
		id, ok := pick(l, l.answers, func(_ uint32, a *asked) bool { return !a.finished && a.method == hold && !a.returned && !a.boot })
		if !ok {
			l.note("release of an unknown export")
			l.release(no, 1)
			return
		}
		l.note("bootstrap with question %d, which is in use", id)
		l.bootstrap(id)
	}
}

// Random sequences of what the protocol allows: the connection does what the
// model says, and keeps nothing in the end. Half of them end with something that
// is not allowed, and the connection aborts.
func TestRandomSequences(t *testing.T) {
	workers := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < *sequences && !t.Failed(); i += workers {
				randomSequence(t, uint64(*seed+i))
			}
		})
	}
	all.Wait()
}

func randomSequence(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	h := newHost()
	scope := &cleanups{TB: t, name: fmt.Sprintf("seed %d: ", seed)}
	defer scope.run()
	l := newLifecycle(scope, rng, rpc.ConnOptions{Bootstrap: h.serve()})
	scope.log = func() []string { return l.log }
	for range 5 + rng.IntN(40) {
		l.step()
		if rng.IntN(3) == 0 {
			l.listen()
		}
		if rng.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	if rng.IntN(2) == 0 {
		l.end(h)
		_ = l.t.Close()
	} else {
		l.violate()
		if l.aborted() == "" {
			l.wrong("it aborts without a reason")
		}
	}
	l.ended()
	h.gone(scope)
}

// cleanups is a test of its own within a loop of one.
type cleanups struct {
	testing.TB
	name string
	all  []func()
	log  func() []string // what was said
}

func (c *cleanups) Cleanup(f func()) { c.all = append(c.all, f) }

func (c *cleanups) run() {
	for i := len(c.all) - 1; i >= 0; i-- {
		c.all[i]()
	}
}

func (c *cleanups) Fatal(args ...any) { c.TB.Helper(); c.Fatalf("%s", fmt.Sprint(args...)) }

func (c *cleanups) Fatalf(format string, args ...any) {
	c.TB.Helper()
	if c.log != nil {
		format += "\nafter:\n\t%s"
		args = append(args, strings.Join(c.log(), "\n\t"))
	}
	c.TB.Errorf(c.name+format, args...)
	c.run()
	c.all = nil
	runtime.Goexit()
}
