package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/zmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `360 = 2 × 2 × 2 × 3 × 3 × 5
361 = 19 × 19
362 = 2 × 181
363 = 3 × 11 × 11
364 = 2 × 2 × 7 × 13
365 = 5 × 73
worker 1 did 2
worker 2 did 2
worker 3 did 2
`

// The program prints what it should, and gives back all that it took.
func TestRun(t *testing.T) {
	segments, _ := arena.Pool().Outstanding()
	buffers := zmq.Outstanding()
	var out strings.Builder
	if err := run(t.Context(), &out, 3, []uint64{360, 361, 362, 363, 364, 365}); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("it prints\n%swant\n%s", &out, want)
	}
	if after, _ := arena.Pool().Outstanding(); after != segments {
		t.Errorf("%d segments are not given back", after-segments)
	}
	if after := zmq.Outstanding(); after != buffers {
		t.Errorf("%d buffers are not given back", after-buffers)
	}
}
