package zmqbench

import "fmt"

// pattern is how the messages of a case go.
type pattern struct {
	name             string
	sender, receiver role
	receivers        int
}

var (
	pushPull = pattern{name: "pushpull", sender: push, receiver: pull, receivers: 1}
	reqRep   = pattern{name: "reqrep", sender: req, receiver: rep, receivers: 1}
	pubSub   = pattern{name: "pubsub4", sender: pub, receiver: sub, receivers: subscribers}
)

// subscribers is how many a publisher has, here and in the C program.
const subscribers = 4

// role is the part of a worker.
type role string

// The roles. PULL, REP and PUB bind; PUSH, REQ and SUB connect.
const (
	push role = "push"
	pull role = "pull"
	req  role = "req"
	rep  role = "rep"
	pub  role = "pub"
	sub  role = "sub"
)

func parseRole(s string) (role, error) {
	switch r := role(s); r {
	case push, pull, req, rep, pub, sub:
		return r, nil
	}
	return "", fmt.Errorf("zmqbench: no worker has the role %q", s)
}

func (r role) binds() bool { return r == pull || r == rep || r == pub }
