package zmqbench

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// fairlead is an end of a socket of package zmq.
type fairlead struct {
	shape
	socket *zmq.Socket
	msg    *segment.Message
	frames [][]byte
	last   *segment.Message // that recvFrames gave
}

func newFairlead(s setup) (*fairlead, string, error) {
	opt := zmq.Options{SendHighWater: s.highWater(), RecvHighWater: s.highWater()}
	if s.curve {
		var err error
		if opt.Security, err = fairleadCurve(s.role.binds()); err != nil {
			return nil, "", err
		}
	}
	t, err := zmq.ParseType(string(s.role))
	if err != nil {
		return nil, "", err
	}
	e := &fairlead{shape: s.shape, socket: zmq.New(t, opt), frames: s.message(0)}
	if e.msg, err = segment.FromSegments(e.frames); err != nil {
		return nil, "", err
	}
	if s.role.binds() {
		endpoint, err := e.socket.Bind(s.endpoint)
		return e, endpoint, err
	}
	if s.role == sub {
		if err := e.socket.Subscribe(""); err != nil {
			return nil, "", err
		}
	}
	return e, s.endpoint, e.socket.Connect(s.endpoint)
}

func fairleadCurve(server bool) (zmq.Security, error) {
	secret, public := clientSecret, serverPublic
	if server {
		secret, public = serverSecret, clientPublic
	}
	mine, err := zmq.ParseSecretKey(secret)
	if err != nil {
		return zmq.Security{}, err
	}
	theirs, err := zmq.ParsePublicKey(public)
	if err != nil {
		return zmq.Security{}, err
	}
	if server {
		// The C program admits every client, as libzmq does without ZAP.
		return zmq.CurveServer(zmq.KeyPairOf(mine), zmq.AllowAny), nil
	}
	return zmq.CurveClient(zmq.KeyPairOf(mine), theirs), nil
}

// fairleadMessages sends and receives messages, of which each segment is a
// frame.
type fairleadMessages struct{ *fairlead }

func openFairlead(s setup) (end, string, error) {
	e, endpoint, err := newFairlead(s)
	return fairleadMessages{e}, endpoint, err
}

// send sends one message again and again, as the C program does with its
// constant memory.
func (e fairleadMessages) send(n int) error {
	for range n {
		if err := e.socket.SendMessage(context.Background(), e.msg.Retain()); err != nil {
			return err
		}
	}
	return nil
}

func (e fairleadMessages) recv(n int) error {
	want := e.frameSize()
	for range n {
		m, err := e.socket.RecvMessage(context.Background())
		if err != nil {
			return err
		}
		if m.Segments() != e.shape.frames {
			return fmt.Errorf("zmqbench: received %d segments, want %d", m.Segments(), e.shape.frames)
		}
		for i := range e.shape.frames {
			if got := len(m.Segment(i)); got != want {
				return fmt.Errorf("zmqbench: received a segment of %d bytes, want %d", got, want)
			}
		}
		m.Release()
	}
	return nil
}

func (e fairleadMessages) sendFrames(frames [][]byte) error {
	m, err := segment.FromSegments(frames)
	if err != nil {
		return err
	}
	return e.socket.SendMessage(context.Background(), m)
}

func (e fairleadMessages) recvFrames() ([][]byte, error) {
	if e.last != nil {
		e.last.Release()
		e.last = nil
	}
	m, err := e.socket.RecvMessage(context.Background())
	if err != nil {
		return nil, err
	}
	e.last = m
	return m.AppendSegments(nil)
}

// fairleadFrames sends and receives slices of bytes, which are the receiver's
// for good, so that it allocates.
type fairleadFrames struct{ *fairlead }

func openFairleadFrames(s setup) (end, string, error) {
	e, endpoint, err := newFairlead(s)
	return fairleadFrames{e}, endpoint, err
}

func (e fairleadFrames) send(n int) error {
	for range n {
		if err := e.sendFrames(e.frames); err != nil {
			return err
		}
	}
	return nil
}

func (e fairleadFrames) recv(n int) error {
	for range n {
		frames, err := e.recvFrames()
		if err != nil {
			return err
		}
		if err := e.expect(frames); err != nil {
			return err
		}
	}
	return nil
}

func (e fairleadFrames) sendFrames(frames [][]byte) error {
	return e.socket.Send(context.Background(), frames...)
}

func (e fairleadFrames) recvFrames() ([][]byte, error) {
	return e.socket.Recv(context.Background())
}
