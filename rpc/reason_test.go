package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// fragile is a transport on which a write fails, and the peer learns of it before
// the writer does.
type fragile struct {
	*memory
	snap  func()
	ended chan struct{} // closed when the end was read
	once  sync.Once
	fails bool
}

func (f *fragile) Send(ctx context.Context, m *segment.Message) error {
	if !f.fails {
		return f.memory.Send(ctx, m)
	}
	m.Release()
	f.snap()
	<-f.ended
	for range 100 {
		runtime.Gosched() // whoever has read it goes on
	}
	return errTorn
}

func (f *fragile) Recv(ctx context.Context) (*segment.Message, error) {
	m, err := f.memory.Recv(ctx)
	if err != nil {
		f.once.Do(func() { close(f.ended) })
	}
	return m, err
}

// A connection that ends because it can't be written to says that, and not that
// the peer, who then hung up, has closed it.
func TestReasonIsTheWriteError(t *testing.T) {
	for range 20 {
		ours, theirs := newMemory()
		tr := &fragile{memory: ours, snap: func() { _ = theirs.Close() }, ended: make(chan struct{}), fails: true}
		conn := rpc.NewConn(tr, rpc.ConnOptions{})
		boot := conn.Bootstrap()
		f := call(t.Context(), boot, 1)
		expectError(t, f, rpc.ErrDisconnected, "")
		<-conn.Done()
		if !errors.Is(conn.Err(), errTorn) {
			t.Errorf("the connection ended with %v", conn.Err())
		}
		boot.Release()
		_ = conn.Close()
	}
}

// afterwards is a transport whose messages are read only after a write has failed.
type afterwards struct {
	*memory
	failed chan struct{}
	once   sync.Once
}

func (a *afterwards) Send(_ context.Context, m *segment.Message) error {
	m.Release()
	a.once.Do(func() { close(a.failed) })
	return errTorn
}

func (a *afterwards) Recv(ctx context.Context) (*segment.Message, error) {
	select {
	case <-a.failed:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for range 100 {
		runtime.Gosched() // whoever has written notes it
	}
	return a.memory.Recv(ctx)
}

// What the peer gave as its reason counts more than that it could not be written
// to afterwards.
func TestReasonIsThePeers(t *testing.T) {
	said := 0
	for range 20 {
		ours, theirs := newMemory()
		conn := rpc.NewConn(&afterwards{memory: ours, failed: make(chan struct{})}, rpc.ConnOptions{})
		p := &wirePeer{TB: t, t: theirs, conn: conn}
		p.send(func(m wire.MessageBuilder) { m.NewAbort().SetReason("you talk too much") })
		boot := conn.Bootstrap()
		expectError(t, call(t.Context(), boot, 1), rpc.ErrDisconnected, "")
		<-conn.Done()
		if strings.Contains(conn.Err().Error(), "you talk too much") {
			said++
		}
		boot.Release()
		_ = conn.Close()
	}
	if said < 15 { // it is waited for, but not for long
		t.Errorf("the peer's reason was told %d times of 20", said)
	}
}
