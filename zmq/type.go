package zmq

import (
	"fmt"
	"strings"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// Type is the type of a socket, which says how it routes messages.
type Type uint8

// The types of sockets.
const (
	Pair   Type = iota + 1 // one peer, both ways
	Pub                    // to each subscriber what it subscribed to; drops for the slow
	Sub                    // from publishers what was subscribed to
	XPub                   // PUB that also receives the subscriptions
	XSub                   // SUB whose subscriptions are messages that it sends
	Req                    // sends a request, receives its reply, in turn
	Rep                    // receives a request, sends its reply, in turn
	Dealer                 // to one peer after the other, from all in turn
	Router                 // to the peer that the first frame names
	Push                   // to one peer after the other
	Pull                   // from all in turn
)

// A traits says what a type of socket does.
type traits struct {
	name       string
	wire       zmtp.SocketType
	send, recv bool
	balance    bool // sends to one peer after the other
	spread     bool // sends to all peers, or to those that want it
	filter     bool // peers tell it their subscriptions
	subscribe  bool // it tells peers its subscriptions
	single     bool // one peer
}

var types = [...]traits{
	Pair:   {name: "PAIR", wire: zmtp.Pair, send: true, recv: true, balance: true, single: true},
	Pub:    {name: "PUB", wire: zmtp.Pub, send: true, spread: true, filter: true},
	Sub:    {name: "SUB", wire: zmtp.Sub, recv: true, subscribe: true},
	XPub:   {name: "XPUB", wire: zmtp.XPub, send: true, recv: true, spread: true, filter: true},
	XSub:   {name: "XSUB", wire: zmtp.XSub, send: true, recv: true, spread: true, subscribe: true},
	Req:    {name: "REQ", wire: zmtp.Req, send: true, recv: true, balance: true},
	Rep:    {name: "REP", wire: zmtp.Rep, send: true, recv: true},
	Dealer: {name: "DEALER", wire: zmtp.Dealer, send: true, recv: true, balance: true},
	Router: {name: "ROUTER", wire: zmtp.Router, send: true, recv: true},
	Push:   {name: "PUSH", wire: zmtp.Push, send: true, balance: true},
	Pull:   {name: "PULL", wire: zmtp.Pull, recv: true},
}

func (t Type) traits() *traits { return &types[t] }

// String gives the name that ZeroMQ has for it, such as PUSH.
func (t Type) String() string {
	if t == 0 || int(t) >= len(types) {
		return fmt.Sprintf("Type(%d)", uint8(t))
	}
	return types[t].name
}

// ParseType gives the type with a name such as "push", in whatever case.
func ParseType(name string) (Type, error) {
	for t := Pair; int(t) < len(types); t++ {
		if strings.EqualFold(types[t].name, name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("zmq: no type of socket has the name %q", name)
}
