package shm

// The programs of the model. Each is called with its party's next step to do and
// returns the states that may follow; none if the party has to wait.

// one is for a step with one outcome.
func one(s *modelState, p int, pc uint8) []modelState {
	s.pc[p] = pc
	return []modelState{*s}
}

// private tells whether the next step of a party touches only what is its own. An
// ordinary store is such a step, for at first it only goes to the buffer.
func (m *modelRun) private(s *modelState, p int) bool {
	pc := s.pc[p]
	switch p {
	case theSender:
		return pc == senderBegin && !m.crashes || pc == senderLend || pc == senderBody || pc == senderAwait || pc == senderDisarm
	case theReceiver:
		return pc == receiverBegin && !m.crashes || pc == receiverChoose || pc == receiverAwait && s.told == s.taken || pc == receiverDisarm ||
			pc == receiverLookOver && !m.crashes || pc == receiverConsume && s.taken+1-s.told < m.every
	}
	return false
}

// The sender's steps.
const (
	senderBegin = iota
	senderSlot
	senderLease
	senderLend
	senderBody
	senderCommit
	senderWake
	senderRing
	senderAwait
	senderListen
	senderArm
	senderLook
	senderHurry
	senderLookAgain
	senderSleep
	senderDisarm
	senderGone
	senderDone
)

const (
	onTaken    = 0
	onReleased = 1
)

func (m *modelRun) sender(s *modelState) []modelState {
	const p = theSender
	switch s.pc[p] {
	case senderBegin:
		if s.over[0] {
			return one(s, p, senderGone)
		}
		if s.sent == m.messages { // now it wants everything back
			if s.free == 1<<m.leases-1 {
				return one(s, p, senderDone)
			}
			return one(s, p, senderLease)
		}
		return one(s, p, senderSlot)
	case senderSlot:
		if s.sent-s.seen < m.slots {
			return one(s, p, senderLease)
		}
		s.seen = s.load(p, atTaken)
		if s.sent-s.seen < m.slots {
			return one(s, p, senderLease)
		}
		s.what, s.count = onTaken, s.sent-m.slots+m.every
		return one(s, p, senderAwait)
	case senderLease:
		// collect, an entry at a time
		e := s.load(p, atRing+s.collected%m.leases)
		if e>>3 == s.collected+1 {
			l := e & 7
			if s.free&(1<<l) != 0 {
				m.wrong("lease %d was given back twice", l)
			}
			s.free |= 1 << l
			s.collected++
			// Nobody may look at these again; whoever does will notice.
			s.mem[atBlock+l], s.mem[atRing+(s.collected-1)%m.leases] = 0, 0
			if s.sent == m.messages {
				return one(s, p, senderBegin)
			}
			return one(s, p, senderLease)
		}
		if s.free != 0 && s.sent < m.messages {
			return one(s, p, senderLend)
		}
		s.what, s.count = onReleased, s.collected+1
		return one(s, p, senderAwait)
	case senderLend:
		l := uint8(0)
		for s.free&(1<<l) == 0 {
			l++
		}
		s.lease = l
		if !m.lateBody && !s.store(p, atBlock+l, s.sent+1) {
			return nil
		}
		s.free &^= 1 << l
		return one(s, p, senderBody)
	case senderBody:
		if !s.store(p, atLease+s.sent%m.slots, s.lease+1) {
			return nil
		}
		return one(s, p, senderCommit)
	case senderCommit:
		commit := s.swap
		if m.plainPublish {
			commit = s.store
		}
		if !commit(p, atSeq+s.sent%m.slots, s.sent+1) {
			return nil
		}
		s.sent++
		return one(s, p, senderWake)
	case senderWake:
		if m.lateBody && !s.store(p, atBlock+s.lease, s.sent) {
			return nil
		}
		return m.wake(s, senderRing, senderBegin)
	case senderRing:
		s.bell[1] = true
		return one(s, p, senderBegin)
	case senderAwait:
		// Whoever sends wakes the receiver at once here, so that nothing is left to
		// wake it for.
		if m.hurryEarly && s.what == onReleased {
			s.hurry = true
		}
		return one(s, p, senderListen)
	case senderListen:
		s.bell[0] = false
		return one(s, p, senderArm)
	case senderArm:
		if !s.swap(p, atSWord, (s.sEpoch|1)<<5|s.what<<4|s.count) {
			return nil
		}
		return one(s, p, senderLook)
	case senderLook, senderLookAgain:
		ready := s.over[0]
		if s.what == onTaken {
			ready = ready || s.load(p, atTaken) >= s.count
		} else {
			ready = ready || s.load(p, atRing+(s.count-1)%m.leases)>>3 == s.count
		}
		if ready {
			return one(s, p, senderDisarm)
		}
		if s.pc[p] == senderLook && s.what == onReleased && !m.hurryEarly {
			return one(s, p, senderHurry)
		}
		return one(s, p, senderSleep)
	case senderHurry:
		s.hurry = true
		return one(s, p, senderLookAgain)
	case senderSleep:
		if s.bell[0] || s.over[0] && !m.noDeathBell {
			return one(s, p, senderDisarm)
		}
		return nil
	case senderDisarm:
		s.sEpoch += 2
		s.what, s.count = 0, 0
		if !s.store(p, atSWord, s.sEpoch<<5) {
			return nil
		}
		return one(s, p, senderBegin)
	case senderGone:
		// Nobody writes any more: what is in the ring was acknowledged, the rest is
		// taken back.
		s.free = 1<<m.leases - 1
		return one(s, p, senderDone)
	}
	return nil
}

// wake decides whether the receiver has to be rung.
func (m *modelRun) wake(s *modelState, ring, other uint8) []modelState {
	w := s.load(theSender, atRWord)
	if w&1 == 0 || w == s.sRung || m.noEpoch && s.sRung != 0 {
		return one(s, theSender, other)
	}
	s.sRung = w
	return one(s, theSender, ring)
}

// The receiver's steps.
const (
	receiverBegin = iota
	receiverSlot
	receiverRead
	receiverBlock
	receiverConsume
	receiverWake
	receiverRing
	receiverChoose
	receiverBack
	receiverShort
	receiverFlush
	receiverPush
	receiverPushWake
	receiverPushRing
	receiverAwait
	receiverConfirmed
	receiverConfirmRing
	receiverListen
	receiverArm
	receiverLookOver
	receiverLook
	receiverSleep
	receiverDisarm
	receiverDone
)

func (m *modelRun) receiver(s *modelState) []modelState {
	const p = theReceiver
	switch s.pc[p] {
	case receiverBegin:
		if s.taken == m.messages || s.ended {
			s.ended = true
			if s.held[0] != 0 {
				return one(s, p, receiverBack)
			}
			return one(s, p, receiverDone)
		}
		s.rOver = s.over[1] // before the slot
		return one(s, p, receiverSlot)
	case receiverSlot:
		if s.load(p, atSeq+s.taken%m.slots) == s.taken+1 {
			return one(s, p, receiverRead)
		}
		if s.rOver {
			s.ended = true
			return one(s, p, receiverBegin)
		}
		return one(s, p, receiverAwait)
	case receiverRead:
		s.fresh = s.load(p, atLease+s.taken%m.slots)
		if s.fresh == 0 {
			m.wrong("message %d names no lease", s.taken+1)
			return one(s, p, receiverDone)
		}
		s.mem[atLease+s.taken%m.slots] = 0
		return one(s, p, receiverBlock)
	case receiverBlock:
		if v := s.load(p, atBlock+s.fresh-1); v != s.taken+1 {
			m.wrong("message %d is received with the contents of %d", s.taken+1, v)
		}
		for i := range s.held {
			if s.held[i] == 0 {
				s.held[i], s.number[i] = s.fresh, s.taken+1
				break
			}
		}
		return one(s, p, receiverConsume)
	case receiverConsume:
		if s.taken+1-s.told < m.every {
			s.taken++
			return one(s, p, receiverChoose)
		}
		publish := s.swap
		if m.plainConsumed {
			publish = s.store
		}
		if !publish(p, atTaken, s.taken+1) {
			return nil
		}
		s.taken++
		s.told = s.taken
		return one(s, p, receiverWake)
	case receiverWake:
		w := s.load(p, atSWord)
		if w>>5&1 == 1 && w>>4&1 == onTaken && w != s.rRungC && s.told >= w&15 {
			s.rRungC = w
			return one(s, p, receiverRing)
		}
		return one(s, p, receiverChoose)
	case receiverRing:
		s.bell[0] = true
		return one(s, p, receiverChoose)
	case receiverChoose:
		s.fresh, s.after = 0, 0
		// The program keeps some messages for a while.
		var next []modelState
		if s.held[0] != 0 {
			t := *s
			t.after = receiverChoose
			next = append(next, one(&t, p, receiverBack)...)
		}
		if m.hold > 0 && (m.hold >= modelLeases || s.held[m.hold] == 0) || s.held[0] == 0 {
			t := *s
			next = append(next, one(&t, p, receiverBegin)...)
		}
		return next
	case receiverBack:
		l, n := s.held[0], s.number[0]
		if v := s.load(p, atBlock+l-1); v != n {
			m.wrong("message %d became %d while it was held", n, v)
		}
		copy(s.held[:], s.held[1:])
		copy(s.number[:], s.number[1:])
		s.held[modelLeases-1], s.number[modelLeases-1] = 0, 0
		if s.nbuf[p] > 0 {
			return nil // the pile is exchanged
		}
		s.pile.lay(l)
		s.after = receiverChoose
		if s.ended {
			s.after = receiverBegin
		}
		if s.pile.n >= m.waiting {
			return one(s, p, receiverFlush)
		}
		return one(s, p, receiverShort)
	case receiverShort:
		w := s.load(p, atSWord)
		if w>>5&1 == 1 && w>>4&1 == onReleased {
			return one(s, p, receiverFlush)
		}
		return one(s, p, s.after)
	case receiverFlush:
		return m.flush(s, p, receiverPush, s.after)
	case receiverPush:
		return m.push(s, p, receiverPushWake)
	case receiverPushWake:
		return m.pushWake(s, p, receiverPushRing, s.after)
	case receiverPushRing:
		s.bell[0] = true
		return one(s, p, s.after)
	case receiverAwait:
		// confirm; leases may stay in the pile, for the peer asks if it needs it.
		if s.told == s.taken {
			return one(s, p, receiverListen)
		}
		if !s.swap(p, atTaken, s.taken) {
			return nil
		}
		s.told = s.taken
		return one(s, p, receiverConfirmed)
	case receiverConfirmed:
		w := s.load(p, atSWord)
		if w>>5&1 == 1 && w>>4&1 == onTaken && w != s.rRungC && s.told >= w&15 {
			s.rRungC = w
			return one(s, p, receiverConfirmRing)
		}
		return one(s, p, receiverListen)
	case receiverConfirmRing:
		s.bell[0] = true
		return one(s, p, receiverListen)
	case receiverListen:
		s.bell[1] = false
		return one(s, p, receiverArm)
	case receiverArm:
		if !s.swap(p, atRWord, s.rEpoch|1) {
			return nil
		}
		if m.noSecondLook {
			return one(s, p, receiverSleep)
		}
		return one(s, p, receiverLookOver)
	case receiverLookOver:
		if s.over[1] {
			return one(s, p, receiverDisarm)
		}
		return one(s, p, receiverLook)
	case receiverLook:
		if s.load(p, atSeq+s.taken%m.slots) == s.taken+1 {
			return one(s, p, receiverDisarm)
		}
		return one(s, p, receiverSleep)
	case receiverSleep:
		if s.bell[1] || s.over[1] && !m.noDeathBell {
			return one(s, p, receiverDisarm)
		}
		return nil
	case receiverDisarm:
		s.rEpoch += 2
		if !s.store(p, atRWord, s.rEpoch) {
			return nil
		}
		return one(s, p, receiverBegin)
	}
	return nil
}

// flush takes the pile.
func (m *modelRun) flush(s *modelState, p int, push, other uint8) []modelState {
	if s.nbuf[p] > 0 {
		return nil
	}
	s.pushing[p], s.pile = s.pile, modelPile{}
	if s.pushing[p].n == 0 {
		return one(s, p, other)
	}
	return one(s, p, push)
}

// push puts leases into the release ring, one at a step, under the lock of the returns,
// which it keeps for pushWake.
func (m *modelRun) push(s *modelState, p int, next uint8) []modelState {
	me := uint8(p) + 1
	if s.mu != me && (s.mu != 0 || s.nbuf[p] > 0) {
		return nil
	}
	write, pc := s.swap, next
	if s.pushing[p].n > 1 {
		write, pc = s.store, s.pc[p]
	} else if m.plainReturn {
		write = s.store
	}
	l := s.pushing[p].l[s.pushing[p].n-1]
	if !write(p, atRing+s.next%m.leases, (s.next+1)<<3|(l-1)) {
		return nil
	}
	s.pushing[p].take()
	s.mu = me
	s.next++
	return one(s, p, pc)
}

func (m *modelRun) pushWake(s *modelState, p int, ring, other uint8) []modelState {
	s.mu = 0
	w := s.load(p, atSWord)
	if w>>5&1 == 1 && w>>4&1 == onReleased && w != s.rRungR && s.next >= w&15 {
		s.rRungR = w
		return one(s, p, ring)
	}
	return one(s, p, other)
}

// The listener's steps.
const (
	listenerWait = iota
	listenerFlush
	listenerPush
	listenerPushWake
	listenerPushRing
)

func (m *modelRun) listener(s *modelState) []modelState {
	const p = theListener
	switch s.pc[p] {
	case listenerWait:
		if !s.hurry {
			return nil
		}
		s.hurry = false
		return one(s, p, listenerFlush)
	case listenerFlush:
		return m.flush(s, p, listenerPush, listenerWait)
	case listenerPush:
		return m.push(s, p, listenerPushWake)
	case listenerPushWake:
		return m.pushWake(s, p, listenerPushRing, listenerWait)
	case listenerPushRing:
		s.bell[0] = true
		return one(s, p, listenerWait)
	}
	return nil
}
