package shmbench

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"

	"github.com/fairlead-go/fairlead/bench/company"
)

// streamWrite is about how many bytes of small messages a stream of messages
// writes and reads together.
const streamWrite = 64 << 10

// streams is an end of bare streams of bytes: a message is its bytes, and
// nothing says how many, for all are alike.
type streams struct {
	setup
	conns    chan connected // until they are there
	all      []io.ReadWriter
	out      []byte // as many messages as are written together
	in       []byte // what was read, of which in[at:have] is to be looked at
	at, have int
	sent     uint64
	received uint64
}

type connected struct {
	conns []io.ReadWriter
	err   error
}

func newStreams(s setup) *streams {
	e := &streams{setup: s, conns: make(chan connected, 1)}
	together := max(streamWrite/s.size, 1)
	if s.role.asks() || s.role.answers() {
		together = 1
	}
	e.out = slices.Repeat(s.message(0), together)
	e.in = make([]byte, together*s.size)
	return e
}

// openSocket opens an end of sockets of this network.
func openSocket(network string) open {
	return func(s setup) (end, string, error) {
		if network == "tcp" && s.role.listens() {
			s.endpoint = "127.0.0.1:0"
		}
		if s.role == meet || s.role == host {
			return openFreshSockets(network, s)
		}
		e := newStreams(s)
		if !s.role.listens() {
			c, err := net.Dial(network, s.endpoint)
			e.conns <- connected{[]io.ReadWriter{c}, err}
			return e, s.endpoint, err
		}
		l, err := net.Listen(network, s.endpoint)
		if err != nil {
			return nil, "", err
		}
		go func() {
			var all []io.ReadWriter
			for range s.receivers {
				c, err := l.Accept()
				if err != nil {
					e.conns <- connected{err: err}
					return
				}
				all = append(all, c)
			}
			e.conns <- connected{conns: all}
		}()
		return e, l.Addr().String(), nil
	}
}

// openPipes opens an end of inherited pipes: of a sender those to write to and
// then, for replies, one to read from; of a receiver the other way round.
func openPipes(s setup) (end, string, error) {
	e := newStreams(s)
	n := 1
	if s.role == pub {
		n = s.receivers
	} else if s.role == ask || s.role == answer {
		n = 2
	}
	var all []io.ReadWriter
	for i := range n {
		f, err := company.Inherit(uintptr(3 + i))
		if err != nil {
			return nil, "", err
		}
		all = append(all, f)
	}
	if s.role == ask || s.role == answer {
		all = []io.ReadWriter{pair{Reader: all[1], Writer: all[0]}}
	}
	e.conns <- connected{conns: all}
	return e, s.endpoint, nil
}

// pair is two pipes, one each way.
type pair struct {
	io.Reader
	io.Writer
}

// inheritPipes makes the pipes of openPipes.
func inheritPipes(w workload) (func(int) ([]*os.File, error), func(), error) {
	files := make([][]*os.File, w.receivers+1)
	done := func() {
		for _, list := range files {
			for _, f := range list {
				f.Close() // again, but for those that were not handed over
			}
		}
	}
	for i := range w.receivers {
		r, wr, err := os.Pipe()
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("shmbench: %w", err)
		}
		files[0], files[i+1] = append(files[0], wr), append(files[i+1], r)
	}
	if w.sender == ask {
		r, wr, err := os.Pipe()
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("shmbench: %w", err)
		}
		files[0], files[1] = append(files[0], r), []*os.File{wr, files[1][0]}
	}
	return func(which int) ([]*os.File, error) { return files[which], nil }, done, nil
}

// connect waits for the connections at the first use of the end.
func (e *streams) connect() error {
	if e.all != nil {
		return nil
	}
	c := <-e.conns
	e.all = c.conns
	return c.err
}

func (e *streams) send(n int) error {
	if err := e.connect(); err != nil {
		return err
	}
	for n > 0 {
		k := min(n, len(e.out)/e.size)
		for i := range k {
			e.sent++
			stamp(e.out[i*e.size+8:(i+1)*e.size], e.sent)
		}
		for _, c := range e.all {
			if _, err := c.Write(e.out[:k*e.size]); err != nil {
				return err
			}
		}
		n -= k
	}
	return nil
}

// recv reads as much as there is of small messages, and exactly one large one.
func (e *streams) recv(n int) error {
	if err := e.connect(); err != nil {
		return err
	}
	for {
		for ; n > 0 && e.have-e.at >= e.size; n-- {
			e.received++
			if err := e.look(e.in[e.at+8:e.at+e.size], e.received); err != nil {
				return err
			}
			e.at += e.size
		}
		if n == 0 {
			return nil
		}
		e.have = copy(e.in, e.in[e.at:e.have])
		e.at = 0
		k, err := e.all[0].Read(e.in[e.have:])
		if err != nil {
			return err
		}
		e.have += k
	}
}

func (e *streams) sendBytes(b []byte) error {
	if err := e.connect(); err != nil {
		return err
	}
	for _, c := range e.all {
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (e *streams) recvBytes() ([]byte, error) {
	if err := e.connect(); err != nil {
		return nil, err
	}
	b := make([]byte, e.size)
	k := copy(b, e.in[e.at:e.have])
	e.at += k
	_, err := io.ReadFull(e.all[0], b[k:])
	return b, err
}
