package interop_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/zmq"
)

var (
	chaosSessions = flag.Int("chaos", 10, "how many sessions TestChaos has")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what it begins with; 0 for any")
	// In about one of 500 storms libzmq 4.3.4 ends itself or connects no more.
	chaosStorms = flag.Bool("chaos.storms", false, "whether TestChaos has storms, of which libzmq does not survive each")
)

// chaosPatience is how long a session may take until it counts as hanging.
const chaosPatience = time.Minute

// A trade is what the sockets of a session do: those of the left talk to all of the
// right.
type trade struct {
	name        string
	left, right []string
}

var trades = []trade{
	{"work", []string{"PUSH"}, []string{"PULL"}},
	{"news", []string{"PUB", "XPUB"}, []string{"SUB", "XSUB"}},
	{"questions", []string{"REQ", "DEALER"}, []string{"REP", "ROUTER"}},
	{"talk", []string{"DEALER"}, []string{"DEALER"}},
	{"pair", []string{"PAIR"}, []string{"PAIR"}},
}

// A phase of a session.
type phase int32

const (
	storm   phase = iota // sockets come and go, and connections break
	meeting              // nothing of that any more: everybody hears of everybody
	strict               // so that from now on everything that is sent arrives
)

// How many letters everybody has to hear from everybody until they have met.
const acquainted = 3

// A session is some sockets of ours and of libzmq's that talk to each other. What may
// happen in it is found out by chance first.
type session struct {
	trade
	t         *testing.T
	transport string
	places    []*place
	seats     []*seat
	pool      *arena.Pooled // nil if frames are sent and not messages
	stormy    bool
	moves     bool // sockets give endpoints up
	lossy     bool // who is to send may drop
	beats     bool // heartbeats are sent
	lives     int  // how often each PUSH that connects lives while nothing may be lost
	quota     int  // letters of each sender then
	labels    int  // frames before a question's delimiter, of a DEALER; REQs correlate if it is not 0
	window    int  // questions of a DEALER that are not answered
	linger    time.Duration

	calm   chan struct{} // closed at the end of the storm
	now    atomic.Int32  // the phase
	ids    atomic.Uint64
	ctx    context.Context
	cancel context.CancelFunc

	talk struct {
		sync.RWMutex
		*talker
	}

	mu      sync.Mutex
	sent    map[letter]*record
	open    int // strict letters that have not arrived
	heard   map[[2]uint64]int
	ended   map[[2]uint64]bool
	news    map[uint64][]letter // by publisher; nil of one of libzmq
	markers map[string]bool
	busy    int // senders that have not sent everything
	arrived int
}

// A record is what is known of a letter that was sent.
type record struct {
	words []string
	came  bool
}

// A seat is where one socket is after another.
type seat struct {
	s         *session
	left, hub bool
	makers    []bool   // whose its sockets are: theirs or not
	places    []*place // where it binds, or connects to
	types     []string // which its sockets may have
	id        []byte   // the routing id of all its sockets

	mu sync.Mutex
	b  *being
}

// A being is a socket with what is known of it.
type being struct {
	*seat
	socket
	typ    string
	theirs bool
	number uint64
	fronts []string // what it is connected to
	ctx    context.Context
	stop   context.CancelFunc
	all    sync.WaitGroup

	came map[uint64]uint64 // by whom: what came last; the receiver's

	askMu sync.Mutex
	asked map[uint64][][]byte // DEALER: the envelopes of questions that are not answered
	told  chan struct{}
}

func (s *session) phase() phase { return phase(s.now.Load()) }

// fail tells what is wrong, and ends the session.
func (s *session) fail(format string, args ...any) {
	s.t.Errorf(format, args...)
	s.cancel()
}

func (s *session) died(log string) { s.fail("libzmq's process ended: %s", log) }

func (b *being) String() string {
	who := "our"
	if b.theirs {
		who = "their"
	}
	return fmt.Sprintf("%s %s %d", who, b.typ, b.number)
}

func newSession(t *testing.T, rnd *rand.Rand) *session {
	s := &session{
		trade: trades[rnd.IntN(len(trades))], t: t,
		transport: []string{"tcp", "ipc"}[rnd.IntN(2)],
		stormy:    rnd.IntN(2) == 0 && *chaosStorms,
		moves:     rnd.IntN(2) == 0,
		beats:     rnd.IntN(3) == 0,
		lives:     1, quota: 20 + rnd.IntN(100),
		labels: rnd.IntN(2), window: 1 + rnd.IntN(8),
		linger: []time.Duration{0, time.Millisecond, 20 * time.Millisecond}[rnd.IntN(3)],
		calm:   make(chan struct{}), sent: make(map[letter]*record), heard: make(map[[2]uint64]int), ended: make(map[[2]uint64]bool),
		news: make(map[uint64][]letter), markers: make(map[string]bool),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	switch s.name {
	case "news":
		s.lossy = rnd.IntN(3) == 0
	case "questions":
		s.lossy = rnd.IntN(4) == 0
		if s.stormy || s.lossy {
			s.labels = 1 // REQs that ask again need to correlate
		}
	case "work":
		// Over ipc, a PULL of libzmq that is at its mark loses what the kernel has
		// when the other end closes. What was with the kernel is lost, too, if that
		// end closes before it has read a PING.
		if !s.stormy && !s.beats && s.transport == "tcp" && rnd.IntN(2) == 0 {
			s.lives = 1 + rnd.IntN(4)
		}
	}
	if rnd.IntN(2) == 0 {
		s.pool = arena.NewPool(arena.PoolOptions{})
	}
	hubs, spokes := 1+rnd.IntN(2), 1+rnd.IntN(3)
	if s.name == "pair" {
		hubs, spokes = 1, 1
	}
	dir, err := os.MkdirTemp("", "zmq")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	leftIsHub := rnd.IntN(2) == 0
	for i := range hubs {
		p := newPlace(t, s.transport, dir, i, s.stormy)
		s.places = append(s.places, p)
		s.seats = append(s.seats, &seat{s: s, left: leftIsHub, hub: true, places: []*place{p}})
	}
	for range spokes {
		s.seats = append(s.seats, &seat{s: s, left: !leftIsHub, places: s.places})
	}
	mixed, swapped := rnd.IntN(4) == 0, rnd.IntN(2) == 0
	for i, seat := range s.seats {
		if seat.makers = []bool{seat.left != swapped}; mixed {
			seat.makers = []bool{true, false}
		}
		if rnd.IntN(2) == 0 {
			seat.id = fmt.Appendf(nil, "seat %d", i)
		}
		if s.name == "pair" && s.stormy {
			// A PAIR of libzmq to which a second connects leaves that connection open
			// and never reads it, also when the first is gone.
			seat.makers = []bool{!seat.hub}
		}
		if seat.types = s.right; seat.left {
			seat.types = s.left
		}
		if s.name == "questions" {
			// One may get an answer to who had its routing id before. A REQ of libzmq
			// does not connect again after one that is not for a REQ.
			seat.types = seat.types[rnd.IntN(2):][:1]
			if seat.left && seat.hub && slices.Contains(seat.makers, true) && (s.stormy || s.lossy) {
				// A REQ of libzmq that asks again parts with whom it asked, and, where
				// it is bound, leaves that connection open and never uses it.
				seat.types = []string{"DEALER"}
			}
		}
	}
	s.talk.talker = talkTo(startPeer(t, "c"), s.died)
	return s
}

func (s *session) String() string {
	return fmt.Sprintf("%s over %s: %d hubs, %d seats, left binds %v, messages %v, stormy %v, moves %v, lossy %v, heartbeats %v, lives %d, quota %d, labels %d, window %d",
		s.name, s.transport, len(s.places), len(s.seats), s.seats[0].left, s.pool != nil, s.stormy, s.moves, s.lossy, s.beats, s.lives, s.quota, s.labels, s.window)
}

func someMark(rnd *rand.Rand) int {
	if rnd.IntN(2) == 0 {
		return 1 + rnd.IntN(4)
	}
	return 1 + rnd.IntN(1000)
}

// marks are a socket's high-water marks. A REP, and a ROUTER that is not mandatory,
// drop what has no room; the marks are such that this does not happen, unless the
// session is lossy. One of libzmq may learn late that messages have left, and drops
// however few wait: it gets no mark, which is 0.
func (s *session) marks(rnd *rand.Rand, typ string, mandatory, theirs bool) (send, recv int) {
	send, recv = someMark(rnd), someMark(rnd)
	if (typ == "REP" || typ == "ROUTER" && !mandatory) && !s.lossy {
		switch {
		case theirs:
			send = 0
		case s.stormy:
			send = 1000 // for answers to questions that are not waited for any more
		default:
			send = max(send, 2*s.window)
		}
	}
	return send, recv
}

// born makes a socket, binds or connects it, and has it do what its type does.
func (e *seat) born(rnd *rand.Rand, theirs bool) *being {
	s := e.s
	b := &being{seat: e, typ: e.types[rnd.IntN(len(e.types))], theirs: theirs, number: s.ids.Add(1), came: make(map[uint64]uint64), asked: make(map[uint64][][]byte), told: make(chan struct{}, 1)}
	b.ctx, b.stop = context.WithCancel(s.ctx)
	mandatory := b.typ == "ROUTER" && (!s.lossy || rnd.IntN(2) == 0) && rnd.IntN(4) > 0
	send, recv := s.marks(rnd, b.typ, mandatory, theirs)
	relaxed := b.typ == "REQ" && (s.stormy || s.lossy)
	correlate := b.typ == "REQ" && s.labels > 0
	id := e.id
	if b.typ != "REQ" && b.typ != "DEALER" {
		id = nil
	}
	if theirs {
		s.talk.RLock()
		k := s.talk.talker
		s.talk.RUnlock()
		o := &chaosTheirs{k: k, name: fmt.Sprintf("s%d", b.number), typ: b.typ, segments: s.pool != nil}
		b.socket = o
		_, err := k.order("new", o.name, b.typ)
		b.check("new", err)
		set := func(option string, value int) { b.check(option, o.order("set", option, fmt.Sprintf("int:%d", value))) }
		if b.typ != "SUB" && b.typ != "XSUB" {
			// A subscriber of libzmq drops subscriptions at its mark for sending.
			set("SNDHWM", send)
		}
		set("RCVHWM", recv)
		set("RECONNECT_IVL", 1+rnd.IntN(10))
		if s.beats && !s.stormy {
			// When a connection breaks that it does not read because nobody receives,
			// libzmq 4.3.4 aborts at the time of its next heartbeat: !_io_error.
			set("HEARTBEAT_IVL", 1+rnd.IntN(20))
			set("HEARTBEAT_TIMEOUT", 30_000)
		}
		switch {
		case b.typ == "ROUTER" || b.typ == "REP":
			// Without handover they never hear of a peer whose routing id was in use
			// when it came; it does not learn of that.
			set("ROUTER_HANDOVER", 1)
			if mandatory {
				set("ROUTER_MANDATORY", 1)
			}
		case b.typ == "PUB" || b.typ == "XPUB":
			if !s.lossy {
				set("XPUB_NODROP", 1)
			}
		}
		if relaxed {
			set("REQ_RELAXED", 1)
		}
		if correlate {
			set("REQ_CORRELATE", 1)
		}
		if id != nil {
			b.check("ROUTING_ID", o.order("set", "ROUTING_ID", hexOption(string(id))))
		}
	} else {
		typ, err := zmq.ParseType(b.typ)
		b.check("type", err)
		o := zmq.Options{
			SendHighWater: send, RecvHighWater: recv,
			ReconnectInterval: time.Duration(1+rnd.IntN(5)) * time.Millisecond, ReconnectMax: 20 * time.Millisecond,
			Linger: s.linger, RoutingID: id, Relaxed: relaxed, Correlate: correlate,
			Immediate: rnd.IntN(4) == 0 && s.lives == 1,
			Mandatory: mandatory, Handover: b.typ == "ROUTER" && rnd.IntN(2) == 0,
		}
		if o.Linger == 0 {
			o.Linger = -1
		}
		if s.lives > 1 {
			o.Linger = chaosPatience
		}
		if s.beats {
			o.HeartbeatInterval = time.Duration(1+rnd.IntN(20)) * time.Millisecond
		}
		o.NoDrop = (b.typ == "PUB" || b.typ == "XPUB") && !s.lossy
		b.socket = &chaosOurs{Socket: zmq.New(typ, o), pool: s.pool, envelope: b.envelope()}
	}
	if b.typ == "SUB" || b.typ == "XSUB" {
		b.check("subscribe", b.subscribe("z", false))
	}
	if e.hub {
		b.bindAgain()
	} else {
		for _, p := range e.places {
			b.fronts = append(b.fronts, p.front(rnd))
			b.check("connect", b.connect(b.fronts[len(b.fronts)-1]))
		}
	}
	return b
}

// envelope is how many frames stand before the segments of what it receives.
func (b *being) envelope() int {
	switch b.typ {
	case "XPUB":
		return -1
	case "DEALER":
		if b.s.name == "questions" {
			return b.s.labels + 2
		}
	case "ROUTER":
		return b.s.labels + 3
	}
	return 1
}

// bindAgain binds, as soon as whoever was there before has left, which takes libzmq
// some time.
func (b *being) bindAgain() {
	at := b.places[0].at
	for wait := time.Duration(0); ; {
		err := b.bind(at)
		if err == nil || errors.Is(err, errKilled) {
			return
		}
		if !errors.Is(err, zmq.ErrEndpoint) && !strings.Contains(err.Error(), "in use") {
			b.s.fail("%v: %v", b, err)
			return
		}
		if again(b.s.ctx, &wait) != nil {
			return
		}
	}
}

// check tells of an error that must not be.
func (b *being) check(what string, err error) bool {
	if err == nil {
		return true
	}
	if b.ctx.Err() == nil && !errors.Is(err, errKilled) && !errors.Is(err, context.DeadlineExceeded) {
		b.s.fail("%v: %s: %v", b, what, err)
	}
	return false
}

// sit has another socket take a seat. The caller has the seat's lock.
func (e *seat) sit(rnd *rand.Rand) {
	e.b = e.born(rnd, e.makers[rnd.IntN(len(e.makers))])
	e.b.act(rnd)
}

// meddle has sockets of a seat come and go, or give endpoints up.
func (e *seat) meddle(rnd *rand.Rand) {
	s := e.s
	for s.ctx.Err() == nil {
		select {
		case <-time.After(time.Duration(rnd.IntN(50_000)) * time.Microsecond):
		case <-s.calm:
			return
		}
		e.mu.Lock()
		b := e.b
		switch what := rnd.IntN(4); {
		case what == 0:
			b.end([]time.Duration{0, s.linger}[rnd.IntN(2)])
			e.sit(rnd)
		case what == 1 && s.moves && e.hub:
			b.check("unbind", b.unbind(e.places[0].at))
			b.bindAgain()
		case what == 2 && s.moves && !e.hub && !(b.theirs && b.typ == "PAIR"):
			// A PAIR of libzmq never connects again that has not got rid yet of what
			// it was connected to.
			i := rnd.IntN(len(b.fronts))
			b.check("disconnect", b.disconnect(b.fronts[i]))
			b.fronts[i] = e.places[i].front(rnd)
			b.check("connect", b.connect(b.fronts[i]))
		}
		e.mu.Unlock()
	}
}

// rage is a storm.
func (s *session) rage(rnd *rand.Rand) {
	var all sync.WaitGroup
	for _, e := range s.seats {
		own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		all.Go(func() { e.meddle(own) })
	}
	for range 1 + rnd.IntN(5) {
		select {
		case <-time.After(time.Duration(rnd.IntN(60)) * time.Millisecond):
		case <-s.ctx.Done():
		}
		if rnd.IntN(5) > 0 {
			s.places[rnd.IntN(len(s.places))].relay.cut()
			continue
		}
		s.talk.end()
		s.talk.Lock()
		s.talk.talker = talkTo(startPeer(s.t, "c"), s.died)
		s.talk.Unlock()
		for _, e := range s.seats {
			e.mu.Lock()
			if e.b.theirs {
				e.b.end(0)
				e.sit(rnd)
			}
			e.mu.Unlock()
		}
	}
	close(s.calm)
	all.Wait()
	s.now.Store(int32(meeting))
}

// sides are the sockets of both sides.
func (s *session) sides() (left, right []*being) {
	for _, e := range s.seats {
		if e.left {
			left = append(left, e.b)
		} else {
			right = append(right, e.b)
		}
	}
	return left, right
}

// knows tells whether everybody has heard of everybody.
func (s *session) knows(ok func(hearer, from uint64) bool) bool {
	left, right := s.sides()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range left {
		for _, r := range right {
			ltor, rtol := true, s.name != "work" && s.name != "news"
			if s.name == "questions" {
				ltor = false
			}
			if ltor && !ok(r.number, l.number) || rtol && !ok(l.number, r.number) {
				return false
			}
		}
	}
	return true
}

// await waits for something that must come.
func (s *session) await(ok func() bool) {
	for !ok() && s.ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// run runs a session.
func (s *session) run(rnd *rand.Rand) {
	watch := time.AfterFunc(chaosPatience, func() {
		fmt.Fprintf(os.Stderr, "a session hangs in phase %d: %v\n", s.phase(), s)
		s.describe()
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic("a session hangs")
	})
	defer watch.Stop()
	if !s.stormy {
		s.now.Store(int32(meeting))
	}
	for _, e := range s.seats {
		e.sit(rnd)
	}
	if s.stormy {
		s.rage(rnd)
	}
	s.await(func() bool {
		return s.knows(func(hearer, from uint64) bool { return s.heard[[2]uint64{hearer, from}] >= acquainted })
	})
	left, right := s.sides()
	s.mu.Lock()
	switch s.name {
	case "talk", "pair":
		s.busy = len(left) + len(right)
	default:
		s.busy = len(left)
	}
	s.mu.Unlock()
	s.now.Store(int32(strict))
	idle := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.busy == 0
	}
	s.await(idle)
	for range s.lives - 1 {
		// Those that connect close when everything is sent, and lose nothing.
		for _, e := range s.seats {
			if !e.hub && e.left {
				e.b.end(-time.Millisecond)
				s.mu.Lock()
				s.busy++
				s.mu.Unlock()
				e.sit(rnd)
			}
		}
		s.await(idle)
	}
	s.await(func() bool {
		if s.name == "news" {
			return s.knows(func(hearer, from uint64) bool { return s.ended[[2]uint64{hearer, from}] })
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.open == 0
	})
	s.cancel()
	if s.beats {
		s.talk.end() // before ours close, for the reason told at HEARTBEAT_IVL
	}
	for _, e := range s.seats {
		e.b.end(0)
	}
	s.talk.end()
	for _, p := range s.places {
		if p.relay != nil {
			p.relay.close()
		}
	}
}

// describe tells what is known of a session that hangs.
func (s *session) describe() {
	got := make(chan string, 1)
	go func() {
		state, err := s.talk.order("state")
		got <- fmt.Sprint(state, err)
	}()
	select {
	case state := <-got:
		fmt.Fprintln(os.Stderr, "libzmq's:", state)
	case <-time.After(5 * time.Second):
		fmt.Fprintln(os.Stderr, "the peer does not answer")
	}
	for _, e := range s.seats {
		if e.b == nil {
			fmt.Fprintln(os.Stderr, "nobody has taken this seat yet")
		} else if o, ok := e.b.socket.(*chaosOurs); ok {
			fmt.Fprintf(os.Stderr, "%v: %+v\n", e.b, o.Stats())
		} else {
			fmt.Fprintf(os.Stderr, "%v\n", e.b)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for l, r := range s.sent {
		if !r.came {
			fmt.Fprintf(os.Stderr, "letter %d of %d has not arrived, which is an answer: %v: %.200q\n", l.n, l.from, l.answer, r.words)
		}
	}
	fmt.Fprintf(os.Stderr, "%d senders are busy, %d letters have not arrived; heard of: %v; to the end: %v\n", s.busy, s.open, s.heard, s.ended)
}

// Sockets of ours and of libzmq talk to each other. In storms they come and go, give
// endpoints up and take them again, connections break and libzmq's process is killed.
// What arrives is whole, arrives once and in order; after a storm everybody
// hears of everybody again, and from then on everything that is sent arrives.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	arrived := 0
	for i := range *chaosSessions {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		before := zmq.Outstanding()
		s := newSession(t, rnd)
		s.run(rnd)
		arrived += s.arrived
		if !t.Failed() {
			until(t, "all buffers are back", func() bool { return zmq.Outstanding() == before })
			if s.pool != nil {
				until(t, "all blocks are back", func() bool { blocks, _ := s.pool.Outstanding(); return blocks == 0 })
			}
		}
		if t.Failed() {
			t.Fatalf("-chaos.seed %d, session %d: %v", seed, i, s)
		}
	}
	t.Logf("-chaos.seed %d: %d letters arrived", seed, arrived)
}
