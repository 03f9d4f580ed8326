package rpcbench

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// A floor frame is as long as Cap'n Proto's message for a call or return of add,
// and has what it needs at fixed places:
//
//	0 uint32 bytes behind the head · 4 uint32 slot · 8 uint32 operation
//	16 int64 first number · 24 int64 second number
const (
	floorCall   = 128
	floorReturn = 80
	floorBuffer = 64 << 10
	// floorMost is the most that may follow a head.
	floorMost = 1 << 20
)

// The operations of the floor.
const (
	floorAdd uint32 = iota
	floorEcho
	floorOpen // a stream; the second number tells whether every byte is looked at
	floorPut  // which has no reply
	floorDone // whose reply has the number of bytes, and the hash
	floorSleep
)

// putHead writes the head of a frame, of floorCall or floorReturn bytes.
func putHead(b []byte, length int, slot, op uint32, first, second int64) {
	clear(b)
	binary.LittleEndian.PutUint32(b, uint32(length))
	binary.LittleEndian.PutUint32(b[4:], slot)
	binary.LittleEndian.PutUint32(b[8:], op)
	binary.LittleEndian.PutUint64(b[16:], uint64(first))
	binary.LittleEndian.PutUint64(b[24:], uint64(second))
}

// head is a head that was received.
type head []byte

func (h head) length() int   { return int(binary.LittleEndian.Uint32(h)) }
func (h head) slot() uint32  { return binary.LittleEndian.Uint32(h[4:]) }
func (h head) op() uint32    { return binary.LittleEndian.Uint32(h[8:]) }
func (h head) first() int64  { return int64(binary.LittleEndian.Uint64(h[16:])) }
func (h head) second() int64 { return int64(binary.LittleEndian.Uint64(h[24:])) }

// floorIn reads frames, as many as there are with each system call.
type floorIn struct {
	conn     net.Conn
	headSize int
	buf      []byte
	at, end  int
}

func newFloorIn(c net.Conn, headSize int) *floorIn {
	return &floorIn{conn: c, headSize: headSize, buf: make([]byte, floorBuffer)}
}

// waiting tells whether a whole frame has been read already.
func (r *floorIn) waiting() bool {
	have := r.end - r.at
	return have >= r.headSize && have >= r.headSize+head(r.buf[r.at:]).length()
}

// next gives a frame, valid until the following call.
func (r *floorIn) next() (head, []byte, error) {
	for !r.waiting() {
		if r.at == r.end {
			r.at, r.end = 0, 0
		}
		need := r.headSize
		if r.end-r.at >= need {
			n := head(r.buf[r.at:]).length()
			if n > floorMost {
				return nil, nil, fmt.Errorf("rpcbench: floor: a frame of %d bytes, at most %d", n, floorMost)
			}
			need += n
		}
		if r.at+need > len(r.buf) {
			to := r.buf
			if need > len(to) {
				to = make([]byte, need)
			}
			r.end = copy(to, r.buf[r.at:r.end])
			r.at, r.buf = 0, to
		}
		n, err := r.conn.Read(r.buf[r.end:])
		if err != nil {
			return nil, nil, err
		}
		r.end += n
	}
	h := head(r.buf[r.at : r.at+r.headSize])
	start := r.at + r.headSize
	r.at = start + h.length()
	return h, r.buf[start:r.at], nil
}

// serveFloor serves a connection. Replies leave when no other call has been
// read.
func serveFloor(c net.Conn) {
	defer c.Close()
	in := newFloorIn(c, floorCall)
	var out []byte
	var parts [2][]byte
	var buffers net.Buffers
	to := newSink(false)
	reply := make([]byte, floorReturn)
	for {
		h, data, err := in.next()
		if err != nil {
			return // the client is gone
		}
		var first, second int64
		switch h.op() {
		case floorAdd:
			first = h.first() + h.second()
		case floorEcho:
			putHead(reply, len(data), h.slot(), floorEcho, 0, 0)
			parts[0], parts[1] = reply, data
			buffers = parts[:]
			if _, err := buffers.WriteTo(c); err != nil {
				return
			}
			continue
		case floorOpen:
			to = newSink(h.second() != 0)
		case floorPut:
			to.put(data)
			continue
		case floorDone:
			first, second = int64(to.bytes), int64(to.hash)
		case floorSleep:
			time.Sleep(time.Duration(h.first()) * time.Microsecond)
		default:
			return
		}
		putHead(reply, 0, h.slot(), h.op(), first, second)
		out = append(out, reply...)
		if in.waiting() && len(out) < floorBuffer {
			continue
		}
		if _, err := c.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

var errFloorEnd = fmt.Errorf("rpcbench: floor: %w", io.ErrUnexpectedEOF)
