package shm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	chaosLives = flag.Int("chaos", 8, "how many lives the publishers, pipes and logs of the chaos tests have")
	chaosSeed  = flag.Uint64("chaos.seed", 0, "what they begin with; 0 for any")
)

// chaosBegins gives what the random numbers of a test begin with, and tells it.
func chaosBegins(t *testing.T) uint64 {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", seed)
	return seed
}

// chaosLimit is after how long a call that cannot wait for ever is said to do so.
const chaosLimit = 20 * time.Second

// chaosContext is one that ends when a call hangs.
func chaosContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), chaosLimit)
}

// stuck tells of a call that hangs, and what all goroutines do.
func stuck(t *testing.T, what string) {
	b := make([]byte, 1<<20)
	t.Errorf("%s hangs\n%s", what, b[:runtime.Stack(b, true)])
}

// sameResources wants as many descriptors, mappings and goroutines as before, soon.
func sameResources(t *testing.T, before resources, goroutines int) {
	t.Helper()
	for end := time.Now().Add(chaosLimit); ; time.Sleep(time.Millisecond) {
		now, err := resourcesNow()
		if err != nil {
			t.Fatal(err)
		}
		if len(now.descriptors) <= len(before.descriptors) && now.mappings <= before.mappings && runtime.NumGoroutine() <= goroutines {
			return
		}
		if time.Now().After(end) {
			stuck(t, fmt.Sprintf("the end: %d goroutines, want %d\n%+v, want\n%+v", runtime.NumGoroutine(), goroutines, now, before))
			return
		}
	}
}

// A noteID says which message it is.
type noteID struct {
	life, writer, n uint64
}

var noteSize = segment.Size{DataWords: 4, Ptrs: 3}

// write makes msg this note, with data of so many bytes in some parts.
func (id noteID) write(msg *segment.Message, bytes, parts int) {
	root := msg.NewRoot(noteSize)
	root.SetUint64(0, id.life)
	root.SetUint64(8, id.writer)
	root.SetUint64(16, id.n)
	root.SetUint64(24, uint64(bytes)<<8|uint64(parts))
	for part := range parts {
		data := root.NewData(uint16(part), bytes)
		for i := 0; i < len(data); i += 61 {
			data[i] = id.at(part, i)
		}
	}
}

func (id noteID) at(part, i int) byte {
	return byte(id.life*7 + id.writer*31 + id.n + uint64(part*3+i))
}

// readNote reads a note, and tells whether it is as it was written.
func readNote(msg *segment.Message) (id noteID, ok bool) {
	root := msg.Root().Struct()
	id = noteID{root.Uint64(0), root.Uint64(8), root.Uint64(16)}
	bytes, parts := int(root.Uint64(24)>>8), int(root.Uint64(24)&0xff)
	ok = parts <= int(noteSize.Ptrs)
	for part := 0; part < parts && ok; part++ {
		data := root.Data(uint16(part))
		ok = len(data) == bytes
		for i := 0; i < len(data) && ok; i += 61 {
			ok = data[i] == id.at(part, i)
		}
	}
	return id, ok && msg.Err() == nil
}

// noteLength is how long a note is, and of how many parts.
func noteLength(rnd *rand.Rand) (bytes, parts int) {
	parts = rnd.IntN(4)
	switch rnd.IntN(24) {
	case 0:
		return rnd.IntN(500_000), 1
	case 1, 2:
		return rnd.IntN(60_000), parts
	}
	return rnd.IntN(300), parts
}

// A town is what one path has of publishers and subscribers.
type town struct {
	t       *testing.T
	path    string
	writers int  // goroutines that publish, of each publisher
	small   bool // there is little memory, so that some is taken away
	over    chan struct{}
	all     sync.WaitGroup

	received, missed atomic.Int64

	mu      sync.Mutex
	lives   []townLife
	changes []townChange
}

// A townLife is what a publisher published, and whose numbers it continued.
type townLife struct {
	before    uint64 // 0 for none, or the life plus 1
	published uint64
}

// A townChange is what a subscriber was told of a restart.
type townChange struct {
	Restart
	from, to noteID
}

// A herald is one publisher.
type herald struct {
	*town
	life uint64
	p    *Publisher
	o    PublisherOptions
	done chan struct{} // closed when its writers have ended
}

func (w *town) herald(rnd *rand.Rand, replace *herald) (*herald, error) {
	o := PublisherOptions{
		History: rnd.IntN(2) * rnd.IntN(20), AllowBlock: rnd.IntN(4) > 0, MaxSubscribers: 1 + rnd.IntN(12),
		MaxHeld: 1 + rnd.IntN(2)*rnd.IntN(40), Wait: Wait(rnd.IntN(3)), Replace: replace != nil || rnd.IntN(2) == 0,
	}
	if w.small {
		o.MaxBytes = pubRegionBytes + int64(rnd.IntN(4))<<20
	}
	p, err := NewPublisher(w.path, o)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	h := &herald{town: w, life: uint64(len(w.lives)), p: p, o: o, done: make(chan struct{})}
	var life townLife
	if replace != nil {
		life.before = replace.life + 1
	}
	w.lives = append(w.lives, life)
	w.mu.Unlock()
	var writing sync.WaitGroup
	for i := range w.writers {
		seed := rnd.Uint64()
		writing.Go(func() { h.publish(uint64(i), rand.New(rand.NewPCG(seed, 1))) })
	}
	go func() {
		writing.Wait()
		close(h.done)
	}()
	return h, nil
}

// publish publishes some notes, until it may no more.
func (h *herald) publish(writer uint64, rnd *rand.Rand) {
	own := segment.New(arena.Pool())
	defer own.Release()
	n := uint64(1)
	for range 10 + rnd.IntN(200) {
		ctx, cancel := chaosContext()
		brief := rnd.IntN(6) == 0
		if brief {
			cancel()
			ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rnd.IntN(2000))*time.Microsecond)
		}
		id := noteID{h.life, writer, n}
		bytes, parts := noteLength(rnd)
		hint := rnd.IntN(2) * (bytes*parts + 128)
		var err error
		switch rnd.IntN(6) {
		case 0, 1:
			own.Reset()
			id.write(own, bytes, parts)
			err = h.p.PublishCopy(ctx, own)
		case 2:
			msg := segment.New(arena.Pool())
			id.write(msg, bytes, parts)
			err = h.p.Publish(ctx, msg)
		case 3:
			msg := h.p.NewMessage(hint)
			id.write(msg, bytes, parts)
			msg.Release()
			err = context.Canceled
			brief = true
		default:
			msg := h.p.NewMessage(hint)
			id.write(msg, bytes, parts)
			err = h.p.Publish(ctx, msg)
		}
		hung := !brief && ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			n++
		case errors.Is(err, ErrClosed), errors.Is(err, ErrReplaced):
			return
		case hung:
			stuck(h.t, fmt.Sprintf("Publish: %v", err))
			return
		case brief && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
		case h.small && errors.Is(err, ErrFull):
		default:
			h.t.Errorf("publish: %v", err)
		}
		if rnd.IntN(20) == 0 {
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	}
}

// close closes a publisher and wants all of its memory back.
func (h *herald) close() {
	if err := h.p.Close(); err != nil {
		h.t.Error(err)
	}
	<-h.done
	st := h.p.Stats()
	if st.Out != 0 || st.Blocks != 0 || st.Subscribers != 0 || st.Leaving != 0 || !h.p.left {
		h.t.Errorf("a publisher that is closed has %+v", st)
	}
	h.mu.Lock()
	h.lives[h.life].published = st.Published
	h.mu.Unlock()
}

// publishers come and go.
func (w *town) publishers(lives int, rnd *rand.Rand) {
	defer close(w.over)
	var now *herald
	for range lives {
		var replaced *herald
		if now != nil && rnd.IntN(2) == 0 {
			replaced = now
		} else if now != nil {
			if rnd.IntN(2) == 0 {
				<-now.done
			}
			now.close()
		}
		next, err := w.herald(rnd, replaced)
		if err != nil {
			w.t.Errorf("a publisher: %v", err)
			return
		}
		if replaced != nil {
			select {
			case <-replaced.p.Replaced():
			case <-time.After(chaosLimit):
				stuck(w.t, "being replaced")
			}
			w.all.Go(replaced.close)
		}
		now = next
		time.Sleep(time.Duration(rnd.IntN(20_000)) * time.Microsecond)
	}
	<-now.done
	now.close()
}

// A reader is one subscriber.
type reader struct {
	*town
	rnd   *rand.Rand
	o     SubscriberOptions
	s     *Subscriber
	kept  []keptNote
	last  map[noteID]uint64 // numbers, by life and writer
	at    noteID            // the last note
	gaps  uint64            // between notes
	got   uint64
	told  bool // of a restart
	moves int
	what  Restart
	close sync.WaitGroup
}

type keptNote struct {
	msg  *segment.Message
	id   noteID
	from *feed
}

// subscriber is one life of a subscriber.
func (w *town) subscriber(rnd *rand.Rand) {
	r := &reader{town: w, rnd: rnd, last: map[noteID]uint64{}}
	r.o = SubscriberOptions{
		Policy: Policy(rnd.IntN(4)), Depth: 1 + rnd.IntN(2)*rnd.IntN(100), Wait: Wait(rnd.IntN(3)), Reconnect: rnd.IntN(2) == 0,
	}
	r.o.History = rnd.IntN(r.o.Depth + 1)
	if r.o.Policy == DropOldest && rnd.IntN(3) == 0 {
		r.o.Latest, r.o.Depth, r.o.History = true, 0, 0
	}
	r.o.OnRestart = func(change Restart) {
		if r.told {
			w.t.Error("a restart is told twice")
		}
		r.told, r.what = true, change
		r.moves++
	}
	ctx, cancel := chaosContext()
	defer cancel()
	var err error
	if r.s, err = Subscribe(ctx, w.path, r.o); err != nil {
		if !isTooEarly(err) && !errors.Is(err, ErrAuth) {
			w.t.Errorf("subscribe: %v", err)
		}
		time.Sleep(time.Millisecond) // it is between two lives
		return
	}
	closer := rnd.IntN(3) == 0
	if closer { // while another goroutine receives
		pause := time.Duration(rnd.IntN(30_000)) * time.Microsecond
		r.close.Go(func() {
			time.Sleep(pause)
			r.end()
		})
	}
	for range 1 + rnd.IntN(300) {
		if !r.receive(closer) {
			break
		}
	}
	r.stats()
	if r.o.Policy == Block {
		r.release(len(r.kept)) // or the publisher may wait for them, and we for the closer
	}
	r.end()
	r.s.Done() // of what Next gave last
	r.close.Wait()
	kept := r.kept
	w.all.Go(func() { // by another goroutine, after the end
		for _, k := range kept {
			r.check(k, true)
			k.msg.Release()
			runtime.Gosched()
		}
		if st := r.s.Stats(); st.Held != 0 {
			w.t.Errorf("after all was released: %+v", st)
		}
	})
	w.received.Add(int64(r.got))
	w.missed.Add(int64(r.gaps))
}

func (r *reader) end() {
	if err := r.s.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

// receive receives once or a few times, and tells whether there may be more.
func (r *reader) receive(closer bool) bool {
	pause := chaosLimit
	if !closer || r.rnd.IntN(4) > 0 {
		pause = time.Duration(r.rnd.IntN(3000)) * time.Microsecond
	}
	if len(r.kept) > 0 { // for which the publisher may wait
		pause = min(pause, time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), pause)
	defer cancel()
	var err error
	switch r.rnd.IntN(3) {
	case 0:
		var msg *segment.Message
		if msg, err = r.s.Next(ctx); err == nil {
			r.note(msg)
			if r.rnd.IntN(2) == 0 {
				r.s.Done()
			}
		}
	case 1:
		var msg *segment.Message
		if msg, err = r.s.Recv(ctx); err == nil {
			r.keep(msg)
		}
	default:
		most := r.rnd.IntN(10)
		for msg, e := range r.s.Messages(ctx) {
			if err = e; e != nil {
				break
			}
			r.keep(msg)
			if most--; most < 0 {
				break
			}
		}
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, context.DeadlineExceeded):
		if pause == chaosLimit {
			stuck(r.t, "a subscriber that is closed")
			return false
		}
		r.s.Done()
		r.release(len(r.kept))
		return true
	case closer && errors.Is(err, ErrClosed):
	case !r.o.Reconnect && (err == io.EOF || errors.Is(err, ErrReplaced)):
	case r.o.Policy != Block && errors.Is(err, ErrSlow):
	case r.o.Reconnect && r.o.Policy == Block && errors.Is(err, ErrAuth):
	default:
		r.t.Errorf("receive with %+v: %v", r.o, err)
	}
	return false
}

// keep takes a note of Recv, and releases it or keeps it for a while.
func (r *reader) keep(msg *segment.Message) {
	id := r.note(msg)
	if r.rnd.IntN(3) > 0 {
		msg.Release()
		return
	}
	r.kept = append(r.kept, keptNote{msg, id, r.s.feed.Load()})
	if r.rnd.IntN(4) == 0 {
		r.release(r.rnd.IntN(len(r.kept) + 1))
	}
}

// release releases some of the notes that are kept, some of them in another goroutine.
func (r *reader) release(n int) {
	some := r.kept[:n]
	r.kept = append([]keptNote(nil), r.kept[n:]...)
	free := func() {
		for _, k := range some {
			r.check(k, false)
			k.msg.Release()
		}
	}
	if r.rnd.IntN(2) == 0 {
		r.close.Go(free)
	} else {
		free()
	}
}

// check looks whether a note is still as it was. It may change only where there is
// little memory, at a subscriber that was too slow or has closed.
func (r *reader) check(k keptNote, closed bool) {
	id, ok := readNote(k.msg)
	if ok && id == k.id || r.mayChange(k.from, closed) {
		return
	}
	r.t.Errorf("%+v is %+v with %+v", k.id, id, r.o)
}

func (r *reader) mayChange(f *feed, closed bool) bool {
	return r.small && r.o.Policy != Block &&
		(closed || f.over.Load() == overClosed || f.queue.state.Load() == stateSlow)
}

// note looks at a note that was just received.
func (r *reader) note(msg *segment.Message) noteID {
	f := r.s.feed.Load()
	id, ok := readNote(msg)
	r.got++
	if !ok {
		if !r.mayChange(f, false) {
			r.t.Errorf("received a wrong note %+v with %+v: %v", id, r.o, msg.Err())
		}
		return id
	}
	from := noteID{life: id.life, writer: id.writer}
	was, again := r.last[from]
	switch {
	case id.n <= was:
		r.t.Errorf("received %+v after %d with %+v", id, was, r.o)
	case again && id.n != was+1 && r.o.Policy == Block:
		r.t.Errorf("received %+v after %d with the policy block", id, was)
	case again:
		r.gaps += id.n - was - 1
	}
	r.last[from] = id.n
	if r.told {
		r.told = false
		if r.at != (noteID{}) {
			r.mu.Lock()
			r.changes = append(r.changes, townChange{r.what, r.at, id})
			r.mu.Unlock()
		}
	}
	r.at = id
	return id
}

// stats compares what the subscriber counted.
func (r *reader) stats() {
	st := r.s.Stats()
	switch {
	case st.Received != r.got:
		r.t.Errorf("%d notes were received: %+v", r.got, st)
	case st.Lost != r.gaps && r.moves == 0 && st.Restarts == 0 && r.writers == 1 && !r.o.Latest:
		r.t.Errorf("%d notes are missing: %+v with %+v", r.gaps, st, r.o)
	case int(st.Restarts) < r.moves:
		r.t.Errorf("%d restarts were told: %+v", r.moves, st)
	}
}

// changed looks whether what was told of restarts is so.
func (w *town) changed() {
	for _, c := range w.changes {
		if !c.Exact || w.writers > 1 {
			continue
		}
		missed := c.to.n - 1
		life := c.to.life
		for life != c.from.life {
			before := w.lives[life].before
			if before == 0 {
				break
			}
			life = before - 1
			missed += w.lives[life].published
		}
		if life != c.from.life {
			w.t.Errorf("%+v is said to be exact, but %d did not replace anybody", c, life)
			continue
		}
		if missed -= c.from.n; missed != c.Missed {
			w.t.Errorf("%+v, want %d missed", c, missed)
		}
	}
}

// Publishers and subscribers of all kinds come and go at any time: what is received is
// right and in its order, nobody waits for ever, and nothing is left.
func TestPublishChaos(t *testing.T) {
	needSharedMemory(t)
	warm := newPublisher(t, PublisherOptions{}) // opens what stays open
	closed(t, subscribe(t, warm, SubscriberOptions{}))
	if err := warm.Close(); err != nil {
		t.Fatal(err)
	}
	seed := chaosBegins(t)
	for _, c := range []struct {
		name    string
		writers int
		small   bool
	}{
		{"one writer", 1, false},
		{"some writers", 3, false},
		{"little memory", 1, true},
		{"little memory for some", 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			before, err := resourcesNow()
			if err != nil {
				t.Fatal(err)
			}
			goroutines := runtime.NumGoroutine()
			w := &town{t: t, path: path, writers: c.writers, small: c.small, over: make(chan struct{})}
			var readers sync.WaitGroup
			for i := range 6 {
				readers.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, uint64(i+1)))
					for !t.Failed() {
						select {
						case <-w.over:
							return
						default:
							w.subscriber(rnd)
						}
					}
				})
			}
			w.publishers(*chaosLives, rand.New(rand.NewPCG(seed, 0)))
			readers.Wait()
			w.all.Wait()
			w.changed()
			t.Logf("%d received, %d missed, %d restarts", w.received.Load(), w.missed.Load(), len(w.changes))
			if w.received.Load() == 0 {
				t.Error("nothing was received")
			}
			sameResources(t, before, goroutines)
		})
	}
}
