package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/zmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `early: metal.gold 100.00, metal.silver 1.20
late:  grain.wheat 0.07, metal.gold 105.00, metal.silver 1.20
early: metal.gold 105.00, metal.silver 1.20
`

// The program prints what it should, and gives back all that it took.
func TestRun(t *testing.T) {
	segments, _ := arena.Pool().Outstanding()
	buffers := zmq.Outstanding()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
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
