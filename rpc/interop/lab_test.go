package interop_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
	"github.com/fairlead-go/fairlead/segment"
)

// counts are what a lab tells of itself.
type counts struct{ hanging, cancelled, sequences atomic.Int32 }

func (c *counts) hang(ctx context.Context) error {
	c.hanging.Add(1)
	<-ctx.Done()
	c.cancelled.Add(1)
	c.hanging.Add(-1)
	return context.Cause(ctx)
}

// lab is the server of the scenarios, as testdata/lab.h has it in C++. All its
// connections share it.
type lab struct {
	interop.LabUnimplemented
	*counts
	labs *labs

	mu   sync.Mutex
	gate chan struct{}
	held *rpc.Fulfiller
	kept interop.Sequence
}

// labs are those with a number.
type labs struct {
	mu  sync.Mutex
	all map[uint32]rpc.Weak
}

func newLab() *lab {
	return &lab{counts: new(counts), labs: &labs{all: map[uint32]rpc.Weak{}}, gate: make(chan struct{})}
}

// on gives a capability of the lab for one connection, which die closes.
func (l *lab) on(conn net.Conn) interop.Lab {
	return interop.ServeLab(&labOn{l, conn})
}

// labOn is the lab as one connection has it.
type labOn struct {
	*lab
	conn net.Conn
}

func (l *labOn) Die(context.Context, interop.LabDieCall) error {
	_ = l.conn.Close()
	return nil
}

func (l *labOn) Gate(ctx context.Context, call interop.LabGateCall) error {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	call.Go()
	select {
	case <-gate:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	call.Results().SetLab(interop.ServeLab(l))
	return nil
}

func (l *lab) Open(context.Context, interop.LabOpenCall) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.gate)
	l.gate = make(chan struct{})
	return nil
}

func (l *lab) Add(_ context.Context, call interop.LabAddCall) error {
	call.Results().SetSum(call.Params().A() + call.Params().B())
	return nil
}

func (l *lab) Echo(_ context.Context, call interop.LabEchoCall) error {
	call.Results().SetData(call.Params().Data())
	return nil
}

func (l *lab) Fail(_ context.Context, call interop.LabFailCall) error {
	p := call.Params()
	return &rpc.Exception{Type: rpc.ExceptionType(p.Type()), Reason: p.Reason()}
}

func (l *lab) FailBy(ctx context.Context, call interop.LabFailByCall) error {
	p := call.Params()
	f := p.Lab().Fail(ctx, func(b interop.LabFailParamsBuilder) {
		b.SetType(p.Type())
		b.SetReason(p.Reason())
	})
	defer f.Release()
	_, err := f.Wait(ctx)
	var e *rpc.Exception
	if !errors.As(err, &e) {
		return fmt.Errorf("the call gave %v, no exception", err)
	}
	call.Results().SetType(uint16(e.Type))
	call.Results().SetReason(e.Reason)
	return nil
}

func (l *lab) Hang(ctx context.Context, call interop.LabHangCall) error {
	call.Go()
	return l.hang(ctx)
}

func (l *lab) Hanging(_ context.Context, call interop.LabHangingCall) error {
	call.Results().SetNow(uint32(l.hanging.Load()))
	call.Results().SetCancelled(uint32(l.cancelled.Load()))
	return nil
}

func (l *lab) Sequence(_ context.Context, call interop.LabSequenceCall) error {
	call.Results().SetSequence(newSequenceFrom(l.counts, call.Params().First()))
	return nil
}

func (l *lab) Live(_ context.Context, call interop.LabLiveCall) error {
	call.Results().SetSequences(uint32(l.sequences.Load()))
	return nil
}

func (l *lab) EchoCap(_ context.Context, call interop.LabEchoCapCall) error {
	call.Results().SetCap(call.Params().Cap().Retain())
	return nil
}

func (l *lab) Hold(_ context.Context, call interop.LabHoldCall) error {
	promise, f := rpc.NewPromise()
	l.mu.Lock()
	if l.held != nil {
		l.held.Reject(errors.New("there is a new one"))
	}
	l.held = &f
	l.mu.Unlock()
	call.Results().SetPromise(interop.NewSequence(promise))
	return nil
}

func (l *lab) take() (rpc.Fulfiller, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		return rpc.Fulfiller{}, errors.New("no promise is held")
	}
	f := *l.held
	l.held = nil
	return f, nil
}

func (l *lab) Resolve(_ context.Context, call interop.LabResolveCall) error {
	f, err := l.take()
	if err == nil {
		f.Resolve(call.Params().To().Retain().Client)
	}
	return err
}

func (l *lab) Reject(_ context.Context, call interop.LabRejectCall) error {
	f, err := l.take()
	if err == nil {
		f.Reject(&rpc.Exception{Type: rpc.ExceptionType(call.Params().Type()), Reason: call.Params().Reason()})
	}
	return err
}

func (l *lab) CallNext(ctx context.Context, call interop.LabCallNextCall) error {
	n, err := next(ctx, call.Params().Sequence())
	call.Results().SetN(n)
	return err
}

func (l *lab) Twice(ctx context.Context, call interop.LabTwiceCall) error {
	one := call.Params().One().Next(ctx, nil)
	defer one.Release()
	n, err := next(ctx, call.Params().Two())
	call.Results().SetN(n)
	return err
}

func (l *lab) set(s interop.Sequence) {
	l.mu.Lock()
	old := l.kept
	l.kept = s
	l.mu.Unlock()
	old.Release()
}

func (l *lab) Keep(_ context.Context, call interop.LabKeepCall) error {
	l.set(call.Params().Cap().Retain())
	return nil
}

func (l *lab) Kept(_ context.Context, call interop.LabKeptCall) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	call.Results().SetCap(l.kept.Retain())
	return nil
}

func (l *lab) Drop(context.Context, interop.LabDropCall) error {
	l.set(interop.Sequence{})
	return nil
}

func (l *lab) Tail(ctx context.Context, call interop.LabTailCall) error {
	p := call.Params()
	f := p.Callee().Foo(ctx, func(b interop.CalleeFooParamsBuilder) { b.SetI(p.I()) })
	call.TailCall(f.Future)
	return nil
}

func (l *labOn) Numbered(_ context.Context, call interop.LabNumberedCall) error {
	l.labs.mu.Lock()
	defer l.labs.mu.Unlock()
	n := call.Params().Number()
	c, ok := l.labs.all[n].Client()
	if !ok {
		own := &lab{counts: l.counts, labs: l.labs, gate: make(chan struct{})}
		c = interop.ServeLab(&numbered{labOn{own, l.conn}}).Client
		l.labs.all[n] = rpc.WeakOf(c)
	}
	call.Results().SetLab(interop.NewLab(c))
	return nil
}

// numbered keeps nothing when nobody holds it.
type numbered struct{ labOn }

func (n *numbered) Shutdown() {
	n.set(interop.Sequence{})
	if f, err := n.take(); err == nil {
		f.Reject(errors.New("the lab is gone"))
	}
}

func (l *lab) Sink(_ context.Context, call interop.LabSinkCall) error {
	call.Results().SetSink(interop.ServeSink(&sink{failAt: call.Params().FailAt()}))
	return nil
}

func (l *lab) Calculator(_ context.Context, call interop.LabCalculatorCall) error {
	call.Results().SetCalculator(interop.ServeCalculator(calculator{}))
	return nil
}

func next(ctx context.Context, s interop.Sequence) (uint32, error) {
	f := s.Next(ctx, nil)
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.N(), err
}

// sequence counts itself in counts, if it has them, while it is there.
type sequence struct {
	counts *counts
	n      uint32
}

func newSequence(c *counts) interop.Sequence { return newSequenceFrom(c, 0) }

func newSequenceFrom(c *counts, first uint32) interop.Sequence {
	if c != nil {
		c.sequences.Add(1)
	}
	return interop.ServeSequence(&sequence{counts: c, n: first})
}

func (s *sequence) Next(_ context.Context, call interop.SequenceNextCall) error {
	call.Results().SetN(s.n)
	s.n++
	return nil
}

func (s *sequence) Shutdown() {
	if s.counts != nil {
		s.counts.sequences.Add(-1)
	}
}

// hanging has methods that return only when they are cancelled.
type hanging struct{ *counts }

func (h hanging) Next(ctx context.Context, _ interop.SequenceNextCall) error { return h.hang(ctx) }

func (h hanging) Foo(ctx context.Context, _ interop.CalleeFooCall) error { return h.hang(ctx) }

type callee struct{}

func (callee) Foo(_ context.Context, call interop.CalleeFooCall) error {
	call.Results().SetI(call.Params().I())
	call.Results().SetSequence(newSequence(nil))
	return nil
}

type sink struct {
	failAt, chunks uint32
	bytes          uint64
}

func (s *sink) Write(_ context.Context, call interop.SinkWriteCall) error {
	s.bytes += uint64(len(call.Params().Chunk()))
	s.chunks++
	if s.chunks == s.failAt {
		return fmt.Errorf("%w: the sink is full", rpc.ErrOverloaded)
	}
	return nil
}

func (s *sink) Done(_ context.Context, call interop.SinkDoneCall) error {
	call.Results().SetBytes(s.bytes)
	call.Results().SetChunks(s.chunks)
	return nil
}

// The calculator.

type calculator struct{}

func (calculator) Evaluate(ctx context.Context, call interop.CalculatorEvaluateCall) error {
	v, err := evaluate(ctx, call.Params().Expression(), nil)
	if err != nil {
		return err
	}
	call.Results().SetValue(interop.ServeValue(value(v)))
	return nil
}

func (calculator) DefFunction(_ context.Context, call interop.CalculatorDefFunctionCall) error {
	body := segment.New(arena.Pool())
	body.RootBuilder().SetStruct(segment.Struct(call.Params().Body()))
	if err := body.Err(); err != nil {
		body.Release()
		return err
	}
	call.Results().SetFunction(interop.ServeFunction(&defined{body, int(call.Params().ParamCount())}))
	return nil
}

func (calculator) Operator(_ context.Context, call interop.CalculatorOperatorCall) error {
	op := call.Params().Op()
	call.Results().SetFunction(interop.ServeFunction(function(func(p ...float64) float64 {
		switch op {
		case interop.OpAdd:
			return p[0] + p[1]
		case interop.OpSubtract:
			return p[0] - p[1]
		case interop.OpMultiply:
			return p[0] * p[1]
		}
		return p[0] / p[1]
	})))
	return nil
}

type value float64

func (v value) Read(_ context.Context, call interop.ValueReadCall) error {
	call.Results().SetValue(float64(v))
	return nil
}

// function is one of two numbers.
type function func(...float64) float64

func (fn function) Call(_ context.Context, call interop.FunctionCallCall) error {
	p := slices.Collect(call.Params().Params().All())
	if len(p) != 2 {
		return fmt.Errorf("a function of 2 parameters called with %d", len(p))
	}
	call.Results().SetValue(fn(p...))
	return nil
}

var power = function(func(p ...float64) float64 { return math.Pow(p[0], p[1]) })

type defined struct {
	body   *segment.Message
	params int
}

func (d *defined) Shutdown() { d.body.Release() }

func (d *defined) Call(ctx context.Context, call interop.FunctionCallCall) error {
	p := slices.Collect(call.Params().Params().All())
	if len(p) != d.params {
		return fmt.Errorf("a function of %d parameters called with %d", d.params, len(p))
	}
	v, err := evaluate(ctx, interop.RootExpression(d.body), p)
	call.Results().SetValue(v)
	return err
}

func evaluate(ctx context.Context, e interop.Expression, params []float64) (float64, error) {
	switch e.Which() {
	case interop.ExpressionLiteral:
		return e.Literal(), nil
	case interop.ExpressionPrevious:
		return read(ctx, e.Previous())
	case interop.ExpressionParameter:
		if uint64(e.Parameter()) >= uint64(len(params)) {
			return 0, fmt.Errorf("parameter %d of %d", e.Parameter(), len(params))
		}
		return params[e.Parameter()], nil
	case interop.ExpressionCall:
		var args []float64
		for p := range e.Call().Params().All() {
			v, err := evaluate(ctx, p, params)
			if err != nil {
				return 0, err
			}
			args = append(args, v)
		}
		return apply(ctx, e.Call().Function(), args...)
	}
	return 0, fmt.Errorf("%w: an expression of kind %v", rpc.ErrUnimplemented, e.Which())
}

func read(ctx context.Context, v interop.Value) (float64, error) {
	f := v.Read(ctx, nil)
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.Value(), err
}

func apply(ctx context.Context, fn interop.Function, args ...float64) (float64, error) {
	f := fn.Call(ctx, func(p interop.FunctionCallParamsBuilder) { p.NewParams(len(args)).Copy(args) })
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.Value(), err
}
