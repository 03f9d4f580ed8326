//go:build !purego

package gozmq_test

import (
	"slices"
	"testing"

	"github.com/go-zeromq/zmq4"

	"github.com/fairlead-go/fairlead/zmq/gozmq"
)

// With the purego tag a segment is read wherever it lies.

// TestUnaligned: a segment that lies at an odd place is copied once, and counted;
// the others are not.
func TestUnaligned(t *testing.T) {
	_, want := build(t, new(poisoner), 4, 64)
	frames := slices.Clone(want)
	odd := make([]byte, 65)
	copy(odd[1:], frames[2])
	frames[2] = odd[1:]
	got := delta(func() {
		_, msg := recv(t, &fake{typ: zmq4.Pull, in: []zmq4.Msg{zmq4.NewMsgFrom(frames...)}}, gozmq.RecvOptions{})
		same(t, msg, want)
		for i := range frames {
			if inPlace := &msg.Segment(i)[0] == &frames[i][0]; inPlace != (i != 2) {
				t.Errorf("segment %d is read in place: %v", i, inPlace)
			}
		}
		msg.Release()
	})
	if got.RecvCopied != 1 || got.RecvCopiedBytes != 64 || got.Received != 1 || got.ReceivedBytes != 256 {
		t.Errorf("counts %+v; want one segment of 64 bytes copied", got)
	}
}
