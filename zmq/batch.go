package zmq

import (
	"fmt"
	"runtime"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

const (
	// A frame larger than joined is written from where it lies; a smaller one is
	// copied, to leave together with others.
	joined = 2 << 10
	// chunkBytes is how large the memory is that small frames are copied to, but
	// for the first of a batch, which may be all there is.
	chunkBytes      = 64 << 10
	firstChunkBytes = 1 << 10
)

// A batch is what waits to be written to one peer: whole messages and commands
// in their order, as ZMTP frames without encryption. Small frames lie in chunks,
// large ones where they were built.
type batch struct {
	vec    [][]byte // what to write, in order
	chunks []*buffer.Buffer
	used   int  // of the last chunk
	open   bool // the last entry of vec ends where the last chunk is used up to

	msgs   int     // messages, without commands
	bytes  int64   // of their frames' bodies
	copied int64   // bytes of bodies that were copied
	held   []owner // what vec refers to
	mapped bool    // which may be mapped files
}

// add puts a message into the batch. If the batch refers to its memory, it holds
// their owner once more. The error is that of memory that is gone, and leaves
// the batch as it was.
func (b *batch) add(frames [][]byte, own owner) error {
	mapped := own.mapped()
	was := *b
	last := 0
	if b.open {
		last = len(b.vec[len(b.vec)-1])
	}
	refers := false
	for i, f := range frames {
		h := zmtp.FrameHeader{More: i < len(frames)-1}
		if mapped && len(f) <= joined {
			err := mem.Guard(f, func() error {
				b.frame(f, h)
				return nil
			})
			if err != nil {
				b.rollback(&was, last)
				return fmt.Errorf("%w: frame %d of %d: %w", ErrCorrupt, i, len(frames), err)
			}
		} else if b.frame(f, h) {
			refers = true
		}
		b.bytes += int64(len(f))
	}
	b.msgs++
	if refers && own.some() {
		own.retain()
		b.held = append(b.held, own)
		b.mapped = b.mapped || mapped
	}
	return nil
}

// addWire puts a message of so many bytes into the batch as it is written.
func (b *batch) addWire(wire []byte, bytes int64) {
	b.commit(len(append(b.reserve(len(wire)), wire...)))
	b.copied += bytes
	b.bytes += bytes
	b.msgs++
}

// appendWire appends a message as it is written.
func appendWire(dst []byte, frames [][]byte, own owner) ([]byte, error) {
	for i, f := range frames {
		err := own.guarded(f, func() {
			dst = append(zmtp.AppendHeader(dst, zmtp.FrameHeader{More: i < len(frames)-1, Size: uint64(len(f))}), f...)
		})
		if err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// rollback makes the batch what it was, when its last entry had so many bytes.
func (b *batch) rollback(was *batch, last int) {
	for _, c := range b.chunks[len(was.chunks):] {
		c.Release()
	}
	clear(b.chunks[len(was.chunks):])
	clear(b.vec[len(was.vec):])
	was.chunks, was.vec = b.chunks[:len(was.chunks)], b.vec[:len(was.vec)]
	*b = *was
	if b.open {
		entry := &b.vec[len(b.vec)-1]
		*entry = (*entry)[:last]
	}
}

// control puts the body of a command into the batch.
func (b *batch) control(body []byte) { b.frame(body, zmtp.FrameHeader{Command: true}) }

// frame puts one frame into the batch, and tells whether the batch refers to its
// body.
func (b *batch) frame(body []byte, h zmtp.FrameHeader) (refers bool) {
	h.Size = uint64(len(body))
	if len(body) > joined {
		dst := b.reserve(zmtp.MaxHeader)
		b.commit(len(zmtp.AppendHeader(dst, h)))
		b.vec = append(b.vec, body)
		b.open = false
		return true
	}
	dst := zmtp.AppendHeader(b.reserve(zmtp.MaxHeader+len(body)), h)
	b.commit(len(append(dst, body...)))
	b.copied += int64(len(body))
	return false
}

// reserve returns an empty slice with room for n bytes, of which commit makes
// the first part of the batch.
func (b *batch) reserve(n int) []byte {
	if len(b.chunks) == 0 || len(b.chunks[len(b.chunks)-1].Mem)-b.used < n {
		size := chunkBytes
		if len(b.chunks) == 0 {
			size = firstChunkBytes
		}
		c, _ := buffers.Get(max(n, size))
		b.chunks = append(b.chunks, c)
		b.used, b.open = 0, false
	}
	return b.chunks[len(b.chunks)-1].Mem[b.used:b.used]
}

func (b *batch) commit(n int) {
	if b.open {
		last := &b.vec[len(b.vec)-1]
		*last = (*last)[:len(*last)+n]
	} else {
		mem := b.chunks[len(b.chunks)-1].Mem
		b.vec = append(b.vec, mem[b.used:b.used+n])
		b.open = true
	}
	b.used += n
}

func (b *batch) empty() bool { return len(b.vec) == 0 }

// reset empties the batch, and adds to drop what it refers to, which is to be
// released.
func (b *batch) reset(drop *[]owner) {
	*drop = append(*drop, b.held...)
	clear(b.held)
	for i, c := range b.chunks {
		c.Release()
		b.chunks[i] = nil
	}
	clear(b.vec)
	*b = batch{vec: b.vec[:0], chunks: b.chunks[:0], held: b.held[:0]}
}

// A frameWalk goes through the frames of a batch.
type frameWalk struct {
	vec   [][]byte
	entry int
	at    int   // in the entry
	pos   int64 // in all
}

// next gives the next frame; ok is false at the end.
func (w *frameWalk) next() (h zmtp.FrameHeader, body []byte, ok bool) {
	for w.entry < len(w.vec) && w.at == len(w.vec[w.entry]) {
		w.entry++
		w.at = 0
	}
	if w.entry == len(w.vec) {
		return h, nil, false
	}
	e := w.vec[w.entry]
	h, n, err := zmtp.ParseHeader(e[w.at:], zmtp.MaxFrame)
	if err != nil || n == 0 {
		panic("zmq: a batch that is not made of frames")
	}
	size := int(h.Size)
	w.at += n
	w.pos += int64(n) + int64(size)
	if w.at == len(e) && size > 0 {
		w.entry++
		w.at = size
		return h, w.vec[w.entry], true
	}
	body = e[w.at : w.at+size]
	w.at += size
	return h, body, true
}

// keepFrom drops what was written before a connection failed: every message and
// command but those of which a part is missing. These are written again from
// their beginning, for the peer cannot have used a part.
func (b *batch) keepFrom(written int64) {
	w := frameWalk{vec: b.vec}
	start := w // where the message begins that is walked through
	for {
		msgs, bytes, ok := w.message()
		if !ok || w.pos > written {
			break
		}
		b.msgs -= msgs
		b.bytes -= bytes
		start = w
	}
	rest := b.vec[start.entry:]
	if len(rest) > 0 {
		rest[0] = rest[0][start.at:]
		if len(rest[0]) == 0 {
			rest = rest[1:]
		}
	}
	b.vec = append(b.vec[:0], rest...)
	b.open = false
}

// dropGone drops the messages whose memory cannot be read any more, and tells how
// many. What fails to be written may be any of those that were written together.
func (b *batch) dropGone() (n int) {
	var kept [][]byte
	w := frameWalk{vec: b.vec}
	for {
		start := w
		var bytes int64
		readable := true
		for more := true; more; {
			h, body, ok := w.next()
			if !ok {
				b.vec = append(b.vec[:0], kept...)
				b.open = false
				return n
			}
			bytes += int64(len(body))
			readable = readable && (len(body) <= joined || canRead(body))
			more = h.More
		}
		if readable {
			kept = start.to(kept, w)
			continue
		}
		n++
		b.msgs--
		b.bytes -= bytes
	}
}

// keepMessages drops what is said to one connection only, which is lost: commands and
// subscriptions, of which the next connection's are told anew. The caller has the
// socket's mutex.
func (b *batch) keepMessages(s *Socket) {
	var kept [][]byte
	w := frameWalk{vec: b.vec}
	for {
		start := w
		h, body, ok := w.next()
		if !ok {
			break
		}
		said := h.Command
		if s.traits.subscribe && !h.More && len(body) <= zmtp.MaxTopic+1 {
			_, sub, _ := zmtp.ParseSubscription(false, body)
			said = said || sub
		}
		for h.More {
			h, _, _ = w.next()
		}
		if !said {
			kept = start.to(kept, w)
		}
	}
	b.vec = append(b.vec[:0], kept...)
	b.open = false
	if b.empty() {
		b.reset(s.drop())
	}
}

// to appends the pieces up to another place of the same batch.
func (w frameWalk) to(dst [][]byte, end frameWalk) [][]byte {
	for i := w.entry; i <= end.entry && i < len(w.vec); i++ {
		piece := w.vec[i]
		if i == end.entry {
			piece = piece[:end.at]
		}
		if i == w.entry {
			piece = piece[w.at:]
		}
		if len(piece) > 0 {
			dst = append(dst, piece)
		}
	}
	return dst
}

// canRead tells whether all pages of b are there.
func canRead(b []byte) bool {
	return mem.Guard(b, func() error {
		sum := b[len(b)-1]
		for i := 0; i < len(b); i += 4096 {
			sum += b[i]
		}
		runtime.KeepAlive(sum)
		return nil
	}) == nil
}

// message goes past one message or command, and tells what it counts for.
func (w *frameWalk) message() (msgs int, bytes int64, ok bool) {
	for {
		h, body, ok := w.next()
		if !ok || h.Command {
			return 0, 0, ok
		}
		bytes += int64(len(body))
		if !h.More {
			return 1, bytes, true
		}
	}
}
