package shm

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// logWriters is how many goroutines append to a log at once.
const logWriters = 3

// A diary is a log that is opened again and again while others read it.
type diary struct {
	t       *testing.T
	path    string
	all     atomic.Uint64 // messages that were appended
	done    atomic.Bool   // no more are
	written [logWriters]uint64
}

// A page is a place in a log, and what was read before it: the last of each writer.
type page struct {
	at   LogPosition
	read [logWriters]uint64
	n    uint64 // all of them
}

// write appends through one opening of the log, which may be closed meanwhile.
func (d *diary) write(l *Log, writer uint64, rnd *rand.Rand) {
	for range rnd.IntN(60) {
		bytes, parts := noteLength(rnd)
		msg := segment.New(arena.Pool())
		if rnd.IntN(3) > 0 {
			msg.Release()
			msg = l.NewMessage(rnd.IntN(2) * (bytes*parts + 128))
		}
		noteID{writer: writer, n: d.written[writer] + 1}.write(msg, bytes, parts)
		if rnd.IntN(10) == 0 {
			msg.Release()
			continue
		}
		err := l.Append(msg)
		if err == nil {
			d.written[writer]++
			d.all.Add(1)
		}
		if err == nil && rnd.IntN(20) == 0 {
			err = l.Sync()
		}
		if errors.Is(err, ErrClosed) {
			return
		}
		if err != nil {
			d.t.Error(err)
			return
		}
	}
}

// writeOften opens and closes the log so many times.
func (d *diary) writeOften(lives int, rnd *rand.Rand) {
	defer d.done.Store(true)
	for range lives {
		l, err := OpenLog(d.path, LogOptions{})
		if err != nil {
			d.t.Error(err)
			return
		}
		var writers sync.WaitGroup
		for i := range uint64(logWriters) {
			seed := rnd.Uint64()
			writers.Go(func() { d.write(l, i, rand.New(rand.NewPCG(seed, i))) })
		}
		if rnd.IntN(2) == 0 {
			writers.Wait()
		} else {
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
		if err := l.Close(); err != nil {
			d.t.Error(err)
		}
		writers.Wait()
	}
}

// read reads on from a page for a while, and gives where it has come to.
func (d *diary) read(from page, rnd *rand.Rand) page {
	ctx, cancel := chaosContext()
	defer cancel()
	o := LogReaderOptions{Follow: rnd.IntN(4) > 0, From: from.at, Copy: rnd.IntN(2) == 0}
	r, err := ReadLog(d.path, o)
	if err != nil {
		d.t.Error(err)
		return from
	}
	var kept []*segment.Message
	var ids []noteID
	var waiting sync.WaitGroup
	defer func() {
		for i, m := range kept {
			if id, ok := readNote(m); !ok || id != ids[i] {
				d.t.Errorf("%+v is %+v while it is held", ids[i], id)
			}
			m.Release()
		}
	}()
	defer waiting.Wait()
	defer r.Close()
	for range rnd.IntN(300) {
		if rnd.IntN(100) == 0 {
			waiting.Go(func() { _ = r.Close() })
		}
		short, cancel := ctx, context.CancelFunc(func() {})
		if o.Follow {
			short, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(3000))*time.Microsecond)
		}
		m, err := r.Next(short)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			if !errors.Is(err, ErrClosed) && !isEnd(err) {
				d.t.Error(err)
			}
			break
		}
		id, ok := readNote(m)
		if !ok || id.writer >= logWriters || id.n != from.read[id.writer]+1 {
			d.t.Errorf("read %+v %t after %v", id, ok, from.read)
			m.Release()
			break
		}
		from.read[id.writer]++
		from.n++
		from.at = r.Position()
		if from.at.Sequence != from.n {
			d.t.Errorf("sequence %d, want %d", from.at.Sequence, from.n)
		}
		if rnd.IntN(20) == 0 {
			kept, ids = append(kept, m), append(ids, id)
		} else {
			m.Release()
		}
	}
	return from
}

// A log is opened again and again by one who appends from several goroutines, while
// readers come and go, and begin where others were: each reads every message once, in
// order and right.
func TestLogChaos(t *testing.T) {
	needSharedMemory(t)
	seed := chaosBegins(t)
	d := &diary{t: t, path: filepath.Join(t.TempDir(), "log")}
	l, err := OpenLog(d.path, LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.read(page{}, rand.New(rand.NewPCG(seed, 0))) // what the runtime needs to wait stays
	before, err := resourcesNow()
	if err != nil {
		t.Fatal(err)
	}
	goroutines := runtime.NumGoroutine()
	var all sync.WaitGroup
	all.Go(func() { d.writeOften(4**chaosLives, rand.New(rand.NewPCG(seed, 0))) })
	for i := range uint64(4) {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, i+1))
			pages := []page{{}}
			for last := false; !last && !t.Failed(); {
				last = d.done.Load() && pages[len(pages)-1].n == d.all.Load()
				at := len(pages) - 1
				if rnd.IntN(4) == 0 {
					at = rnd.IntN(len(pages))
				}
				now := d.read(pages[at], rnd)
				if now.n > pages[len(pages)-1].n {
					pages = append(pages, now)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d messages", d.all.Load())
	sameResources(t, before, goroutines)
}
