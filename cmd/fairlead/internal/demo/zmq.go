package demo

import (
	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// zmqOptions are those of sockets that no URL opens.
func zmqOptions() zmq.Options {
	lim := workerLimits()
	return zmq.Options{MaxMessageBytes: lim.MessageBytes, Limits: lim}
}

func zmqDialOptions() zmq.Options {
	o := zmqOptions()
	o.Linger = -1
	return o
}

// smallFrame is how large a frame may be that package zmq copies, to leave with
// others.
const smallFrame = 2 << 10

// keepSmall gives a copy of a message that package zmq would copy.
func keepSmall(_ fairlead.Pipe, msg *segment.Message) (*segment.Message, error) {
	if !small(msg) {
		return msg, nil
	}
	defer msg.Release()
	var kept *segment.Message
	err := guarded(msg, 0, func() (err error) {
		kept, err = msg.Snapshot()
		return err
	})
	return kept, err
}

// small tells whether package zmq copies all of a message.
func small(msg *segment.Message) bool {
	for i := range msg.Segments() {
		if len(msg.Segment(i)) > smallFrame {
			return false
		}
	}
	return true
}
