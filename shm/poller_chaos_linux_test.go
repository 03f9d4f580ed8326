package shm

import (
	"context"
	"errors"
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

// An exchange is a Poller, the pipes that come to it, and those who are at their other
// ends.
type exchange struct {
	t        *testing.T
	q        *Poller
	all      sync.WaitGroup
	received atomic.Int64

	mu    sync.Mutex
	pipes map[*Pipe]*trader
	lives int
}

// A trader is one pipe, which sends notes to the Poller and has some of them sent back.
type trader struct {
	*exchange
	life      uint64
	mine, far *Pipe // the Poller's end and the other

	mu  sync.Mutex
	was [3]map[uint64]bool // numbers that were received, by writer
}

func noNumbers() (m [3]map[uint64]bool) {
	for i := range m {
		m[i] = map[uint64]bool{}
	}
	return m
}

// isEnd tells whether an error is one that a pipe ends with, at either end.
func isEnd(err error) bool {
	return err == io.EOF || errors.Is(err, ErrClosed) || errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrCorrupt)
}

// trader makes a pipe.
func (x *exchange) trader(rnd *rand.Rand, ln *Listener) (*trader, error) {
	ctx, cancel := chaosContext()
	defer cancel()
	far, err := Dial(ctx, ln.Path(), chaosOptions(rnd))
	if err != nil {
		return nil, err
	}
	mine, err := ln.Accept(ctx)
	if err != nil {
		return nil, errors.Join(err, far.Close())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	v := &trader{exchange: x, life: uint64(x.lives), mine: mine, far: far, was: noNumbers()}
	x.lives++
	x.pipes[mine] = v
	return v, nil
}

func chaosOptions(rnd *rand.Rand) Options {
	o := Options{Wait: Wait(rnd.IntN(3))}
	if rnd.IntN(2) == 0 {
		o.MaxBytes = 2 << 20
	}
	return o
}

// send sends notes in one of three ways, until it has sent enough or the pipe ends.
func (v *trader) send(writer uint64, most int, rnd *rand.Rand) {
	w := v.far.Writer()
	defer w.Close()
	own := segment.New(arena.Pool())
	defer own.Release()
	ctx, cancel := chaosContext()
	defer cancel()
	for n := uint64(1); n <= uint64(most); {
		id := noteID{v.life, writer, n}
		bytes, parts := noteLength(rnd)
		hint := rnd.IntN(2) * (bytes*parts + 128)
		var err error
		switch {
		case writer == 0:
			msg := v.far.NewMessage(hint)
			id.write(msg, bytes, parts)
			err = v.far.Send(ctx, msg)
		case writer == 1 && rnd.IntN(2) == 0:
			msg := w.NewMessage(hint)
			id.write(msg, bytes, parts)
			err = w.Send(ctx, msg)
		default:
			own.Reset()
			id.write(own, bytes, parts)
			err = w.Add(ctx, own)
		}
		if err == nil {
			n++
			if rnd.IntN(8) == 0 || n > uint64(most) {
				err = w.Flush(ctx)
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, ErrFull): // the others are building as much as there may be
		case isEnd(err):
			return
		default:
			stuck(v.t, "sending: "+err.Error())
			return
		}
		if rnd.IntN(30) == 0 {
			time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond)
		}
	}
}

// echoes receives what was sent back.
func (v *trader) echoes(rnd *rand.Rand) {
	ctx, cancel := chaosContext()
	defer cancel()
	r := v.far.Reader()
	defer r.Close()
	was := noNumbers() // two goroutines send them
	for {
		var msg *segment.Message
		var err error
		direct := rnd.IntN(2) == 0
		if direct {
			r.Close() // or it may have what comes next
			msg, err = v.far.Recv(ctx)
		} else {
			msg, err = r.Next(ctx)
		}
		if err != nil {
			if !isEnd(err) {
				stuck(v.t, "receiving what was sent back: "+err.Error())
			}
			return
		}
		id, ok := readNote(msg)
		if !ok || id.life != v.life || id.writer > 2 || was[id.writer][id.n] {
			v.t.Errorf("%+v came back %t", id, ok)
			return
		}
		was[id.writer][id.n] = true
		if direct {
			msg.Release()
		}
	}
}

// live is the life of one pipe.
func (v *trader) live(rnd *rand.Rand) {
	var writers sync.WaitGroup
	for i := range uint64(3) {
		seed := rnd.Uint64()
		writers.Go(func() { v.send(i, 1+rand.New(rand.NewPCG(seed, 0)).IntN(100), rand.New(rand.NewPCG(seed, i))) })
	}
	seed := rnd.Uint64()
	v.all.Go(func() { v.echoes(rand.New(rand.NewPCG(seed, 9))) })
	add := func() bool {
		ctx, cancel := chaosContext()
		defer cancel()
		err := v.q.Add(ctx, v.mine)
		if err != nil && !errors.Is(err, ErrClosed) {
			stuck(v.t, "Add: "+err.Error())
		}
		return err == nil
	}
	if !add() {
		v.t.Error("a new pipe cannot be added")
	}
	for range rnd.IntN(6) {
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		v.q.Remove(v.mine)
		for range rnd.IntN(10) { // by itself
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(1000))*time.Microsecond)
			msg, err := v.mine.Recv(ctx)
			cancel()
			if err == nil {
				v.got(msg, rnd)
				if held, most := v.mine.Held(); held < 0 || held > most {
					v.t.Errorf("%d messages of %d are held", held, most)
				}
			} else if isEnd(err) {
				break
			} else if !errors.Is(err, context.DeadlineExceeded) {
				v.t.Errorf("direct: %v", err)
			}
			v.mine.Buffered()
		}
		if !add() {
			break
		}
	}
	first, second := v.mine, v.far
	switch rnd.IntN(4) {
	case 0:
		writers.Wait()
	case 1:
		writers.Wait()
		first, second = second, first
	case 2:
		first, second = second, first
	}
	for _, p := range []*Pipe{first, second} {
		if err := p.Close(); err != nil {
			v.t.Error(err)
		}
		time.Sleep(time.Duration(rnd.IntN(500)) * time.Microsecond)
	}
	writers.Wait()
	v.q.Remove(v.mine)
}

// got takes a note, and sends it back, keeps it for a while, or releases it.
func (v *trader) got(msg *segment.Message, rnd *rand.Rand) {
	id, ok := readNote(msg)
	v.mu.Lock()
	if !ok || id.life != v.life || id.writer > 2 || v.was[id.writer][id.n] {
		v.t.Errorf("received %+v %t", id, ok)
	} else {
		v.was[id.writer][id.n] = true
	}
	v.mu.Unlock()
	v.received.Add(1)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	back := func(err error) {
		if err != nil && !isEnd(err) && !errors.Is(err, context.DeadlineExceeded) {
			v.t.Errorf("sent back: %v", err)
		}
	}
	switch rnd.IntN(8) {
	case 0:
		back(v.mine.Send(ctx, msg))
		return
	case 1: // as a copy
		w := v.mine.Writer()
		back(w.Send(ctx, msg))
		_ = w.Close() // has nothing that was added
	case 2:
	default:
		msg.Release()
		return
	}
	pause := time.Duration(rnd.IntN(3000)) * time.Microsecond
	v.all.Go(func() {
		time.Sleep(pause)
		if again, ok := readNote(msg); !ok || again != id {
			v.t.Errorf("%+v is %+v while it is held", id, again)
		}
		msg.Release()
	})
}

// poll is the goroutine of the Poller.
func (x *exchange) poll(rnd *rand.Rand) {
	for {
		ctx, cancel := chaosContext()
		if rnd.IntN(4) == 0 {
			cancel()
			ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rnd.IntN(500))*time.Microsecond)
		}
		p, msg, err := x.q.Recv(ctx)
		cancel()
		x.mu.Lock()
		v := x.pipes[p]
		x.mu.Unlock()
		switch {
		case p == nil && errors.Is(err, ErrClosed):
			return
		case p == nil && errors.Is(err, context.DeadlineExceeded):
		case v == nil:
			x.t.Errorf("an unknown pipe: %v", err)
		case err == nil:
			v.got(msg, rnd)
		case !isEnd(err):
			x.t.Errorf("poll: %v", err)
		}
	}
}

// Pipes come to a Poller and leave it, and end at either end, at any time: what is
// received is right and in its order, and nothing is left.
func TestPollerChaos(t *testing.T) {
	needSharedMemory(t)
	seed := chaosBegins(t)
	for _, how := range []Wait{Adaptive, Spin, Sleep} {
		t.Run(how.String(), func(t *testing.T) {
			path := newPath(t)
			ln, err := Listen(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			warm, err := Dial(briefly(t), path, Options{}) // opens what stays open
			if err != nil {
				t.Fatal(err)
			}
			other, err := ln.Accept(briefly(t))
			if err := errors.Join(err, warm.Close(), other.Close()); err != nil {
				t.Fatal(err)
			}
			before, err := resourcesNow()
			if err != nil {
				t.Fatal(err)
			}
			goroutines := runtime.NumGoroutine()
			x := &exchange{t: t, q: NewPoller(how), pipes: map[*Pipe]*trader{}}
			var polling sync.WaitGroup
			polling.Go(func() { x.poll(rand.New(rand.NewPCG(seed, 1))) })
			var traders sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(*chaosLives))
			var dialing sync.Mutex // so that the two ends are of one pipe
			for i := range 4 {
				traders.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, uint64(i+2)))
					for left.Add(-1) >= 0 && !t.Failed() {
						dialing.Lock()
						v, err := x.trader(rnd, ln)
						dialing.Unlock()
						if err != nil {
							t.Error(err)
							return
						}
						v.live(rnd)
					}
				})
			}
			traders.Wait()
			x.q.Close()
			polling.Wait()
			x.all.Wait()
			for _, v := range x.pipes {
				for writer, was := range v.was {
					for n := range uint64(len(was)) {
						if !was[n+1] {
							t.Errorf("%d notes of writer %d were received, and not %d", len(was), writer, n+1)
						}
					}
				}
				for _, p := range []*Pipe{v.mine, v.far} {
					if s := p.Stats(); s.Held != 0 || s.Lent != 0 || s.Blocks != 0 {
						t.Errorf("a pipe that is closed has %+v", s)
					}
				}
			}
			t.Logf("%d received", x.received.Load())
			sameResources(t, before, goroutines)
		})
	}
}
