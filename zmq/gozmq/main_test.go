package gozmq_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// This package starts no goroutine. Those that zmq4 never ends are named one by
// one: the package comment tells users of them.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		child(role)
		return
	}
	goleak.VerifyTestMain(m,
		// A PUB or XPUB socket that is closed leaves the goroutine that sends.
		goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4.(*pubMWriter).run"),
		// What reads from a peer waits for ever if the socket's user doesn't.
		goleak.IgnoreTopFunction("github.com/go-zeromq/zmq4.(*qreader).listen"),
		// Over inproc whoever waits for bytes isn't woken by a close.
		goleak.IgnoreAnyFunction("github.com/go-zeromq/zmq4/internal/inproc.(*conn).read"),
	)
}
