package framing

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/packed"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// A message smaller than joined is copied, to leave together with others.
	joined = 16 << 10
	// A segment of a larger message is written from where it lies if it has
	// this size; below it, copying costs less than an entry of a vector.
	referred = 4 << 10
	// chunkBytes is how much is written at once if all of it is small.
	chunkBytes = 64 << 10
)

// A batch collects what one write will send: small pieces copied into chunks,
// large ones referred to where they lie.
type batch struct {
	vec    net.Buffers // what to write, in order
	left   net.Buffers // the rest of it, while it is written
	chunks []*buffer.Buffer
	used   int  // of the last chunk
	open   bool // the last entry of vec ends where the last chunk is used up to
	bytes  int64

	msgs, copied uint64
	writes       uint64             // calls of the writer so far
	held         []*segment.Message // what vec refers to
	files        []filesOut         // what rides along
	sentFiles    uint64
}

// add puts a message into the batch, and tells whether the batch refers to its
// memory: then that must stay until the batch is written. On an error the batch
// is as it was.
func (b *batch) add(segs [][]byte, f Format) (refers bool, err error) {
	content := contentOf(segs)
	was := b.mark()
	if !f.flat() {
		t := tableBytes(len(segs))
		if f == Binary {
			putTable(b.space(t), segs)
		} else {
			b.commit(len(appendPackedTable(b.reserve(packed.MaxLen(t)), segs)))
		}
	}
	for _, s := range segs {
		switch {
		case len(s) == 0:
		case f.packed():
			dst := b.reserve(packed.MaxLen(len(s)))
			n := 0
			err = guardSegment(s, func() error {
				n = len(packed.Append(dst, s))
				return nil
			})
			b.commit(n)
		case content >= joined && len(s) >= referred:
			b.vec = append(b.vec, s)
			b.bytes += int64(len(s))
			b.open = false
			refers = true
		default:
			dst := b.space(len(s))
			err = guardSegment(s, func() error {
				copy(dst, s)
				return nil
			})
		}
		if err != nil {
			b.rollback(was)
			return false, err
		}
	}
	b.msgs++
	if !refers {
		b.copied++
	}
	return refers, nil
}

// reserve returns an empty slice with room for n bytes, of which commit makes
// the first part of the batch.
func (b *batch) reserve(n int) []byte {
	if len(b.chunks) == 0 || len(b.chunks[len(b.chunks)-1].Mem)-b.used < n {
		c, _ := buffers.Get(max(n, chunkBytes))
		b.chunks = append(b.chunks, c)
		b.used, b.open = 0, false
	}
	mem := b.chunks[len(b.chunks)-1].Mem
	return mem[b.used:b.used:min(b.used+n, len(mem))]
}

func (b *batch) commit(n int) {
	if n == 0 {
		return
	}
	if b.open {
		last := &b.vec[len(b.vec)-1]
		*last = (*last)[:len(*last)+n]
	} else {
		mem := b.chunks[len(b.chunks)-1].Mem
		b.vec = append(b.vec, mem[b.used:b.used+n])
		b.open = true
	}
	b.used += n
	b.bytes += int64(n)
}

// space returns n bytes to be filled, which are part of the batch.
func (b *batch) space(n int) []byte {
	s := b.reserve(n)
	b.commit(n)
	return s[:n]
}

// A batchMark is a state to go back to.
type batchMark struct {
	entries, last, chunks, used int
	open                        bool
	bytes                       int64
}

func (b *batch) mark() batchMark {
	m := batchMark{entries: len(b.vec), chunks: len(b.chunks), used: b.used, open: b.open, bytes: b.bytes}
	if m.entries > 0 {
		m.last = len(b.vec[m.entries-1])
	}
	return m
}

func (b *batch) rollback(m batchMark) {
	clear(b.vec[m.entries:])
	b.vec = b.vec[:m.entries]
	if m.entries > 0 {
		b.vec[m.entries-1] = b.vec[m.entries-1][:m.last]
	}
	for _, c := range b.chunks[m.chunks:] {
		c.Release()
	}
	clear(b.chunks[m.chunks:])
	b.chunks = b.chunks[:m.chunks]
	b.used, b.open, b.bytes = m.used, m.open, m.bytes
}

func (b *batch) empty() bool { return len(b.vec) == 0 }

// release lets go of the messages that the batch refers to.
func (b *batch) release() {
	for i, m := range b.held {
		m.Release()
		b.held[i] = nil
	}
	b.held = b.held[:0]
}

// reset empties the batch and gives its memory back.
func (b *batch) reset() {
	b.release()
	b.rollback(batchMark{})
	b.left = nil
	b.msgs, b.copied, b.writes = 0, 0, 0
	b.files, b.sentFiles = nil, 0
}

// writeTo writes the batch, or the rest of it after a write that was
// interrupted.
func (b *batch) writeTo(w io.Writer) error {
	if b.left == nil {
		b.left = b.vec
	}
	if len(b.files) > 0 {
		if err := b.writeFiles(w.(*net.UnixConn)); err != nil {
			return err
		}
	}
	if len(b.left) > 1 && isSocket(w) {
		b.writes++
		_, err := b.left.WriteTo(w) // shortens left by what it wrote
		return err
	}
	for len(b.left) > 0 {
		piece := b.left[0]
		b.writes++
		n, err := guardedWrite(w, piece)
		if n < 0 || n > len(piece) {
			return fmt.Errorf("framing: the writer says that it wrote %d of %d bytes", n, len(piece))
		}
		if n == len(piece) {
			b.left[0] = nil
			b.left = b.left[1:]
		} else {
			b.left[0] = piece[n:]
			if err == nil {
				err = io.ErrShortWrite
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// guardedWrite is a write that reads piece in this process, unlike that of a
// socket, where the kernel finds out whether the memory is there.
func guardedWrite(w io.Writer, piece []byte) (n int, err error) {
	err = guardedErr(mem.Guard(piece, func() (err error) {
		n, err = w.Write(piece)
		return err
	}))
	return n, err
}

// isSocket tells whether w is a connection that the kernel knows, TCP or unix
// and not TLS: it can be written to with a vector, and a write that ran into
// its deadline can go on where it stood.
func isSocket(w io.Writer) bool {
	if _, ok := w.(syscall.Conn); !ok {
		return false
	}
	_, ok := w.(net.Conn)
	return ok
}
