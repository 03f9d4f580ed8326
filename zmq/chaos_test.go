package zmq_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/zmq"
)

var (
	chaosLives = flag.Int("chaos", 30, "how many sockets live in TestSocketChaos of each pattern over each transport")
	chaosSeed  = flag.Uint64("chaos.seed", 0, "what it begins with; 0 for any")
)

// livesAtOnce is how many sockets a bazaar has until it is closed.
const livesAtOnce = 30

// chaosPatience is how long anything may take until it counts as hanging.
const chaosPatience = 20 * time.Second

// A trade is what the sockets of a bazaar do: those of one type talk to those of the
// other.
type trade struct {
	name        string
	left, right []zmq.Type // the resident of the left connects, that of the right binds
	proxied     bool
}

var trades = []trade{
	{name: "work", left: []zmq.Type{zmq.Push}, right: []zmq.Type{zmq.Pull}},
	{name: "news", left: []zmq.Type{zmq.Sub, zmq.XSub}, right: []zmq.Type{zmq.Pub, zmq.XPub}},
	{name: "news passed on", left: []zmq.Type{zmq.Sub, zmq.XSub}, right: []zmq.Type{zmq.Pub, zmq.XPub}, proxied: true},
	{name: "questions", left: []zmq.Type{zmq.Req, zmq.Dealer}, right: []zmq.Type{zmq.Rep, zmq.Router}},
	{name: "questions passed on", left: []zmq.Type{zmq.Req, zmq.Dealer}, right: []zmq.Type{zmq.Rep}, proxied: true},
	{name: "pairs", left: []zmq.Type{zmq.Pair}, right: []zmq.Type{zmq.Pair}},
}

// A bazaar is where sockets come and go: a few places that anybody binds and
// connects to at any time, and one that belongs to residents, who stay and must not
// notice anything.
type bazaar struct {
	trade
	t      *testing.T
	rnd    *rand.Rand // of whoever makes the bazaar
	names  *zmq.Namespace
	places []string // places[0] is the residents'; if proxied, the left connects to it and the right to places[1]
	client zmq.Security
	server zmq.Security
	pool   *arena.Pooled // nil if frames are sent and not messages
	number bool          // questions have a number before the delimiter
	ids    atomic.Uint64 // of who sends
	ctx    context.Context
	cancel context.CancelFunc // ends what residents wait for

	mu   sync.Mutex
	seen map[uint64]map[uint64]bool // what arrived of whom, where nothing may come twice
	took atomic.Int64               // letters that guests received
}

// A guest is a socket in a bazaar, with what is known of it.
type guest struct {
	*zmq.Socket
	b         *bazaar
	opt       zmq.Options
	own       bool // has a routing id that nobody else has
	connected bool // it connects to one place, once
	bound     bool // it binds one place, once
	closing   atomic.Bool
	all       sync.WaitGroup

	changes sync.Mutex // one subscription after the other

	mu   sync.Mutex
	want map[string]int    // topics that it is subscribed to
	left map[string]uint64 // when it was not any more
	now  uint64            // how often that was
}

// open makes a socket with random options.
func (b *bazaar) open(rnd *rand.Rand, typ zmq.Type, left, resident bool) *guest {
	o := zmq.Options{
		SendHighWater:     someMark(rnd),
		RecvHighWater:     someMark(rnd),
		Linger:            []time.Duration{-1, time.Millisecond, 20 * time.Millisecond}[rnd.IntN(3)],
		ReconnectInterval: time.Duration(1+rnd.IntN(5)) * time.Millisecond,
		ReconnectMax:      20 * time.Millisecond,
		Immediate:         rnd.IntN(3) == 0,
		VerifyOnRecv:      rnd.IntN(3) == 0,
		Namespace:         b.names,
		Security:          b.client,
	}
	if !left {
		o.Security = b.server
	}
	if rnd.IntN(4) == 0 {
		o.HeartbeatInterval = time.Duration(1+rnd.IntN(10)) * time.Millisecond
	}
	g := &guest{b: b, want: make(map[string]int), left: make(map[string]uint64)}
	switch typ {
	case zmq.Req:
		o.Correlate = b.number
		o.Relaxed = o.Correlate && (resident || rnd.IntN(2) == 0)
	case zmq.Router:
		o.Mandatory = resident || rnd.IntN(2) == 0
		o.Handover = rnd.IntN(2) == 0
	case zmq.Pub, zmq.XPub:
		o.NoDrop = resident || rnd.IntN(2) == 0
	}
	switch typ {
	case zmq.Push, zmq.Pull, zmq.Pub, zmq.Sub:
		o.Conflate = !resident && rnd.IntN(5) == 0 && (b.pool == nil || typ == zmq.Push || typ == zmq.Pull)
	case zmq.Req, zmq.Dealer:
		switch rnd.IntN(4) {
		case 0, 1:
			o.RoutingID, g.own = fmt.Appendf(nil, "own %d", b.ids.Add(1)), true
		case 2:
			if !resident {
				o.RoutingID = fmt.Appendf(nil, "shared %d", rnd.IntN(3))
			}
		}
	}
	g.Socket, g.opt = zmq.New(typ, o), o
	return g
}

func someMark(rnd *rand.Rand) int {
	if rnd.IntN(2) == 0 {
		return 1 + rnd.IntN(4)
	}
	return 1 + rnd.IntN(1000)
}

// soon does something that must not hang.
func (b *bazaar) soon(what string, f func()) {
	t := time.AfterFunc(chaosPatience, func() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		b.t.Errorf("%s hangs", what)
		b.cancel()
	})
	f()
	t.Stop()
}

// check tells of an error that must not be.
func (g *guest) check(what string, err error, allowed ...error) {
	if errors.Is(err, zmq.ErrClosed) && g.closing.Load() || err == nil {
		return
	}
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	g.b.t.Errorf("%v: %s: %v", g.Type(), what, err)
}

// close closes the socket and looks at what is left of it.
func (g *guest) close() {
	g.closing.Store(true)
	g.b.soon("Close", func() { _ = g.Close() })
	g.b.soon("who uses a socket that is closed", g.all.Wait)
	if st := g.Stats(); st.Waiting != 0 || st.WaitingBytes != 0 || st.Unread != 0 || st.Peers != 0 {
		g.b.t.Errorf("a closed %v has %+v", g.Type(), st)
	}
}

// moment is a context that ends at any time.
func (b *bazaar) moment(rnd *rand.Rand) (context.Context, context.CancelFunc) {
	if rnd.IntN(3) == 0 {
		return context.WithTimeout(context.Background(), time.Duration(rnd.IntN(2000))*time.Microsecond)
	}
	return context.WithTimeout(context.Background(), time.Duration(1+rnd.IntN(60))*time.Millisecond)
}

// once tells of a letter that came twice, where that cannot be.
func (b *bazaar) once(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.seen[l.from]
	if of == nil {
		of = make(map[uint64]bool)
		b.seen[l.from] = of
	}
	if of[l.n] {
		b.t.Errorf("letter %d of %d came twice", l.n, l.from)
	}
	of[l.n] = true
}

// An order is what came last of each sender.
type order map[uint64]uint64

// grows tells of a letter that came too late.
func (o order) grows(g *guest, l letter) {
	if was := o[l.from]; l.n <= was && (l.steady && (g.bound || g.connected) || g.connected && !g.b.proxied) {
		g.b.t.Errorf("%v: letter %d of %d came after %d", g.Type(), l.n, l.from, was)
	}
	o[l.from] = l.n
}

// topicOf is a topic as letters have it.
func topicOf(rnd *rand.Rand) string { return (chaosTopics[1+rnd.IntN(5)] + "........")[:8] }

// sendSome sends letters that nobody answers.
func (g *guest) sendSome(rnd *rand.Rand, steady bool) {
	from := g.b.ids.Add(1)
	for n := uint64(1); !g.closing.Load(); n++ {
		l := letter{from: from, n: n, topic: topicOf(rnd), steady: steady}
		ctx, cancel := g.b.moment(rnd)
		err := g.say(ctx, rnd, l, g.aboutFrame(l)...)
		cancel()
		g.check("send", err, context.DeadlineExceeded)
		if rnd.IntN(16) == 0 {
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	}
}

// aboutFrame is the topic as a frame, where that is not within the letter.
func (g *guest) aboutFrame(l letter) [][]byte {
	if t := g.Type(); g.b.pool != nil && (t == zmq.Pub || t == zmq.XPub) {
		return [][]byte{[]byte(l.topic)}
	}
	return nil
}

// envelope is as long as what is before a letter that this socket receives.
func (g *guest) envelope() [][]byte {
	n := 0
	switch t := g.Type(); t {
	case zmq.Sub, zmq.XSub:
		if g.b.pool != nil {
			n = 1
		}
	case zmq.Dealer, zmq.Router:
		n = 1
		if g.b.number {
			n++
		}
		if t == zmq.Router {
			n++
		}
	}
	return make([][]byte, n)
}

// recvSome receives letters until the socket is closed.
func (g *guest) recvSome(rnd *rand.Rand, alone bool) {
	came := make(order)
	for !g.closing.Load() {
		ctx, cancel := g.b.moment(rnd)
		g.mu.Lock()
		began := g.now
		g.mu.Unlock()
		l, err := g.hear(ctx, g.envelope())
		cancel()
		if err != nil {
			g.check("receive", err, context.DeadlineExceeded)
			continue
		}
		g.b.took.Add(1)
		if t := g.Type(); t == zmq.Sub {
			g.isWanted(l, began)
		} else if t != zmq.XSub {
			g.b.once(l)
		}
		if alone {
			came.grows(g, l)
		}
		if rnd.IntN(64) == 0 {
			time.Sleep(time.Duration(rnd.IntN(10_000)) * time.Microsecond)
		}
	}
}

// isWanted tells of news that a SUB did not want when it began to wait.
func (g *guest) isWanted(l letter, began uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, topic := range chaosTopics {
		if at, was := g.left[topic]; strings.HasPrefix(l.topic, topic) && (g.want[topic] > 0 || was && at > began) {
			return
		}
	}
	g.b.t.Errorf("received %q, subscribed to %v", l.topic, g.want)
}

// subscribe subscribes to a topic, or takes that back.
func (g *guest) subscribe(rnd *rand.Rand) {
	g.changes.Lock()
	defer g.changes.Unlock()
	topic := chaosTopics[rnd.IntN(len(chaosTopics))]
	g.mu.Lock()
	cancel := g.want[topic] > 0 && rnd.IntN(2) == 0
	if !cancel {
		g.want[topic]++
	}
	g.mu.Unlock()
	if !cancel {
		g.check("subscribe", g.Subscribe(topic))
		return
	}
	g.check("unsubscribe", g.Unsubscribe(topic))
	g.mu.Lock()
	g.want[topic]--
	g.now++
	g.left[topic] = g.now
	g.mu.Unlock()
}

// recvWishes receives an XPUB's subscriptions: for each topic they come and go in turn.
func (g *guest) recvWishes(rnd *rand.Rand) {
	wanted := make(map[string]bool)
	for !g.closing.Load() {
		ctx, cancel := g.b.moment(rnd)
		frames, err := g.Recv(ctx)
		cancel()
		if err != nil {
			g.check("receive", err, context.DeadlineExceeded)
			continue
		}
		if len(frames) != 1 || len(frames[0]) == 0 {
			g.b.t.Errorf("an XPUB received %.40q", frames)
			continue
		}
		topic, wants := string(frames[0][1:]), frames[0][0] == 1
		if wanted[topic] == wants {
			g.b.t.Errorf("an XPUB received %q twice in a row", frames[0])
		}
		wanted[topic] = wants
	}
}

// ask sends a question and awaits its answer.
func (g *guest) ask(ctx context.Context, rnd *rand.Rand, l letter) error {
	if err := g.say(ctx, rnd, l, g.lead(l.n)...); err != nil {
		return err
	}
	return g.await(ctx, l)
}

func (g *guest) await(ctx context.Context, l letter) error {
	for {
		got, err := g.hear(ctx, g.envelope())
		if err != nil {
			return err
		}
		g.b.took.Add(1)
		if !got.answer { // of another DEALER
			continue
		}
		if got.from == l.from && got.n == l.n {
			return nil
		}
		if (g.own || g.opt.Correlate) && got.from != l.from || got.from == l.from && got.n > l.n {
			g.b.t.Errorf("%v: the answer to %d of %d is to %d of %d", g.Type(), l.n, l.from, got.n, got.from)
		}
	}
}

// askSome asks until the socket is closed.
func (g *guest) askSome(rnd *rand.Rand) {
	from := g.b.ids.Add(1)
	var asked letter // whose answer may still come
	for n := uint64(1); !g.closing.Load(); n++ {
		l := letter{from: from, n: n, topic: topicOf(rnd)}
		ctx, cancel := g.b.moment(rnd)
		var err error
		if g.Type() == zmq.Req && asked.n > 0 && (!g.opt.Relaxed || rnd.IntN(2) == 0) {
			err = g.await(ctx, asked)
		} else if err = g.say(ctx, rnd, l, g.lead(n)...); err == nil {
			asked = l
			err = g.await(ctx, l)
		}
		cancel()
		if err == nil {
			asked = letter{}
		}
		g.check("ask", err, context.DeadlineExceeded)
	}
}

// lead is what stands before a DEALER's question.
func (g *guest) lead(n uint64) (lead [][]byte) {
	if g.Type() != zmq.Dealer {
		return nil
	}
	if g.b.number {
		lead = append(lead, binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
	return append(lead, []byte{})
}

// answerSome sends back what it receives, until the socket is closed.
func (g *guest) answerSome(rnd *rand.Rand) {
	for !g.closing.Load() {
		ctx, cancel := g.b.moment(rnd)
		envelope := g.envelope()
		l, err := g.hear(ctx, envelope)
		l.answer = true
		switch {
		case err != nil:
		case g.Type() == zmq.Rep: // which owes it
			err = g.say(context.Background(), rnd, l)
		default:
			err = g.say(ctx, rnd, l, envelope...)
		}
		cancel()
		g.check("answer", err, context.DeadlineExceeded, zmq.ErrUnroutable)
	}
}

// busy does what sockets of this type do.
func (g *guest) busy(rnd *rand.Rand, steady bool) {
	part := func(f func(*rand.Rand)) {
		own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		g.all.Go(func() { f(own) })
	}
	sends := func(rnd *rand.Rand) { g.sendSome(rnd, steady) }
	switch g.Type() {
	case zmq.Push, zmq.Pub:
		for range 1 + rnd.IntN(2) {
			part(sends)
		}
	case zmq.XPub:
		part(sends)
		part(g.recvWishes)
	case zmq.Pull, zmq.Sub, zmq.XSub:
		n := 1 + rnd.IntN(2)
		for range n {
			part(func(rnd *rand.Rand) { g.recvSome(rnd, n == 1) })
		}
	case zmq.Pair:
		part(sends)
		part(func(rnd *rand.Rand) { g.recvSome(rnd, true) })
	case zmq.Req, zmq.Dealer:
		part(g.askSome)
	case zmq.Rep, zmq.Router:
		part(g.answerSome)
	}
}

// live is the life of one socket.
func (b *bazaar) live(rnd *rand.Rand) {
	left := rnd.IntN(2) == 0
	types := b.right
	if left {
		types = b.left
	}
	g := b.open(rnd, types[rnd.IntN(len(types))], left, false)
	place := func() string { return b.places[rnd.IntN(len(b.places))] }
	if b.proxied {
		place = func() string {
			if left {
				return b.places[0]
			}
			return b.places[1]
		}
	}
	what := rnd.IntN(4)
	if b.proxied {
		what = rnd.IntN(2) * 3
	}
	g.connected, g.bound = what == 0, what == 1
	if g.Type() == zmq.Sub || g.Type() == zmq.XSub {
		g.subscribe(rnd)
	}
	switch what {
	case 0:
		g.check("connect", g.Connect(place()), zmq.ErrEndpoint)
	case 1:
		_, err := g.Bind(place())
		g.check("bind", err, zmq.ErrEndpoint)
	case 2: // to each place once
		for _, p := range b.places {
			if rnd.IntN(2) == 0 {
				g.check("connect", g.Connect(p), zmq.ErrEndpoint)
			}
		}
	}
	g.busy(rnd, what == 0 || what == 2)
	for range 1 + rnd.IntN(3) {
		own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		at := place
		if !b.proxied {
			at = func() string { return b.places[own.IntN(len(b.places))] }
		}
		g.all.Go(func() { g.meddle(own, what == 3, at) })
	}
	time.Sleep(time.Duration(rnd.IntN([]int{10_000, 150_000}[rnd.IntN(2)])) * time.Microsecond)
	g.close()
}

// meddle changes what a socket is connected to, if it may, and to what it is
// subscribed.
func (g *guest) meddle(rnd *rand.Rand, moves bool, place func() string) {
	for !g.closing.Load() {
		switch what := rnd.IntN(6); {
		case what == 0:
			if st := g.Stats(); st.Waiting < 0 || st.WaitingBytes < 0 || st.Unread < 0 {
				g.b.t.Errorf("a %v has %+v", g.Type(), st)
			}
		case what == 1 && (g.Type() == zmq.Sub || g.Type() == zmq.XSub):
			g.subscribe(rnd)
		case what == 2 && moves && !g.b.proxied:
			_, err := g.Bind(place())
			g.check("bind", err, zmq.ErrEndpoint)
		case what == 3 && moves:
			g.check("connect", g.Connect(place()), zmq.ErrEndpoint)
		case what == 4 && moves:
			g.b.soon("Unbind", func() { g.check("unbind", g.Unbind(place()), zmq.ErrEndpoint) })
		case what == 5 && moves:
			g.b.soon("Disconnect", func() { g.check("disconnect", g.Disconnect(place()), zmq.ErrEndpoint) })
		}
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
	}
}

// freePlaces are endpoints that nobody uses yet.
func freePlaces(t *testing.T, transport string, n int) (places []string) {
	dir := t.TempDir()
	for i := range n {
		switch transport {
		case "tcp":
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ln.Close() }()
			places = append(places, "tcp://"+ln.Addr().String())
		case "ipc":
			places = append(places, "ipc://"+filepath.Join(dir, fmt.Sprint(i)))
		default:
			places = append(places, fmt.Sprint("inproc://", i))
		}
	}
	return places
}

// residents makes the sockets that stay. What left sends, right receives, and the
// other way round: everything, in its order.
func (b *bazaar) residents() (left, right *guest, stop func()) {
	left, right = b.open(b.rnd, b.left[0], true, true), b.open(b.rnd, b.right[0], false, true)
	must := func(err error) {
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if !b.proxied {
		_, err := right.Bind(b.places[0])
		must(err)
		must(left.Connect(b.places[0]))
		return left, right, func() {}
	}
	types := [...]zmq.Type{zmq.Router, zmq.Dealer}
	if left.Type() == zmq.Sub {
		types = [...]zmq.Type{zmq.XPub, zmq.XSub}
	}
	o := zmq.Options{Namespace: b.names, Security: b.server, NoDrop: left.Type() == zmq.Sub, Mandatory: true}
	front := zmq.New(types[0], o)
	o.NoDrop, o.Mandatory, o.Security = false, false, b.client
	back := zmq.New(types[1], o)
	_, err := front.Bind(b.places[0])
	must(err)
	_, err = back.Bind(b.places[1])
	must(err)
	must(left.Connect(b.places[0]))
	must(right.Connect(b.places[1]))
	ended := make(chan error, 1)
	go func() { ended <- zmq.NewProxy(front, back, nil).Run(context.Background()) }()
	return left, right, func() {
		b.soon("Close of a proxy's socket", func() { _ = front.Close() })
		b.soon("Close of a proxy's socket", func() { _ = back.Close() })
		if err := <-ended; !errors.Is(err, zmq.ErrClosed) {
			b.t.Errorf("the proxy ended: %v", err)
		}
	}
}

// settle has the residents do what they do until over is closed, and checks that
// nothing is amiss with them. It calls known when they know each other. done waits for
// their end.
func (b *bazaar) settle(left, right *guest, over <-chan struct{}, known func()) (done func()) {
	var all sync.WaitGroup
	lrnd, rrnd := rand.New(rand.NewPCG(b.rnd.Uint64(), 0)), rand.New(rand.NewPCG(b.rnd.Uint64(), 0))
	ctx := b.ctx
	isOver := func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	stream := func(rnd *rand.Rand, g *guest) {
		from := b.ids.Add(1)
		for n, last := uint64(1), false; !last && !b.t.Failed(); n++ {
			last = isOver()
			l := letter{from: from, n: n, topic: topicOf(rnd), steady: true, last: last}
			b.soon("a resident's send", func() { g.check("a resident's send", g.say(ctx, rnd, l, g.aboutFrame(l)...), context.Canceled) })
		}
	}
	// What the first of residents sends arrives whole.
	whole := func(g *guest, from uint64) {
		var n uint64
		first := true
		for last := false; !last && !b.t.Failed(); {
			b.soon("a resident's receive", func() {
				l, err := g.hear(ctx, g.envelope())
				if err != nil {
					g.check("a resident's receive", err, context.Canceled)
					last = true
					return
				}
				if l.from != from {
					return
				}
				if !first && l.n != n+1 {
					b.t.Errorf("a resident received %d after %d", l.n, n)
				}
				if first {
					known()
				}
				n, first, last = l.n, false, l.last
			})
		}
	}
	next := b.ids.Load() + 1
	switch left.Type() {
	case zmq.Push:
		all.Go(func() { stream(lrnd, left) })
		all.Go(func() { whole(right, next) })
	case zmq.Sub:
		left.check("subscribe", left.Subscribe(""))
		all.Go(func() { stream(rrnd, right) })
		all.Go(func() { whole(left, next) })
	case zmq.Pair:
		from := b.ids.Add(1)
		right.all.Go(func() {
			for n := uint64(1); ctx.Err() == nil; n++ {
				right.check("a resident's send", right.say(ctx, rrnd, letter{from: from, n: n, topic: topicOf(rrnd)}), context.Canceled)
			}
		})
		right.all.Go(func() {
			for ctx.Err() == nil {
				_, err := right.hear(ctx, nil)
				right.check("a resident's receive", err, context.Canceled)
			}
		})
		all.Go(func() { stream(lrnd, left) })
		all.Go(func() {
			var n uint64
			for !isOver() {
				b.soon("a resident's receive", func() {
					if l, err := left.hear(ctx, nil); err != nil || l.from != from || l.n != n+1 {
						b.t.Errorf("a resident received %+v after %d: %v", l, n, err)
					}
					n++
					known()
				})
			}
		})
	default:
		right.all.Go(func() { right.answerSome(rrnd) })
		all.Go(func() {
			from := b.ids.Add(1)
			for n := uint64(1); !isOver() && !b.t.Failed(); n++ {
				l := letter{from: from, n: n, topic: topicOf(lrnd)}
				b.soon("an answer to a resident", func() {
					err := context.DeadlineExceeded
					if !b.proxied {
						err = left.ask(ctx, lrnd, l)
					}
					for b.proxied && errors.Is(err, context.DeadlineExceeded) {
						// Who had the question may have left.
						short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
						err = left.ask(short, lrnd, l)
						cancel()
					}
					left.check("ask", err, context.Canceled)
				})
				known()
			}
		})
	}
	return func() {
		all.Wait()
		b.cancel()
	}
}

// run opens the bazaar for so many lives.
func (b *bazaar) run(lives int) {
	left, right, stop := b.residents()
	over, known := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done := b.settle(left, right, over, func() { once.Do(func() { close(known) }) })
	select {
	case <-known:
	case <-time.After(chaosPatience):
		b.t.Error("the residents do not get to know each other")
	}
	var guests sync.WaitGroup
	var count atomic.Int64
	count.Store(int64(lives))
	for range 10 {
		rnd := rand.New(rand.NewPCG(b.rnd.Uint64(), 0))
		guests.Go(func() {
			for count.Add(-1) >= 0 && !b.t.Failed() {
				b.live(rnd)
			}
		})
	}
	guests.Wait()
	close(over)
	done()
	left.close()
	right.close()
	stop()
	b.t.Logf("guests received %d letters", b.took.Load())
}

// Sockets come and go at a few endpoints, bind and connect, take that back and close
// at any time, while others send and receive: what arrives is right, whole and in its
// order, two sockets that stay notice nothing, nothing hangs, and nothing is left.
func TestSocketChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", seed)
	for i, tr := range trades {
		for j, transport := range []string{"tcp", "ipc", "inproc"} {
			t.Run(tr.name+"/"+transport, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, uint64(3*i+j)))
				for lives := *chaosLives; lives > 0 && !t.Failed(); lives -= livesAtOnce {
					before := zmq.Outstanding()
					b := &bazaar{trade: tr, t: t, rnd: rnd, names: new(zmq.Namespace), seen: make(map[uint64]map[uint64]bool)}
					b.ctx, b.cancel = context.WithCancel(context.Background())
					b.places = freePlaces(t, transport, 3)
					b.number = rnd.IntN(2) == 0 || tr.proxied
					if rnd.IntN(2) == 0 {
						b.pool = arena.NewPool(arena.PoolOptions{})
					}
					switch keys := zmq.NewKeyPair(); rnd.IntN(3) {
					case 1:
						b.client, b.server = zmq.PlainClient("me", "word"), zmq.PlainServer(zmq.AllowUsers(map[string]string{"me": "word"}))
					case 2:
						b.client, b.server = zmq.CurveClient(zmq.NewKeyPair(), keys.Public()), zmq.CurveServer(keys, zmq.AllowAny)
					}
					b.run(min(lives, livesAtOnce))
					if t.Failed() {
						return
					}
					until(t, "all buffers are back", func() bool { return zmq.Outstanding() == before })
					if b.pool != nil {
						until(t, "all blocks are back", func() bool { blocks, _ := b.pool.Outstanding(); return blocks == 0 })
					}
				}
			})
		}
	}
}
