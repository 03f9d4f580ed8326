package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/tree"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// maxBarren is how many connections may break one after the other without a
// file that can be named as the cause.
const maxBarren = 3

// A slot is a file under way, from its opening to its answer.
type slot struct {
	index uint32
	id    uint64 // which file of the listing
	file  tree.File
	sent  time.Time
	// refs counts who still needs the mapping: the answer that is awaited, and
	// each message that was built on it.
	refs    atomic.Int32
	waiting bool   // for its answer; under producer.mu
	done    func() // one reference less
}

// producer sends the files of one listing over one transport.
type producer struct {
	transport Transport
	addr      string
	token     []byte
	list      *tree.Listing
	maxBytes  int64
	progress  *atomic.Int64 // files that are done with

	slots []*slot
	free  chan *slot
	ready chan *slot // opened and hashed

	mu     sync.Mutex
	result *Result
	times  []time.Duration // from Send to answer
	faults []error         // mismatches
	copied uint64          // on both sides
	worker uint64          // allocations of the worker
}

func newProducer(t Transport, addr string, token []byte, list *tree.Listing, o Options) *producer {
	window := o.Window
	p := &producer{
		transport: t, addr: addr, token: token, list: list, maxBytes: o.MaxFileBytes, progress: o.progress,
		free:   make(chan *slot, window),
		ready:  make(chan *slot, window),
		times:  make([]time.Duration, 0, len(list.Files)),
		result: newResult(t.Name),
	}
	for i := range window {
		s := &slot{index: uint32(i)}
		s.done = func() { p.unref(s) }
		p.slots = append(p.slots, s)
		p.free <- s
	}
	return p
}

// run sends every file and returns when each is answered or skipped. A
// connection that a shrinking file broke is made anew.
func (p *producer) run(ctx context.Context) (*Result, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()

	ctx, cancel := context.WithCancel(ctx)
	var loaders sync.WaitGroup
	p.load(ctx, &loaders)
	err := p.connections(ctx)
	cancel()
	loaders.Wait()
	p.closeSlots()

	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if err != nil {
		return nil, err
	}
	p.result.finish(elapsed, p.times, p.copied, after.Mallocs-before.Mallocs+p.worker)
	return p.result, errors.Join(p.faults...)
}

// load opens and hashes files ahead of the sender, as many at once as there are
// processors, and closes p.ready after the last.
func (p *producer) load(ctx context.Context, wg *sync.WaitGroup) {
	var next atomic.Int64
	running := atomic.Int64{}
	n := runtime.GOMAXPROCS(0)
	running.Store(int64(n))
	for range n {
		wg.Go(func() {
			defer func() {
				if running.Add(-1) == 0 {
					close(p.ready)
				}
			}()
			for {
				i := int(next.Add(1) - 1)
				if i >= len(p.list.Files) || !p.loadOne(ctx, i) {
					return
				}
			}
		})
	}
}

func (p *producer) loadOne(ctx context.Context, i int) bool {
	var s *slot
	select {
	case s = <-p.free:
	case <-ctx.Done():
		return false
	}
	name := p.list.Files[i]
	if err := s.file.Open(p.list.Root, name, p.maxBytes); err != nil {
		p.skip(name, err)
		p.free <- s
		return true
	}
	s.id = uint64(i)
	s.refs.Store(1)
	select {
	case p.ready <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *producer) skip(name string, why error) {
	p.mu.Lock()
	p.result.skip(name, why.Error())
	p.mu.Unlock()
	p.progress.Add(1)
}

// unref drops one reference to a slot's mapping; the last closes the file and
// makes the slot free for another.
func (p *producer) unref(s *slot) {
	if s.refs.Add(-1) == 0 {
		_ = s.file.Close() // it was only read
		p.free <- s
	}
}

// closeSlots closes what an early end left open. Nothing runs any more.
func (p *producer) closeSlots() {
	for _, s := range p.slots {
		_ = s.file.Close()
	}
}

// connections keeps a connection until all files are sent and answered. After a
// break that came from a mapping, it drops the files that changed and sends the
// others of the broken connection once more.
func (p *producer) connections(ctx context.Context) error {
	var again []*slot
	for barren := 0; ; {
		err := p.connection(ctx, again)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !contentFault(err) {
			return err
		}
		dropped := p.dropChanged()
		if dropped > 0 {
			barren = 0
		} else if barren++; barren >= maxBarren {
			return fmt.Errorf("demo: %d connections broke one after the other: %w", barren, err)
		}
		again = p.unanswered()
	}
}

// contentFault tells the error of a system call that was handed pages which are
// no longer there, because their file was cut short, from other errors.
func contentFault(err error) bool {
	return errors.Is(err, syscall.EFAULT) || errors.Is(err, mem.ErrFault)
}

func (p *producer) unanswered() (all []*slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.waiting {
			all = append(all, s)
		}
	}
	return all
}

// dropChanged skips the unanswered files whose content is not what it was.
func (p *producer) dropChanged() (dropped int) {
	for _, s := range p.unanswered() {
		if err := s.file.Reread(); err != nil {
			dropped++
			p.drop(s, err)
		}
	}
	return dropped
}

// connection dials, sends again and then whatever becomes ready, and receives
// the answers meanwhile.
func (p *producer) connection(ctx context.Context, again []*slot) (err error) {
	pipe, err := p.transport.Dial(ctx, p.addr)
	if err != nil {
		return fmt.Errorf("demo: dial %s: %w", p.transport.Name, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	received := make(chan error, 1)
	go func() {
		err := p.receive(ctx, pipe)
		if err != nil {
			cancel(err)
		}
		received <- err
	}()
	sendErr := p.send(ctx, pipe, again)
	if sendErr != nil {
		cancel(sendErr)
		_ = pipe.Close() // wakes the receiver
	}
	recvErr := <-received
	_ = pipe.Close()
	p.mu.Lock()
	p.copied += pipe.Copied()
	p.mu.Unlock()
	// The receiver's error comes first unless it is only the echo of the
	// sender's.
	switch {
	case sendErr == nil:
		return recvErr
	case recvErr == nil || contentFault(sendErr):
		return sendErr
	case errors.Is(sendErr, context.Canceled):
		return recvErr
	}
	return errors.Join(sendErr, recvErr)
}

func (p *producer) send(ctx context.Context, pipe Pipe, again []*slot) error {
	hello, b := newMessage(pipe)
	b.SetHello(p.token)
	if err := pipe.Send(ctx, hello); err != nil {
		return fmt.Errorf("demo: send: %w", err)
	}
	for _, s := range again {
		if err := p.sendFile(ctx, pipe, s); err != nil {
			return err
		}
	}
	for more := true; more; {
		var s *slot
		select {
		case s, more = <-p.ready:
		default:
			// Nothing is ready, so what was sent should not wait for more.
			if err := pipe.Flush(); err != nil {
				return fmt.Errorf("demo: flush: %w", err)
			}
			select {
			case s, more = <-p.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if more {
			if err := p.sendFile(ctx, pipe, s); err != nil {
				return err
			}
		}
	}
	stats, b := newMessage(pipe)
	b.NewStats()
	if err := pipe.Send(ctx, stats); err != nil {
		return fmt.Errorf("demo: send: %w", err)
	}
	if err := pipe.Flush(); err != nil {
		return fmt.Errorf("demo: flush: %w", err)
	}
	return nil
}

// sendFile sends a file and awaits its answer from then on. A file that was cut
// short before it was on its way is skipped.
func (p *producer) sendFile(ctx context.Context, pipe Pipe, s *slot) error {
	msg, err := p.build(pipe, s)
	if err != nil {
		p.drop(s, err)
		return nil
	}
	p.mu.Lock()
	s.sent = time.Now()
	s.waiting = true
	p.mu.Unlock()
	if err := pipe.Send(ctx, msg); err != nil {
		return fmt.Errorf("demo: send: %w", err)
	}
	return nil
}

// build makes the message of a file. Only the padding behind the content is
// looked at for that, but its page may be gone already.
func (p *producer) build(pipe Pipe, s *slot) (*segment.Message, error) {
	msg := pipe.NewMessage(headBytes)
	s.refs.Add(1) // for the message
	copied := false
	err := mem.Guard(s.file.Bytes(), func() error {
		copied = putFile(msg, s.index, s.id, &s.file, s.done)
		return nil
	})
	if err == nil {
		if copied {
			p.mu.Lock()
			p.copied++
			p.mu.Unlock()
		}
		return msg, nil
	}
	msg.Release()
	s.done() // the message did not get the content
	if why := s.file.Reread(); why != nil {
		err = why
	}
	return nil, err
}

// drop skips a file that was opened, but cannot be sent any more.
func (p *producer) drop(s *slot, why error) {
	p.mu.Lock()
	s.waiting = false
	p.mu.Unlock()
	p.skip(s.file.Name, why)
	p.unref(s)
}

// receive takes answers until the worker's figures come, which are the last.
func (p *producer) receive(ctx context.Context, pipe Pipe) error {
	for {
		msg, err := pipe.Recv(ctx)
		if err != nil {
			return fmt.Errorf("demo: the worker's answer: %w", err)
		}
		now := time.Now()
		switch m := wire.RootMessage(msg); m.Which() {
		case wire.MessageAnswer:
			var a answer
			if a, err = readAnswer(msg); err == nil {
				err = p.settle(&a, now)
			}
		case wire.MessageStats:
			err = p.last(msg)
			msg.Release()
			return err
		default:
			err = fmt.Errorf("demo: the worker sent a message of kind %v", m.Which())
		}
		msg.Release()
		if err != nil {
			return err
		}
	}
}

// settle compares an answer with what was sent.
func (p *producer) settle(a *answer, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(a.slot) >= len(p.slots) || !p.slots[a.slot].waiting || p.slots[a.slot].id != a.id {
		return fmt.Errorf("demo: an answer for file %d in slot %d, which awaits none", a.id, a.slot)
	}
	s := p.slots[a.slot]
	s.waiting = false
	f := &s.file
	same := a.hashOK && a.hash == f.Sum && a.size == uint64(len(f.Bytes()))
	why := f.Changed()
	if why == nil && !same {
		why = f.Reread()
	}
	switch {
	case why != nil:
		p.result.skip(f.Name, why.Error())
	case !same:
		p.faults = append(p.faults, fmt.Errorf("demo: %s: mismatch in %q: sent %d bytes with hash %x, %d arrived with %x",
			p.transport.Name, f.Name, len(f.Bytes()), f.Sum, a.size, a.hash))
	default:
		p.times = append(p.times, now.Sub(s.sent))
		p.result.add(filepath.Dir(f.Name), int64(a.size), int64(a.lines))
	}
	p.progress.Add(1)
	p.unref(s)
	return nil
}

// last reads the worker's figures, after which no answer may be missing.
func (p *producer) last(m *segment.Message) error {
	s := wire.RootMessage(m).Stats()
	copied, allocated := s.Copied(), s.Allocations()
	if err := m.Err(); err != nil {
		return fmt.Errorf("demo: the worker's figures: %w", err)
	}
	if missing := p.unanswered(); len(missing) > 0 {
		return fmt.Errorf("demo: %d files were not answered, the first is %q", len(missing), missing[0].file.Name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copied += copied
	p.worker = allocated
	return nil
}
