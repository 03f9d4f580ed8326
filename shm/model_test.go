package shm

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// This is a model of the protocol between two ends of a pipe, small enough that
// every interleaving of its steps can be tried, with a crash of either process
// between any two of them. It has the words of layout.go, and its programs are those
// of send.go, recv.go, returns.go and wait.go, a step for each access to a word that
// somebody else accesses too. Each of its three parties runs on a processor of its
// own, whose ordinary stores wait in a buffer and become visible in their order at
// any later time, as those of x86 do; an exchange first empties the buffer.
//
//	sender    Send: submit, commit, wake, await
//	receiver  Recv: take, consume, await; and Release: giveBack
//	listener  the receiving process's goroutine that is asked to hurry
//
// It shows for its sizes that each message is received once, in order and whole; that
// no block is used again while its message is held; that whoever sleeps is woken; and
// that after a crash the survivor comes to an end with what was published received
// and every lease back.

const (
	modelSlots  = 4 // at most
	modelLeases = 3 // at most
)

// modelConfig is what one run of the model has.
type modelConfig struct {
	messages, slots, every, leases, hold uint8
	waiting                              uint8 // how many leases wait in the pile at most
	crashes                              bool

	// Mutants: steps that are left out or done wrong, to see that the model finds it.
	plainPublish  bool // the slot is published by an ordinary store
	plainConsumed bool // and so is the count of what was taken
	noSecondLook  bool // the receiver does not look again after it said that it sleeps
	noEpoch       bool // who has been rung is not rung again, whether it slept anew or not
	noDeathBell   bool // the end of the peer does not end a sleep
	hurryEarly    bool // the receiver is asked for leases before it can see that the sender sleeps
	lateBody      bool // the block is filled after the slot is published
	plainReturn   bool // the last lease of a pile goes into the ring by an ordinary store
}

const (
	theSender = iota
	theReceiver
	theListener
	parties
)

// The words, as addresses for the store buffers.
const (
	atSeq   = 0                     // slots
	atLease = atSeq + modelSlots    // what the slots name
	atBlock = atLease + modelSlots  // contents of blocks: the number of a message
	atRing  = atBlock + modelLeases // release ring: count*8 + lease
	atTaken = atRing + modelLeases  // consumed
	atRWord = atTaken + 1           // receive sleep: epoch
	atSWord = atRWord + 1           // send sleep: epoch*32 + what*16 + count
	words_  = atSWord + 1
	bufSize = 3
)

type modelStore struct{ at, v uint8 }

// modelState is everything.
type modelState struct {
	mem  [words_]uint8
	buf  [parties][bufSize]modelStore
	nbuf [parties]uint8
	pc   [parties]uint8

	bell    [2]bool // of the sender and the receiver
	over    [2]bool // the peer's end is known
	crashed [2]bool // the sender's process, the receiver's
	hurry   bool
	mu      uint8 // of the returns: who has it, plus one

	// The sender's own.
	sent, seen, collected, sEpoch, sRung uint8
	free                                 uint8 // leases, a bit each
	lease, what, count                   uint8

	// The receiver's own.
	taken, told, rEpoch uint8
	rOver, ended        bool
	held                [modelLeases]uint8 // leases, oldest first, plus one; 0 is none
	number              [modelLeases]uint8 // the messages in them
	rRungC              uint8              // the sleep of the sender that was ended by consuming
	fresh               uint8              // the lease of the message that is being taken
	after               uint8              // where giveBack and flush return to

	// Of the returns, which the receiver and the listener share.
	next, rRungR uint8
	pile         modelPile
	pushing      [parties]modelPile
}

// modelPile is leases, the lowest first, plus one.
type modelPile struct {
	l [modelLeases]uint8
	n uint8
}

func (p *modelPile) lay(l uint8) {
	p.l[p.n] = l
	p.n++
}

func (p *modelPile) take() uint8 {
	p.n--
	l := p.l[p.n]
	p.l[p.n] = 0
	return l
}

// modelRun explores one configuration, breadth first, so that what it finds it finds
// by a shortest way. States that were met are known by 64 bits of their hash.
type modelRun struct {
	modelConfig
	seed  maphash.Seed
	seen  map[uint64]struct{}
	next  []modelState
	steps []modelStep // by the number of the state
	now   int32
	fault string
}

// modelStep is how a state was come to.
type modelStep struct {
	from    int32
	who, pc uint8
}

// Who makes a step, besides the parties.
const (
	aBuffer = parties + iota // of the party pc
	aCrash                   // of the process pc
	anEnd
)

func (w modelStep) String() string {
	switch w.who {
	case aBuffer:
		return partyNames[w.pc] + "'s store becomes visible"
	case aCrash:
		return fmt.Sprintf("process %d dies", w.pc)
	case anEnd:
		return "the survivor learns of it"
	}
	return fmt.Sprintf("%s at step %d", partyNames[w.who], w.pc)
}

func (m *modelRun) add(s modelState, who, pc int) {
	s.shorten()
	h := maphash.Comparable(m.seed, s)
	if _, ok := m.seen[h]; ok {
		return
	}
	m.seen[h] = struct{}{}
	m.next = append(m.next, s)
	m.steps = append(m.steps, modelStep{m.now, uint8(who), uint8(pc)})
}

// shorten makes states equal that differ only in what is over: the numbers of epochs,
// and rings that came too late.
func (s *modelState) shorten() {
	back := s.rEpoch - 2
	s.rEpoch -= back
	s.renumber(theReceiver, atRWord, func(w uint8) uint8 { return w - back })
	if s.sRung -= back; s.sRung > 3 {
		s.sRung = 0
	}
	back = (s.sEpoch - 2) << 5
	s.sEpoch = 2
	s.renumber(theSender, atSWord, func(w uint8) uint8 { return w - back })
	for _, rung := range []*uint8{&s.rRungC, &s.rRungR} {
		if *rung -= back; *rung>>5 > 3 {
			*rung = 0
		}
	}
	// A ring that nobody listens for is not heard.
	if pc := s.pc[theSender]; pc < senderArm || pc > senderSleep {
		s.bell[0] = false
	}
	if pc := s.pc[theReceiver]; pc < receiverArm || pc > receiverSleep {
		s.bell[1] = false
	}
}

func (s *modelState) renumber(p int, at uint8, f func(uint8) uint8) {
	s.mem[at] = f(s.mem[at])
	for i := range s.nbuf[p] {
		if b := &s.buf[p][i]; b.at == at {
			b.v = f(b.v)
		}
	}
}

func (m *modelRun) wrong(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

// trace tells how the run came to its present state.
func (m *modelRun) trace() string {
	var steps []string
	for i := m.now; i > 0; i = m.steps[i].from {
		steps = append(steps, m.steps[i].String())
	}
	slices.Reverse(steps)
	return strings.Join(steps, "\n\t")
}

// explore tries everything. It returns how many states there are, and what is wrong.
func explore(c modelConfig) (states int, fault, trace string) {
	m := &modelRun{modelConfig: c, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
	m.add(modelState{free: 1<<c.leases - 1}, 0, 0)
	for len(m.next) > 0 {
		level := m.next
		m.next = nil
		for _, s := range level {
			if !m.follow(s) {
				m.final(s)
			}
			if m.fault != "" {
				return len(m.steps), m.fault, m.trace()
			}
			m.now++
		}
	}
	return len(m.steps), "", ""
}

var partyNames = [parties]string{"sender", "receiver", "listener"}

// processOf is the process of a party.
var processOf = [parties]int{0, 1, 1}

// follow adds all states that follow s, and tells whether there is any.
func (m *modelRun) follow(s modelState) bool {
	programs := [parties]func(*modelState) []modelState{m.sender, m.receiver, m.listener}
	// A step that nobody else can see or hinder can as well be done first.
	for p, program := range programs {
		if !s.crashed[processOf[p]] && m.private(&s, p) {
			t := s
			if next := program(&t); len(next) > 0 {
				for _, n := range next {
					m.add(n, p, int(s.pc[p]))
				}
				return true
			}
		}
	}
	moved := false
	for p, program := range programs {
		if s.nbuf[p] > 0 {
			t := s
			t.drain(p)
			m.add(t, aBuffer, p)
			moved = true
		}
		if s.crashed[processOf[p]] {
			continue
		}
		t := s
		for _, next := range program(&t) {
			m.add(next, p, int(s.pc[p]))
			moved = true
		}
	}
	for process := range 2 {
		if m.crashes && !s.crashed[0] && !s.crashed[1] {
			t := s
			t.crashed[process] = true
			m.add(t, aCrash, process) // it need not, so this is no way out of a sleep
		}
		// The end of a process is known only after all its stores are.
		if s.crashed[process] && !s.over[1-process] && s.quiet(process) {
			t := s
			t.over[1-process] = true
			m.add(t, anEnd, process)
			moved = true
		}
	}
	return moved
}

func (s *modelState) quiet(process int) bool {
	for p := range parties {
		if processOf[p] == process && s.nbuf[p] > 0 {
			return false
		}
	}
	return true
}

// load is what party p sees.
func (s *modelState) load(p int, at uint8) uint8 {
	for i := int(s.nbuf[p]) - 1; i >= 0; i-- {
		if s.buf[p][i].at == at {
			return s.buf[p][i].v
		}
	}
	return s.mem[at]
}

// store is an ordinary store. It tells whether the buffer has room.
func (s *modelState) store(p int, at, v uint8) bool {
	if s.nbuf[p] == bufSize {
		return false
	}
	s.buf[p][s.nbuf[p]] = modelStore{at, v}
	s.nbuf[p]++
	return true
}

// swap is an exchange. It tells whether the buffer is empty, for else it has to wait.
func (s *modelState) swap(p int, at, v uint8) bool {
	if s.nbuf[p] > 0 {
		return false
	}
	s.mem[at] = v
	return true
}

func (s *modelState) drain(p int) {
	b := &s.buf[p]
	s.mem[b[0].at] = b[0].v
	copy(b[:], b[1:])
	b[bufSize-1] = modelStore{}
	s.nbuf[p]--
}

// final looks at a state in which nothing can happen any more.
func (m *modelRun) final(s modelState) {
	if !s.crashed[0] && s.pc[theSender] != senderDone {
		m.wrong("the sender sleeps for ever, at %d, after %d messages with %b leases free", s.pc[theSender], s.sent, s.free)
	}
	if !s.crashed[1] && s.pc[theReceiver] != receiverDone {
		m.wrong("the receiver sleeps for ever, at %d, after %d messages of %d", s.pc[theReceiver], s.taken, s.sent)
	}
	if !s.crashed[0] && s.free != 1<<m.leases-1 {
		m.wrong("leases are leaked: %b are free", s.free)
	}
	if !s.crashed[1] && s.taken != s.sent {
		m.wrong("%d messages were published and %d received", s.sent, s.taken)
	}
}
