package interop_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// act runs the parts of a socket's life.
func (b *being) act(rnd *rand.Rand) {
	part := func(f func(*rand.Rand)) {
		own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		b.all.Go(func() { f(own) })
	}
	switch b.typ {
	case "PUSH", "PUB":
		part(b.sends)
	case "XPUB":
		part(b.sends)
		part(b.recvWishes)
	case "PULL":
		part(b.receives)
	case "SUB", "XSUB":
		part(b.follows)
	case "PAIR":
		part(b.sends)
		part(b.receives)
	case "REQ":
		part(b.asksInTurn)
	case "REP", "ROUTER":
		part(b.answers)
	case "DEALER":
		if b.s.name == "talk" {
			part(b.sends)
			part(b.receives)
		} else {
			part(b.asks)
			part(b.hearsAnswers)
		}
	}
}

// end closes the socket.
func (b *being) end(linger time.Duration) {
	b.stop()
	if !b.theirs {
		// Calls are woken by Close or by the end of their context.
		if err := b.close(linger); err != nil {
			b.s.fail("%v: close: %v", b, err)
		}
		b.all.Wait()
		return
	}
	b.all.Wait()
	if err := b.close(linger); err != nil && !errors.Is(err, errKilled) {
		b.s.fail("%v: close: %v", b, err)
	}
}

// moment is for one call: in a storm it ends at any time.
func (b *being) moment(rnd *rand.Rand) (context.Context, context.CancelFunc) {
	if b.s.phase() != storm {
		return b.ctx, func() {}
	}
	return context.WithTimeout(b.ctx, time.Duration(1+rnd.IntN(60_000))*time.Microsecond)
}

// pause is between two calls.
func (b *being) pause(rnd *rand.Rand) {
	d := time.Duration(0)
	switch b.s.phase() {
	case storm:
		if rnd.IntN(8) == 0 {
			d = time.Duration(rnd.IntN(5000)) * time.Microsecond
		}
	case meeting:
		d = 2 * time.Millisecond
	case strict:
		if rnd.IntN(32) == 0 {
			d = time.Duration(rnd.IntN(10_000)) * time.Microsecond
		}
	}
	if d > 0 {
		select {
		case <-time.After(d):
		case <-b.ctx.Done():
		}
	}
}

// key is what a letter is known by.
func (l letter) key() letter { return letter{from: l.from, n: l.n, answer: l.answer} }

// post sends a letter. An error means that nobody may ever receive it.
func (b *being) post(ctx context.Context, rnd *rand.Rand, l letter, envelope ...[]byte) error {
	s := b.s
	counts := l.phase == strict && s.name != "news" && s.name != "questions"
	// A publisher of libzmq leaves out a letter now and then, also without a mark, and
	// also for a subscriber of libzmq.
	noted := s.name == "news" && !b.theirs
	err := b.send(ctx, rnd, envelope, l.head(), func(words []string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sent[l.key()] != nil {
			s.fail("%v: letter %+v is sent twice", b, l)
		}
		s.sent[l.key()] = &record{words: words}
		if counts {
			s.open++
		}
		if noted {
			s.news[l.from] = append(s.news[l.from], l)
		}
	})
	if err != nil && !errors.Is(err, errKilled) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.sent[l.key()]; r == nil || r.came && s.ctx.Err() == nil {
			s.fail("%v: letter %+v arrived; the error of sending it was %v", b, l, err)
		}
		delete(s.sent, l.key())
		if counts {
			s.open--
		}
		if noted {
			s.news[l.from] = s.news[l.from][:len(s.news[l.from])-1]
		}
	}
	return err
}

// opened takes a message apart: the envelope, the letter. It checks that the letter
// was sent like that, and that it has not arrived before.
func (b *being) opened(words []string) (envelope [][]byte, l letter, ok bool) {
	s := b.s
	n := 0
	if b.typ == "ROUTER" || b.typ == "DEALER" && s.name == "questions" {
		if b.typ == "ROUTER" {
			n++
		}
		for n < len(words) && words[n] != "-" {
			n++
		}
		n++
	}
	if n < len(words) && !strings.HasPrefix(words[n], "=") {
		l, ok = parseHead(frame(words[n]))
	}
	if !ok {
		s.fail("%v received what is no letter: %.200q", b, words)
		return nil, l, false
	}
	for _, w := range words[:n] {
		envelope = append(envelope, frame(w))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.sent[l.key()]
	switch {
	case r == nil:
		s.fail("%v received %+v, which was not sent", b, l)
	case !slices.Equal(r.words, words[n+1:]):
		s.fail("%v received %+v with %.200q; sent was %.200q", b, l, words[n+1:], r.words)
	case r.came && s.name != "news":
		s.fail("%v received %+v, which has arrived before", b, l)
	default:
		if !r.came && l.phase == strict && s.name != "questions" {
			s.open--
		}
		r.came = true
		s.arrived++
		return envelope, l, true
	}
	return nil, l, false
}

// inOrder checks that a letter came after those that its sender sent before. Where
// a socket is bound, what came by a connection that was lost waits beside what comes
// by the next; where it has given an endpoint up and taken it again, the same.
func (b *being) inOrder(l letter) {
	if was := b.came[l.from]; l.n <= was && (l.phase != storm || !b.hub && !b.s.moves) {
		b.s.fail("%v received %+v after %d", b, l, was)
	}
	b.came[l.from] = l.n
}

// acquaint notes that somebody was heard of.
func (s *session) acquaint(b *being, from uint64, l letter) {
	if l.phase == storm {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[[2]uint64{b.number, from}]++
	if l.last {
		s.ended[[2]uint64{b.number, from}] = true
	}
}

// done notes that a sender has sent everything.
func (s *session) done() {
	s.mu.Lock()
	s.busy--
	s.mu.Unlock()
}

var chaosTopics = []string{"a", "ab", "b", "ba", "abc", ""}

func (s *session) someTopic(rnd *rand.Rand) string {
	topic := "z"
	switch rnd.IntN(6) {
	case 0:
	case 1, 2:
		s.mu.Lock()
		for m := range s.markers {
			topic = m
			break
		}
		s.mu.Unlock()
	default:
		topic = chaosTopics[rnd.IntN(5)]
	}
	return (topic + "........")[:8]
}

// sends sends letters that nobody answers.
func (b *being) sends(rnd *rand.Rand) {
	s := b.s
	left := (s.quota + s.lives - 1) / s.lives
	for n := uint64(1); b.ctx.Err() == nil; {
		l := letter{topic: s.someTopic(rnd), from: b.number, n: n, phase: s.phase()}
		if l.phase == strict {
			if left == 0 {
				s.done()
			}
			if left <= 0 && (s.name != "news" || left < 0 && !s.lossy) {
				return
			}
			if left <= 0 { // a publisher that may drop says it again
				l.topic, l.last = "z.......", true
			}
			left--
		}
		ctx, cancel := b.moment(rnd)
		err := b.post(ctx, rnd, l)
		cancel()
		if b.check("send", err) {
			n++
		}
		if errors.Is(err, errKilled) {
			return
		}
		if l.last {
			b.rest(5 * time.Millisecond)
		}
		b.pause(rnd)
	}
}

func (b *being) rest(d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.ctx.Done():
	}
}

// receives receives letters.
func (b *being) receives(rnd *rand.Rand) {
	for b.ctx.Err() == nil {
		for _, words := range b.hear(rnd) {
			if _, l, ok := b.opened(words); ok {
				b.inOrder(l)
				b.s.acquaint(b, l.from, l)
			}
		}
		if b.s.phase() != meeting {
			b.pause(rnd)
		}
	}
}

// hear receives what there is.
func (b *being) hear(rnd *rand.Rand) [][]string {
	ctx, cancel := b.moment(rnd)
	defer cancel()
	all, err := b.recv(ctx)
	b.check("receive", err)
	if errors.Is(err, errKilled) {
		b.stop()
	}
	return all
}

// recvWishes receives an XPUB's subscriptions: for each topic they come and go in turn.
func (b *being) recvWishes(rnd *rand.Rand) {
	wanted := make(map[string]bool)
	for b.ctx.Err() == nil {
		for _, words := range b.hear(rnd) {
			w := frame(words[0])
			if len(words) != 1 || len(w) == 0 {
				b.s.fail("%v received %.200q", b, words)
				return
			}
			topic, wants := string(w[1:]), w[0] == 1
			if wanted[topic] == wants {
				b.s.fail("%v received %q twice in a row", b, w)
			}
			wanted[topic] = wants
		}
	}
}

// noTopic is nothing that can be subscribed to here.
const noTopic = "-"

// A follower is what a subscriber knows.
type follower struct {
	want    map[string]int             // how often it is subscribed
	surely  map[uint64]map[string]bool // by publisher: what it has taken note of
	markers map[string]string          // which topic was subscribed to before
}

// follows subscribes, takes that back, and receives. Behind each topic it subscribes
// to a marker of its own: a publisher of which it receives that has taken note of the
// topic, and it receives from then on everything that is about it.
func (b *being) follows(rnd *rand.Rand) {
	s := b.s
	f := follower{map[string]int{"z": 1}, make(map[uint64]map[string]bool), make(map[string]string)}
	defer func() {
		s.mu.Lock()
		for m := range f.markers {
			delete(s.markers, m)
		}
		s.mu.Unlock()
	}()
	for b.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(rnd.IntN(20))*time.Millisecond)
		all, err := b.recv(ctx)
		cancel()
		b.check("receive", err)
		if errors.Is(err, errKilled) {
			return
		}
		for _, words := range all {
			if _, l, ok := b.opened(words); ok {
				b.follow(&f, l)
			}
		}
		if rnd.IntN(6) == 0 && s.phase() != meeting {
			b.change(&f, rnd)
		}
		if s.phase() != meeting {
			b.pause(rnd)
		}
	}
}

// change subscribes to a topic, or takes that back.
func (b *being) change(f *follower, rnd *rand.Rand) {
	s := b.s
	if len(f.markers) > 4 {
		for m := range f.markers { // which has served
			b.check("unsubscribe", b.subscribe(m, true))
			s.mu.Lock()
			delete(s.markers, m)
			s.mu.Unlock()
			delete(f.markers, m)
			delete(f.want, m)
			break
		}
	}
	topic := chaosTopics[rnd.IntN(len(chaosTopics))]
	if f.want[topic] > 0 && rnd.IntN(2) == 0 {
		b.check("unsubscribe", b.subscribe(topic, true))
		if f.want[topic]--; f.want[topic] == 0 {
			for _, known := range f.surely {
				delete(known, topic)
			}
			for m, t := range f.markers {
				if t == topic {
					f.markers[m] = noTopic // of which nothing follows any more
				}
			}
		}
		return
	}
	marker := fmt.Sprintf("m%07d", s.ids.Add(1))
	b.check("subscribe", b.subscribe(topic, false))
	b.check("subscribe", b.subscribe(marker, false))
	f.want[topic]++
	f.want[marker] = 1
	f.markers[marker] = topic
	s.mu.Lock()
	s.markers[marker] = true
	s.mu.Unlock()
}

// follow checks that a letter is wanted, and that none is missing before it.
func (b *being) follow(f *follower, l letter) {
	s := b.s
	matches := func(topics func(yield func(string) bool), l letter) bool {
		for t := range topics {
			if strings.HasPrefix(l.topic, t) {
				return true
			}
		}
		return false
	}
	wants := func(yield func(string) bool) {
		for t, n := range f.want {
			if n > 0 && !yield(t) {
				return
			}
		}
	}
	if b.typ == "SUB" && !matches(wants, l) {
		s.fail("%v received %+v, and is subscribed to %v", b, l, f.want)
	}
	was := b.came[l.from]
	b.inOrder(l)
	known := f.surely[l.from]
	if known == nil {
		known = make(map[string]bool)
		f.surely[l.from] = known
	}
	if !s.lossy && l.n > was {
		var missing []letter
		s.mu.Lock()
		if news := s.news[l.from]; news != nil {
			missing = slices.Clone(news[was : l.n-1])
		}
		s.mu.Unlock()
		sure := func(yield func(string) bool) {
			for t := range known {
				if !yield(t) {
					return
				}
			}
		}
		for _, m := range missing {
			if m.phase == strict && matches(sure, m) {
				s.fail("%v received %+v and not %+v, and is known to be subscribed to %v", b, l, m, known)
			}
		}
	}
	if l.phase == storm { // nothing is sure yet
		return
	}
	if l.topic == "z......." {
		known["z"] = true
	}
	if t, ok := f.markers[l.topic]; ok && t != noTopic && f.want[t] > 0 {
		known[t] = true
	}
	if l.topic[0] == 'z' {
		s.acquaint(b, l.from, l)
	}
}

// questioned is the next question.
func (b *being) question(n uint64) letter {
	return letter{topic: "question", from: b.number, n: n, phase: b.s.phase()}
}

// asksInTurn asks, and waits for the answer, which is to its own question.
func (b *being) asksInTurn(rnd *rand.Rand) {
	s := b.s
	left := s.quota
	for n := uint64(1); b.ctx.Err() == nil; n++ {
		l := b.question(n)
		if l.phase == strict {
			if left == 0 {
				s.done()
				return
			}
			left--
		}
		ctx, cancel := b.ctx, context.CancelFunc(func() {})
		if s.lossy || s.stormy && l.phase != strict {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(20+rnd.IntN(80))*time.Millisecond)
		}
		err := b.post(ctx, rnd, l)
		var all [][]string
		if err == nil {
			all, err = b.recv(ctx)
		}
		cancel()
		b.check("ask", err)
		if errors.Is(err, errKilled) {
			return
		}
		for _, words := range all {
			if _, a, ok := b.opened(words); ok {
				if !a.answer || a.from != l.from || a.n != l.n {
					s.fail("%v asked %+v and received %+v", b, l, a)
				}
				s.acquaint(b, a.by, a)
			}
		}
		b.pause(rnd)
	}
}

// asks asks while few enough questions are not answered.
func (b *being) asks(rnd *rand.Rand) {
	s := b.s
	left := s.quota
	for n := uint64(1); b.ctx.Err() == nil; n++ {
		l := b.question(n)
		most := s.window
		if l.phase == strict {
			if left == s.quota && s.stormy {
				b.forgetQuestions() // which may have been lost
			}
			if left == 0 {
				most = 1 // all are to be answered
			}
			left--
		}
		b.awaitAnswers(most)
		if left < 0 {
			s.done()
			return
		}
		var envelope [][]byte
		labels := s.labels
		if s.pool == nil {
			labels = rnd.IntN(4)
		}
		for range labels {
			envelope = append(envelope, fmt.Appendf(nil, "label %d", rnd.IntN(1000)))
		}
		envelope = append(envelope, []byte{})
		b.askMu.Lock()
		b.asked[n] = envelope
		b.askMu.Unlock()
		ctx, cancel := b.moment(rnd)
		err := b.post(ctx, rnd, l, envelope...)
		cancel()
		if !b.check("ask", err) {
			b.askMu.Lock()
			delete(b.asked, n)
			b.askMu.Unlock()
		}
		if errors.Is(err, errKilled) {
			return
		}
		b.pause(rnd)
	}
}

// awaitAnswers waits until less than so many questions are not answered. If they
// need not be, it gives up.
func (b *being) awaitAnswers(most int) {
	for b.ctx.Err() == nil {
		b.askMu.Lock()
		n := len(b.asked)
		b.askMu.Unlock()
		if n < most {
			return
		}
		var over <-chan time.Time
		if b.s.lossy || b.s.stormy && b.s.phase() != strict {
			over = time.After(100 * time.Millisecond)
		}
		select {
		case <-b.told:
		case <-over:
			b.forgetQuestions()
		case <-b.ctx.Done():
		}
	}
}

func (b *being) forgetQuestions() {
	b.askMu.Lock()
	defer b.askMu.Unlock()
	clear(b.asked)
}

// hearsAnswers receives the answers to what a DEALER asks.
func (b *being) hearsAnswers(rnd *rand.Rand) {
	s := b.s
	for b.ctx.Err() == nil {
		for _, words := range b.hear(rnd) {
			envelope, a, ok := b.opened(words)
			if !ok {
				return
			}
			if a.answer && a.from < b.number && (b.id != nil || b.hub) && a.phase == storm {
				// To who had its routing id before, or was bound there: what a ROUTER
				// connects to has the same routing id for ever, with libzmq as well.
				continue
			}
			b.askMu.Lock()
			asked, awaits := b.asked[a.n]
			delete(b.asked, a.n)
			b.askMu.Unlock()
			if !a.answer || a.from != b.number || awaits && !slices.EqualFunc(asked, envelope, slices.Equal) {
				s.fail("%v received %+v behind %q; asked behind %q", b, a, envelope, asked)
			}
			s.acquaint(b, a.by, a)
			select {
			case b.told <- struct{}{}:
			default:
			}
		}
		if s.phase() != meeting {
			b.pause(rnd)
		}
	}
}

// answers answers what it receives.
func (b *being) answers(rnd *rand.Rand) {
	s := b.s
	for b.ctx.Err() == nil {
		for _, words := range b.hear(rnd) {
			envelope, q, ok := b.opened(words)
			if !ok {
				return
			}
			if q.answer {
				s.fail("%v received %+v", b, q)
			}
			b.inOrder(q)
			a := letter{topic: "answered", from: q.from, n: q.n, by: b.number, phase: q.phase, answer: true}
			ctx, cancel := b.moment(rnd)
			if b.typ == "REP" { // which owes it, and does not wait
				ctx = b.ctx
			}
			err := b.post(ctx, rnd, a, envelope...)
			cancel()
			if !errors.Is(err, errNobody) || q.phase != storm {
				b.check("answer", err)
			}
		}
		if s.phase() != meeting {
			b.pause(rnd)
		}
	}
}
