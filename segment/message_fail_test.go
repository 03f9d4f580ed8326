package segment_test

import (
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// The first fault stays, whoever finds it, and the message is not sent.
func TestFail(t *testing.T) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	msg.NewRoot(segment.Size{DataWords: 1}).SetUint64(0, 1)
	msg.Fail(nil)
	if _, err := msg.ToSegments(); err != nil {
		t.Fatalf("a message that nil was said of: %v", err)
	}
	first, second := errors.New("first"), errors.New("second")
	msg.Fail(first)
	msg.Fail(second)
	if _, err := msg.ToSegments(); !errors.Is(err, first) || !errors.Is(msg.Err(), first) {
		t.Errorf("ToSegments gives %v and Err %v, want the first fault", err, msg.Err())
	}
	msg.ClearErr()
	if msg.Err() != nil {
		t.Errorf("after ClearErr: %v", msg.Err())
	}
}
