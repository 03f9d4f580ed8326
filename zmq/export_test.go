package zmq

import "net"

// Subscriptions is how many topics the peers of a PUB or XPUB want.
func Subscriptions(s *Socket) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.wishes.byTopic)
}

// Routes is how many peers a ROUTER can send to.
func Routes(s *Socket) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// Live is how many peers a socket is connected to.
func Live(s *Socket) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.conn != nil {
			n++
		}
	}
	return n
}

// Wishers is how many peers want a topic.
func Wishers(s *Socket, topic string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.wishes.byTopic[topic]; w != nil {
		return len(w.peers)
	}
	return 0
}

// ListenUnix listens at a unix socket as options say, and accepts nothing.
func ListenUnix(addr string, o Options) (net.Listener, error) { return listen("unix", addr, &o) }

// Accept has a socket accept from ln.
func Accept(s *Socket, ln net.Listener) {
	e := newEndpoint(s, "test", address{scheme: "tcp"})
	e.ln = ln
	if err := s.keepEndpoint(e, e.accept); err != nil {
		panic(err)
	}
}

// ParseEndpoint does all that is done with an endpoint before it is used.
func ParseEndpoint(text string) {
	a, err := parseEndpoint(text)
	if err != nil || a.scheme == "inproc" {
		return
	}
	_, _, _ = a.dialable()
	if a.rest != "*" {
		_, _, _, _ = a.listenable()
	}
}
