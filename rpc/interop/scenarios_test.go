package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
)

// A scenario runs against a lab at the other end of a connection. client.c++
// has one of the same name that does the same.
type scenario struct {
	name string
	run  func(b *bench)
}

var scenarios = []scenario{
	{"calls", calls},
	{"calculator", calculate},
	{"pipeline", pipeline},
	{"pipelineDropped", pipelineDropped},
	{"pipelineError", pipelineError},
	{"embargoReturn", embargoReturn},
	{"embargoResolve", embargoResolve},
	{"embargoError", embargoError},
	{"embargoNull", embargoNull},
	{"resolveTheirs", resolveTheirs},
	{"promiseParameter", promiseParameter},
	{"tail", tail},
	{"tailCancel", tailCancel},
	{"cancel", cancel},
	{"cancelParams", cancelParams},
	{"exceptions", exceptions},
	{"unimplemented", unimplemented},
	{"streaming", streaming},
	{"streamingError", streamingError},
	{"huge", huge},
	{"release", release},
	{"disconnect", disconnect}, // last, for it ends the server
}

// bench is what a scenario works at.
type bench struct {
	testing.TB
	ctx    context.Context
	conn   *rpc.Conn
	lab    interop.Lab
	counts counts
	drop   []func()
}

// later releases what r refers to when the scenario is over.
func (b *bench) later(release func()) { b.drop = append(b.drop, release) }

func (b *bench) finish() {
	for i := len(b.drop) - 1; i >= 0; i-- {
		b.drop[i]()
	}
	b.drop = nil
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func equal[T comparable](b *bench, what string, got, want T) {
	b.Helper()
	if got != want {
		b.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// until waits for what happens soon.
func (b *bench) until(what string, ready func() bool) {
	b.Helper()
	for !ready() {
		select {
		case <-b.ctx.Done():
			b.Fatalf("never: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (b *bench) sound() {
	b.Helper()
	equal(b, "20 + 22", b.add(20, 22), 42)
}

func (b *bench) add(x, y int64) int64 {
	b.Helper()
	f := b.lab.Add(b.ctx, func(p interop.LabAddParamsBuilder) { p.SetA(x); p.SetB(y) })
	defer f.Release()
	res, err := f.Wait(b.ctx)
	b.check(err)
	return res.Sum()
}

func (b *bench) live() uint32 {
	b.Helper()
	f := b.lab.Live(b.ctx, nil)
	defer f.Release()
	res, err := f.Wait(b.ctx)
	b.check(err)
	return res.Sequences()
}

func (b *bench) hanging() (now, cancelled uint32) {
	b.Helper()
	f := b.lab.Hanging(b.ctx, nil)
	defer f.Release()
	res, err := f.Wait(b.ctx)
	b.check(err)
	return res.Now(), res.Cancelled()
}

// do waits for a call whose results don't matter.
func (b *bench) do(f rpc.Future) {
	b.Helper()
	defer f.Release()
	_, err := f.Wait(b.ctx)
	b.check(err)
}

func (b *bench) open() { b.Helper(); b.do(b.lab.Open(b.ctx, nil).Future) }

func (b *bench) resolve(to interop.Sequence) rpc.Future {
	return b.lab.Resolve(b.ctx, func(p interop.LabResolveParamsBuilder) { p.SetTo(to.Retain()) }).Future
}

// held gives a promise of the server.
func (b *bench) held() interop.Sequence {
	b.Helper()
	f := b.lab.Hold(b.ctx, nil)
	defer f.Release()
	res, err := f.Wait(b.ctx)
	b.check(err)
	s := res.Promise().Retain()
	b.later(s.Release)
	return s
}

// order makes calls on sequences and checks what they give: 0, 1, 2 …
type order struct {
	*bench
	all []interop.SequenceNextFuture
}

func (o *order) call(s interop.Sequence) { o.all = append(o.all, s.Next(o.ctx, nil)) }

func (o *order) check() {
	o.Helper()
	for i, f := range o.all {
		res, err := f.Wait(o.ctx)
		if err != nil {
			o.Fatalf("call %d: %v", i, err)
		}
		equal(o.bench, fmt.Sprintf("call %d", i), res.N(), uint32(i))
		f.Release()
	}
}

func (b *bench) fails(f rpc.Future, want error, holds string) {
	b.Helper()
	defer f.Release()
	_, err := f.Wait(b.ctx)
	var e *rpc.Exception
	if !errors.Is(err, want) || !errors.As(err, &e) || !strings.Contains(err.Error(), holds) {
		b.Fatalf("error %v, want one that is %q and holds %q", err, want, holds)
	}
}

func calls(b *bench) {
	b.sound()
	var all []interop.LabAddFuture
	for i := range int64(500) {
		all = append(all, b.lab.Add(b.ctx, func(p interop.LabAddParamsBuilder) { p.SetA(i); p.SetB(1000) }))
	}
	for i, f := range all {
		res, err := f.Wait(b.ctx)
		b.check(err)
		equal(b, "sum", res.Sum(), int64(i)+1000)
		f.Release()
	}
}

func calculate(b *bench) {
	cf := b.lab.Calculator(b.ctx, nil)
	defer cf.Release()
	calc := cf.Calculator()
	eval := func(fill func(e interop.ExpressionBuilder)) interop.Value {
		f := calc.Evaluate(b.ctx, func(p interop.CalculatorEvaluateParamsBuilder) { fill(p.NewExpression()) })
		b.later(f.Release)
		return f.Value()
	}
	want := func(v interop.Value, want float64) {
		b.Helper()
		got, err := read(b.ctx, v)
		b.check(err)
		equal(b, "value", got, want)
	}
	operator := func(op interop.Op) interop.Function {
		f := calc.Operator(b.ctx, func(p interop.CalculatorOperatorParamsBuilder) { p.SetOp(op) })
		b.later(f.Release)
		return f.Function()
	}
	call := func(e interop.ExpressionBuilder, fn interop.Function, params ...func(interop.ExpressionBuilder)) {
		c := e.NewCall()
		c.SetFunction(fn.Retain())
		list := c.NewParams(len(params))
		for i, p := range params {
			p(list.At(i))
		}
	}
	literal := func(v float64) func(interop.ExpressionBuilder) {
		return func(e interop.ExpressionBuilder) { e.SetLiteral(v) }
	}

	want(eval(literal(123)), 123)
	add, subtract := operator(interop.OpAdd), operator(interop.OpSubtract)
	previous := eval(func(e interop.ExpressionBuilder) {
		call(e, subtract, func(e interop.ExpressionBuilder) { call(e, add, literal(123), literal(45)) }, literal(67))
	})
	want(previous, 101)

	def := calc.DefFunction(b.ctx, func(p interop.CalculatorDefFunctionParamsBuilder) {
		p.SetParamCount(2)
		call(p.NewBody(), add, func(e interop.ExpressionBuilder) {
			call(e, add, func(e interop.ExpressionBuilder) { e.SetParameter(0) }, func(e interop.ExpressionBuilder) { e.SetParameter(1) })
		}, func(e interop.ExpressionBuilder) { e.SetPrevious(previous.Retain()) })
	})
	defer def.Release()
	got, err := apply(b.ctx, def.Function(), 1, 2)
	b.check(err)
	equal(b, "f(1, 2)", got, 104)

	pow := interop.ServeFunction(power)
	defer pow.Release()
	want(eval(func(e interop.ExpressionBuilder) { call(e, pow, literal(2), literal(10)) }), 1024)
}

func pipeline(b *bench) {
	gate := b.lab.Gate(b.ctx, nil)
	defer gate.Release()
	f := gate.Lab().Sequence(b.ctx, nil)
	defer f.Release()
	s := f.Sequence()
	echo := gate.Lab().EchoCap(b.ctx, func(p interop.LabEchoCapParamsBuilder) { p.SetCap(s.Retain()) })
	defer echo.Release()
	o := order{bench: b}
	for range 50 {
		o.call(s)
	}
	o.call(echo.Cap())
	b.open()
	o.check()

	// After the answer is there.
	_, err := gate.Wait(b.ctx)
	b.check(err)
	n, err := next(b.ctx, s)
	b.check(err)
	equal(b, "call after the answer", n, 51)
	again := gate.Lab().Sequence(b.ctx, nil)
	defer again.Release()
	n, err = next(b.ctx, again.Sequence())
	b.check(err)
	equal(b, "call on a new one", n, 0)
}

func pipelineDropped(b *bench) {
	gate := b.lab.Gate(b.ctx, nil)
	f := gate.Lab().Sequence(b.ctx, nil)
	o := order{bench: b}
	for range 3 {
		o.call(f.Sequence())
	}
	f.Sequence().Next(b.ctx, nil).Release() // unwanted
	f.Release()
	gate.Release()
	b.open()
	o.check()
	b.until("the sequence is gone", func() bool { return b.live() == 0 })
}

func pipelineError(b *bench) {
	null := b.lab.Kept(b.ctx, nil)
	defer null.Release()
	f := null.Cap().Next(b.ctx, nil)
	defer f.Release()
	if _, err := f.Wait(b.ctx); err == nil {
		b.Error("a call on null succeeded")
	}
	wrong := b.lab.Fail(b.ctx, func(p interop.LabFailParamsBuilder) { p.SetType(1); p.SetReason("no lab") })
	p := interop.NewLab(wrong.Client(0)).Add(b.ctx, nil)
	b.fails(p.Future, rpc.ErrOverloaded, "no lab")
	b.fails(wrong.Future, rpc.ErrOverloaded, "no lab")
	b.sound()
}

func embargoReturn(b *bench) {
	mine := newSequence(&b.counts)
	echo := b.lab.EchoCap(b.ctx, func(p interop.LabEchoCapParamsBuilder) { p.SetCap(mine) })
	defer echo.Release()
	pipelined := echo.Cap()
	o := order{bench: b}
	o.call(pipelined)
	o.call(pipelined)
	b.sound() // the echo has returned by now
	o.call(pipelined)
	res, err := echo.Wait(b.ctx)
	b.check(err)
	o.call(pipelined)
	o.call(res.Cap())
	o.call(res.Cap())
	o.call(pipelined)
	o.check()
}

func embargoResolve(b *bench) {
	mine := newSequence(&b.counts)
	defer mine.Release()
	for range 20 {
		held := b.held()
		s := newSequence(&b.counts)
		o := order{bench: b}
		o.call(held)
		o.call(held)
		r := b.resolve(s)
		o.call(held)
		b.do(r)
		for range 5 {
			o.call(held)
			b.sound()
		}
		o.check()
		n, err := next(b.ctx, s)
		b.check(err)
		equal(b, "call on one's own", n, uint32(len(o.all)))
		s.Release()
	}
}

func resolveTheirs(b *bench) {
	f := b.lab.Sequence(b.ctx, nil)
	defer f.Release()
	res, err := f.Wait(b.ctx)
	b.check(err)
	held := b.held()
	o := order{bench: b}
	o.call(held)
	b.do(b.resolve(res.Sequence()))
	o.call(held)
	b.sound()
	o.call(held)
	o.call(held)
	o.check()
	n, err := next(b.ctx, res.Sequence())
	b.check(err)
	equal(b, "call on theirs", n, 4)
}

func embargoError(b *bench) {
	held := b.held()
	all := []interop.SequenceNextFuture{held.Next(b.ctx, nil), held.Next(b.ctx, nil)}
	b.do(b.lab.Reject(b.ctx, func(p interop.LabRejectParamsBuilder) { p.SetType(1); p.SetReason("rejected") }).Future)
	all = append(all, held.Next(b.ctx, nil))
	b.sound()
	all = append(all, held.Next(b.ctx, nil))
	for _, f := range all {
		b.fails(f.Future, rpc.ErrOverloaded, "rejected")
	}
	b.sound()
}

func embargoNull(b *bench) {
	held := b.held()
	all := []interop.SequenceNextFuture{held.Next(b.ctx, nil)}
	b.do(b.resolve(interop.Sequence{}))
	all = append(all, held.Next(b.ctx, nil))
	b.sound()
	all = append(all, held.Next(b.ctx, nil))
	for _, f := range all {
		if _, err := f.Wait(b.ctx); err == nil {
			b.Error("a call on null succeeded")
		}
		f.Release()
	}
	b.sound()
}

func (b *bench) callNext(s interop.Sequence) interop.LabCallNextFuture {
	return b.lab.CallNext(b.ctx, func(p interop.LabCallNextParamsBuilder) { p.SetSequence(s.Retain()) })
}

func promiseParameter(b *bench) {
	got := func(f interop.LabCallNextFuture) uint32 {
		b.Helper()
		defer f.Release()
		res, err := f.Wait(b.ctx)
		b.check(err)
		return res.N()
	}
	// One that this side resolves.
	c, fulfiller := rpc.NewPromise()
	promise := interop.NewSequence(c)
	call0, call1 := b.callNext(promise), b.callNext(promise)
	b.sound()
	fulfiller.Resolve(newSequence(&b.counts).Client)
	equal(b, "first call", got(call0), 0)
	equal(b, "second call", got(call1), 1)
	promise.Release()

	// One that is a result of the other side, not there yet.
	gate := b.lab.Gate(b.ctx, nil)
	defer gate.Release()
	f := gate.Lab().Sequence(b.ctx, nil)
	defer f.Release()
	call2 := b.callNext(f.Sequence())
	b.sound()
	b.open()
	equal(b, "call on a result", got(call2), 0)

	// One that breaks.
	c, fulfiller = rpc.NewPromise()
	defer c.Release()
	call3 := b.callNext(interop.NewSequence(c))
	b.sound()
	fulfiller.Reject(fmt.Errorf("%w: it broke", rpc.ErrOverloaded))
	b.fails(call3.Future, rpc.ErrOverloaded, "it broke")
}

func (b *bench) tail(c interop.Callee, i int32) interop.LabTailFuture {
	return b.lab.Tail(b.ctx, func(p interop.LabTailParamsBuilder) { p.SetCallee(c); p.SetI(i) })
}

func tail(b *bench) {
	f := b.tail(interop.ServeCallee(callee{}), 456)
	defer f.Release()
	o := order{bench: b}
	o.call(f.Sequence())
	res, err := f.Wait(b.ctx)
	b.check(err)
	equal(b, "i", res.I(), 456)
	o.call(f.Sequence())
	o.call(res.Sequence())
	o.check()
}

func tailCancel(b *bench) {
	f := b.tail(interop.ServeCallee(hanging{&b.counts}), 0)
	b.until("the callee runs", func() bool { b.sound(); return b.counts.hanging.Load() == 1 })
	f.Release()
	b.until("the callee is cancelled", func() bool { b.sound(); return b.counts.hanging.Load() == 0 })
}

func cancel(b *bench) {
	_, before := b.hanging()
	f := b.lab.Hang(b.ctx, nil)
	b.until("it hangs", func() bool { now, _ := b.hanging(); return now == 1 })
	f.Release()
	b.until("it is cancelled", func() bool {
		now, cancelled := b.hanging()
		return now == 0 && cancelled == before+1
	})

	ctx, cancel := context.WithCancel(b.ctx)
	f = b.lab.Hang(ctx, nil)
	done := f.Done() // somebody waits
	b.until("it hangs", func() bool { now, _ := b.hanging(); return now == 1 })
	cancel()
	<-done
	b.until("it is cancelled by its context", func() bool { now, _ := b.hanging(); return now == 0 })
	f.Release()

	for range 100 {
		b.lab.Hang(b.ctx, nil).Release()
	}
	b.until("all are cancelled", func() bool { now, _ := b.hanging(); return now == 0 })
	b.sound()
}

func cancelParams(b *bench) {
	c, fulfiller := rpc.NewPromise()
	mine := newSequence(&b.counts)
	b.callNext(mine).Release()
	b.callNext(interop.NewSequence(c)).Release()
	mine.Release()
	c.Release()
	fulfiller.Resolve(newSequence(&b.counts).Client)
	b.until("the parameters are released", func() bool { b.sound(); return b.counts.sequences.Load() == 0 })
}

func exceptions(b *bench) {
	own := newLab().on(nil)
	defer own.Release()
	for typ, want := range []error{rpc.ErrFailed, rpc.ErrOverloaded, rpc.ErrDisconnected, rpc.ErrUnimplemented} {
		reason := fmt.Sprintf("reason of type %d", typ)
		f := b.lab.Fail(b.ctx, func(p interop.LabFailParamsBuilder) { p.SetType(uint16(typ)); p.SetReason(reason) })
		_, err := f.Wait(b.ctx)
		var e *rpc.Exception
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Reason != reason {
			b.Errorf("error %v, want %v with %q", err, want, reason)
		}
		f.Release()

		by := b.lab.FailBy(b.ctx, func(p interop.LabFailByParamsBuilder) {
			p.SetLab(own.Retain())
			p.SetType(uint16(typ))
			p.SetReason(reason)
		})
		res, err := by.Wait(b.ctx)
		b.check(err)
		equal(b, "type that the peer got", int(res.Type()), typ)
		if !strings.HasSuffix(res.Reason(), reason) {
			b.Errorf("the peer got %q, want %q", res.Reason(), reason)
		}
		by.Release()
	}
	b.sound()
}

func unimplemented(b *bench) {
	b.fails(b.lab.Missing(b.ctx, nil).Future, rpc.ErrUnimplemented, "")
	b.fails(interop.NewSequence(b.lab.Client).Next(b.ctx, nil).Future, rpc.ErrUnimplemented, "")
	b.sound()
}

func streaming(b *bench) {
	chunk := bytes.Repeat([]byte("x"), 4096)
	made := b.lab.Sink(b.ctx, nil)
	defer made.Release()
	s := made.Sink()
	for range 500 {
		b.check(s.Write(b.ctx, func(p interop.SinkWriteParamsBuilder) { p.SetChunk(chunk) }))
	}
	b.check(s.WaitStreaming(b.ctx))
	f := s.Done(b.ctx, nil)
	defer f.Release()
	res, err := f.Wait(b.ctx)
	b.check(err)
	equal(b, "bytes", res.Bytes(), 500*4096)
	equal(b, "chunks", res.Chunks(), 500)
	b.sound()
}

func streamingError(b *bench) {
	f := b.lab.Sink(b.ctx, func(p interop.LabSinkParamsBuilder) { p.SetFailAt(3) })
	defer f.Release()
	bad := f.Sink()
	var err error
	for range 5000 {
		if err = bad.Write(b.ctx, func(p interop.SinkWriteParamsBuilder) { p.NewChunk(4096) }); err != nil {
			break
		}
	}
	if !errors.Is(err, rpc.ErrOverloaded) {
		b.Errorf("the stream gave %v, want overloaded", err)
	}
	if err := bad.WaitStreaming(b.ctx); !errors.Is(err, rpc.ErrOverloaded) {
		b.Errorf("the end of the stream gave %v, want overloaded", err)
	}
	b.sound()
}

func huge(b *bench) {
	for _, size := range []int{1 << 20, 16 << 20} {
		data := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			data[i] = byte(i >> 12)
		}
		f := b.lab.Echo(b.ctx, func(p interop.LabEchoParamsBuilder) { p.SetData(data) })
		res, err := f.Wait(b.ctx)
		b.check(err)
		if !bytes.Equal(res.Data(), data) {
			b.Errorf("%d bytes came back otherwise", size)
		}
		f.Release()
	}
	f := b.lab.Echo(b.ctx, func(p interop.LabEchoParamsBuilder) { p.NewData(80 << 20) })
	defer f.Release()
	if _, err := f.Wait(b.ctx); err == nil {
		b.Error("80 MiB went through")
	}
	b.sound()
}

func release(b *bench) {
	b.until("no sequences are left of before", func() bool { return b.live() == 0 })
	var all []interop.LabSequenceFuture
	for range 100 {
		f := b.lab.Sequence(b.ctx, nil)
		all = append(all, f)
		_, err := next(b.ctx, f.Sequence())
		b.check(err)
	}
	equal(b, "live sequences", b.live(), 100)

	// Kept by the server as well, and given back twice.
	b.do(b.lab.Keep(b.ctx, func(p interop.LabKeepParamsBuilder) { p.SetCap(all[0].Sequence().Retain()) }).Future)
	one, two := b.lab.Kept(b.ctx, nil), b.lab.Kept(b.ctx, nil)
	for i, f := range []interop.LabKeptFuture{one, two} {
		res, err := f.Wait(b.ctx)
		b.check(err)
		n, err := next(b.ctx, res.Cap())
		b.check(err)
		equal(b, "call on the one that came back", n, uint32(i+1))
		f.Release()
	}
	for _, f := range all {
		f.Release()
	}
	b.until("all but the one that is kept are gone", func() bool { return b.live() == 1 })
	b.do(b.lab.Drop(b.ctx, nil).Future)
	b.until("all are gone", func() bool { return b.live() == 0 })

	// One of ours.
	mine := newSequence(&b.counts)
	b.do(b.lab.Keep(b.ctx, func(p interop.LabKeepParamsBuilder) { p.SetCap(mine.Retain()) }).Future)
	kept := b.lab.Kept(b.ctx, nil)
	res, err := kept.Wait(b.ctx)
	b.check(err)
	o := order{bench: b}
	o.call(res.Cap())
	o.call(mine)
	o.check()
	twice := b.lab.Twice(b.ctx, func(p interop.LabTwiceParamsBuilder) { p.SetOne(mine.Retain()); p.SetTwo(mine.Retain()) })
	tres, err := twice.Wait(b.ctx)
	b.check(err)
	equal(b, "twice", tres.N(), 3)
	twice.Release()
	kept.Release()
	mine.Release()
	equal(b, "our own, kept there", b.counts.sequences.Load(), 1)
	b.do(b.lab.Drop(b.ctx, nil).Future)
	b.until("ours is gone", func() bool { b.sound(); return b.counts.sequences.Load() == 0 })
}

// under starts one of everything, and gives what has to fail.
func (b *bench) under() []rpc.Future {
	var all []rpc.Future
	add := func(f rpc.Future) { all = append(all, f) }
	add(b.lab.Hang(b.ctx, nil).Future)
	gate := b.lab.Gate(b.ctx, nil)
	add(gate.Future)
	add(gate.Lab().Add(b.ctx, nil).Future)
	f := gate.Lab().Sequence(b.ctx, nil)
	add(f.Future)
	add(f.Sequence().Next(b.ctx, nil).Future)
	add(b.held().Next(b.ctx, nil).Future)
	c, fulfiller := rpc.NewPromise()
	b.later(c.Release)
	b.later(func() { fulfiller.Reject(errors.New("nothing came")) })
	add(b.callNext(interop.NewSequence(c)).Future)
	h := interop.ServeSequence(hanging{&b.counts})
	add(b.callNext(h).Future)
	h.Release()
	// A tail call to this side is left out: it ends with its handler, which is
	// cancelled.
	sink := b.lab.Sink(b.ctx, nil)
	b.later(sink.Release)
	for range 8 {
		b.check(sink.Sink().Write(b.ctx, func(p interop.SinkWriteParamsBuilder) { p.NewChunk(4096) }))
	}
	b.until("the callback runs", func() bool { b.sound(); return b.counts.hanging.Load() == 1 })
	return all
}

func disconnect(b *bench) {
	all := append(b.under(), b.lab.Die(b.ctx, nil).Future)
	for i, f := range all {
		_, err := f.Wait(b.ctx)
		if !errors.Is(err, rpc.ErrDisconnected) {
			b.Errorf("call %d gave %v, want disconnected", i, err)
		}
		f.Release()
	}
	b.fails(b.lab.Add(b.ctx, nil).Future, rpc.ErrDisconnected, "")
	<-b.conn.Done()
	if b.conn.Err() == nil {
		b.Error("the connection has no error")
	}
	b.until("our own were cancelled", func() bool { return b.counts.hanging.Load() == 0 })
}
