package rpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// lingering is a transport whose end is noticed late: what has arrived by then is
// received before.
type lingering struct {
	*memory
	let chan struct{}
}

func (l lingering) Recv(ctx context.Context) (*segment.Message, error) {
	m, err := l.memory.Recv(ctx)
	if err != nil {
		<-l.let
		now, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if m, late := l.memory.Recv(now); late == nil {
			return m, nil
		}
	}
	return m, err
}

// A call that the peer finishes, and that ends between the end of its connection and
// the clearing of the tables, is not ended a second time: it may be another call by
// then.
func TestEndsBeforeTearDown(t *testing.T) {
	for i := range 50 {
		finishedFirst := i%2 == 0
		ours, theirs := newMemory()
		late := lingering{ours, make(chan struct{})}
		started, let, down := make(chan struct{}), make(chan struct{}), make(object)
		conn := rpc.NewConn(late, rpc.ConnOptions{Bootstrap: rpc.Serve(rpc.Server{
			Interface: 1, Object: down, Dispatch: func(_ context.Context, c *rpc.Call) error {
				c.Go()
				close(started)
				<-let
				return nil
			},
		})})
		p := &wirePeer{TB: t, t: theirs, conn: conn}
		p.call(1, p.importRoot(0), echo, 0)
		<-started
		if finishedFirst {
			p.finish(1, true)
			soon(t, "the call is finished", func() bool { return conn.Stats().Received == 4 })
		}
		closed := make(chan struct{})
		go func() {
			_ = conn.Close()
			close(closed)
		}()
		soon(t, "the connection has failed", func() bool { return conn.Err() != nil })
		close(let)
		soon(t, "the handler has ended", func() bool { return conn.Stats().Executing == 0 })
		if !finishedFirst {
			p.finish(1, true)
		}
		close(late.let)
		<-closed
		<-down
	}
	notMixedUp(t)
}

// notMixedUp expects that no two calls are one.
func notMixedUp(t *testing.T) {
	t.Helper()
	c := serve(t, double)
	for i := range uint64(200) {
		one, two := call(t.Context(), c, i), call(t.Context(), c, i+1000)
		expect(t, one, 2*i)
		expect(t, two, 2*i+2000)
	}
}

// The same of a call to the peer that is cancelled then, and answered after that.
func TestCancelledBeforeTearDown(t *testing.T) {
	for range 50 {
		ours, theirs := newMemory()
		late := lingering{ours, make(chan struct{})}
		conn := rpc.NewConn(late, rpc.ConnOptions{})
		p := &wirePeer{TB: t, t: theirs, conn: conn}
		boot := conn.Bootstrap()
		f := call(t.Context(), boot, 1)
		f.Done() // so that it leaves
		question := p.until(wire.MessageCall).Call().QuestionID()
		closed := make(chan struct{})
		go func() {
			_ = conn.Close()
			close(closed)
		}()
		soon(t, "the connection has failed", func() bool { return conn.Err() != nil })
		f.Release()
		p.answer(question, func(r wire.ReturnBuilder) { r.NewException().SetReason("late") })
		close(late.let)
		<-closed
		boot.Release()
	}
	notMixedUp(t)
}

// A call that came back to us over a connection fails as disconnected when that is
// lost, though what ends first is its handler here.
func TestLostOnTheWayBack(t *testing.T) {
	ours, theirs := newMemory()
	late := lingering{ours, make(chan struct{})}
	a := rpc.NewConn(late, rpc.ConnOptions{})
	b := rpc.NewConn(theirs, rpc.ConnOptions{Bootstrap: served(t, func(ctx context.Context, c *rpc.Call) error {
		c.SetPipeline(rpc.ReadClient(c.Params().Ptr(0)).Retain(), 0)
		<-ctx.Done()
		return ctx.Err()
	})})
	started := make(chan struct{})
	own := rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(ctx context.Context, _ *rpc.Call) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}})
	boot := a.Bootstrap()
	f := with(t.Context(), boot, echo, own)
	g := call(t.Context(), f.Client(0), 0)
	g.Done() // it leaves
	<-started
	closed := make(chan struct{})
	go func() {
		_ = a.Close()
		close(closed)
	}()
	expectError(t, g, rpc.ErrDisconnected, "")
	close(late.let)
	f.Release()
	boot.Release()
	<-closed
	_ = b.Close()
}
