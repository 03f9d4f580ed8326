package rpc

import (
	"context"
	"sync"
)

// streamWindow is how many bytes of streaming calls may be under way.
const streamWindow = 64 << 10

// flow is the state of the streaming calls on one target.
type flow struct {
	mu     sync.Mutex
	bytes  int64
	calls  int
	err    *Exception // the first that failed: the stream is broken
	change chan struct{}
}

// Stream makes a streaming call. It waits while 64 KiB or more of streaming
// calls on this client are under way, until some are done or ctx ends, which
// ends this call too.
//
// The first streaming call that fails breaks the stream: its error is that of
// every later Stream, and of [Client.WaitStreaming].
func (r Request) Stream(ctx context.Context) error {
	if r.to.t == nil {
		f := r.Send()
		defer f.Release()
		_, err := f.Wait(ctx)
		return err
	}
	fl := r.to.t.flow()
	size := r.x.params.SizeBytes()
	if err := fl.enter(ctx, r.to, size); err != nil {
		r.Discard()
		return err
	}
	f := r.Send()
	f.x.whenSettled(func() {
		f.x.mu.Lock()
		err := f.x.err
		f.x.mu.Unlock()
		fl.leave(size, err)
		f.Release()
	})
	return nil
}

// WaitStreaming waits until all streaming calls on c are done, and gives the
// error of the first that failed.
func (c Client) WaitStreaming(ctx context.Context) error {
	if c.t == nil {
		return nil
	}
	fl := c.t.flow()
	return fl.wait(ctx, c, func() bool { return fl.calls == 0 })
}

// enter waits until there is less under way than the window has. One more call may
// exceed it, so that there is always one to be run and one to be sent.
func (f *flow) enter(ctx context.Context, to Client, size int64) error {
	return f.wait(ctx, to, func() bool {
		if f.bytes >= streamWindow {
			return false
		}
		f.bytes += size
		f.calls++
		return true
	})
}

// wait waits until ready, which is called with the lock held, says so.
func (f *flow) wait(ctx context.Context, to Client, ready func() bool) error {
	f.mu.Lock()
	for f.err == nil && !ready() {
		if f.change == nil {
			f.change = make(chan struct{})
		}
		change := f.change
		f.mu.Unlock()
		letNextStart(ctx)
		to.conn().await()
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return nil
}

func (f *flow) leave(size int64, err *Exception) {
	f.mu.Lock()
	f.bytes -= size
	f.calls--
	if f.err == nil {
		f.err = err
	}
	if f.change != nil {
		close(f.change)
		f.change = nil
	}
	f.mu.Unlock()
}
