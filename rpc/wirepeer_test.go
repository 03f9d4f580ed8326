package rpc_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// A mailbox carries messages one way, as bytes, without bound.
type mailbox struct {
	mu     sync.Mutex
	some   *sync.Cond
	frames [][]byte
	closed bool
}

func newMailbox() *mailbox {
	m := new(mailbox)
	m.some = sync.NewCond(&m.mu)
	return m
}

func (m *mailbox) put(frame []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return io.ErrClosedPipe
	}
	m.frames = append(m.frames, frame)
	m.some.Signal()
	return nil
}

// take gives the next frame, io.EOF after the last, or the error of ctx when it
// ends before there is one.
func (m *mailbox) take(ctx context.Context) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() {
		m.mu.Lock()
		m.some.Broadcast()
		m.mu.Unlock()
	})
	defer stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.frames) == 0 {
		switch {
		case m.closed:
			return nil, io.EOF
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		m.some.Wait()
	}
	f := m.frames[0]
	m.frames[0] = nil
	m.frames = m.frames[1:]
	return f, nil
}

func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.some.Broadcast()
	m.mu.Unlock()
}

// memory is a transport within the process. Messages cross as bytes.
type memory struct{ out, in *mailbox }

// newMemory gives both ends of one.
func newMemory() (a, b *memory) {
	ab, ba := newMailbox(), newMailbox()
	return &memory{ab, ba}, &memory{ba, ab}
}

func (t *memory) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized(arena.Pool(), max(sizeHint, 256))
}

func (t *memory) Send(_ context.Context, m *segment.Message) error {
	defer m.Release()
	frame, err := framing.Marshal(m)
	if err != nil {
		return err
	}
	return t.out.put(frame)
}

func (t *memory) Flush() error { return nil }

func (t *memory) Recv(ctx context.Context) (*segment.Message, error) {
	frame, err := t.in.take(ctx)
	if err != nil {
		return nil, err
	}
	m, _, err := framing.Unmarshal(frame)
	return m, err
}

func (t *memory) Close() error {
	t.out.close()
	t.in.close()
	return nil
}

// wirePeer is a peer that is driven message by message, and may say anything.
type wirePeer struct {
	testing.TB
	t    *memory
	conn *rpc.Conn // the connection at the other end, which is tested
}

// newWirePeer gives a peer of a connection that serves bootstrap.
func newWirePeer(t testing.TB, o rpc.ConnOptions) *wirePeer {
	t.Helper()
	ours, theirs := newMemory()
	p := &wirePeer{TB: t, t: theirs, conn: rpc.NewConn(ours, o)}
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = p.conn.Close()
	})
	return p
}

// send sends what build makes of an empty message.
func (p *wirePeer) send(build func(wire.MessageBuilder)) {
	p.Helper()
	m := segment.New(arena.Pool())
	defer m.Release()
	build(wire.NewRootMessage(m))
	frame, err := framing.Marshal(m)
	if err != nil {
		p.Fatal(err)
	}
	_ = p.t.out.put(frame) // the connection may be gone
}

// sendRaw sends a message of one segment.
func (p *wirePeer) sendRaw(words ...uint64) {
	frame := make([]byte, 8, 8+8*len(words))
	frame[4] = byte(len(words))
	for _, w := range words {
		for i := range 8 {
			frame = append(frame, byte(w>>(8*i)))
		}
	}
	_ = p.t.out.put(frame)
}

// wait bounds how long a test waits for what must come.
var patience = flag.Duration("patience", 10*time.Second, "how long to wait for what is expected to happen soon")

// recv gives the next message of the connection. At its end the error is
// io.EOF. The message is garbage collected: it lies in no pool.
func (p *wirePeer) recv() (wire.Message, error) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	defer cancel()
	frame, err := p.t.in.take(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		p.Fatal("the connection says nothing")
	}
	if err != nil {
		return wire.Message{}, err
	}
	return parse(p, frame), nil
}

// over is a context that has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// poll is recv that does not wait: ok tells whether there was one.
func (p *wirePeer) poll() (m wire.Message, ok bool, err error) {
	p.Helper()
	frame, err := p.t.in.take(over)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return wire.Message{}, false, err
	}
	return parse(p, frame), true, nil
}

func parse(t testing.TB, frame []byte) wire.Message {
	t.Helper()
	m, _, err := framing.Unmarshal(frame)
	if err != nil {
		t.Fatalf("the connection sent what is no message: %v", err)
	}
	return wire.RootMessage(m)
}

// next gives the next message, which must be of kind which.
func (p *wirePeer) next(which wire.MessageWhich) wire.Message {
	p.Helper()
	m, err := p.recv()
	if err != nil {
		p.Fatalf("no %v: %v", which, err)
	}
	if m.Which() != which {
		p.Fatalf("a message %v, want %v%s", m.Which(), which, reasonOf(m))
	}
	return m
}

func reasonOf(m wire.Message) string {
	switch m.Which() {
	case wire.MessageAbort:
		return ": " + m.Abort().Reason()
	case wire.MessageReturn:
		if r := m.Return(); r.Which() == wire.ReturnException {
			return ": " + r.Exception().Reason()
		}
	}
	return ""
}

// until skips messages to the first of kind which; io.EOF is an error.
func (p *wirePeer) until(which wire.MessageWhich) wire.Message {
	p.Helper()
	for {
		m, err := p.recv()
		if err != nil {
			p.Fatalf("no %v: %v", which, err)
		}
		if m.Which() == which {
			return m
		}
		if m.Which() == wire.MessageAbort {
			p.Fatalf("no %v, but an abort: %s", which, m.Abort().Reason())
		}
	}
}

func (p *wirePeer) bootstrap(id uint32) {
	p.Helper()
	p.send(func(m wire.MessageBuilder) { m.NewBootstrap().SetQuestionID(id) })
}

// importRoot asks for the bootstrap capability with question id, finishes it and
// gives the id by which it is exported.
func (p *wirePeer) importRoot(id uint32) uint32 {
	p.Helper()
	p.bootstrap(id)
	ret := p.next(wire.MessageReturn).Return()
	if ret.Which() != wire.ReturnResults {
		p.Fatalf("bootstrap gave %v%s", ret.Which(), ret.Exception().Reason())
	}
	d := ret.Results().CapTable().At(0)
	if d.Which() != wire.CapDescriptorSenderHosted {
		p.Fatalf("bootstrap gave a capability that is %v", d.Which())
	}
	p.finish(id, false)
	return d.SenderHosted()
}

func (p *wirePeer) finish(id uint32, releaseCaps bool) {
	p.Helper()
	p.send(func(m wire.MessageBuilder) {
		f := m.NewFinish()
		f.SetQuestionID(id)
		f.SetReleaseResultCaps(releaseCaps)
	})
}

func (p *wirePeer) release(id, count uint32) {
	p.Helper()
	p.send(func(m wire.MessageBuilder) {
		r := m.NewRelease()
		r.SetID(id)
		r.SetReferenceCount(count)
	})
}

// call calls echo or other on an import; more may change the message.
func (p *wirePeer) call(id, target uint32, method rpc.Method, n uint64, more ...func(wire.CallBuilder)) {
	p.Helper()
	p.send(func(m wire.MessageBuilder) {
		c := m.NewCall()
		c.SetQuestionID(id)
		c.NewTarget().SetImportedCap(target)
		c.SetInterfaceID(method.Interface)
		c.SetMethodID(method.Ordinal)
		c.NewParams().Content().NewStruct(size).SetUint64(0, n)
		for _, f := range more {
			f(c)
		}
	})
}

// pipelined addresses a call to a field of the results of a question.
func pipelined(question uint32, fields ...uint16) func(wire.CallBuilder) {
	return func(c wire.CallBuilder) {
		a := c.NewTarget().NewPromisedAnswer()
		a.SetQuestionID(question)
		ops := a.NewTransform(len(fields))
		for i, f := range fields {
			ops.At(i).SetGetPointerField(f)
		}
	}
}

// aborted waits for the connection's end, and gives the reason in its abort
// message.
func (p *wirePeer) aborted() string {
	p.Helper()
	reason, got := "", false
	for {
		m, err := p.recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.Fatal(err)
		}
		if m.Which() == wire.MessageAbort {
			reason, got = m.Abort().Reason(), true
		}
	}
	if !got {
		p.Fatal("the connection ended without an abort")
	}
	p.ended()
	return reason
}

// ended waits until the connection has ended, with an error.
func (p *wirePeer) ended() {
	p.Helper()
	select {
	case <-p.conn.Done():
	case <-time.After(*patience):
		p.Fatal("the connection has not ended")
	}
	if p.conn.Err() == nil {
		p.Error("the connection has ended without an error")
	}
}

// sound checks that the connection still works: the bootstrap capability
// doubles numbers.
func (p *wirePeer) sound(question uint32) {
	p.Helper()
	root := p.importRootSkipping(question)
	p.call(question, root, echo, 21)
	for {
		ret := p.until(wire.MessageReturn).Return()
		if ret.AnswerID() != question {
			continue
		}
		if got := ret.Results().Content().Struct().Uint64(0); got != 42 {
			p.Fatalf("21 doubled is %d%s", got, ret.Exception().Reason())
		}
		break
	}
	p.finish(question, true)
	p.release(root, 1)
}

// importRootSkipping is importRoot where other messages may come before.
func (p *wirePeer) importRootSkipping(id uint32) uint32 {
	p.Helper()
	p.bootstrap(id)
	for {
		ret := p.until(wire.MessageReturn).Return()
		if ret.AnswerID() == id {
			p.finish(id, false)
			return ret.Results().CapTable().At(0).SenderHosted()
		}
	}
}

func holds(t testing.TB, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s %q, want one with %q", what, got, want)
	}
}
