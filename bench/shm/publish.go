package shmbench

import (
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// publisher is an end that publishes to all subscribers, and waits for each.
type publisher struct {
	setup
	p    *shm.Publisher
	msg  *segment.Message // a small one, built again and again; nil to make one for each
	sent uint64
}

func openPublisher(s setup, each bool) (end, string, error) {
	p, err := shm.NewPublisher(s.endpoint, shm.PublisherOptions{AllowBlock: true, Wait: s.mode.wait()})
	e := &publisher{setup: s, p: p}
	if !each && s.size <= smallMessage {
		e.msg = segment.NewSized(arena.Pool(), s.size)
	}
	return e, s.endpoint, err
}

// gather waits for all subscribers at the first use of the end.
func (e *publisher) gather() error {
	for range 5000 {
		if e.sent > 0 || e.p.Stats().Subscribers >= e.receivers {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("shmbench: %d of %d subscribers came", e.p.Stats().Subscribers, e.receivers)
}

func (e *publisher) send(n int) error {
	if err := e.gather(); err != nil {
		return err
	}
	for range n {
		e.sent++
		m := e.msg
		if m != nil {
			m.Reset()
		} else {
			m = e.p.NewMessage(e.size)
		}
		if err := stampData(m, m.RootBuilder().NewDirtyData(e.size-8), e.sent); err != nil {
			return err
		}
		publish := e.p.Publish
		if e.msg != nil {
			publish = e.p.PublishCopy
		}
		if err := publish(forever, m); err != nil {
			return err
		}
	}
	return nil
}

func (e *publisher) sendBytes(b []byte) error {
	if err := e.gather(); err != nil {
		return err
	}
	m := e.p.NewMessage(e.size)
	copy(m.RootBuilder().NewDirtyData(e.size-8), b[8:])
	return e.p.Publish(forever, m)
}

func (*publisher) recv(int) error             { return errDirection }
func (*publisher) recvBytes() ([]byte, error) { return nil, errDirection }

// subscriber is an end that lets the publisher wait for it.
type subscriber struct {
	setup
	s        *shm.Subscriber
	each     bool // messages are received and released, and not read one after the other
	received uint64
}

func openSubscriber(s setup, each bool) (end, string, error) {
	sub, err := shm.Subscribe(forever, s.endpoint, shm.SubscriberOptions{Policy: shm.Block, Depth: s.window(), Wait: s.mode.wait()})
	return &subscriber{setup: s, s: sub, each: each}, s.endpoint, err
}

func (e *subscriber) recv(n int) error {
	next := e.s.Next
	if e.each {
		next = e.s.Recv
	}
	for range n {
		m, err := next(forever)
		if err != nil {
			return err
		}
		e.received++
		if err := e.look(m.Root().Data(), e.received); err != nil {
			return errors.Join(err, m.Err())
		}
		if e.each {
			m.Release()
		} else {
			e.s.Done()
		}
	}
	return nil
}

func (e *subscriber) recvBytes() ([]byte, error) {
	m, err := e.s.Recv(forever)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	return e.bytes(m), m.Err()
}

func (*subscriber) send(int) error         { return errDirection }
func (*subscriber) sendBytes([]byte) error { return errDirection }

var errDirection = errors.New("shmbench: messages go one way only")
