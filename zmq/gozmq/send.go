package gozmq

import (
	"fmt"
	"math"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/go-zeromq/zmq4"
)

// MaxFrames is how many frames a message may have when it is sent, its envelope
// included: what package zmq takes from a peer by default. By the default
// [segment.Limits] a receiver of messages takes 511 segments.
const MaxFrames = 1024

// maxShort is the largest frame with a header of two bytes, the only ones that
// zmq4's inproc transport can carry: of the nine bytes of a longer header it
// loses seven.
const maxShort = 255

// Send sends a message through a socket: the frames of the envelope, if there
// are any, and then one frame a segment. Which envelope a pattern has is in the
// package comment.
//
// Send takes the message over in every case: the caller never releases it. Its
// memory goes back to its arena before Send returns, with one exception, which
// Stats counts as Abandoned: after an error of zmq4 on a PUSH, PAIR, DEALER, SUB
// or XSUB, a goroutine of that library may still read what was not copied. That
// memory is left to the garbage collector and never goes back to the arena.
//
// The envelope's frames stay the caller's. They may be changed once Send
// returns nil.
//
// A nil error says what it says in zmq4, which is little: the message may have
// been sent to nobody. Send blocks for as long as the socket does. It may be
// called from many goroutines where the socket's own Send may: not on REQ and
// REP.
//
// The message's own fault, and what can't be sent, are found before anything is
// sent: an empty segment ([segment.ErrMalformed]), too many frames, or, on a
// socket that listens on inproc, a frame of more than 255 bytes
// ([segment.ErrLimit]), and a message that its first frame would turn into
// something else ([segment.ErrMisuse]).
func Send(sock zmq4.Socket, msg *segment.Message, envelope ...[]byte) error {
	if err := send(sock, msg, envelope); err != nil {
		stats.errors.Add(1)
		return fmt.Errorf("gozmq: sending on %s: %w", sock.Type(), err)
	}
	return nil
}

func send(sock zmq4.Socket, msg *segment.Message, envelope [][]byte) error {
	frames, err := outgoing(sock, msg, envelope)
	if err != nil {
		msg.Release()
		return err
	}
	var size int
	for _, f := range frames {
		size += len(f)
	}
	typ := sock.Type()
	lent := detach(typ, frames, len(envelope))
	if !lent {
		msg.Release()
	}
	err = sock.SendMulti(zmq4.NewMsgFrom(frames...))
	if lent {
		if err == nil || returnsLast(typ) {
			msg.Release()
		} else {
			stats.abandoned.Add(1)
		}
	}
	if err != nil {
		return err
	}
	stats.sent.Add(1)
	stats.sentBytes.Add(uint64(size))
	return nil
}

// outgoing gives the frames of a message, in its own memory, once they are known
// to arrive as what they are.
func outgoing(sock zmq4.Socket, msg *segment.Message, envelope [][]byte) ([][]byte, error) {
	frames := make([][]byte, 0, len(envelope)+max(1, msg.Segments()))
	frames = append(frames, envelope...)
	frames, err := msg.AppendSegments(frames)
	if err != nil {
		return nil, err
	}
	if len(frames) > MaxFrames {
		return nil, &segment.LimitError{Limit: "MaxFrames", Max: MaxFrames, Got: uint64(len(frames))}
	}
	if err := noneEmpty(frames[len(envelope):]); err != nil {
		return nil, err
	}
	switch sock.Type() {
	case zmq4.Router:
		if len(envelope) == 0 || len(envelope[0]) == 0 {
			return nil, fmt.Errorf("%w: no routing id as the first frame of the envelope", segment.ErrMisuse)
		}
	case zmq4.Sub, zmq4.XSub:
		if len(frames) == 1 && frames[0][0] <= 1 {
			return nil, fmt.Errorf("%w: one frame that begins with %d is a subscription; put a frame before it", segment.ErrMisuse, frames[0][0])
		}
	}
	if a := sock.Addr(); a != nil && a.Network() == "inproc" {
		for _, f := range frames {
			if len(f) > maxShort {
				return nil, &segment.LimitError{Limit: "bytes of an inproc frame of zmq4", Max: maxShort, Got: uint64(len(f))}
			}
		}
	}
	return frames, nil
}

// noneEmpty refuses empty segments. An empty frame is a delimiter: a REP socket
// of zmq4 takes the last one of all frames for its own, and loses what is before
// it.
func noneEmpty(segs [][]byte) error {
	for i, s := range segs {
		if len(s) == 0 {
			return &segment.Fault{Kind: segment.ErrMalformed, Segment: uint32(i), Detail: "an empty segment, which as a frame is a delimiter"}
		}
	}
	return nil
}

// detach replaces by copies, in one piece of new memory, the frames that the
// library may look at after SendMulti has returned. It tells whether any segment
// is left where the message has it.
func detach(typ zmq4.SocketType, frames [][]byte, envelope int) (lent bool) {
	most := maxShort // a Socket doesn't tell whether it is connected by inproc
	if keepsAll(typ) {
		most = math.MaxInt
	}
	var size, n int
	for i, f := range frames {
		switch {
		case len(f) == 0:
		case len(f) <= most:
			size += len(f)
			n++
		case i >= envelope:
			lent = true
		}
	}
	if n == 0 {
		return lent
	}
	buf := make([]byte, 0, size)
	for i, f := range frames {
		if len(f) > 0 && len(f) <= most {
			at := len(buf)
			buf = append(buf, f...)
			frames[i] = buf[at:len(buf):len(buf)]
		}
	}
	stats.copied.Add(uint64(n))
	stats.copiedBytes.Add(uint64(size))
	return lent
}

// keepsAll tells whether a socket only queues what it is given, and a goroutine
// of its own sends it later.
func keepsAll(typ zmq4.SocketType) bool {
	return typ == zmq4.Pub || typ == zmq4.XPub || typ == zmq4.Rep
}

// returnsLast tells whether nobody looks at the frames any more once the
// socket has returned, even with an error; PULL has not even looked. The other
// sockets write in a goroutine a peer, and wait for none of them once the
// deadline has passed or the socket was closed.
func returnsLast(typ zmq4.SocketType) bool {
	return typ == zmq4.Req || typ == zmq4.Router || typ == zmq4.Pull
}
