package zmqbench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// floor is an end of bare connections: the bytes that ZMTP has behind its
// handshake, with no queue, goroutine or mechanism. What is sent lies ready.
type floor struct {
	setup
	listener net.Listener
	conns    []net.Conn // a publisher has more than one

	parts  net.Buffers // headers and frames of as many messages as a writev takes
	work   net.Buffers // what is left of them
	length int         // of a message on the wire

	in       []byte // what was read, of which in[at:have] is to be looked at
	at, have int
}

const (
	// floorWrite is about how many bytes of small messages go out together.
	floorWrite = 64 << 10
	// floorParts is how many parts a writev has at most.
	floorParts = 1024
	// floorSmall is how large messages are read as many as there are, not one
	// by one.
	floorSmall = 8 << 10
)

// header appends a frame's header.
func header(dst []byte, length int, more bool) []byte {
	var flags byte
	if more {
		flags |= 1
	}
	if length <= 255 {
		return append(dst, flags, byte(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, flags|2), uint64(length))
}

func openFloor(s setup) (end, string, error) {
	e := &floor{setup: s}
	frames := s.message(0)
	for i, f := range frames {
		h := header(nil, len(f), i+1 < len(frames))
		e.parts = append(e.parts, h, f)
		e.length += len(h) + len(f)
	}
	together := min(max(floorWrite/e.length, 1), floorParts/len(e.parts))
	e.parts = slices.Repeat(e.parts, together)
	e.in = make([]byte, e.length)
	if s.size <= floorSmall {
		e.in = make([]byte, floorWrite+e.length)
	}
	network, address, _ := strings.Cut(s.endpoint, "://")
	if network == "ipc" {
		network = "unix"
	}
	if !s.role.binds() {
		c, err := net.Dial(network, address)
		if err != nil {
			return nil, "", err
		}
		e.conns = []net.Conn{c}
		return e, s.endpoint, nil
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, "", err
	}
	e.listener = l
	if network == "tcp" {
		return e, "tcp://" + l.Addr().String(), nil
	}
	return e, s.endpoint, nil
}

// accept waits for all connections at the first use of the end.
func (e *floor) accept() error {
	if e.listener == nil {
		return nil
	}
	want := 1
	if e.role == pub {
		want = subscribers
	}
	for len(e.conns) < want {
		c, err := e.listener.Accept()
		if err != nil {
			return err
		}
		e.conns = append(e.conns, c)
	}
	return nil
}

func (e *floor) send(n int) error {
	if err := e.accept(); err != nil {
		return err
	}
	one := 2 * e.frames // parts of a message
	for n > 0 {
		k := min(n, len(e.parts)/one)
		for _, c := range e.conns {
			e.work = append(e.work[:0], e.parts[:k*one]...)
			start := e.work // WriteTo moves it
			_, err := e.work.WriteTo(c)
			e.work = start
			if err != nil {
				return err
			}
		}
		n -= k
	}
	return nil
}

// recv reads as much as there is of small messages, and exactly one large one.
func (e *floor) recv(n int) error {
	if err := e.accept(); err != nil {
		return err
	}
	for {
		for ; n > 0 && e.have-e.at >= e.length; n-- {
			if err := e.look(e.in[e.at : e.at+e.length]); err != nil {
				return err
			}
			e.at += e.length
		}
		if n == 0 {
			return nil
		}
		e.have = copy(e.in, e.in[e.at:e.have])
		e.at = 0
		k, err := e.conns[0].Read(e.in[e.have:])
		if err != nil {
			return err
		}
		e.have += k
	}
}

// look compares the headers of a message.
func (e *floor) look(b []byte) error {
	for i := 0; i < 2*e.frames; i += 2 {
		h := e.parts[i]
		if !bytes.Equal(b[:len(h)], h) {
			return fmt.Errorf("zmqbench: floor: received the header %x, want %x", b[:len(h)], h)
		}
		b = b[len(h)+e.frameSize():]
	}
	return nil
}

func (e *floor) sendFrames(frames [][]byte) error {
	if err := e.accept(); err != nil {
		return err
	}
	var b []byte
	for i, f := range frames {
		b = append(header(b, len(f), i+1 < len(frames)), f...)
	}
	for _, c := range e.conns {
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (e *floor) recvFrames() ([][]byte, error) {
	if err := e.accept(); err != nil {
		return nil, err
	}
	if e.at < e.have {
		return nil, fmt.Errorf("zmqbench: floor: received %d bytes too many", e.have-e.at)
	}
	c := e.conns[0]
	var frames [][]byte
	for {
		var h [9]byte
		if _, err := io.ReadFull(c, h[:2]); err != nil {
			return nil, err
		}
		length := uint64(h[1])
		if h[0]&2 != 0 {
			if _, err := io.ReadFull(c, h[2:]); err != nil {
				return nil, err
			}
			length = binary.BigEndian.Uint64(h[1:])
		}
		if length > uint64(max(e.size, floorSmall)) {
			return nil, fmt.Errorf("zmqbench: floor: received a frame of %d bytes", length)
		}
		f := make([]byte, length)
		if _, err := io.ReadFull(c, f); err != nil {
			return nil, err
		}
		frames = append(frames, f)
		if h[0]&1 == 0 {
			return frames, nil
		}
	}
}
