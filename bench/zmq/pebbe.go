//go:build pebbe

package zmqbench

import (
	"fmt"

	zmq "github.com/pebbe/zmq4"
)

const pebbeMissing = ""

// pebbe is an end of github.com/pebbe/zmq4, the binding to libzmq.
type pebbe struct {
	shape
	socket *zmq.Socket
	frames [][]byte
	got    [][]byte
}

func pebbeVersion() string {
	major, minor, patch := zmq.Version()
	return fmt.Sprintf(" on libzmq %d.%d.%d", major, minor, patch)
}

func openPebbe(s setup) (end, string, error) {
	types := map[role]zmq.Type{push: zmq.PUSH, pull: zmq.PULL, req: zmq.REQ, rep: zmq.REP, pub: zmq.PUB, sub: zmq.SUB}
	socket, err := zmq.NewSocket(types[s.role])
	if err != nil {
		return nil, "", err
	}
	e := &pebbe{shape: s.shape, socket: socket, frames: s.message(0)}
	steps := []func() error{
		func() error { return socket.SetSndhwm(s.highWater()) },
		func() error { return socket.SetRcvhwm(s.highWater()) },
	}
	if s.curve && s.role.binds() {
		steps = append(steps,
			func() error { return socket.SetCurveServer(1) },
			func() error { return socket.SetCurveSecretkey(serverSecret) })
	} else if s.curve {
		steps = append(steps,
			func() error { return socket.SetCurveServerkey(serverPublic) },
			func() error { return socket.SetCurvePublickey(clientPublic) },
			func() error { return socket.SetCurveSecretkey(clientSecret) })
	}
	if s.role == sub {
		steps = append(steps, func() error { return socket.SetSubscribe("") })
	}
	if s.role.binds() {
		steps = append(steps, func() error { return socket.Bind(s.endpoint) })
	} else {
		steps = append(steps, func() error { return socket.Connect(s.endpoint) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, "", err
		}
	}
	endpoint, err := socket.GetLastEndpoint()
	return e, endpoint, err
}

func (e *pebbe) sendFrames(frames [][]byte) error {
	for i, f := range frames {
		var flag zmq.Flag
		if i+1 < len(frames) {
			flag = zmq.SNDMORE
		}
		if _, err := e.socket.SendBytes(f, flag); err != nil {
			return err
		}
	}
	return nil
}

func (e *pebbe) send(n int) error {
	for range n {
		if err := e.sendFrames(e.frames); err != nil {
			return err
		}
	}
	return nil
}

func (e *pebbe) recv(n int) error {
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

func (e *pebbe) recvFrames() ([][]byte, error) {
	e.got = e.got[:0]
	for {
		f, err := e.socket.RecvBytes(0)
		if err != nil {
			return nil, err
		}
		e.got = append(e.got, f)
		more, err := e.socket.GetRcvmore()
		if err != nil || !more {
			return e.got, err
		}
	}
}
