package shmbench

import (
	"fmt"
	"strconv"
)

// role is the part of a worker.
type role string

// The roles. Answer, take and pub are started first, and the others connect to
// them.
const (
	ask    role = "ask"
	answer role = "answer"
	send   role = "send"
	take   role = "take"
	pub    role = "pub"
	sub    role = "sub"
)

func parseRole(s string) (role, error) {
	switch r := role(s); r {
	case ask, answer, send, take, pub, sub:
		return r, nil
	}
	return "", fmt.Errorf("shmbench: no worker has the role %q", s)
}

func (r role) listens() bool { return r == answer || r == take || r == pub }

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
	return list
}
