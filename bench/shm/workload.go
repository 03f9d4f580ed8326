package shmbench

import (
	"fmt"
	"strconv"
)

// role is the part of a worker.
type role string

// The roles. Answer, take, pub and host are started first, and the others connect to
// them. Meet asks host, each time by a connection of its own.
const (
	ask    role = "ask"
	answer role = "answer"
	send   role = "send"
	take   role = "take"
	pub    role = "pub"
	sub    role = "sub"
	meet   role = "meet"
	host   role = "host"
)

func parseRole(s string) (role, error) {
	switch r := role(s); r {
	case ask, answer, send, take, pub, sub, meet, host:
		return r, nil
	}
	return "", fmt.Errorf("shmbench: no worker has the role %q", s)
}

func (r role) listens() bool { return r == answer || r == take || r == pub || r == host }

// asks tells whether the role gets a reply to each message.
func (r role) asks() bool { return r == ask || r == meet }

// answers tells whether the role replies.
func (r role) answers() bool { return r == answer || r == host }

// mode is how those wait who have nothing to do.
type mode string

const (
	spin     mode = "spin"
	adaptive mode = "adaptive"
	asleep   mode = "sleep"
)

func parseMode(s string) (mode, error) {
	switch m := mode(s); m {
	case spin, adaptive, asleep:
		return m, nil
	}
	return "", fmt.Errorf("shmbench: there is no waiting %q", s)
}

// workload is a case as its crew is told of it.
type workload struct {
	shape
	name             string
	sender, receiver role
	receivers        int
	mode             mode
	idle             bool // the connection is measured while nothing happens
}

// without says why a contestant takes no part in a case of few; "" if it does.
func (w workload) without(who string) string {
	few := who == "fairlead" || who == "unix" || who == "tcp"
	switch {
	case w.idle && restMissing != "":
		return restMissing
	case few:
	case w.sender == meet:
		return "its connections are not made for one message"
	case w.idle:
		return "see the others: it spins, or is one of them"
	}
	return ""
}

// maxReceivers is the most subscribers that a case has, here and in the C++
// program.
const maxReceivers = 4

func workloads() []workload {
	var list []workload
	for _, pair := range []struct {
		name             string
		sender, receiver role
	}{{"rtt", ask, answer}, {"stream", send, take}} {
		for _, m := range []mode{spin, adaptive, asleep} {
			for _, size := range sizes {
				list = append(list, workload{
					shape: shape{size.bytes}, name: fmt.Sprintf("%s/%s/%s", pair.name, m, size.name),
					sender: pair.sender, receiver: pair.receiver, receivers: 1, mode: m,
				})
			}
		}
	}
	for _, n := range []int{1, maxReceivers} {
		for _, size := range sizes {
			list = append(list, workload{
				shape: shape{size.bytes}, name: "pubsub" + strconv.Itoa(n) + "/" + size.name,
				sender: pub, receiver: sub, receivers: n, mode: adaptive,
			})
		}
	}
	one := shape{sizes[0].bytes}
	return append(list,
		workload{shape: one, name: "first", sender: meet, receiver: host, receivers: 1, mode: adaptive},
		workload{shape: one, name: "idle", sender: ask, receiver: answer, receivers: 1, mode: adaptive, idle: true})
}
