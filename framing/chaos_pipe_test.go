package framing_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/spin"
	"github.com/fairlead-go/fairlead/segment"
)

// A line is pipes: one, or two with somebody between who passes on what comes.
type line struct {
	*chaos
	ends    []*end
	most    int         // files that everybody takes with each message; -1: now more, now less
	trouble atomic.Bool // an end was closed, or a connection failed
	all     sync.WaitGroup
}

// An end of a pipe, with what went and what came.
type end struct {
	*line
	p        *framing.Pipe
	o        framing.PipeOptions
	speakers []*speaker
	closing  atomic.Bool
	closeErr error
	lossy    bool // at its end something may be missing

	failures atomic.Uint64 // calls that failed
	accepted atomic.Uint64 // messages
	unsure   atomic.Uint64 // messages that were accepted or not
	came     atomic.Uint64 // messages

	mu      sync.Mutex
	heard   map[uint64]map[uint64]bool // what came of each speaker
	leftOut uint64                     // by VerifyOnRecv
	atEnd   bool                       // io.EOF came
	kept    map[*segment.Message]note
}

// A fate is what Send said of a note.
type fate uint8

const (
	sent fate = iota + 1
	perhaps
	never
)

// A speaker is a goroutine that sends.
type speaker struct {
	id     uint64
	fates  []fate // of note 1 and those behind it
	faulty map[uint64]bool
}

var errNote = errors.New("a note with a fault")

// spoil gives a message a fault.
func spoil(msg *segment.Message) {
	msg.Fail(errNote)
	_ = msg.Err() // or its release tells of it
}

// moment is a context that ends at any time.
func moment(rnd *rand.Rand) (context.Context, context.CancelFunc) {
	switch rnd.IntN(6) {
	case 0, 1:
		return context.WithTimeout(context.Background(), time.Duration(rnd.IntN(300))*time.Microsecond)
	case 2:
		return context.WithTimeout(context.Background(), time.Duration(rnd.IntN(5000))*time.Microsecond)
	case 3:
		return context.WithCancel(context.Background())
	}
	return context.Background(), func() {}
}

// end makes an end with any options.
func (l *line) end(rnd *rand.Rand, conn net.Conn, lossy bool) *end {
	o := framing.PipeOptions{
		VerifyOnRecv: rnd.IntN(3) == 0,
		Arena:        l.pool,
		ManualFlush:  rnd.IntN(3) == 0,
		HighWater:    []int{0, 1, 1 + rnd.IntN(3000), 100_000}[rnd.IntN(4)],
		Linger:       []time.Duration{-1, time.Millisecond, 0}[rnd.IntN(3)], // 0 is a second, in which both may wait for a reader
	}
	if rnd.IntN(8) == 0 {
		o.Limits.MessageBytes = 20_000
	}
	return &end{
		line: l, o: o, p: framing.NewPipe(conn, o), lossy: lossy,
		heard: make(map[uint64]map[uint64]bool), kept: make(map[*segment.Message]note),
	}
}

// isOver tells whether the error of a call is one that nothing works after, and tells
// of errors that must not be.
func (e *end) isOver(ctx context.Context, what string, err error) bool {
	if err == nil {
		return false
	}
	e.failures.Add(1)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return false
	case errors.Is(err, framing.ErrClosed) && e.closing.Load():
	case errors.Is(err, framing.ErrDisconnected) && e.trouble.Load():
	default:
		e.t.Errorf("%s: %v", what, err)
	}
	return true
}

// speak sends until it has said enough or the pipe ends.
func (e *end) speak(s *speaker, rnd *rand.Rand) {
	for range 1 + rnd.IntN(60) {
		ctx, cancel := moment(rnd)
		var over bool
		if rnd.IntN(5) == 0 {
			over = e.sayMany(ctx, s, rnd)
		} else {
			over = e.sayOne(ctx, s, rnd)
		}
		cancel()
		if over || rnd.IntN(4) == 0 && e.flush(s) {
			return
		}
		if rnd.IntN(30) == 0 {
			time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond)
		}
	}
	e.flush(s)
}

// flush also looks whether what was accepted is written then.
func (e *end) flush(s *speaker) (over bool) {
	err := e.p.Flush()
	var n uint64
	for _, f := range s.fates {
		if f == sent {
			n++
		}
	}
	if is := e.p.Stats().Sent; err == nil && is < n {
		e.t.Errorf("after Flush %d messages are sent, %d of one goroutine were accepted", is, n)
	}
	return e.isOver(context.Background(), "Flush", err)
}

// note is the next of a speaker.
func (e *end) note(s *speaker, rnd *rand.Rand) note {
	s.fates = append(s.fates, never)
	k := note{from: s.id, n: uint64(len(s.fates))}
	if rnd.IntN(20) == 0 {
		k.faulty = true
		s.faulty[k.n] = true
	} else {
		k.size = someSize(rnd)
	}
	return k
}

// fated keeps what became of note n.
func (e *end) fated(s *speaker, n uint64, f fate) {
	s.fates[n-1] = f
	switch f {
	case sent:
		e.accepted.Add(1)
	case perhaps:
		e.unsure.Add(1)
	}
}

func (e *end) sayOne(ctx context.Context, s *speaker, rnd *rand.Rand) (over bool) {
	k := e.note(s, rnd)
	if rnd.IntN(20) == 0 {
		msg := e.build(rnd, k, e.p.NewMessage)
		spoil(msg)
		err := e.p.Send(ctx, msg)
		if errors.Is(err, errNote) {
			e.failures.Add(1)
			return false
		}
		if err == nil {
			e.t.Error("a message with a fault was sent")
		}
		return e.isOver(ctx, "Send of a message with a fault", err)
	}
	var err error
	if !k.faulty && rnd.IntN(5) == 0 {
		k.files = rnd.Uint64N(1 << chaosFiles)
		var files []*os.File
		for i, f := range e.files {
			if k.files>>i&1 != 0 {
				files = append(files, f)
			}
		}
		err = e.p.SendFiles(ctx, e.build(rnd, k, e.p.NewMessage), files)
		if unsupported := errors.Is(err, errors.ErrUnsupported); unsupported || err == nil {
			if unsupported != (len(files) > e.p.MaxFiles()) {
				e.t.Errorf("%d files of %d: %v", len(files), e.p.MaxFiles(), err)
			}
			if unsupported {
				e.failures.Add(1)
				return false
			}
		}
	} else {
		err = e.p.Send(ctx, e.build(rnd, k, e.p.NewMessage))
	}
	switch {
	case err == nil:
		e.fated(s, k.n, sent)
	case e.isOver(ctx, "Send", err):
		e.fated(s, k.n, perhaps)
		return true
	}
	return false
}

func (e *end) sayMany(ctx context.Context, s *speaker, rnd *rand.Rand) (over bool) {
	var msgs []*segment.Message
	var notes []note
	n := rnd.IntN(12)
	whole := n // before the first with a fault
	for i := range n {
		k := e.note(s, rnd)
		notes = append(notes, k)
		msgs = append(msgs, e.build(rnd, k, e.p.NewMessage))
		if rnd.IntN(100) == 0 {
			spoil(msgs[i])
			whole = min(whole, i)
		}
	}
	err := e.p.SendAll(ctx, msgs)
	for _, m := range msgs {
		if m != nil {
			e.t.Error("SendAll left a message")
		}
	}
	f := sent
	switch {
	case err == nil && whole < n:
		e.t.Error("SendAll of a message with a fault says nothing")
	case errors.Is(err, errNote) && whole < n:
		e.failures.Add(1)
	case e.isOver(context.Background(), "SendAll", err):
		over, f = true, perhaps
	}
	for _, k := range notes[:whole] {
		e.fated(s, k.n, f)
	}
	return over
}

// pass sends on what comes to one end by another, until one of them ends.
func (e *end) pass(to *end, rnd *rand.Rand) {
	defer to.close()
	defer e.close()
	for {
		ctx, cancel := moment(rnd)
		msgs := make([]*segment.Message, 1+rnd.IntN(4))
		var files []*os.File
		var n int
		var err error
		if e.most < 0 && rnd.IntN(2) == 0 {
			n, err = e.p.RecvAll(ctx, msgs)
		} else if msgs[0], files, err = e.p.RecvFiles(ctx, max(e.most, 0)); err == nil {
			n = 1
		}
		cancel()
		switch {
		case err == nil:
		case err == io.EOF:
			return
		case errors.Is(err, segment.ErrMalformed) && e.o.VerifyOnRecv:
			e.failures.Add(1)
			continue
		case errors.Is(err, segment.ErrLimit) && e.o.Limits.MessageBytes > 0,
			errors.Is(err, io.ErrUnexpectedEOF) && e.trouble.Load():
			e.failures.Add(1)
			return
		case e.isOver(ctx, "Recv of what is passed on", err):
			return
		default:
			continue
		}
		ctx = context.Background()
		if to.p.MaxFiles() == 0 {
			closeAll(files)
			files = nil
		}
		if n > 1 || rnd.IntN(4) == 0 && files == nil {
			err = to.p.SendAll(ctx, msgs[:n])
		} else if err = to.p.SendFiles(ctx, msgs[0], files); files != nil || to.o.ManualFlush {
			if to.p.Flush() != nil { // so does the next Send
				to.failures.Add(1)
			}
		}
		closeAll(files)
		if err == nil {
			to.accepted.Add(uint64(n))
		} else {
			to.unsure.Add(uint64(n))
			to.isOver(ctx, "passing on", err)
			return
		}
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// close closes an end, as may be done more than once and at any time.
func (e *end) close() {
	e.trouble.Store(true)
	e.closing.Store(true)
	err := e.p.Close()
	if err != nil && !errors.Is(err, framing.ErrClosed) && !errors.Is(err, framing.ErrDisconnected) {
		var op *net.OpError // the peer was first
		if !errors.As(err, &op) {
			e.t.Errorf("Close: %v", err)
		}
	}
	e.mu.Lock()
	e.closeErr = err
	e.mu.Unlock()
}

// connect makes a pipe, of which each end may be rough.
func (l *line) connect(network string, rnd *rand.Rand) {
	below := network
	if network == "tls" {
		below = "tcp" // and above, no Read would be without a handshake
	}
	x, y := conns(l.t, below)
	lossy := [2]bool{}
	for i, c := range []*net.Conn{&x, &y} {
		if rnd.IntN(3) == 0 {
			lossy[i] = below == "tcp" // the pipe cannot ask what it is whether it was reset
			r := newRough(rnd, *c, func() { l.trouble.Store(true) })
			r.honest = network == "tls"
			*c = r
		}
	}
	if network == "tls" {
		server, client := certificate(l.t)
		for i, c := range []*net.Conn{&x, &y} {
			if rnd.IntN(2) == 0 { // which tells how TLS ended
				*c, lossy[i] = spin.NewSocket(*c), false
			}
		}
		x, y = tls.Client(x, client), tls.Server(y, server)
	}
	l.ends = append(l.ends, l.end(rnd, x, lossy[0]), l.end(rnd, y, lossy[1]))
}

// talk is one session over a network.
func (c *chaos) talk(network string, rnd *rand.Rand) {
	l := &line{chaos: c, most: -1}
	for range 1 + rnd.IntN(4)/3 {
		l.connect(network, rnd)
	}
	if rnd.IntN(2) == 0 {
		l.most = 1 + rnd.IntN(chaosFiles)
	}
	for _, e := range l.ends {
		if e.p.MaxFiles() == 0 {
			l.most = -1
		}
	}
	seeds := func() *rand.Rand { return rand.New(rand.NewPCG(rnd.Uint64(), 0)) }
	if len(l.ends) > 2 {
		x, y := l.ends[1], l.ends[2]
		one, two := seeds(), seeds()
		l.all.Go(func() { x.pass(y, one) })
		l.all.Go(func() { y.pass(x, two) })
	}
	first, last := l.ends[0], l.ends[len(l.ends)-1]
	var speaking, listening [2]sync.WaitGroup
	for i, e := range []*end{first, last} {
		for range rnd.IntN(4) {
			s := &speaker{id: c.ids.Add(1), faulty: make(map[uint64]bool)}
			e.speakers = append(e.speakers, s)
			own := seeds()
			speaking[i].Go(func() { e.speak(s, own) })
		}
		listeners := 1 + rnd.IntN(4)/2
		for range listeners {
			h := &listener{end: e, rnd: seeds(), alone: listeners == 1, last: make(map[uint64]uint64)}
			listening[i].Go(h.listen)
		}
		l.all.Go(func() { // who hears nothing any more leaves
			listening[i].Wait()
			e.close()
		})
	}
	switch rnd.IntN(4) {
	case 0: // when everything came
		speaking[0].Wait()
		speaking[1].Wait()
		until(c.t, "what was sent came", func() bool {
			return l.trouble.Load() || first.came.Load() == l.arriving(last, 2) && last.came.Load() == l.arriving(first, 1)
		})
	case 1:
		speaking[0].Wait()
		first.close()
	case 2:
		speaking[1].Wait()
		last.close()
	default:
		for range 1 + rnd.IntN(3) {
			e, pause := l.ends[rnd.IntN(len(l.ends))], time.Duration(rnd.IntN(20_000))*time.Microsecond
			l.all.Go(func() {
				time.Sleep(pause)
				e.close()
			})
		}
	}
	if rnd.IntN(2) == 0 { // each leaves because the others did
		speaking[0].Wait()
		speaking[1].Wait()
	}
	for _, e := range l.ends {
		e.close()
	}
	for i := range 2 {
		speaking[i].Wait()
		listening[i].Wait()
	}
	l.all.Wait()
	for _, e := range l.ends {
		e.counts()
	}
	last.heardOf(first)
	first.heardOf(last)
}

// arriving is how many messages of an end come to the other: of two pipes, the end in
// between may leave out faulty ones.
func (l *line) arriving(from *end, by int) uint64 {
	n := from.accepted.Load()
	if len(l.ends) == 2 || !l.ends[by].o.VerifyOnRecv {
		return n
	}
	for _, s := range from.speakers {
		for i, f := range s.fates {
			if f == sent && s.faulty[uint64(i+1)] {
				n--
			}
		}
	}
	return n
}

// counts looks at what is left of a pipe that is closed.
func (e *end) counts() {
	for msg, k := range e.kept {
		e.release(msg, k)
	}
	s := e.p.Stats()
	if s.WaitingBytes != 0 || s.Errors != e.failures.Load() {
		e.t.Errorf("%d calls failed, the pipe counted %+v", e.failures.Load(), s)
	}
	if all, least := s.Sent+s.Dropped, e.accepted.Load(); all < least || all > least+e.unsure.Load() {
		e.t.Errorf("%d messages were accepted, and perhaps %d more, the pipe counted %+v", least, e.unsure.Load(), s)
	}
}

// heardOf compares what came with what an end sent.
func (e *end) heardOf(from *end) {
	direct, all := len(e.ends) == 2, e.atEnd && !e.lossy
	var came uint64
	for _, s := range from.speakers {
		of := e.heard[s.id]
		delete(e.heard, s.id)
		came += uint64(len(of))
		last := uint64(0)
		for n := range of {
			last = max(last, n)
			if n == 0 || n > uint64(len(s.fates)) || s.fates[n-1] == never {
				e.t.Errorf("note %d of %d was not sent and came", n, s.id)
			}
		}
		// At its end a stream has all that was accepted, if its writer says so.
		if all && direct && from.closeErr == nil {
			last = uint64(len(s.fates))
		}
		for i, f := range s.fates[:min(last, uint64(len(s.fates)))] {
			if n := uint64(i + 1); f == sent && !of[n] && !s.faulty[n] {
				e.t.Errorf("note %d of %d never came, those up to %d did or should have", n, s.id, last)
			}
		}
	}
	for id := range e.heard {
		e.t.Errorf("%d notes came of %d, who is nobody", len(e.heard[id]), id)
	}
	if s := from.p.Stats(); direct && (all && came+e.leftOut < s.Sent || came+e.leftOut > s.Sent+s.Dropped) {
		e.t.Errorf("%d messages came and %d were left out, end %t, the sender counted %+v", came, e.leftOut, e.atEnd, s)
	}
	for _, g := range []*end{e, from} {
		if s := g.p.Stats(); g.came.Load() != s.Received+g.leftOut {
			g.t.Errorf("%d messages came, the pipe counted %+v", g.came.Load(), s)
		}
	}
}
