package shmbench

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// smallMessage is up to what size a message is built once more in memory of its
// own and copied into the slot or block that it leaves by. Larger ones are built
// where the peer sees them.
const smallMessage = 1 << 10

// packedMessage is up to what size many messages may be sent as one.
const packedMessage = 4 << 10

var forever = context.Background()

// fairlead is an end of a pipe of package shm, used as its documentation advises:
// with a Writer, whose own message is the one that is built if it is not small, and
// a Reader.
type fairlead struct {
	setup
	pipe           *shm.Pipe
	accepted       chan accepted
	msg            *segment.Message // a small one, built again and again
	writer         *shm.Writer
	reader         *shm.Reader
	pack           bool // many messages to a block
	sent, received uint64
}

type accepted struct {
	pipe *shm.Pipe
	err  error
}

func (m mode) wait() shm.Wait {
	switch m {
	case spin:
		return shm.Spin
	case asleep:
		return shm.Sleep
	}
	return shm.Adaptive
}

// openFairlead opens an end of a pipe, or of a publisher and its subscribers.
func openFairlead(s setup) (end, string, error) {
	switch s.role {
	case pub:
		return openPublisher(s, false)
	case sub:
		return openSubscriber(s, false)
	case meet, host:
		return openFreshPipes(s)
	}
	e, err := newFairlead(s)
	return e, s.endpoint, err
}

// openPacked packs many messages into one block.
func openPacked(s setup) (end, string, error) {
	e, err := newFairlead(s)
	if err != nil {
		return nil, "", err
	}
	e.pack = true
	return e, s.endpoint, nil
}

func newMessage(s setup) *segment.Message { return segment.NewSized(arena.Pool(), s.size) }

func newFairlead(s setup) (*fairlead, error) {
	e := &fairlead{setup: s, msg: newMessage(s)}
	o := shm.Options{Wait: s.mode.wait()}
	if !s.role.listens() {
		p, err := shm.Dial(forever, s.endpoint, o)
		e.use(p)
		return e, err
	}
	ln, err := shm.Listen(s.endpoint, o)
	if err != nil {
		return nil, err
	}
	e.accepted = make(chan accepted, 1)
	go func() {
		p, err := ln.Accept(forever)
		e.accepted <- accepted{p, err}
	}()
	return e, nil
}

func (e *fairlead) use(p *shm.Pipe) {
	if p != nil {
		e.pipe, e.writer, e.reader = p, p.Writer(), p.Reader()
	}
}

// connect waits for the peer at the first use of the end.
func (e *fairlead) connect() error {
	if e.pipe != nil {
		return nil
	}
	a := <-e.accepted
	e.use(a.pipe)
	return a.err
}

func (e *fairlead) send(n int) error {
	if err := e.connect(); err != nil {
		return err
	}
	for range n {
		e.sent++
		m := e.msg
		if e.pack || e.size <= smallMessage {
			m.Reset()
		} else {
			m = e.writer.NewMessage(e.size)
		}
		if err := stampData(m, m.RootBuilder().NewDirtyData(e.size-8), e.sent); err != nil {
			return err
		}
		var err error
		if e.pack {
			err = e.writer.Add(forever, m)
		} else {
			err = e.writer.Send(forever, m)
		}
		if err != nil {
			return err
		}
	}
	if e.pack {
		return e.writer.Flush(forever)
	}
	return nil
}

// stampData stamps data that was made, or tells why it was not.
func stampData(m *segment.Message, data []byte, k uint64) error {
	if data == nil {
		return m.Err()
	}
	stamp(data, k)
	return nil
}

func (e *fairlead) recv(n int) error {
	if err := e.connect(); err != nil {
		return err
	}
	for range n {
		m, err := e.reader.Next(forever)
		if err != nil {
			return err
		}
		e.received++
		if err := e.look(m.Root().Data(), e.received); err != nil {
			return errors.Join(err, m.Err())
		}
		e.reader.Done()
	}
	return nil
}

func (e *fairlead) sendBytes(b []byte) error {
	if err := e.connect(); err != nil {
		return err
	}
	m := e.pipe.NewMessage(e.size)
	copy(m.RootBuilder().NewDirtyData(e.size-8), b[8:])
	return e.pipe.Send(forever, m)
}

func (e *fairlead) recvBytes() ([]byte, error) {
	if err := e.connect(); err != nil {
		return nil, err
	}
	m, err := e.reader.Next(forever)
	if err != nil {
		return nil, err
	}
	defer e.reader.Done()
	return e.bytes(m), m.Err()
}

// bytes are those of the model.
func (s shape) bytes(m *segment.Message) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, s.size), s.root())
	return append(b, m.Root().Data()...)
}

// fairleadMessages is an end that makes a message for each, sends it, and releases
// each that it receives.
type fairleadMessages struct{ *fairlead }

func openMessages(s setup) (end, string, error) {
	switch s.role {
	case pub:
		return openPublisher(s, true)
	case sub:
		return openSubscriber(s, true)
	}
	e, err := newFairlead(s)
	return fairleadMessages{e}, s.endpoint, err
}

func (e fairleadMessages) send(n int) error {
	if err := e.connect(); err != nil {
		return err
	}
	for range n {
		e.sent++
		m := e.pipe.NewMessage(e.size)
		if err := stampData(m, m.RootBuilder().NewDirtyData(e.size-8), e.sent); err != nil {
			return err
		}
		if err := e.pipe.Send(forever, m); err != nil {
			return err
		}
	}
	return nil
}

func (e fairleadMessages) recv(n int) error {
	if err := e.connect(); err != nil {
		return err
	}
	for range n {
		m, err := e.pipe.Recv(forever)
		if err != nil {
			return err
		}
		e.received++
		if err := e.look(m.Root().Data(), e.received); err != nil {
			return errors.Join(err, m.Err())
		}
		m.Release()
	}
	return nil
}
