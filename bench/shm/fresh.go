package shmbench

import (
	"io"
	"net"

	"github.com/fairlead-go/fairlead/shm"
)

// fresh is an end that makes a connection for each message, or awaits one.
type fresh struct {
	end
	closer io.Closer
	next   func() (end, io.Closer, error)
}

// renew ends the connection, and makes the next.
func (e *fresh) renew() error {
	if e.closer != nil {
		if err := e.closer.Close(); err != nil {
			return err
		}
	}
	var err error
	e.end, e.closer, err = e.next()
	return err
}

// openFreshPipes makes pipes of package shm.
func openFreshPipes(s setup) (end, string, error) {
	o := shm.Options{Wait: s.mode.wait()}
	connect := func() (*shm.Pipe, error) { return shm.Dial(forever, s.endpoint, o) }
	if s.role.listens() {
		ln, err := shm.Listen(s.endpoint, o)
		if err != nil {
			return nil, "", err
		}
		connect = func() (*shm.Pipe, error) { return ln.Accept(forever) }
	}
	msg := newMessage(s)
	return &fresh{next: func() (end, io.Closer, error) {
		p, err := connect()
		if err != nil {
			return nil, nil, err
		}
		e := &fairlead{setup: s, msg: msg}
		e.use(p)
		return e, p, nil
	}}, s.endpoint, nil
}

// openFreshSockets makes sockets.
func openFreshSockets(network string, s setup) (end, string, error) {
	connect := func() (net.Conn, error) { return net.Dial(network, s.endpoint) }
	if s.role.listens() {
		l, err := net.Listen(network, s.endpoint)
		if err != nil {
			return nil, "", err
		}
		s.endpoint, connect = l.Addr().String(), l.Accept
	}
	e := newStreams(s)
	return &fresh{next: func() (end, io.Closer, error) {
		c, err := connect()
		if err != nil {
			return nil, nil, err
		}
		e.all, e.sent, e.received, e.at, e.have = []io.ReadWriter{c}, 0, 0, 0, 0
		return e, c, nil
	}}, s.endpoint, nil
}
