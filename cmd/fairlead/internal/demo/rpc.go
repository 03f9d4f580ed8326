package demo

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// overRPC is the transport of calls, one a file.
func overRPC(name, scheme string, rest func(dir string) string) Transport {
	shared := strings.HasPrefix(scheme, "shm")
	return Transport{
		Name: name,
		Listen: func(_ context.Context, dir string) (Listener, error) {
			ln, err := fairlead.Listen(scheme+rest(dir), callOptions(options()))
			if err != nil {
				return nil, err
			}
			return rpcListener{ln, shared}, nil
		},
		Dial: func(ctx context.Context, addr string) (Pipe, error) {
			conn, err := fairlead.DialRPC(ctx, addr, callOptions(dialOptions()))
			if err != nil {
				return nil, err
			}
			return &rpcPipe{conn: conn, shared: shared, calls: make(chan call, maxWindow+2)}, nil
		},
	}
}

// callOptions have room for what a call has around the message.
func callOptions(o fairlead.Options) fairlead.Options {
	o.Limits.Depth += 8
	o.RPC.Limits.MessageBytes = o.Limits.MessageBytes
	return o
}

// A rpcListener serves a door to whoever connects.
type rpcListener struct {
	*fairlead.Listener
	shared bool
}

func (l rpcListener) Addr() string { return l.URL() }

func (l rpcListener) Serve(ctx context.Context, w *worker) error {
	return l.ServeRPC(ctx, wire.ServeDoor(&door{worker: w, shared: l.shared}).Client)
}

type door struct {
	wire.DoorUnimplemented
	worker *worker
	shared bool
}

var errToken = errors.New("this is not the token")

func (d *door) Enter(_ context.Context, call wire.DoorEnterCall) error {
	if !d.worker.knows(call.Params().Token()) {
		return errToken
	}
	call.Results().SetWorker(wire.ServeWorker(&desk{worker: d.worker, shared: d.shared}))
	return nil
}

// A desk is what one who knows the token gets.
type desk struct {
	wire.WorkerUnimplemented
	worker *worker
	shared bool
	copied atomic.Uint64
}

func (d *desk) Check(_ context.Context, call wire.WorkerCheckCall) error {
	call.Go() // the next file may be examined meanwhile
	f := call.Params().File()
	a := examine(f, segment.Struct(f).Message())
	a.write(call.Results().NewAnswer())
	if !d.shared {
		d.copied.Add(1) // an answer is small, and leaves with others
	}
	return nil
}

func (d *desk) Stats(_ context.Context, call wire.WorkerStatsCall) error {
	d.worker.tell(call.Results().NewStats(), d.copied.Load())
	return nil
}

// Shutdown is called when the connection has ended.
func (d *desk) Shutdown() {
	d.worker.mu.Lock()
	defer d.worker.mu.Unlock()
	d.worker.copied += d.copied.Load()
}

// A rpcPipe makes calls of the messages that it is given, and messages of their
// results. One goroutine at a time sends, and one receives.
type rpcPipe struct {
	conn   *rpc.Conn
	shared bool // files are written into memory that the worker sees
	worker wire.Worker
	copied atomic.Uint64
	calls  chan call // in the order in which they were made

	once sync.Once
	err  error
}

// A call is one that was made: enter, check or stats.
type call struct {
	enter wire.DoorEnterFuture
	check wire.WorkerCheckFuture
	stats wire.WorkerStatsFuture
	of    wire.MessageWhich
}

func (c call) release() {
	switch c.of {
	case wire.MessageHello:
		c.enter.Release()
	case wire.MessageFile:
		c.check.Release()
	default:
		c.stats.Release()
	}
}

func (p *rpcPipe) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized(arena.Pool(), sizeHint)
}

// Send makes the call that a message stands for. The worker that hello gives is
// called before it is there.
func (p *rpcPipe) Send(ctx context.Context, msg *segment.Message) error {
	m := wire.RootMessage(msg)
	c := call{of: m.Which()}
	var err error
	if c.of != wire.MessageFile {
		defer msg.Release()
	}
	switch c.of {
	case wire.MessageHello:
		door := wire.NewDoor(p.conn.Bootstrap())
		defer door.Release()
		c.enter = door.Enter(ctx, func(b wire.DoorEnterParamsBuilder) { b.SetToken(m.Hello()) })
		p.worker = c.enter.Worker().Retain()
	case wire.MessageFile:
		c.check = p.worker.Check(ctx, func(b wire.WorkerCheckParamsBuilder) { err = p.file(b.NewFile(), m.File(), msg) })
	default:
		c.stats = p.worker.Stats(ctx, nil)
	}
	if err == nil {
		select {
		case p.calls <- c:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	c.release()
	return err
}

// file writes a file, which lies in msg, into the parameters of a call, and
// releases msg when they need it no more. After an error the call fails.
func (p *rpcPipe) file(to wire.FileBuilder, f wire.File, msg *segment.Message) error {
	to.SetSlot(f.Slot())
	to.SetID(f.ID())
	to.SetMode(f.Mode())
	to.SetModTime(f.ModTime())
	to.SetSize(f.Size())
	to.SetPath(f.Path())
	to.SetHash(f.Hash())
	content := f.Content()
	if !p.shared && !msg.OwnsMemory() {
		// The segment of a file goes on to a multiple of 8, as one has to.
		content = msg.Segment(msg.Segments() - 1)[:len(content)]
		err := p.faultless(to, msg, func() {
			if !to.SetExternalContent(content, msg.Release) {
				p.copied.Add(1)
			}
		})
		if err != nil {
			msg.Release() // which the content was not given to
		}
		return err
	}
	defer msg.Release()
	return p.faultless(to, msg, func() { to.SetContent(content) })
}

// faultless runs f, which reads a file of msg.
func (p *rpcPipe) faultless(to wire.FileBuilder, msg *segment.Message, f func()) error {
	err := guarded(msg, 0, func() error {
		f()
		return nil
	})
	if err != nil {
		segment.StructBuilder(to).Message().Fail(err)
	}
	return err
}

// Flush does nothing: what was called leaves as soon as it can.
func (p *rpcPipe) Flush() error { return nil }

// Recv gives the result of the next call as a message.
func (p *rpcPipe) Recv(ctx context.Context) (*segment.Message, error) {
	for {
		var c call
		select {
		case c = <-p.calls:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		msg, err := p.result(ctx, c)
		c.release()
		if err != nil {
			// By what the connection was lost is not told to the calls.
			return nil, errors.Join(err, p.conn.Err())
		}
		if msg != nil {
			return msg, nil
		}
	}
}

func (p *rpcPipe) result(ctx context.Context, c call) (*segment.Message, error) {
	switch c.of {
	case wire.MessageHello:
		_, err := c.enter.Wait(ctx)
		return nil, err
	case wire.MessageFile:
		res, err := c.check.Wait(ctx)
		if err != nil {
			return nil, err
		}
		msg, m := newMessage(p)
		m.SetAnswer(res.Answer())
		return msg, nil
	}
	res, err := c.stats.Wait(ctx)
	if err != nil {
		return nil, err
	}
	msg, m := newMessage(p)
	m.SetStats(res.Stats())
	return msg, nil
}

func (p *rpcPipe) Copied() uint64 { return p.copied.Load() }

// Close ends the connection, and with it every call.
func (p *rpcPipe) Close() error {
	p.once.Do(func() {
		p.err = p.conn.Close()
		for len(p.calls) > 0 {
			(<-p.calls).release()
		}
		p.worker.Release()
	})
	return p.err
}
