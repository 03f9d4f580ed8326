package rpc

import (
	"context"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// A stage is a transport whose far end is the test. It tells who reads: a caller who
// has taken the role of the reader does so with its own context.
type stage struct {
	testing.TB
	said, told chan []byte // by the connection, to it
	closed     chan struct{}
	closing    sync.Once

	mu     sync.Mutex
	reads  map[string]int // how often each of them began to
	looked func()         // by Buffered
}

type whoKey struct{}

// as gives the context of a caller with a name.
func as(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, whoKey{}, name)
}

func (s *stage) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized(arena.Pool(), max(sizeHint, 256))
}

func (s *stage) Send(_ context.Context, m *segment.Message) error {
	defer m.Release()
	frame, err := framing.Marshal(m)
	if err == nil {
		s.said <- frame
	}
	return err
}

func (s *stage) Flush() error { return nil }

func (s *stage) Recv(ctx context.Context) (*segment.Message, error) {
	who, _ := ctx.Value(whoKey{}).(string)
	s.mu.Lock()
	s.reads[who]++
	s.mu.Unlock()
	select {
	case frame := <-s.told:
		m, _, err := framing.Unmarshal(frame)
		return m, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closed:
		return nil, io.EOF
	}
}

func (s *stage) Buffered() bool {
	s.mu.Lock()
	look := s.looked
	s.mu.Unlock()
	if look != nil {
		look()
	}
	return false
}

func (s *stage) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return nil
}

// staged gives a connection, and its stage.
func staged(t testing.TB) (*stage, *Conn) {
	s := &stage{
		TB: t, said: make(chan []byte, 100), told: make(chan []byte, 100), closed: make(chan struct{}), reads: map[string]int{},
	}
	c := NewConn(s, ConnOptions{})
	t.Cleanup(func() { _ = c.Close() })
	return s, c
}

// tell sends the connection what build makes of an empty message.
func (s *stage) tell(build func(wire.MessageBuilder)) {
	s.Helper()
	m := segment.New(arena.Pool())
	defer m.Release()
	build(wire.NewRootMessage(m))
	frame, err := framing.Marshal(m)
	if err != nil {
		s.Fatal(err)
	}
	s.told <- frame
}

// answer tells the connection the answer to a question.
func (s *stage) answer(id uint32, build func(wire.ReturnBuilder)) {
	s.Helper()
	s.tell(func(m wire.MessageBuilder) {
		r := m.NewReturn()
		r.SetAnswerID(id)
		build(r)
	})
}

// hear gives the next message of the connection of a kind.
func (s *stage) hear(which wire.MessageWhich) wire.Message {
	s.Helper()
	for {
		select {
		case frame := <-s.said:
			m, _, err := framing.Unmarshal(frame)
			if err != nil {
				s.Fatal(err)
			}
			if msg := wire.RootMessage(m); msg.Which() == which {
				return msg
			}
		case <-time.After(10 * time.Second):
			s.Fatalf("the connection does not say %v", which)
		}
	}
}

// until waits for what comes about soon.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("not so: " + what)
		}
	}
}

// read tells how often who began to read the connection.
func (s *stage) read(who string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[who]
}

// callAs sends a call, and waits for it in a goroutine.
func callAs(t *testing.T, c Client, who string, results chan<- uint64) {
	ctx, cancel := context.WithCancel(as(context.Background(), who))
	t.Cleanup(cancel)
	f := c.NewCall(ctx, Method{Interface: 1}, segment.Size{DataWords: 1}).Send()
	go await(ctx, f, results)
}

func await(ctx context.Context, f Future, results chan<- uint64) {
	defer close(results)
	defer f.Release()
	if s, err := f.Wait(ctx); err == nil {
		results <- s.Uint64(0)
	}
}

// TestReadForAnsweredCall has a caller take the role of the reader for a call that was
// answered to the one who had the role before, with the results of another call, which
// this process has not done yet. No message is to come for it, so that it must not read,
// but wait for the other call.
func TestReadForAnsweredCall(t *testing.T) {
	s, c := staged(t)
	boot := c.Bootstrap()
	defer boot.Release()
	s.answer(s.hear(wire.MessageBootstrap).Bootstrap().QuestionID(), func(r wire.ReturnBuilder) {
		results := r.NewResults()
		results.Content().SetCapability(0)
		results.NewCapTable(1).At(0).SetSenderHosted(1)
	})
	if err := boot.WaitResolved(t.Context()); err != nil {
		t.Fatal(err)
	}
	number := func(n uint64) func(wire.ReturnBuilder) {
		return func(r wire.ReturnBuilder) {
			r.NewResults().Content().NewStruct(segment.Size{DataWords: 1}).SetUint64(0, n)
		}
	}

	// The first caller comes to read. Whether it finds the role free is up to the keeper.
	var first uint32
	var firstResults chan uint64
	for i := 0; s.read("first") == 0; i++ {
		if i == 1000 {
			t.Fatal("no caller gets the role of the reader")
		}
		if i > 0 {
			s.answer(first, number(1))
			<-firstResults
		}
		for end := time.Now().Add(5 * time.Millisecond); c.role.Load() != roleFree && time.Now().Before(end); {
			runtime.Gosched()
		}
		firstResults = make(chan uint64, 1)
		callAs(t, boot, "first", firstResults)
		first = s.hear(wire.MessageCall).Call().QuestionID()
		for end := time.Now().Add(5 * time.Millisecond); s.read("first") == 0 && time.Now().Before(end); {
			runtime.Gosched()
		}
	}

	// The second call has an object of ours, and is answered with the results of a call
	// on that.
	done := make(chan struct{})
	object := Serve(Server{Interface: 1, Dispatch: func(_ context.Context, call *Call) error {
		<-done
		call.NewResults(segment.Size{DataWords: 1}).SetUint64(0, 7)
		return nil
	}})
	defer object.Release()
	ctx, cancel := context.WithCancel(as(context.Background(), "second"))
	defer cancel()
	request := boot.NewCall(ctx, Method{Interface: 1}, segment.Size{Ptrs: 1})
	SetClient(request.Params().Ptr(0), object)
	second := request.Send()
	c.flush()
	call := s.hear(wire.MessageCall).Call()
	id, export := call.QuestionID(), call.Params().CapTable().At(0).SenderHosted()
	const other = 50
	s.tell(func(m wire.MessageBuilder) {
		b := m.NewCall()
		b.SetQuestionID(other)
		b.NewTarget().SetImportedCap(export)
		b.SetInterfaceID(1)
		b.NewParams().Content().NewStruct(segment.Size{})
		b.SendResultsTo().SetYourself()
	})
	s.answer(id, func(r wire.ReturnBuilder) { r.SetTakeFromOtherQuestion(other) })
	until(s, "the first caller has read both", func() bool { return s.read("first") == 3 })
	c.mu.Lock()
	returned := second.x.q.returned
	c.mu.Unlock()
	if !returned {
		t.Fatal("the second call is not answered")
	}

	// The first caller gives the role up, and is stopped before it can take it back: it
	// looks for messages at hand once after the last message, and once when it gives up.
	looks, stopped := 0, make(chan struct{})
	s.mu.Lock()
	s.looked = func() {
		if looks++; looks == 2 {
			c.mu.Lock()
			close(stopped)
		}
	}
	s.mu.Unlock()
	s.answer(first, number(2))
	<-stopped
	goOn := sync.OnceFunc(c.mu.Unlock)
	defer goOn()
	until(s, "the role is free", func() bool { return c.role.Load() == roleFree })
	results := make(chan uint64, 1)
	go await(ctx, second, results)
	until(s, "the second caller has the role", func() bool { return c.role.Load() == roleTaken })
	before := s.read("")
	goOn()
	if n := <-firstResults; n != 2 {
		t.Errorf("the first caller got %d, want 2", n)
	}
	until(s, "somebody reads", func() bool { return s.read("second")+s.read("") > before })
	if s.read("second") != 0 {
		t.Error("the second caller reads, though no message is to come for its call")
	}
	close(done)
	select {
	case n := <-results:
		if n != 7 {
			t.Errorf("the second caller got %d, want 7", n)
		}
	case <-time.After(10 * time.Second):
		t.Error("the second caller waits for ever")
		cancel()
		<-results
	}
}
