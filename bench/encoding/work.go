package encoding

import (
	"bytes"
	"fmt"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// shape is a model under the name that its cases bear.
type shape struct {
	name string
	model
	// segmented asks for a message of many segments.
	segmented bool
	actions   []string
}

// shapes lists the suite's cases in the order of the report.
func shapes() []shape {
	all := []string{"build", "encode", "read"}
	return []shape{
		{name: "A", model: modelA(), actions: all},
		{name: "book2", model: modelBook2(), actions: all},
		{name: "book1000", model: modelBook(1000), actions: append(all, "pack", "unpack")},
		{name: "book1000seg", model: modelBook(1000), segmented: true, actions: []string{"build"}},
		{name: "blob1M", model: modelBlob(), actions: all},
	}
}

// segmentBytes is the size of the segments of a segmented shape.
const segmentBytes = 8 << 10

// work is what a contestant of this process does in one case. The loop over n
// is the contestant's own, so that a call through a function value is not
// counted as its work.
type work struct {
	check func() (harness.Answer, error)
	run   func(n int)
}

// works are a contestant's works on one shape by action. An action that a
// format does not have is left out.
type works map[string]work

// sink keeps the compiler from removing work whose result nobody reads.
//
//lint:ignore U1000 it is only written
var sink uint64

// keep does the same for what was built.
//
//lint:ignore U1000 it is only written
var keep any

// checkSum compares what a timed read adds up with the model.
func checkSum(m model, got uint64) error {
	if want := m.sum(); got != want {
		return fmt.Errorf("encoding: the timed read adds up to %#x, the model to %#x", got, want)
	}
	return nil
}

// must ends the program on an error of a contestant's timed work. Its Check
// has done the same work before, so none is expected.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("encoding: a contestant failed in a timed run after it had passed its check: %v", err))
	}
}

// checkSame compares bytes that must be equal.
func checkSame(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("encoding: %s: %d bytes differ from the %d expected", what, len(got), len(want))
	}
	return nil
}
