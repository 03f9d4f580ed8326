package arena

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// children are what this test binary does instead of testing when it is started
// again with the environment variable set: things that a process must die of, or
// be born with.
var children = map[string]func(){}

const (
	childEnv  = "FAIRLEAD_ARENA_CHILD"
	quickExit = "GORACE=atexit_sleep_ms=0" // the race detector's default is a second a child
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// checkBlock fails the test unless mem keeps the contract for an Allocate of
// minBytes.
func checkBlock(t interface {
	Helper()
	Fatalf(string, ...any)
}, mem []byte, minBytes int,
) {
	t.Helper()
	if len(mem) < minBytes || len(mem)%8 != 0 || cap(mem) != len(mem) {
		t.Fatalf("%d bytes asked: length %d, capacity %d", minBytes, len(mem), cap(mem))
	}
	if addr(mem)%8 != 0 {
		t.Fatalf("%d bytes asked: starts at %#x", minBytes, addr(mem))
	}
	if i := firstNot(mem, zeroPage); i >= 0 {
		t.Fatalf("%d bytes asked: byte %d is %#x", minBytes, i, mem[i])
	}
}
