package zmq

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// Subscribe asks for messages whose first frame begins with one of the topics;
// the empty topic is all of them. It counts how often a topic is asked for. For
// SUB and XSUB; an XSUB receives what its publishers send in any case. A topic
// has at most 1024 bytes.
func (s *Socket) Subscribe(topics ...string) error { return s.want(topics, false) }

// Unsubscribe takes back one Subscribe of each topic.
func (s *Socket) Unsubscribe(topics ...string) error { return s.want(topics, true) }

func (s *Socket) want(topics []string, cancel bool) error {
	if !s.traits.subscribe {
		return stateError("a %v does not subscribe", s.typ)
	}
	for _, t := range topics {
		if len(t) > zmtp.MaxTopic {
			return fmt.Errorf("%w: topic of %d bytes, at most %d", ErrTooLarge, len(t), zmtp.MaxTopic)
		}
	}
	s.subMu.Lock()
	defer s.subMu.Unlock()
	if s.isClosing() {
		return ErrClosed
	}
	for _, t := range topics {
		s.wantMu.Lock()
		told := true
		if cancel {
			told = s.wanted.cancel(t)
		} else {
			s.wanted.add(t)
		}
		s.wantsAll.Store(s.wanted.matches(nil))
		s.wantMu.Unlock()
		if told {
			s.tellPeers(zmtp.Subscription{Cancel: cancel, Topic: []byte(t)})
		}
	}
	return nil
}

// tellPeers sends a subscription to all peers. The caller has subMu.
func (s *Socket) tellPeers(sub zmtp.Subscription) {
	var inproc []*peer
	s.mu.Lock()
	for _, p := range s.peers {
		if r := p.remote.Load(); r != nil {
			inproc = append(inproc, r)
		} else if p.conn != nil {
			p.subscription(sub)
			p.start(false)
		}
	}
	s.unlock()
	for _, r := range inproc {
		// The error is for a peer that is to be dropped; this one is of ours.
		_ = r.s.subscribed(r, sub)
	}
}

// subscription queues a subscription for a peer, in the form that it understands.
// The caller has the lock.
func (p *peer) subscription(sub zmtp.Subscription) {
	command := p.conn.minor >= 1
	p.pending.frame(zmtp.AppendSubscription(nil, sub, command), zmtp.FrameHeader{Command: command})
}

// receiveWanted receives a SUB's next message, and drops those that are not
// wanted any more, or that a publisher should not have sent.
func (s *Socket) receiveWanted(ctx context.Context) (arrival, error) {
	for {
		a, err := s.in.next(ctx)
		if err != nil {
			return a, err
		}
		if s.wantsAll.Load() || s.wants(a.frames()[0]) {
			return a, nil
		}
		s.ignore(a)
	}
}

// wants tells whether a topic is wanted.
func (s *Socket) wants(topic []byte) bool {
	s.wantMu.RLock()
	defer s.wantMu.RUnlock()
	return s.wanted.matches(topic)
}

// sendUp sends an XSUB's message to its publishers: a subscription if its one
// frame begins with 1, a cancellation if it begins with 0.
func (s *Socket) sendUp(frames [][]byte, own owner) error {
	var sub zmtp.Subscription
	var ok bool
	var err error
	gone := own.guarded(frames[0], func() {
		sub, ok, err = zmtp.ParseSubscription(false, frames[0])
		sub.Topic = slices.Clone(sub.Topic)
	})
	if gone != nil {
		return gone
	}
	if len(frames) == 1 && (ok || err != nil) {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		return s.want([]string{string(sub.Topic)}, sub.Cancel)
	}
	s.mu.Lock()
	if s.closing {
		s.unlock()
		return ErrClosed
	}
	return s.spread(s.peers, frames, own)
}

// publish sends to the peers that want the message. Those that have no room do
// not get it, or are waited for.
func (s *Socket) publish(ctx context.Context, frames [][]byte, own owner) error {
	s.mu.Lock()
	for {
		if s.closing {
			s.unlock()
			return ErrClosed
		}
		if err := own.guarded(frames[0], func() { s.match(frames[0]) }); err != nil {
			s.unlock()
			return err
		}
		if !s.opt.NoDrop || allHaveRoom(s.matched) {
			return s.spread(s.matched, frames, own)
		}
		if err := s.room.wait(&s.mu, ctx); err != nil {
			n := len(s.matched)
			s.unlock()
			return fmt.Errorf("zmq: send: not all of %d subscribers have room: %w", n, err)
		}
	}
}

// match finds out who wants a message. The caller has the lock.
func (s *Socket) match(topic []byte) {
	s.matched = s.matched[:0]
	s.published++
	s.wishes.each(topic, func(w *wish) bool {
		for _, p := range w.peers {
			if p.match != s.published {
				p.match = s.published
				s.matched = append(s.matched, p)
			}
		}
		return true
	})
}

func allHaveRoom(peers []*peer) bool {
	for _, p := range peers {
		if !p.hasRoom() {
			return false
		}
	}
	return true
}

// spread sends to each of the peers that has room. The caller has the lock,
// which is free afterwards.
func (s *Socket) spread(peers []*peer, frames [][]byte, own owner) error {
	var few [8]*peer
	leads := few[:0]
	var wire []byte // of a small message, made once for all
	var err error
	if len(peers) > 1 && size(frames) <= joined {
		if s.wire, err = appendWire(s.wire[:0], frames, own); err != nil {
			s.unlock()
			return err
		}
		wire = s.wire
	}
	for _, p := range peers {
		if !p.hasRoom() {
			s.stats.dropped.Add(1)
			continue
		}
		var lead bool
		if lead, err = p.enqueue(frames, own, wire); err != nil {
			break
		}
		if lead {
			if len(leads) < cap(leads) {
				leads = append(leads, p)
			} else {
				p.background()
			}
		}
	}
	s.unlock()
	for _, p := range leads {
		p.write(true)
	}
	return err
}

// subscribed notes what a peer wants. An error means that the peer is to be
// dropped.
func (s *Socket) subscribed(p *peer, sub zmtp.Subscription) error {
	topic := string(sub.Topic)
	tell := true
	s.mu.Lock()
	defer s.unlock()
	if p.gone {
		return nil
	}
	if !s.opt.Manual {
		if sub.Cancel {
			had, last := s.wishes.cancel(topic, p)
			tell = last || had && s.opt.VerboseCancel
		} else {
			if p.topics >= s.opt.MaxSubscriptions {
				return fmt.Errorf("%w: more than %d subscriptions", ErrTooLarge, s.opt.MaxSubscriptions)
			}
			_, first := s.wishes.add(topic, p)
			tell = first || s.opt.Verbose
		}
	}
	if tell {
		s.tellTopic(p, sub)
	}
	return nil
}

// tellTopic lets an XPUB receive a subscription. The caller has the lock: they are
// received in the order in which they were noted, whoever they are of.
func (s *Socket) tellTopic(p *peer, sub zmtp.Subscription) {
	if s.typ != XPub {
		return
	}
	sl := newSlab()
	sl.plain = true
	sl.about = p
	sl.frames = append(sl.frames, zmtp.AppendSubscription(nil, sub, false))
	sl.ends = append(sl.ends, 1)
	sl.bytes = int64(len(sl.frames[0]))
	_, _ = s.in.put(s.news, sl, false, false)
}

// forgetTopics takes back all subscriptions of a peer, and tells an XPUB of those
// topics that nobody wants any more. The caller has the lock.
func (s *Socket) forgetTopics(p *peer) {
	if p.topics == 0 {
		return
	}
	var all []string
	for topic := range s.wishes.byTopic {
		all = append(all, topic)
	}
	for _, topic := range all {
		if had, last := s.wishes.cancel(topic, p); had && last && !s.opt.Manual {
			s.tellTopic(p, zmtp.Subscription{Cancel: true, Topic: []byte(topic)})
		}
	}
}

// Admit subscribes the peer from which a Manual XPUB received last to a topic,
// which need not be what it asked for.
func (s *Socket) Admit(topic string) error { return s.manual(topic, false) }

// Dismiss takes a subscription from the peer from which a Manual XPUB received
// last.
func (s *Socket) Dismiss(topic string) error { return s.manual(topic, true) }

func (s *Socket) manual(topic string, cancel bool) error {
	if !s.opt.Manual {
		return stateError("only a Manual XPUB decides about subscriptions")
	}
	s.mu.Lock()
	defer s.unlock()
	p := s.last
	if p == nil || p.gone {
		return stateError("nobody is there who asked for a subscription")
	}
	if cancel {
		s.wishes.cancel(topic, p)
	} else {
		s.wishes.add(topic, p)
	}
	return nil
}

// arrived looks at a message that arrived from a peer. keep tells whether it is
// to be received; an error means that the peer is to be dropped.
func (s *Socket) arrived(p *peer, frames [][]byte) (keep bool, err error) {
	if !s.traits.recv && !s.traits.filter {
		return false, nil
	}
	if !s.traits.filter {
		return true, nil
	}
	if len(frames) == 1 {
		sub, ok, err := zmtp.ParseSubscription(false, frames[0])
		if err != nil {
			return false, err
		}
		if ok {
			return false, s.subscribed(p, sub)
		}
	}
	return s.typ == XPub, nil
}
