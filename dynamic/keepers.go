package dynamic

import "github.com/fairlead-go/fairlead/segment"

// keepers gives memory that nobody has to release: that of values which outlive
// the message that they were read from.
type keepers struct{}

func (keepers) Allocate(minBytes int) ([]byte, error) { return make([]byte, minBytes), nil }

func (keepers) Free([]byte, int) {}

// Zeroed promises that the memory is zero.
func (keepers) Zeroed() bool { return true }

// keep copies what p refers to into a message of its own, which nobody has to
// release.
func keep(p segment.Ptr) *segment.Message {
	msg := segment.New(keepers{})
	msg.RootBuilder().Set(p)
	return msg
}
