package gozmq

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/go-zeromq/zmq4"
)

// Delimited, as [RecvOptions].Envelope, means that the envelope ends with the
// first empty frame: what a ROUTER gets from a REQ, through any number of
// proxies.
const Delimited = -1

// RecvOptions says how a message is received. The zero value is a message
// without an envelope, with the default limits.
type RecvOptions struct {
	// Envelope is how many frames stand before the segments, or [Delimited].
	Envelope int
	// Limits bound what a received message may cost its reader; zero fields mean
	// the defaults. MessageBytes is looked at when zmq4 has already received all
	// of a message: that library itself has no limit.
	Limits segment.Limits
	// Verify walks each message once when it is received, so that reading it
	// meets no fault and charges no budget. See [segment.Message.Verify].
	Verify bool
}

// Recv receives a message that has no envelope, with the default limits. See
// [RecvWith].
func Recv(sock zmq4.Socket) (*segment.Message, error) {
	_, msg, err := RecvWith(sock, RecvOptions{})
	return msg, err
}

// RecvWith receives a message and the envelope before it. The message is read
// where its frames arrived, and the caller releases it. A frame that does not
// start at a multiple of 8, of which zmq4's own sockets make none, is copied
// once; Stats counts it.
//
// The envelope is in memory of its own and stays valid after the message's
// release. It is not to be changed: a ROUTER gives the same memory as routing id
// with every message of a peer.
//
// Frames that are no message give an error that matches [segment.ErrMalformed] or
// [segment.ErrLimit], with the envelope as far as it is known; that message is
// left out, and the next call receives the next one. Any other error is zmq4's:
// io.EOF or the like means that one peer has left, and others may go on sending;
// context.Canceled that the socket is closed.
//
// A PING or another command that zmq4 takes for a message is skipped.
//
// RecvWith blocks until a message arrives or the socket is closed. It may be
// called from many goroutines where the socket's own Recv may: not on REQ and
// REP.
func RecvWith(sock zmq4.Socket, o RecvOptions) (envelope [][]byte, msg *segment.Message, err error) {
	if o.Envelope < Delimited {
		panic(fmt.Sprintf("gozmq: an envelope of %d frames", o.Envelope))
	}
	envelope, msg, err = recv(sock, o)
	if err != nil {
		stats.errors.Add(1)
		return envelope, nil, fmt.Errorf("gozmq: receiving on %s: %w", sock.Type(), err)
	}
	return envelope, msg, nil
}

func recv(sock zmq4.Socket, o RecvOptions) ([][]byte, *segment.Message, error) {
	frames, err := nextFrames(sock)
	if err != nil {
		return nil, nil, err
	}
	n := o.Envelope
	if n == Delimited {
		if n, err = throughDelimiter(frames); err != nil {
			return nil, nil, err
		}
	}
	if len(frames) <= n {
		return frames, nil, &segment.Fault{Kind: segment.ErrMalformed, Detail: fmt.Sprintf("%d frames of which %d are the envelope: no segment", len(frames), n)}
	}
	envelope, segs := frames[:n:n], frames[n:]
	msg, err := open(segs, o)
	if err != nil {
		return envelope, nil, err
	}
	return envelope, msg, nil
}

// nextFrames receives the frames of the next message that is no command.
func nextFrames(sock zmq4.Socket) ([][]byte, error) {
	for {
		m, err := sock.Recv()
		switch {
		case err != nil:
			return nil, err
		case m.Type == zmq4.CmdMsg:
			stats.commands.Add(1)
		case len(m.Frames) == 0 && sock.Type() == zmq4.XPub:
			// What XPUB gives when it is closed; the other sockets give this error.
			return nil, context.Canceled
		default:
			return m.Frames, nil
		}
	}
}

func throughDelimiter(frames [][]byte) (int, error) {
	for i, f := range frames {
		if len(f) == 0 {
			return i + 1, nil
		}
	}
	return 0, &segment.Fault{Kind: segment.ErrMalformed, Detail: fmt.Sprintf("no delimiter in %d frames", len(frames))}
}

func open(segs [][]byte, o RecvOptions) (*segment.Message, error) {
	lim := o.Limits.WithDefaults()
	if err := noneEmpty(segs); err != nil {
		return nil, err
	}
	var size int64
	for _, s := range segs {
		size += int64(len(s))
	}
	if size > lim.MessageBytes {
		return nil, &segment.LimitError{Limit: "MessageBytes", Max: uint64(lim.MessageBytes), Got: uint64(size)}
	}
	msg, err := segment.Open(segs, segment.Options{Limits: o.Limits})
	if err != nil {
		return nil, err
	}
	if o.Verify {
		if err := msg.Verify(); err != nil {
			msg.Release()
			return nil, err
		}
	}
	for i, s := range segs {
		if &msg.Segment(i)[0] != &s[0] {
			stats.recvCopied.Add(1)
			stats.recvCopiedBytes.Add(uint64(len(s)))
		}
	}
	stats.received.Add(1)
	stats.receivedBytes.Add(uint64(size))
	return msg, nil
}
