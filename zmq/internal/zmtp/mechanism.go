package zmtp

import "bytes"

// The reasons that are sent in an ERROR command.
const (
	reasonDenied   = "400" // ZAP's status code for denied credentials (RFC 27)
	reasonMetadata = "Invalid metadata"
)

// Mechanism is one side of a security handshake: NULL, PLAIN or CURVE. It serves
// one connection and is used by one goroutine.
type Mechanism interface {
	// Name returns the mechanism's name, as in the greeting.
	Name() string
	// Next takes the body of a command that the peer sent, nil in the first
	// call, and returns the body of the command to send next, nil if there is
	// none. With done the handshake is over as soon as that is sent.
	//
	// An error is final. If out is not nil beside it, it is an ERROR command
	// that the peer should get before the connection is closed. Next doesn't
	// keep in; out is the caller's.
	Next(in []byte) (out []byte, done bool, err error)
	// Peer returns what the peer said about itself, once Next said done. It was
	// checked: its Socket-Type is one that the local one may talk to.
	Peer() Metadata
	// User returns who the peer is, as the [Authenticator] said; "" if the
	// mechanism doesn't ask it or this side is the client.
	User() string
	// Wrapper returns what encrypts and decrypts frames once Next said done,
	// nil if frames pass as they are.
	Wrapper() *Wrapper
}

// misspelt is how libzmq 4.3.4 starts an ERROR of PLAIN: "\x5ERROR" in C.
const misspelt = "\x5eRROR"

// The states of a handshake. A client goes through them from the top; a server
// starts at expectHello, NULL jumps from start to expectReady.
type state uint8

const (
	start state = iota
	expectHello
	expectWelcome
	expectInitiate
	expectReady
	over
	failed
)

// expected is the only command that a state takes.
func (s state) expected() string {
	return [...]string{
		expectHello: cmdHello, expectWelcome: cmdWelcome, expectInitiate: cmdInitiate, expectReady: cmdReady,
	}[s]
}

// handshake is what the mechanisms have in common.
type handshake struct {
	name     string
	state    state
	wrong    error // the sentinel for what the peer gets wrong
	local    Metadata
	peer     Metadata
	user     string
	received int // bytes so far
}

func newHandshake(name string, first state, wrong error, local Metadata) (handshake, error) {
	return handshake{name: name, state: first, wrong: wrong, local: local}, local.checkLocal()
}

func (h *handshake) Name() string      { return h.name }
func (h *handshake) User() string      { return h.user }
func (h *handshake) Wrapper() *Wrapper { return nil }

func (h *handshake) Peer() Metadata {
	if h.state != over {
		return nil
	}
	return h.peer
}

// take returns the data of the one command that the state of the handshake
// takes.
func (h *handshake) take(in []byte) ([]byte, error) {
	if h.state == start || h.state >= over {
		return nil, fault(h.wrong, "%s handshake goes on after its end or before its start", h.name)
	}
	h.received += len(in)
	if h.received > MaxHandshake {
		return nil, overLimit("size of a handshake", MaxHandshake, uint64(h.received))
	}
	if reason, ok := bytes.CutPrefix(in, []byte(misspelt)); ok && h.name == PLAIN {
		in = AppendCommand(nil, cmdError, reason)
	}
	c, err := ParseCommand(in)
	if err != nil {
		return nil, h.bad(err)
	}
	if want := h.state.expected(); c.Name == want {
		return c.Data, nil
	} else if c.Name != cmdError {
		return nil, fault(h.wrong, "%s handshake got %s, not %s", h.name, c.Name, want)
	}
	reason, err := parseReason(c.Data)
	if err != nil {
		return nil, h.bad(err)
	}
	return nil, &PeerError{Mechanism: h.name, Reason: reason}
}

// bad gives an error of a parser the mechanism's sentinel.
func (h *handshake) bad(err error) error {
	if h.wrong == ErrMalformed {
		return err
	}
	return fault(h.wrong, "%s: %v", h.name, err)
}

// learn parses and checks the peer's metadata.
func (h *handshake) learn(b []byte) error {
	m, err := ParseMetadata(b)
	if err == nil {
		err = m.checkPeer(h.local)
	}
	h.peer = m
	return err
}

// finish turns the outcome of a step into that of Next: a step that failed is
// the last.
func (h *handshake) finish(out []byte, err error) ([]byte, bool, error) {
	if err != nil {
		h.state = failed
	}
	return out, h.state == over, err
}

// refusal is the ERROR command for a reason.
func refusal(reason string) []byte { return AppendError(nil, reason) }
