package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// fanOut is the transport over PUSH and PULL to several workers: each file goes
// to the next that has room, and the answers of all come together.
//
//	            ┌─ PUSH ──files──▶ PULL ─┐
//	producer ───┼─ pipe ──hello, stats───┼─── each worker
//	            └─ PULL ◀──answers─ PUSH ┘
//
// Each connection has sockets of its own, in the worker's folder, so that no
// answer comes to a later connection.
func fanOut(name string, workers int) Transport {
	return Transport{
		Name:    name,
		Workers: workers,
		Listen: func(_ context.Context, dir string) (Listener, error) {
			ln, err := zmq.Listen("ipc://"+inFolder(dir), zmq.PipeOptions{Socket: zmqOptions()})
			if err != nil {
				return nil, err
			}
			return &fanListener{Listener: ln, dir: dir}, nil
		},
		Dial: func(ctx context.Context, addr string) (Pipe, error) {
			p := &fanPipe{work: zmq.NewPush(zmqDialOptions()), results: zmq.NewPull(zmqDialOptions())}
			p.start()
			if err := p.dial(ctx, strings.Split(addr, addrSeparator)); err != nil {
				_ = p.Close()
				return nil, err
			}
			return p, nil
		},
	}
}

// A merger receives from several at once.
type merger struct {
	ctx   context.Context // ends with stop
	stop  context.CancelFunc
	pumps sync.WaitGroup
	in    chan arrival
}

type arrival struct {
	msg *segment.Message
	err error
}

func (m *merger) start() {
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.in = make(chan arrival)
}

// from adds one to receive from, until its first error.
func (m *merger) from(recv func(context.Context) (*segment.Message, error)) {
	m.pumps.Go(func() {
		for {
			msg, err := recv(m.ctx)
			if !m.put(arrival{msg, err}) || err != nil {
				return
			}
		}
	})
}

func (m *merger) put(a arrival) bool {
	select {
	case m.in <- a:
		return true
	case <-m.ctx.Done():
		a.msg.Release()
		return false
	}
}

func (m *merger) Recv(ctx context.Context) (*segment.Message, error) {
	select {
	case a := <-m.in:
		return a.msg, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.ctx.Done():
		return nil, zmq.ErrClosed
	}
}

// Close ends what was started. What fed it has to be closed as well.
func (m *merger) Close() {
	m.stop()
	m.pumps.Wait()
}

// A fanListener is a worker's.
type fanListener struct {
	*zmq.Listener
	dir   string
	count int
}

func (l *fanListener) Addr() string { return l.Endpoint() }

func (l *fanListener) Serve(ctx context.Context, w *worker) error { return w.serveAll(ctx, l.Accept) }

// Accept waits for the next connection and tells it where its sockets are.
func (l *fanListener) Accept(ctx context.Context) (_ Pipe, err error) {
	control, err := l.Listener.Accept(ctx)
	if err != nil {
		return nil, err
	}
	l.count++
	p := &fanWorker{control: control, work: zmq.NewPull(zmqOptions()), results: zmq.NewPush(zmqOptions())}
	p.start()
	defer func() {
		if err != nil {
			_ = p.Close()
		}
	}()
	bind := func(s *zmq.Socket, what string) (string, error) {
		return s.Bind("ipc://" + filepath.Join(l.dir, fmt.Sprintf("%s%d.sock", what, l.count)))
	}
	work, err := bind(p.work, "work")
	if err != nil {
		return nil, err
	}
	results, err := bind(p.results, "results")
	if err != nil {
		return nil, err
	}
	msg, m := newMessage(p)
	join := m.NewJoin()
	join.SetWork(work)
	join.SetResults(results)
	// One who left at once is found out by Recv.
	_ = control.Send(ctx, msg)
	return p, nil
}

// A fanWorker is a worker's end of a connection.
type fanWorker struct {
	merger
	control       *zmq.Pipe
	work, results *zmq.Socket
	copied        atomic.Uint64
	greeted       bool
}

// Recv gives the hello before anything that came faster by another way. One
// goroutine at a time may call it.
func (p *fanWorker) Recv(ctx context.Context) (*segment.Message, error) {
	if p.greeted {
		return p.merger.Recv(ctx)
	}
	msg, err := p.control.Recv(ctx)
	if err == nil {
		p.greeted = true
		p.from(p.control.Recv)
		p.from(p.work.RecvMessage)
	}
	return msg, err
}

func (p *fanWorker) NewMessage(sizeHint int) *segment.Message { return p.control.NewMessage(sizeHint) }

func (p *fanWorker) Send(ctx context.Context, msg *segment.Message) error {
	p.copied.Add(1) // all are small
	if wire.RootMessage(msg).Which() == wire.MessageAnswer {
		return p.results.SendMessage(ctx, msg)
	}
	return p.control.Send(ctx, msg)
}

// Flush does nothing: what was sent leaves as soon as it can.
func (p *fanWorker) Flush() error { return nil }

func (p *fanWorker) Copied() uint64 { return p.copied.Load() }

func (p *fanWorker) Close() error {
	_ = p.control.Close() // as are the others, after the last answer or a failure
	_ = p.work.Close()
	_ = p.results.Close()
	p.merger.Close()
	return nil
}

// A fanPipe is the producer's end of a connection to all workers.
type fanPipe struct {
	merger
	control       []*zmq.Pipe
	work, results *zmq.Socket
	copied        atomic.Uint64

	greeted bool // the first message was sent, which is the hello

	mu       sync.Mutex
	sent     int              // files
	answered int              // of them
	ask      *segment.Message // for the workers' figures, once all are

	figures        int // workers who told theirs
	moved, objects uint64
}

// dial connects to each worker.
func (p *fanPipe) dial(ctx context.Context, addrs []string) error {
	events := p.work.Monitor(64)
	for _, addr := range addrs {
		c, err := zmq.Dial(ctx, addr, zmq.PipeOptions{Socket: zmqDialOptions()})
		if err != nil {
			return err
		}
		p.control = append(p.control, c)
		msg, err := c.Recv(ctx)
		if err != nil {
			return err
		}
		join := wire.RootMessage(msg).Join()
		work, results := join.Work(), join.Results()
		msg.Release()
		if err := p.work.Connect(work); err != nil {
			return err
		}
		if err := p.results.Connect(results); err != nil {
			return err
		}
		p.from(c.Recv)
	}
	// All have to be there, or the first gets everything.
	for there := 0; there < len(addrs); {
		select {
		case e := <-events:
			if e.Kind == zmq.HandshakeDone {
				there++
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	p.from(p.results.RecvMessage)
	p.from(func(ctx context.Context) (*segment.Message, error) { return nil, lost(ctx, events) })
	return nil
}

// lost waits until a connection is lost, and tells by what.
func lost(ctx context.Context, events <-chan zmq.Event) error {
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return zmq.ErrClosed
			}
			if e.Kind == zmq.Disconnected {
				return fmt.Errorf("%w: %w", zmq.ErrDisconnected, e.Err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *fanPipe) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized(arena.Pool(), sizeHint)
}

// Send sends a file to one worker and everything else to all. The question for
// their figures waits until all files are answered, for it would overtake them.
// One goroutine at a time may call it.
func (p *fanPipe) Send(ctx context.Context, msg *segment.Message) error {
	if !p.greeted {
		p.greeted = true
		return p.toAll(ctx, msg)
	}
	switch wire.RootMessage(msg).Which() {
	case wire.MessageFile:
		if small(msg) {
			p.copied.Add(1)
		}
		msg, err := keepSmall(nil, msg)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.sent++
		p.mu.Unlock()
		return p.work.SendMessage(ctx, msg)
	case wire.MessageStats:
		p.mu.Lock()
		p.ask = msg
		p.mu.Unlock()
		return p.askOnce(ctx)
	}
	msg.Release()
	return errors.New("demo: a message that the producer does not send")
}

// askOnce asks for the workers' figures if it is time to.
func (p *fanPipe) askOnce(ctx context.Context) error {
	p.mu.Lock()
	ask := p.ask
	if p.answered < p.sent || ask == nil {
		p.mu.Unlock()
		return nil
	}
	p.ask = nil
	p.mu.Unlock()
	return p.toAll(ctx, ask)
}

func (p *fanPipe) toAll(ctx context.Context, msg *segment.Message) error {
	defer msg.Release()
	for _, c := range p.control {
		if err := c.Send(ctx, msg.Retain()); err != nil {
			return err
		}
		p.copied.Add(1)
	}
	return nil
}

// Flush does nothing: what was sent leaves as soon as it can.
func (p *fanPipe) Flush() error { return nil }

// Recv gives the answers of all workers as they come, and then the sum of their
// figures.
func (p *fanPipe) Recv(ctx context.Context) (*segment.Message, error) {
	for {
		msg, err := p.merger.Recv(ctx)
		if err != nil {
			return nil, err
		}
		switch m := wire.RootMessage(msg); m.Which() {
		case wire.MessageStats:
			s := m.Stats()
			p.moved += s.Copied()
			p.objects += s.Allocations()
			msg.Release()
			if p.figures++; p.figures < len(p.control) {
				continue
			}
			sum, b := newMessage(p)
			stats := b.NewStats()
			stats.SetCopied(p.moved)
			stats.SetAllocations(p.objects)
			return sum, nil
		case wire.MessageAnswer:
			p.mu.Lock()
			p.answered++
			p.mu.Unlock()
			if err := p.askOnce(ctx); err != nil {
				msg.Release()
				return nil, err
			}
		}
		return msg, nil
	}
}

func (p *fanPipe) Copied() uint64 { return p.copied.Load() }

// Close ends the connection to every worker. Closing again does nothing.
func (p *fanPipe) Close() error {
	p.stop()
	for _, c := range p.control {
		_ = c.Close()
	}
	_ = p.work.Close()
	_ = p.results.Close()
	p.merger.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ask.Release()
	p.ask = nil
	return nil
}
