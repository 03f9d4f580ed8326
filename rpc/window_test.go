package rpc

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// A way is a simulated link with a stream's sender at one end and what runs its
// calls at the other, in simulated time.
type way struct {
	w     window
	now   time.Duration
	rate  float64       // bytes a second
	delay time.Duration // there and back
	batch time.Duration // replies are told together, so often
	noise *rand.Rand    // makes replies late, by up to the delay
	apps  []*app
	free  time.Duration // when the link is

	replies   replies
	delivered int64
	queue     int64 // the most bytes that waited before the link
}

// An app streams.
type app struct {
	size     int64         // of a message
	every    time.Duration // it has one so often; 0 means always
	due      time.Duration
	underWay int64
	waits    bool
	got      int64
}

type reply struct {
	at   time.Duration
	from *app
}

type replies []reply

func (r replies) Len() int           { return len(r) }
func (r replies) Less(i, j int) bool { return r[i].at < r[j].at }
func (r replies) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *replies) Push(x any)        { *r = append(*r, x.(reply)) }
func (r *replies) Pop() any {
	last := len(*r) - 1
	x := (*r)[last]
	*r = (*r)[:last]
	return x
}

func newWay(mbytes float64, delay time.Duration, apps ...*app) *way {
	return &way{w: newWindow(4 << 20), rate: mbytes * 1e6, delay: delay, apps: apps}
}

func (l *way) clock() time.Duration { return l.now }

func (l *way) underWay() (n int64) {
	for _, a := range l.apps {
		n += a.underWay
	}
	return n
}

func (l *way) waits() bool {
	for _, a := range l.apps {
		if a.waits {
			return true
		}
	}
	return false
}

// send has a send what it has and may.
func (l *way) send(a *app) {
	streams := 0
	for _, b := range l.apps {
		if b.underWay > 0 || b == a {
			streams++
		}
	}
	for a.due <= l.now {
		if a.waits = !l.w.room(a.underWay, streams); a.waits {
			l.w.waits()
			return
		}
		l.w.sent(a.size, l.underWay(), l.clock)
		a.underWay += a.size
		if a.every > 0 {
			a.due = max(a.due, l.now-a.every) + a.every
		}
		l.free = max(l.free, l.now) + time.Duration(float64(a.size)/l.rate*1e9)
		l.queue = max(l.queue, int64((l.free-l.now).Seconds()*l.rate))
		at := l.free + l.delay
		if l.noise != nil {
			at += time.Duration(l.noise.Int64N(int64(l.delay)))
		}
		if l.batch > 0 {
			at = (at + l.batch - 1) / l.batch * l.batch
		}
		heap.Push(&l.replies, reply{at, a})
	}
}

// run goes on for so long, and gives the bytes a second that were let through.
func (l *way) run(d time.Duration) float64 {
	end, before := l.now+d, l.delivered
	l.queue = 0
	for _, a := range l.apps {
		l.send(a)
	}
	for l.now < end {
		next := end
		if len(l.replies) > 0 {
			next = min(next, l.replies[0].at)
		}
		for _, a := range l.apps {
			if !a.waits {
				next = min(next, max(a.due, l.now+1))
			}
		}
		l.now = next
		for len(l.replies) > 0 && l.replies[0].at <= l.now {
			r := heap.Pop(&l.replies).(reply)
			r.from.underWay -= r.from.size
			r.from.got += r.from.size
			l.delivered += r.from.size
			l.w.arrived(r.from.size, l.underWay(), l.waits(), l.clock)
		}
		for _, a := range l.apps {
			l.send(a)
		}
	}
	return float64(l.delivered-before) / d.Seconds()
}

// The window comes to what a link needs, lets as much through as the link does,
// and stays there.
func TestWindowConverges(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	for _, test := range []struct {
		name   string
		mbytes float64
		delay  time.Duration
		size   int64
		batch  time.Duration
		noise  bool
	}{
		{"next door", 5000, 20 * time.Microsecond, 64 * kib, 0, false},
		{"in the building", 1250, 200 * time.Microsecond, 64 * kib, 0, false},
		{"in the building, replies together", 1250, 200 * time.Microsecond, 64 * kib, 100 * time.Microsecond, false},
		{"in town", 125, 5 * time.Millisecond, 64 * kib, 0, false},
		{"in town, small messages", 125, 5 * time.Millisecond, 500, 0, false},
		{"in town, large messages", 125, 5 * time.Millisecond, mib, 0, false},
		{"in town, noisy", 125, 5 * time.Millisecond, 16 * kib, 0, true},
		{"abroad", 12.5, 80 * time.Millisecond, 16 * kib, 0, false},
		{"abroad, noisy", 12.5, 80 * time.Millisecond, 16 * kib, 0, true},
		{"slow", 0.1, 10 * time.Millisecond, 4 * kib, 0, false},
		{"more than may be", 1250, 50 * time.Millisecond, 64 * kib, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newWay(test.mbytes, test.delay, &app{size: test.size})
			l.batch = test.batch
			delay := test.delay + test.batch/2
			if test.noise {
				l.noise = rand.New(rand.NewPCG(1, 2))
				delay += test.delay / 2
			}
			product := int64(l.rate*delay.Seconds()) + test.size
			long := 60*(test.delay+time.Duration(float64(l.w.least+test.size)/l.rate*1e9)) + 40*time.Millisecond
			l.run(long)
			for i := range 20 {
				got := l.run(long / 4)
				size, kept := l.w.size, l.w.kept()
				want := l.rate
				if product > l.w.most {
					want *= float64(l.w.most) / float64(product)
				}
				if got < 0.85*want {
					t.Errorf("part %d: %.1f MB/s with %d bytes, want %.1f", i, got/1e6, size, want/1e6)
				}
				if least := min(product*7/10, l.w.most) - 2*test.size; kept < least {
					t.Errorf("part %d: a window of %d bytes, want %d at least", i, kept, least)
				}
				// During a trial it may be twice what it is.
				if most := max(4*(product+test.size), 2*l.w.least); size > most {
					t.Errorf("part %d: a window of %d bytes, want %d at most", i, size, most)
				}
				if most := max(4*(product+test.size), 2*l.w.least) + 2*test.size; l.queue > most {
					t.Errorf("part %d: %d bytes waited, want %d at most", i, l.queue, most)
				}
			}
			t.Logf("%d bytes for a product of %d", l.w.size, product)
		})
	}
}

// When the link becomes slower or faster, the window follows.
func TestWindowFollows(t *testing.T) {
	l := newWay(125, 10*time.Millisecond, &app{size: 16 << 10})
	for i, mbytes := range []float64{125, 6, 125, 30, 300} {
		l.rate = mbytes * 1e6
		l.run(5 * time.Second)
		got := l.run(time.Second)
		product := int64(l.rate * l.delay.Seconds())
		if got < 0.85*l.rate {
			t.Errorf("link %d: %.1f MB/s, want %.1f", i, got/1e6, mbytes)
		}
		if most := max(4*product, leastWindow) + 2<<14; l.w.size > most || l.queue > most {
			t.Errorf("link %d: a window of %d bytes, and %d waited, want %d at most", i, l.w.size, l.queue, most)
		}
	}
}

// Streams on one connection get equal parts of it, whoever was first.
func TestWindowIsFair(t *testing.T) {
	for _, n := range []int{2, 3, 8} {
		first := &app{size: 16 << 10}
		l := newWay(125, 10*time.Millisecond, first)
		l.run(3 * time.Second)
		for range n - 1 {
			l.apps = append(l.apps, &app{size: 16 << 10})
		}
		l.run(3 * time.Second)
		before := make([]int64, n)
		for i, a := range l.apps {
			before[i] = a.got
		}
		total := l.run(10 * time.Second)
		if total < 0.85*l.rate {
			t.Errorf("%d streams: %.1f MB/s, want %.1f", n, total/1e6, l.rate/1e6)
		}
		for i, a := range l.apps {
			part := float64(a.got-before[i]) / (10 * total)
			if part < 0.9/float64(n) || part > 1.1/float64(n) {
				t.Errorf("%d streams: number %d had %.2f of it", n, i, part)
			}
		}
		if most := 4*int64(l.rate*l.delay.Seconds()) + int64(n)*leastWindow; l.queue > most {
			t.Errorf("%d streams: %d bytes waited, want %d at most", n, l.queue, most)
		}
	}
}

// A stream that has little to send gets no window that it does not need.
func TestWindowOfTheIdle(t *testing.T) {
	a := &app{size: 16 << 10, every: 2 * time.Millisecond}
	l := newWay(1000, time.Millisecond, a)
	l.run(5 * time.Second)
	if l.w.size != leastWindow {
		t.Errorf("the window is %d bytes, of which at most 16 KiB are used", l.w.size)
	}
	a.every = 0
	l.delay = 20 * time.Millisecond
	l.run(5 * time.Second)
	busy := l.w.size
	if busy < 4<<20 {
		t.Fatalf("the window is %d bytes, the link needs more", busy)
	}
	a.due = l.now + 3*restTime
	a.every = time.Hour
	l.run(3 * restTime)
	l.run(time.Second)
	if l.w.size > busy/4 {
		t.Errorf("after %v the window is %d bytes, it was %d", 3*restTime, l.w.size, busy)
	}
	a.every, a.due = 0, 0
	if got := l.run(5 * time.Second); got < 100e6 {
		t.Errorf("afterwards %.1f MB/s", got/1e6)
	}
}
