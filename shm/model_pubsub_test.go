package shm

import (
	"fmt"
	"hash/maphash"
	"testing"
)

// A model of how a publisher and its subscribers share entries of the table, in the
// manner of the model of pipes: a step for each access to a word of the other, every
// interleaving. To a subscriber whose queue is full the publisher drops the oldest, or
// waits for it. It shows that no entry is used again while a subscriber reads it, that
// all come back, and that who sleeps is woken.

const (
	pubModelSubs    = 2
	pubModelEntries = 3
	pubModelQueue   = 4
)

type pubModelConfig struct {
	messages, subs, entries, depth uint8
	spin                           bool  // subscribers never sleep
	inline                         bool  // messages lie in their entries, and are copied
	between                        bool  // the queue is written by a plain store, between two exchanges
	every                          uint8 // if not 0, the publisher waits, and is told of so many messages at once

	copyLate     bool // mutant: the subscriber looks at the floor, then copies
	noFence      bool // mutant: no exchange between the plain store and the look at who sleeps
	tellAfter    bool // mutant: the cursor is moved, then it is said what is held
	waitUntold   bool // mutant: the subscriber waits without telling how far it has got
	floorFirst   bool // mutant: the subscriber looks at the floor, then says that it holds
	ignoreHolds  bool // mutant: what was taken away is used again at once
	noSecondLook bool // mutant: no look again after saying that it sleeps
	lateContents bool // mutant: the entry is filled after it was queued
}

// pubModelState is everything.
type pubModelState struct {
	// Words that are shared.
	contents      [pubModelEntries]uint8
	ring          [pubModelSubs][pubModelQueue]uint8 // position + 1 * 4 + entry
	floor, cursor [pubModelSubs]uint8
	sleep         [pubModelSubs]uint8 // epoch
	hold          [pubModelSubs][pubModelEntries]bool
	bell          [pubModelSubs]bool
	written       modelStore               // the publisher's ordinary store that is not visible yet; at is entry + 1
	queued        modelStore               // and that into a queue; at is subscriber + 1
	wait          uint8                    // the publisher's sleep: the count of the cursor, 0 if it is awake
	knock         bool                     // its bell
	disarmed      [pubModelSubs]modelStore // and a subscriber's

	// The publisher's own.
	pc, sub, n, id        uint8
	refs                  [pubModelEntries]uint8
	sent, lowest          [pubModelSubs]uint8
	seen, collected, rung [pubModelSubs]uint8
	held                  [pubModelSubs]uint8                // a bit for each entry
	ids                   [pubModelSubs][pubModelQueue]uint8 // entry + 1 of what is at each place

	// The subscribers' own.
	spc, at, entry, epoch [pubModelSubs]uint8
	told, hand            [pubModelSubs]uint8 // hand is the message that is read, where it is kept
	rungFor               [pubModelSubs]uint8
}

// The publisher's steps.
const (
	pubNext = iota
	pubCursor
	pubSettle
	pubHeld
	pubFill
	pubRoom
	pubFloor
	pubTaken
	pubFirst
	pubQueueIt
	pubLast
	pubArm
	pubLook
	pubSleep
	pubDisarm
	pubLateFill
	pubWake
	pubRing
	pubDone
)

// A subscriber's steps.
const (
	subFloor = iota
	subMoved
	subRing
	subAgain
	subEarly
	subHold
	subCheck
	subUndo
	subRead
	subPass
	subRelease
	subListen
	subArm
	subLookFloor
	subLookRing
	subSleep
	subDisarm
	subCopy
	subCopied
	subKeep
	subChoose
	subLetGo
	subTellHold
	subTellCursor
	subTellWake
	subTellRing
	subTellLate
	subLate
	subDone
)

type pubModel struct {
	pubModelConfig
	fault string
}

func (m *pubModel) wrong(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

func explorePubModel(c pubModelConfig) (states int, fault string) {
	m := &pubModel{pubModelConfig: c}
	seed := maphash.MakeSeed()
	seen := map[uint64]struct{}{}
	var next []pubModelState
	add := func(s pubModelState) {
		for i, pc := range s.spc {
			if pc < subArm || pc > subSleep {
				s.bell[i] = false // nobody listens
			}
		}
		h := maphash.Comparable(seed, s)
		if _, ok := seen[h]; !ok {
			seen[h] = struct{}{}
			next = append(next, s)
		}
	}
	add(pubModelState{})
	for len(next) > 0 && m.fault == "" {
		level := next
		next = nil
		for _, s := range level {
			moved := false
			try := func(t pubModelState, ok bool) {
				if ok && t != s {
					moved = true
					add(t)
				}
			}
			t := s
			if m.private(&s) && m.publisher(&t) && t != s {
				add(t) // nobody else can see or hinder it
				continue
			}
			t = s
			try(t, m.publisher(&t))
			for i := range int(m.subs) {
				t = s
				if s.spc[i] == subChoose {
					// It is released at once, or is held when the publisher is told.
					t.spc[i] = subTellHold
					try(t, true)
					t.spc[i] = subLetGo
					try(t, true)
				} else {
					try(t, m.subscriber(&t, i))
				}
				if s.disarmed[i].at != 0 {
					t = s
					t.sleep[i], t.disarmed[i] = s.disarmed[i].v, modelStore{}
					try(t, true)
				}
			}
			if s.written.at != 0 {
				t = s
				t.publish()
				try(t, true)
			} else if s.queued.at != 0 {
				t = s
				t.enqueue()
				try(t, true)
			}
			if !moved {
				m.final(s)
			}
		}
	}
	return len(seen), m.fault
}

// private tells whether the publisher's next step touches only what is its own.
func (m *pubModel) private(s *pubModelState) bool {
	i := s.sub
	switch s.pc {
	case pubNext, pubFill:
		return s.written.at == 0
	case pubSettle:
		return s.collected[i] >= s.passed(i)
	case pubHeld:
		return s.held[i]&(1<<s.id) == 0
	case pubRoom:
		return i == m.subs || s.sent[i]-s.passed(i) < m.depth
	}
	return false
}

// enqueue makes the publisher's store into a queue visible, and what it wrote before.
func (s *pubModelState) enqueue() {
	s.publish()
	if s.queued.at != 0 {
		i := s.queued.at - 1
		s.ring[i][(s.queued.v>>2-1)%pubModelQueue], s.queued = s.queued.v, modelStore{}
	}
}

// publish makes the publisher's ordinary store visible.
func (s *pubModelState) publish() {
	if s.written.at != 0 {
		s.contents[s.written.at-1], s.written = s.written.v, modelStore{}
	}
}

func (m *pubModel) final(s pubModelState) {
	if s.pc != pubDone {
		m.wrong("the publisher is at step %d, with entries used %d times", s.pc, s.refs)
	}
	for i := range m.subs {
		if s.spc[i] != subDone {
			m.wrong("subscriber %d sleeps for ever at step %d, at %d of %d", i, s.spc[i], s.at[i], s.sent[i])
		}
	}
}

func (s *pubModelState) passed(i uint8) uint8 { return max(s.seen[i], s.lowest[i]) }

// unref gives up one use of an entry.
func (m *pubModel) unref(s *pubModelState, id uint8) {
	if s.refs[id] == 0 {
		m.wrong("entry %d is given up once too often", id)
		return
	}
	s.refs[id]--
}

func (s *pubModelState) freeEntry(entries uint8) (uint8, bool) {
	for id := range entries {
		if s.refs[id] == 0 {
			return id, true
		}
	}
	return 0, false
}

// publisher does one step of the publisher. It tells whether there is one.
func (m *pubModel) publisher(s *pubModelState) bool {
	i := s.sub
	switch s.pc {
	case pubNext:
		if _, ok := s.freeEntry(m.entries); ok && s.n < m.messages {
			s.pc = pubFill
			return true
		}
		if s.n == m.messages && s.refs == [pubModelEntries]uint8{} {
			s.pc = pubDone
			return true
		}
		if !s.cameBack(m.subs) {
			return false // it would look again and again
		}
		s.sub, s.pc = 0, pubCursor
	case pubCursor: // collect
		s.seen[i] = s.cursor[i]
		s.pc = pubSettle
	case pubSettle:
		if s.collected[i] >= s.passed(i) {
			s.pc, s.id = pubHeld, 0
			return true
		}
		m.settle(s, i, s.collected[i])
		s.collected[i]++
	case pubHeld:
		if s.id < m.entries {
			if s.held[i]&(1<<s.id) != 0 && !s.hold[i][s.id] {
				s.held[i] &^= 1 << s.id
				m.unref(s, s.id)
			}
			s.id++
			return true
		}
		s.id = 0
		if s.sub++; s.sub < m.subs {
			s.pc = pubCursor
		} else {
			s.sub, s.pc = 0, pubNext
		}
	case pubFill:
		s.id, _ = s.freeEntry(m.entries)
		s.n++
		s.refs[s.id] = 1
		if !m.lateContents {
			s.written = modelStore{s.id + 1, s.n}
		}
		s.sub, s.pc = 0, pubRoom
	case pubRoom:
		if i == m.subs {
			m.unref(s, s.id)
			s.id, s.sub, s.pc = 0, 0, pubNext
			return true
		}
		if s.sent[i]-s.passed(i) >= m.depth {
			s.seen[i] = s.cursor[i]
		}
		switch {
		case s.sent[i]-s.passed(i) >= m.depth && m.every > 0:
			s.pc = pubArm
		case s.sent[i]-s.passed(i) >= m.depth:
			s.pc = pubFloor
		case m.between:
			s.pc = pubFirst
		default:
			s.pc = pubQueueIt
		}
	case pubArm:
		s.publish()
		s.knock = false
		s.wait = s.sent[i] - m.depth + 1
		s.pc = pubLook
	case pubLook:
		s.pc = pubSleep
		if s.cursor[i] >= s.wait {
			s.pc = pubDisarm
		}
	case pubSleep:
		if !s.knock {
			return false
		}
		s.pc = pubDisarm
	case pubDisarm:
		s.wait = 0
		s.pc = pubRoom
	case pubFirst: // the exchange into the queue of another
		s.publish()
		s.pc = pubQueueIt
	case pubFloor: // dropOldest
		s.publish()
		s.lowest[i] = s.passed(i) + 1
		s.floor[i] = s.lowest[i]
		s.pc = pubTaken
	case pubTaken:
		// Places before it are settled by collect; this one at once.
		m.settle(s, i, s.lowest[i]-1)
		s.pc = pubQueueIt
	case pubQueueIt:
		s.refs[s.id]++
		s.ids[i][s.sent[i]%pubModelQueue] = s.id + 1
		if s.queued.at != 0 {
			return false // has no room for another
		}
		s.queued = modelStore{i + 1, (s.sent[i]+1)<<2 | s.id}
		s.sent[i]++
		s.pc = pubWake
		if m.between && !m.noFence {
			s.pc = pubLast
		} else if !m.between {
			s.enqueue() // an exchange
		}
		if m.lateContents {
			s.pc = pubLateFill
		}
	case pubLast: // the exchange into the queue of another
		s.enqueue()
		s.pc = pubWake
	case pubLateFill:
		s.written = modelStore{s.id + 1, s.n}
		s.pc = pubWake
	case pubWake:
		if w := s.sleep[i]; w&1 == 1 && w != s.rung[i] {
			s.rung[i] = w
			s.pc = pubRing
			return true
		}
		s.sub, s.pc = s.sub+1, pubRoom
	case pubRing:
		s.bell[i] = true
		s.sub, s.pc = s.sub+1, pubRoom
	default:
		return false
	}
	return true
}

// cameBack tells whether there is something to collect.
func (s *pubModelState) cameBack(subs uint8) bool {
	for i := range subs {
		if s.cursor[i] != s.seen[i] || s.collected[i] < s.passed(i) {
			return true
		}
		for id, holds := range s.hold[i] {
			if s.held[i]&(1<<id) != 0 && !holds {
				return true
			}
		}
	}
	return false
}

// settle looks whether a subscriber holds what was at a place that is passed.
func (m *pubModel) settle(s *pubModelState, i, at uint8) {
	id := s.ids[i][at%pubModelQueue]
	s.ids[i][at%pubModelQueue] = 0
	switch {
	case id == 0:
	case s.hold[i][id-1] && !m.ignoreHolds:
		s.held[i] |= 1 << (id - 1)
	default:
		m.unref(s, id-1)
	}
}

// subscriber does one step of a subscriber. It tells whether there is one.
func (m *pubModel) subscriber(s *pubModelState, i int) bool {
	at := s.at[i]
	here := s.ring[i][at%pubModelQueue]
	switch s.spc[i] {
	case subFloor:
		if at == m.messages {
			s.spc[i] = subDone
			if m.every > 0 && s.told[i] < at {
				s.spc[i] = subTellHold
			}
			return true
		}
		s.spc[i] = subRing
		if s.floor[i] > at {
			s.at[i] = s.floor[i]
			s.spc[i] = subMoved
		}
	case subMoved:
		s.cursor[i] = at
		s.spc[i] = subFloor
	case subRing:
		if here>>2 != at+1 {
			s.spc[i] = subAgain
			if m.every > 0 && s.told[i] < at && !m.waitUntold {
				s.spc[i] = subTellHold
			}
			return true
		}
		s.entry[i] = here & 3
		switch {
		case m.every > 0:
			s.spc[i] = subKeep
		case m.inline && m.copyLate:
			s.spc[i] = subCopied
		case m.inline:
			s.spc[i] = subCopy
		case m.floorFirst:
			s.spc[i] = subEarly
		default:
			s.spc[i] = subHold
		}
	case subCopy:
		s.hand[i] = s.contents[s.entry[i]]
		s.spc[i] = subCopied
		if m.copyLate {
			s.spc[i] = subRead
		}
	case subCopied:
		s.spc[i] = subRead
		switch {
		case s.floor[i] > at:
			s.hand[i], s.entry[i] = 0, 0
			s.spc[i] = subFloor
		case m.copyLate:
			s.spc[i] = subCopy
		}
	case subKeep: // nobody can take it away
		if v := s.contents[s.entry[i]]; v != at+1 {
			m.wrong("message %d is received with the contents of %d", at+1, v)
		}
		s.at[i]++
		s.hand[i] = s.at[i]
		s.spc[i] = subChoose
	case subLetGo:
		m.letGo(s, i)
		s.spc[i] = subFloor
		if s.at[i]-s.told[i] >= m.every {
			s.spc[i] = subTellHold
		}
	case subTellHold:
		if m.tellAfter {
			s.spc[i] = subTellCursor
			return true
		}
		s.hold[i][s.entry[i]] = s.hand[i] != 0
		s.spc[i] = subTellCursor
	case subTellCursor:
		s.cursor[i], s.told[i] = at, at
		s.spc[i] = subTellWake
		if m.tellAfter {
			s.spc[i] = subTellLate
		}
	case subTellLate:
		s.hold[i][s.entry[i]] = s.hand[i] != 0
		s.spc[i] = subTellWake
	case subTellWake:
		s.spc[i] = subLate
		if s.wait != 0 && s.wait != s.rungFor[i] && at >= s.wait {
			s.rungFor[i] = s.wait
			s.spc[i] = subTellRing
		}
	case subTellRing:
		s.knock = true
		s.spc[i] = subLate
	case subLate: // it was told to be held
		if s.hand[i] != 0 {
			e := s.entry[i]
			m.letGo(s, i)
			s.hold[i][e] = false
		}
		s.spc[i] = subFloor
	case subAgain: // written over since the floor was read?
		s.spc[i] = subListen
		if m.spin || s.floor[i] > at {
			s.spc[i] = subFloor
		}
	case subEarly:
		s.spc[i] = subHold
		if s.floor[i] > at {
			s.spc[i] = subFloor
		}
	case subHold:
		s.hold[i][s.entry[i]] = true
		s.spc[i] = subCheck
		if m.floorFirst {
			s.spc[i] = subRead
		}
	case subCheck:
		s.spc[i] = subRead
		if s.floor[i] > at {
			s.spc[i] = subUndo
		}
	case subUndo:
		s.hold[i][s.entry[i]] = false
		s.spc[i] = subFloor
	case subRead:
		// Every message is offered to every subscriber, so that its place tells which
		// it is.
		v := s.contents[s.entry[i]]
		if m.inline {
			v = s.hand[i] // the copy
		}
		if v != at+1 {
			m.wrong("message %d is received with the contents of %d", at+1, v)
		}
		s.spc[i] = subPass
	case subPass:
		s.at[i]++
		s.cursor[i] = s.at[i]
		s.spc[i] = subRelease
		if m.inline {
			s.hand[i], s.entry[i] = 0, 0
			s.spc[i] = subFloor
		}
	case subRelease:
		if v := s.contents[s.entry[i]]; v != at {
			m.wrong("message %d became %d while it was held", at, v)
		}
		s.hold[i][s.entry[i]] = false
		s.entry[i] = 0
		s.spc[i] = subFloor
	case subListen:
		s.bell[i] = false
		s.spc[i] = subArm
	case subArm:
		if s.disarmed[i].at != 0 {
			return false // an exchange
		}
		s.sleep[i] = s.epoch[i] | 1
		s.spc[i] = subLookFloor
		if m.noSecondLook {
			s.spc[i] = subSleep
		}
	case subLookFloor:
		s.spc[i] = subLookRing
		if s.floor[i] > at {
			s.spc[i] = subDisarm
		}
	case subLookRing:
		s.spc[i] = subSleep
		if here>>2 == at+1 {
			s.spc[i] = subDisarm
		}
	case subSleep:
		if !s.bell[i] {
			return false
		}
		s.spc[i] = subDisarm
	case subDisarm:
		s.epoch[i] += 2
		s.disarmed[i] = modelStore{1, s.epoch[i]}
		s.spc[i] = subFloor
	default:
		return false
	}
	return true
}

// letGo is the release of the message that is kept.
func (m *pubModel) letGo(s *pubModelState, i int) {
	if v := s.contents[s.entry[i]]; v != s.hand[i] {
		m.wrong("message %d became %d while it was held", s.hand[i], v)
	}
	s.hand[i], s.entry[i] = 0, 0
}

func TestPublishModel(t *testing.T) {
	for name, c := range map[string]pubModelConfig{
		"one subscriber":          {messages: 4, subs: 1, entries: 2, depth: 1},
		"one with room for two":   {messages: 4, subs: 1, entries: 3, depth: 2},
		"two that share an entry": {messages: 3, subs: 2, entries: 2, depth: 1, spin: true},
		"messages in entries":     {messages: 4, subs: 1, entries: 2, depth: 1, inline: true},
		"a plain store":           {messages: 4, subs: 1, entries: 3, depth: 2, between: true},
		"the publisher waits":     {messages: 4, subs: 1, entries: 3, depth: 2, every: 2},
		"it is told late":         {messages: 4, subs: 1, entries: 3, depth: 2, every: 3},
		"it waits for one place":  {messages: 4, subs: 1, entries: 2, depth: 1, every: 1},
		"it waits for two":        {messages: 3, subs: 2, entries: 3, depth: 1, every: 1, spin: true},
	} {
		t.Run(name, func(t *testing.T) {
			states, fault := explorePubModel(c)
			if fault != "" {
				t.Fatal(fault)
			}
			t.Logf("%d states", states)
		})
	}
}

func TestPublishModelFindsMutants(t *testing.T) {
	for name, mutate := range map[string]func(*pubModelConfig){
		"the floor is looked at before the hold":    func(c *pubModelConfig) { c.floorFirst = true },
		"what is held is used again":                func(c *pubModelConfig) { c.ignoreHolds = true },
		"no look again after arming":                func(c *pubModelConfig) { c.noSecondLook = true },
		"an entry is filled after it was published": func(c *pubModelConfig) { c.lateContents = true },
		"the floor is looked at before the copy":    func(c *pubModelConfig) { c.inline, c.copyLate = true, true },
		"no exchange before the look at who sleeps": func(c *pubModelConfig) { c.between, c.noFence = true, true },
		"the cursor moves before it is said what is held": func(c *pubModelConfig) {
			c.every, c.tellAfter = 1, true
		},
		"a subscriber waits and does not tell how far it is": func(c *pubModelConfig) {
			c.entries, c.depth, c.every, c.waitUntold = 3, 2, 3, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := pubModelConfig{messages: 4, subs: 1, entries: 2, depth: 1}
			mutate(&c)
			states, fault := explorePubModel(c)
			if fault == "" {
				t.Fatalf("nothing was found in %d states", states)
			}
			t.Logf("%s, found after %d states", fault, states)
		})
	}
}
