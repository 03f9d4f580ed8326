package zmq

import (
	"fmt"
	"sync"
)

// EventKind is what happened to a connection.
type EventKind uint8

// The kinds of events.
const (
	Listening       EventKind = iota + 1 // an endpoint was bound
	Accepted                             // somebody connected; nothing is known of them yet
	Connected                            // a connection was made; nothing is known of the peer yet
	ConnectDelayed                       // an endpoint cannot be connected to; Err says why
	ConnectRetried                       // and is tried again
	HandshakeDone                        // the peer takes part
	HandshakeFailed                      // the peer was refused, or refused us; Err says why
	AcceptFailed                         // a connection could not be accepted; Err says why
	Disconnected                         // a peer that took part is lost; Err says why
	Closed                               // an endpoint was given up
)

var eventNames = [...]string{
	Listening: "listening", Accepted: "accepted", Connected: "connected", ConnectDelayed: "connect delayed",
	ConnectRetried: "connect retried", HandshakeDone: "handshake done", HandshakeFailed: "handshake failed",
	AcceptFailed: "accept failed", Disconnected: "disconnected", Closed: "closed",
}

func (k EventKind) String() string {
	if k == 0 || int(k) >= len(eventNames) {
		return fmt.Sprintf("EventKind(%d)", uint8(k))
	}
	return eventNames[k]
}

// Event tells what happened to a connection.
type Event struct {
	Kind     EventKind
	Endpoint string // that was bound or connected to
	Remote   string // the other end's address, where there is one
	User     string // HandshakeDone: who the authenticator said that the peer is
	Err      error  // why, where something failed
}

func (e Event) String() string {
	s := fmt.Sprintf("%v %s", e.Kind, e.Endpoint)
	if e.Remote != "" {
		s += " " + e.Remote
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

type monitor struct {
	mu     sync.Mutex
	to     []chan Event
	failed error // by which the last attempt to connect failed
	closed bool
}

func (m *monitor) lastFailure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// Monitor returns a channel of what happens to connections from now on, which
// is closed by Close. It holds buffer events; one that finds it full is left out
// and counted in [Stats].
func (s *Socket) Monitor(buffer int) <-chan Event {
	ch := make(chan Event, buffer)
	s.monitor.mu.Lock()
	defer s.monitor.mu.Unlock()
	if s.monitor.closed {
		close(ch)
	} else {
		s.monitor.to = append(s.monitor.to, ch)
	}
	return ch
}

func (s *Socket) event(e Event) {
	s.monitor.mu.Lock()
	defer s.monitor.mu.Unlock()
	if e.Kind == ConnectDelayed || e.Kind == HandshakeFailed {
		s.monitor.failed = e.Err
	}
	for _, ch := range s.monitor.to {
		select {
		case ch <- e:
		default:
			s.stats.eventsLost.Add(1)
		}
	}
}

func (m *monitor) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, ch := range m.to {
		close(ch)
	}
	m.to = nil
}
