package zmq

import (
	"net"
	"runtime"
)

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

// LoseWhileWriting has a sender write frames, each a message, over a connection that
// takes so many bytes and is lost before the writer comes to write the rest. It gives
// what is written on the next connection.
func LoseWhileWriting(s *Socket, takes int, frames ...string) (again string) {
	nc, other := net.Pipe()
	defer func() { _ = other.Close() }()
	p, c := newPeer(s, nil), newConn(s, nc)
	c.peer = p
	left := make(chan struct{})
	c.try = func([][]byte) (int, error) {
		c.shut(nil)
		go func() {
			defer close(left)
			s.leave(p, c)
		}()
		for lost := false; !lost; runtime.Gosched() {
			s.mu.Lock()
			lost = p.conn == nil
			s.mu.Unlock()
		}
		return takes, nil
	}
	s.in.enter(c)
	s.mu.Lock()
	p.conn, p.writing = c, true
	for _, f := range frames {
		_, _ = p.enqueue([][]byte{[]byte(f)}, owner{}, nil)
	}
	s.mu.Unlock()
	p.write(true)
	<-left
	c.free()
	s.mu.Lock()
	defer s.unlock()
	for _, piece := range p.out.vec {
		again += string(piece)
	}
	p.discard()
	return again
}

// HoldWrites has who writes to the peers of a socket wait behind each write, until a
// channel is closed.
func HoldWrites(s *Socket, until <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		try := p.conn.try
		if try == nil {
			continue
		}
		p.conn.try = func(vec [][]byte) (int, error) {
			n, err := try(vec)
			<-until
			return n, err
		}
	}
}
