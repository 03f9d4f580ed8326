package zmqbench

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/go-zeromq/zmq4"
)

const goZeroMQModule = "github.com/go-zeromq/zmq4"

// goZeroMQ is an end of github.com/go-zeromq/zmq4. It has no high-water marks
// but for a PUB's queue, which by default has none either.
type goZeroMQ struct {
	shape
	socket zmq4.Socket
	msg    zmq4.Msg
}

func openGoZeroMQ(s setup) (end, string, error) {
	if s.curve {
		return nil, "", fmt.Errorf("zmqbench: %s has no CURVE", goZeroMQModule)
	}
	make := map[role]func(context.Context, ...zmq4.Option) zmq4.Socket{
		push: zmq4.NewPush, pull: zmq4.NewPull, req: zmq4.NewReq, rep: zmq4.NewRep, pub: zmq4.NewPub, sub: zmq4.NewSub,
	}
	// It logs the end of every connection.
	socket := make[s.role](context.Background(), zmq4.WithLogger(log.New(io.Discard, "", 0)))
	e := &goZeroMQ{shape: s.shape, socket: socket, msg: zmq4.NewMsgFrom(s.message(0)...)}
	endpoint := s.endpoint
	if s.role.binds() {
		if err := socket.Listen(s.endpoint); err != nil {
			return nil, "", err
		}
		if a := socket.Addr(); a.Network() == "tcp" {
			endpoint = "tcp://" + a.String()
		}
		return e, endpoint, nil
	}
	if err := socket.Dial(s.endpoint); err != nil {
		return nil, "", err
	}
	if s.role == sub {
		if err := socket.SetOption(zmq4.OptionSubscribe, ""); err != nil {
			return nil, "", err
		}
	}
	return e, endpoint, nil
}

// sendMsg uses SendMulti where there is something to gain: one system call.
func (e *goZeroMQ) sendMsg(m zmq4.Msg) error {
	if len(m.Frames) > 1 {
		return e.socket.SendMulti(m)
	}
	return e.socket.Send(m)
}

func (e *goZeroMQ) send(n int) error {
	for range n {
		if err := e.sendMsg(e.msg); err != nil {
			return err
		}
	}
	return nil
}

func (e *goZeroMQ) recv(n int) error {
	for range n {
		m, err := e.socket.Recv()
		if err != nil {
			return err
		}
		if err := e.expect(m.Frames); err != nil {
			return err
		}
	}
	return nil
}

func (e *goZeroMQ) sendFrames(frames [][]byte) error { return e.sendMsg(zmq4.NewMsgFrom(frames...)) }

func (e *goZeroMQ) recvFrames() ([][]byte, error) {
	m, err := e.socket.Recv()
	return m.Frames, err
}
