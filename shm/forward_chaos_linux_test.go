package shm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// A flow are parcels that one clerk sends to one place in one way.
type flow struct {
	id      uint64
	n, sure uint64 // how many were sent, at most and at least
}

// A desk is an end of a pipe.
type desk struct {
	*office
	p     *Pipe
	peer  *desk
	alone bool // one goroutine receives

	mu    sync.Mutex
	flows []*flow // to it
	got   map[parcelKey]bool
	last  map[uint64]uint64 // by flow
	may   map[parcelKey]int // how often parcels of other flows may come
	must  map[parcelKey]int // and how often they have to, until the end
	ended int               // receivers that have come to the end of what the peer had sent
	stock *parcel           // one in memory of its pipe, not to be changed any more
}

// An office are some pipes and a publisher. What comes from one of them goes on in
// another.
type office struct {
	t      *testing.T
	small  bool   // there is little memory
	folder string // for regions that are files
	desks  []*desk
	hall   *Publisher
	all    sync.WaitGroup // those who hold parcels

	numbers  atomic.Uint64
	received *atomic.Int64

	mu     sync.Mutex
	public map[uint64]bool // flows to the publisher
}

// A clerk is one goroutine.
type clerk struct {
	*office
	rnd     *rand.Rand
	flows   map[any]*flow // by desk, *Writer or *Publisher
	writers map[*desk]*Writer
}

func (o *office) clerk(rnd *rand.Rand) *clerk {
	return &clerk{o, rand.New(rand.NewPCG(rnd.Uint64(), 1)), map[any]*flow{}, map[*desk]*Writer{}}
}

// leave closes the Writers that the clerk has.
func (c *clerk) leave() {
	for _, w := range c.writers {
		_ = w.Close() // says what was not sent
	}
	clear(c.writers)
}

func (c *clerk) flow(to any, d *desk) *flow {
	f := c.flows[to]
	if f == nil {
		f = &flow{id: c.numbers.Add(1)}
		c.flows[to] = f
		if d != nil {
			d.peer.mu.Lock()
			d.peer.flows = append(d.peer.flows, f)
			d.peer.mu.Unlock()
		} else {
			c.mu.Lock()
			c.public[f.id] = true
			c.mu.Unlock()
		}
	}
	return f
}

func (c *clerk) writer(d *desk) *Writer {
	w := c.writers[d]
	if w == nil {
		w = d.p.Writer()
		c.writers[d] = w
	}
	return w
}

func (c *clerk) pause(most time.Duration) { time.Sleep(time.Duration(c.rnd.Int64N(int64(most)))) }

// brief is a context that soon ends.
func (c *clerk) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(c.rnd.IntN(6000))*time.Microsecond)
}

// sent takes the error of a call that sends. It tells whether it was sent, and whether
// more can be.
func (c *clerk) sent(what string, err error, brief bool) (ok, more bool) {
	switch {
	case err == nil:
		return true, true
	case brief && errors.Is(err, context.DeadlineExceeded), c.small && errors.Is(err, ErrFull):
		return false, true
	case isEnd(err):
	case errors.Is(err, context.DeadlineExceeded):
		for _, d := range c.desks {
			c.t.Logf("%p %+v", d.p, d.p.Stats())
		}
		stuck(c.t, what)
	default:
		c.t.Errorf("%s: %v", what, err)
	}
	return false, false
}

// within tells of a call that hangs though it has no context.
func (o *office) within(what string, do func()) {
	late := time.AfterFunc(chaosLimit, func() { stuck(o.t, what) })
	defer late.Stop()
	do()
}

// send sends a new parcel to the peer of d, and tells whether more can be sent.
func (c *clerk) send(ctx context.Context, brief bool, d *desk, hops uint64, from *parcel) (more bool) {
	if c.small {
		defer c.leave() // the blocks that Writers keep are those that others wait for
	}
	var p parcel
	p.hops = hops
	var held []*segment.Message
	p.pieces, held = c.pieces(d, from)
	hint := 0
	if c.rnd.IntN(2) == 0 {
		hint = c.rnd.IntN(2000)
	}
	begin := func(to any) *flow {
		f := c.flow(to, d)
		p.parcelKey = parcelKey{f.id, f.n + 1}
		return f
	}
	switch c.rnd.IntN(6) {
	case 0: // packed, if it is small
		w := c.writer(d)
		f := begin(w)
		msg := segment.New(arena.Pool())
		p.write(msg, held)
		ok, more := c.sent("Add", w.Add(ctx, msg), brief)
		msg.Release()
		if ok {
			f.n++
			ok, more = c.sent("Flush", w.Flush(ctx), brief)
		}
		if ok {
			f.sure = f.n
		}
		return more
	case 1: // the Writer's own
		w := c.writer(d)
		f := begin(d)
		p.write(w.NewMessage(hint), held)
		ok, more := c.sent("Send of a Writer", w.Send(ctx, p.msg), brief)
		if ok {
			f.n++
			f.sure = f.n
		}
		if !ok {
			w.NewMessage(0) // gives up what it refers to
		}
		return more
	}
	if c.rnd.IntN(2) == 0 {
		defer func() { _ = d.p.Flush() }() // fails as the next call does
	}
	if c.rnd.IntN(6) == 0 {
		return c.sendAll(ctx, brief, d, p, held, from)
	}
	f := begin(d)
	msg := segment.New(arena.Pool())
	ours := c.rnd.IntN(4) > 0
	if ours {
		msg.Release()
		msg = d.p.NewMessage(hint)
	}
	p.write(msg, held)
	// Who refers to a part of a message keeps all of it, which a pipe that is short
	// cannot know.
	if ours && (!c.small || p.msg.Segments() == 1) && c.rnd.IntN(2) == 0 {
		d.store(c.rnd, &p)
	}
	ok, more := c.sent("Send", d.p.Send(ctx, msg), brief)
	if ok {
		f.n++
		f.sure = f.n
	}
	return more
}

// sendAll sends the parcel and some more at once, in a flow of their own: how many went
// is not known if it fails.
func (c *clerk) sendAll(ctx context.Context, brief bool, d *desk, p parcel, held []*segment.Message, from *parcel) (more bool) {
	f := c.flow(new(parcel), d)
	msgs := make([]*segment.Message, 1+c.rnd.IntN(5))
	for i := range msgs {
		if i > 0 {
			p.pieces, held = c.pieces(d, from)
		}
		f.n++
		p.parcelKey = parcelKey{f.id, f.n}
		msgs[i] = d.p.NewMessage(0)
		p.write(msgs[i], held)
	}
	ok, more := c.sent("SendAll", d.p.SendAll(ctx, msgs), brief)
	if ok {
		f.sure = f.n
	}
	return more
}

// store keeps a parcel for a moment, so that others can be made of it.
func (d *desk) store(rnd *rand.Rand, p *parcel) {
	p.msg.Retain()
	d.mu.Lock()
	d.stock = p
	d.mu.Unlock()
	pause := time.Duration(rnd.IntN(3000)) * time.Microsecond
	d.all.Go(func() {
		time.Sleep(pause)
		d.mu.Lock()
		if d.stock == p {
			d.stock = nil
		}
		d.mu.Unlock()
		p.msg.Release()
	})
}

// forward sends the parcel itself on to the peer of d. It is given up in every case.
func (c *clerk) forward(d *desk, p parcel) {
	ctx, cancel := c.brief()
	defer cancel()
	to := d.peer
	to.mu.Lock()
	to.may[p.parcelKey]++
	to.mu.Unlock()
	var err error
	if c.rnd.IntN(4) == 0 { // as a copy
		err = c.writer(d).Send(ctx, p.msg)
		p.msg.Release()
		if c.small {
			c.leave()
		}
	} else {
		err = d.p.Send(ctx, p.msg)
	}
	ok, more := c.sent("forwarding", err, true)
	to.mu.Lock()
	if ok {
		to.must[p.parcelKey]++
	} else if more {
		to.may[p.parcelKey]-- // nothing was sent
	}
	to.mu.Unlock()
}

// isPublic tells whether a parcel is one of a flow to the publisher.
func (o *office) isPublic(p parcel) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.public[p.flow]
}

// publish publishes the parcel, or one that has parts of it.
func (c *clerk) publish(p parcel, lent bool) {
	ctx, cancel := c.brief()
	defer cancel()
	var err error
	switch {
	case c.isPublic(p): // where it comes from its order would be lost
	case lent || c.rnd.IntN(2) == 0:
		if lent || c.rnd.IntN(2) == 0 {
			err = c.hall.PublishCopy(ctx, p.msg)
		} else {
			err = c.hall.Publish(ctx, p.msg.Retain())
		}
		c.sent("publishing", err, true)
		return
	case lent:
		return
	}
	f := c.flow(c.hall, nil)
	next := parcel{parcelKey: parcelKey{f.id, f.n + 1}, hops: p.hops + 1}
	var held []*segment.Message
	next.pieces, held = c.pieces(nil, &p)
	msg := c.hall.NewMessage(0)
	next.write(msg, held)
	if ok, _ := c.sent("publishing parts", c.hall.Publish(ctx, msg), true); ok {
		f.n++
	}
}

// hold keeps a parcel for a while, and looks that it stays as it is.
func (c *clerk) hold(p parcel) {
	again := func() {
		for i, x := range p.pieces {
			if at := x.fault(); at >= 0 {
				c.t.Errorf("%v: piece %d, %d bytes from %d on of %d, has changed at %d", p.parcelKey, i, len(x.bytes), x.at, x.of, at)
			}
		}
	}
	for range c.rnd.IntN(3) {
		p.msg.Retain()
		pause := time.Duration(c.rnd.IntN(2000)) * time.Microsecond
		c.all.Go(func() {
			time.Sleep(pause)
			again()
			p.msg.Release()
		})
	}
	pause := time.Duration(c.rnd.IntN(3000)) * time.Microsecond
	c.all.Go(func() {
		time.Sleep(pause)
		again()
		p.msg.Release()
	})
}

const mostHops = 8

// take does something with a parcel that was received, and gives it up.
func (c *clerk) take(at *desk, p parcel) {
	d := at
	if d == nil || c.rnd.IntN(2) == 0 {
		d = c.desks[c.rnd.IntN(len(c.desks))]
	}
	switch c.rnd.IntN(12) {
	case 0, 1:
		p.msg.Retain()
		c.hold(p)
		c.forward(d, p)
	case 2:
		c.forward(d, p)
	case 3, 4, 5, 6:
		for range 1 + c.rnd.IntN(2) {
			if p.hops < mostHops {
				ctx, cancel := c.brief()
				c.send(ctx, true, d, p.hops+1, &p)
				cancel()
			}
		}
		c.hold(p)
	case 7:
		if p.hops < mostHops {
			c.publish(p, false)
		}
		c.hold(p)
	case 8, 9:
		c.hold(p)
	default:
		p.msg.Release()
	}
}

// check looks whether a parcel was to come.
func (d *desk) check(p parcel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.received.Add(1)
	if !d.got[p.parcelKey] && slices.ContainsFunc(d.flows, func(f *flow) bool { return f.id == p.flow }) {
		d.got[p.parcelKey] = true
		d.last[p.flow]++
		if d.alone && p.n != d.last[p.flow] {
			d.t.Errorf("%v came, and %d of its flow", p.parcelKey, d.last[p.flow])
		}
		return
	}
	if d.may[p.parcelKey]--; d.may[p.parcelKey] < 0 {
		d.t.Errorf("%v came, which was not sent", p.parcelKey)
	}
	d.must[p.parcelKey]--
}

// receive receives until the end.
func (d *desk) receive(c *clerk) {
	defer c.leave()
	r := d.p.Reader()
	defer r.Close()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+c.rnd.IntN(10_000))*time.Microsecond)
		var msg *segment.Message
		var err error
		lent := c.rnd.IntN(4) == 0
		d.within("Recv", func() {
			if lent {
				msg, err = r.Next(ctx)
			} else {
				r.Close() // or it may have what comes next
				msg, err = d.p.Recv(ctx)
			}
		})
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			continue
		case err != nil:
			if !isEnd(err) {
				d.t.Errorf("received: %v", err)
			}
			if !errors.Is(err, ErrClosed) {
				d.mu.Lock()
				d.ended++
				d.mu.Unlock()
			}
			return
		}
		p, err := readParcel(msg)
		if err != nil {
			d.t.Errorf("%v: %v", p.parcelKey, err)
			return
		}
		d.check(p)
		if !lent {
			c.take(d, p)
			continue
		}
		if c.rnd.IntN(4) == 0 {
			c.publish(p, true)
		}
		if _, err := readParcel(msg); err != nil {
			d.t.Errorf("%v while it is lent: %v", p.parcelKey, err)
		}
		if c.rnd.IntN(2) == 0 {
			r.Done()
		}
	}
}

// subscribe receives what is published, until the publisher is gone.
func (c *clerk) subscribe() {
	defer c.leave()
	for {
		o := SubscriberOptions{Policy: Block, Wait: Wait(c.rnd.IntN(3)), Depth: 1 + c.rnd.IntN(64)}
		if !c.small {
			o.Policy = Policy(c.rnd.IntN(4))
		}
		ctx, cancel := chaosContext()
		s, err := Subscribe(ctx, c.hall.Path(), o)
		cancel()
		if err != nil {
			return // it has closed
		}
		on := c.read(s, o)
		c.within("Close of a Subscriber", func() { _ = s.Close() })
		s.Done()
		if !on {
			return
		}
	}
}

// read receives from s for a while. It tells whether the publisher goes on.
func (c *clerk) read(s *Subscriber, o SubscriberOptions) (on bool) {
	last := map[uint64]uint64{}
	for range 1 + c.rnd.IntN(300) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+c.rnd.IntN(10_000))*time.Microsecond)
		var msg *segment.Message
		var err error
		lent := c.rnd.IntN(4) == 0
		if lent {
			msg, err = s.Next(ctx)
		} else {
			msg, err = s.Recv(ctx)
		}
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if err != nil {
			if !isEnd(err) {
				c.t.Errorf("a subscriber: %v", err)
			}
			return errors.Is(err, ErrSlow)
		}
		p, err := readParcel(msg)
		if err != nil {
			c.t.Errorf("%v was published: %v", p.parcelKey, err)
			return false
		}
		c.received.Add(1)
		if was := last[p.flow]; c.isPublic(p) {
			if p.n <= was || o.Policy == Block && was > 0 && p.n != was+1 {
				c.t.Errorf("%v was published, and before it %d", p.parcelKey, was)
			}
			last[p.flow] = p.n
		}
		switch {
		case !lent:
			c.take(nil, p)
		case c.rnd.IntN(2) == 0:
			s.Done()
		}
	}
	return true
}

// settle waits until everything has come back, though all is open.
func (o *office) settle() {
	for end := time.Now().Add(chaosLimit); ; time.Sleep(time.Millisecond) {
		left := ""
		for _, d := range o.desks {
			_ = d.p.Flush()
			d.p.rest() // as before a sleep, which there may not be
			if s := d.p.Stats(); s.Held+s.Lent > 0 || s.Waiting > 0 {
				left += fmt.Sprintf("%+v\n", s)
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			stuck(o.t, "giving back "+left)
			return
		}
	}
}

// live is the life of some pipes and a publisher.
func (o *office) live(rnd *rand.Rand, how Wait) {
	options := func() Options {
		x := Options{Wait: how, ManualFlush: rnd.IntN(4) == 0, Unsealed: true}
		if rnd.IntN(4) == 0 {
			x.HugeFolder = o.folder
		}
		if rnd.IntN(3) == 0 {
			x.Wait = Wait(rnd.IntN(3))
		}
		if o.small {
			x.MaxBytes = 4 << 20
		}
		return x
	}
	for range 2 {
		ours, theirs, err := Pair()
		if err != nil {
			o.t.Fatal(err)
		}
		var ps [2]*Pipe
		attached := make(chan error, 1)
		first, second := options(), options()
		go func() {
			var err error
			ps[1], err = Attach(context.Background(), theirs, second)
			attached <- err
		}()
		ps[0], err = Attach(context.Background(), ours, first)
		if err := errors.Join(err, <-attached); err != nil {
			o.t.Fatal(err)
		}
		var ds [2]*desk
		for i, p := range ps {
			ds[i] = &desk{
				office: o, p: p, alone: rnd.IntN(2) == 0,
				got: map[parcelKey]bool{}, last: map[uint64]uint64{}, may: map[parcelKey]int{}, must: map[parcelKey]int{},
			}
		}
		ds[0].peer, ds[1].peer = ds[1], ds[0]
		o.desks = append(o.desks, ds[:]...)
	}
	po := PublisherOptions{AllowBlock: true, Wait: Wait(rnd.IntN(3)), MaxHeld: 1 + rnd.IntN(60)}
	if o.small {
		po.MaxBytes = pubRegionBytes + 4<<20
	}
	o.hall = newPublisher(o.t, po)

	var receivers, writers sync.WaitGroup
	for _, d := range o.desks {
		for range 1 + rnd.IntN(2) {
			c := o.clerk(rnd)
			receivers.Go(func() { d.receive(c) })
			if d.alone {
				break
			}
		}
		for range 1 + rnd.IntN(2) {
			c := o.clerk(rnd)
			writers.Go(func() {
				defer c.leave()
				for range 1 + c.rnd.IntN(150) {
					ctx, cancel := chaosContext()
					more := c.send(ctx, false, d, 0, nil)
					cancel()
					if !more {
						return
					}
					if c.rnd.IntN(20) == 0 {
						c.pause(time.Millisecond)
					}
				}
			})
		}
	}
	for range rnd.IntN(3) {
		c := o.clerk(rnd)
		receivers.Go(c.subscribe)
	}

	if rnd.IntN(2) == 0 {
		writers.Wait()
		if rnd.IntN(2) == 0 {
			o.settle()
		}
	} else {
		time.Sleep(time.Duration(rnd.IntN(20_000)) * time.Microsecond)
	}
	closes := []func() error{o.hall.Close}
	for _, d := range o.desks {
		closes = append(closes, d.p.Close)
	}
	rnd.Shuffle(len(closes), func(i, j int) { closes[i], closes[j] = closes[j], closes[i] })
	for _, end := range closes {
		o.within("Close", func() {
			if err := end(); err != nil {
				o.t.Error(err)
			}
		})
		time.Sleep(time.Duration(rnd.IntN(4)) * time.Duration(rnd.IntN(1000)) * time.Microsecond)
	}
	writers.Wait()
	receivers.Wait()
	o.all.Wait()
	for _, d := range o.desks {
		d.account()
	}
	if s := o.hall.Stats(); s.Out+s.Blocks+s.Subscribers+s.Leaving > 0 {
		o.t.Errorf("a publisher that is closed has %+v", s)
	}
}

// account looks whether all came, and all was given back.
func (d *desk) account() {
	for _, f := range d.flows {
		n := d.last[f.id]
		if n > f.n || d.ended > 0 && n < f.sure {
			d.t.Errorf("%d of flow %d came, and %d to %d were sent", n, f.id, f.sure, f.n)
		}
		for i := range n {
			if !d.got[parcelKey{f.id, i + 1}] {
				d.t.Errorf("%d of flow %d came, but not %d", n, f.id, i+1)
			}
		}
	}
	for key, n := range d.must {
		if n > 0 && d.ended > 0 {
			d.t.Errorf("%v was forwarded and did not come", key)
		}
	}
	if s := d.p.Stats(); s.Held+s.Lent+s.Blocks > 0 {
		d.t.Errorf("a pipe that is closed has %+v", s)
	}
}

// Messages go on from one pipe to another, back and to a publisher, whole and in parts,
// while others hold them and everything ends at any time: what is received is right,
// comes once and in its order, and stays as it is, nobody waits for ever, and nothing is
// left.
func TestForwardChaos(t *testing.T) {
	needSharedMemory(t)
	folder := hugeFolder(t)
	warm := newPublisher(t, PublisherOptions{}) // opens what stays open
	closed(t, subscribe(t, warm, SubscriberOptions{}))
	if err := warm.Close(); err != nil {
		t.Fatal(err)
	}
	seed := chaosBegins(t)
	for _, how := range []Wait{Adaptive, Spin, Sleep} {
		for _, small := range []bool{false, true} {
			name := how.String()
			if small {
				name += ", little memory"
			}
			t.Run(name, func(t *testing.T) {
				before, err := resourcesNow()
				if err != nil {
					t.Fatal(err)
				}
				goroutines := runtime.NumGoroutine()
				rnd := rand.New(rand.NewPCG(seed, uint64(how)))
				var received atomic.Int64
				for range (*chaosLives + 1) / 2 { // each has four ends
					if t.Failed() {
						break
					}
					o := &office{t: t, small: small, folder: folder, public: map[uint64]bool{}, received: &received}
					o.live(rnd, how)
				}
				t.Logf("%d received", received.Load())
				if received.Load() == 0 {
					t.Error("nothing was received")
				}
				sameResources(t, before, goroutines)
			})
		}
	}
}
