package shmbench

import (
	"context"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// zmqPair is an end of two PAIR sockets of our own package zmq, by ipc.
type zmqPair struct {
	setup
	socket         *zmq.Socket
	sent, received uint64
}

func openZMQ(s setup) (end, string, error) {
	e := &zmqPair{setup: s, socket: zmq.New(zmq.Pair, zmq.Options{SendHighWater: s.window(), RecvHighWater: s.window()})}
	endpoint := "ipc://" + s.endpoint
	if s.role.listens() {
		_, err := e.socket.Bind(endpoint)
		return e, s.endpoint, err
	}
	return e, s.endpoint, e.socket.Connect(endpoint)
}

// build makes a message in memory of the pool.
func (s shape) build() (*segment.Message, []byte) {
	m := segment.NewSized(arena.Pool(), s.size)
	return m, m.RootBuilder().NewData(s.size - 8)
}

func (e *zmqPair) send(n int) error {
	for range n {
		m, data := e.build()
		e.sent++
		stamp(data, e.sent)
		if err := e.socket.SendMessage(context.Background(), m); err != nil {
			return err
		}
	}
	return nil
}

func (e *zmqPair) recv(n int) error {
	for range n {
		m, err := e.socket.RecvMessage(context.Background())
		if err != nil {
			return err
		}
		e.received++
		if err := e.look(m.Root().Data(), e.received); err != nil {
			return err
		}
		m.Release()
	}
	return nil
}

func (e *zmqPair) sendBytes(b []byte) error {
	m, data := e.build()
	copy(data, b[8:])
	return e.socket.SendMessage(context.Background(), m)
}

func (e *zmqPair) recvBytes() ([]byte, error) {
	m, err := e.socket.RecvMessage(context.Background())
	if err != nil {
		return nil, err
	}
	defer m.Release()
	return append([]byte(nil), m.Segment(0)...), nil
}
