package zmq

// A prefixes is a map of topics, made to find all that begin another: by looking
// for each length that a topic has, of which there are at most zmtp.MaxTopic + 1
// however many topics there are.
type prefixes[T any] struct {
	byTopic map[string]T
	lengths []int // of how many topics have each length
}

func (m *prefixes[T]) set(topic string, v T) {
	if m.byTopic == nil {
		m.byTopic = make(map[string]T)
	}
	if _, ok := m.byTopic[topic]; !ok {
		for len(m.lengths) <= len(topic) {
			m.lengths = append(m.lengths, 0)
		}
		m.lengths[len(topic)]++
	}
	m.byTopic[topic] = v
}

func (m *prefixes[T]) remove(topic string) {
	if _, ok := m.byTopic[topic]; ok {
		delete(m.byTopic, topic)
		m.lengths[len(topic)]--
	}
}

// each calls f for each topic that b begins with, until it returns false.
func (m *prefixes[T]) each(b []byte, f func(T) bool) {
	for n, count := range m.lengths {
		if n > len(b) {
			return
		}
		if count == 0 {
			continue
		}
		if v, ok := m.byTopic[string(b[:n])]; ok && !f(v) {
			return
		}
	}
}

// topics is what a SUB or XSUB wants: each topic with how often it was asked for.
type topics struct{ prefixes[int] }

func (t *topics) add(topic string) { t.set(topic, t.byTopic[topic]+1) }

// cancel tells whether this was the last time that the topic was asked for.
func (t *topics) cancel(topic string) (last bool) {
	switch n := t.byTopic[topic]; n {
	case 0:
		return false
	case 1:
		t.remove(topic)
		return true
	default:
		t.set(topic, n-1)
		return false
	}
}

// matches tells whether b begins with a topic that is wanted.
func (t *topics) matches(b []byte) (ok bool) {
	t.each(b, func(int) bool {
		ok = true
		return false
	})
	return ok
}

func (t *topics) all(f func(topic []byte)) {
	for topic := range t.byTopic {
		f([]byte(topic))
	}
}

// wishes is what the peers of a PUB or XPUB want.
type wishes struct{ prefixes[*wish] }

type wish struct{ peers []*peer }

// add tells whether the peer did not have the topic yet, and whether nobody had.
func (w *wishes) add(topic string, p *peer) (isNew, first bool) {
	e := w.byTopic[topic]
	if e == nil {
		e = new(wish)
		w.set(topic, e)
	}
	for _, q := range e.peers {
		if q == p {
			return false, false
		}
	}
	e.peers = append(e.peers, p)
	p.topics++
	return true, len(e.peers) == 1
}

// cancel tells whether the peer had the topic, and whether nobody has it now.
func (w *wishes) cancel(topic string, p *peer) (had, last bool) {
	e := w.byTopic[topic]
	if e == nil {
		return false, false
	}
	for i, q := range e.peers {
		if q == p {
			e.peers = append(e.peers[:i], e.peers[i+1:]...)
			p.topics--
			if len(e.peers) == 0 {
				w.remove(topic)
			}
			return true, len(e.peers) == 0
		}
	}
	return false, false
}
