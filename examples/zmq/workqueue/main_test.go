package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/zmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `the squares below 20 have the sum 2470; given out again: 1
`

// The program prints what it should, and gives back all that it took.
func TestRun(t *testing.T) {
	segments, _ := arena.Pool().Outstanding()
	buffers := zmq.Outstanding()
	var out strings.Builder
	if err := run(t.Context(), &out, 20); err != nil {
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
