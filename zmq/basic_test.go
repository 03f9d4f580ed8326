package zmq_test

import (
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq"
)

func TestPushPull(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			pull, push := open(t, zmq.Pull), open(t, zmq.Push)
			connect(t, push, bind(t, pull, endpoint))
			large := strings.Repeat("x", 1<<20)
			for _, m := range [][]string{{"hello"}, {""}, {"a", "", "b"}, {large}, {large, "", large, "z"}, {strings.Repeat("y", 255)}, {strings.Repeat("y", 256)}, {strings.Repeat("y", 9000)}} {
				send(t, push, m...)
				want(t, pull, m...)
			}
		})
	}
}
