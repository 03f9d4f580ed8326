package zmq

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// A frame of at least bigFrame bytes is read straight into memory of its own.
	bigFrame = 8 << 10
	// slabFull is how many bytes of messages are handed on together at most, so
	// that they do not keep each other's memory for long.
	slabFull = 64 << 10
	// maxSlabFrames bounds the bookkeeping that a slab keeps for its next use.
	maxSlabFrames = 4096
)

// A slab is messages that arrived together, and the memory that they lie in,
// which is used again when the last of them is released. The reader of a
// connection fills it; then it is queued; whoever receives takes its messages
// out one by one. Each frame begins at a multiple of 8.
type slab struct {
	frames [][]byte
	ends   []int32 // for each message, where its frames end
	bytes  int64   // of all frames

	chunks []*buffer.Buffer // of small frames
	used   int              // of the last
	big    []*buffer.Buffer // of large frames, in their order
	origin owner            // inproc: whose memory the frames are

	lead [1][]byte // the sender's routing id when these arrived, where that is received

	link  uint32 // by which connection of the peer they arrived
	about *peer  // a subscription's: whose it is, if it is not the queue's peer

	plain bool // inproc: the frames are nobody's memory but the collector's

	next int          // the message to be taken next; guarded by the queue
	refs atomic.Int32 // messages not released yet
}

// An owner is what keeps the memory of frames that are sent: a message, a slab
// from which they are sent on, or nothing but the collector.
type owner struct {
	msg  *segment.Message
	slab *slab
}

func (o owner) some() bool { return o.msg != nil || o.slab != nil }

func (o owner) retain() {
	if o.msg != nil {
		o.msg.Retain()
	} else if o.slab != nil {
		o.slab.refs.Add(1)
	}
}

func (o owner) release() {
	if o.msg != nil {
		o.msg.Release()
	} else if o.slab != nil {
		o.slab.Release()
	}
}

// mapped tells whether the memory may be a mapped file, which somebody can cut
// short while it is read.
func (o owner) mapped() bool {
	if o.slab != nil {
		o = o.slab.origin
	}
	return o.msg != nil && !o.msg.OwnsMemory()
}

// guarded runs f, which reads b in the owner's memory.
func (o owner) guarded(b []byte, f func()) error {
	if !o.mapped() {
		f()
		return nil
	}
	err := mem.Guard(b, func() error {
		f()
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

var slabs = sync.Pool{New: func() any { return new(slab) }}

func newSlab() *slab { return slabs.Get().(*slab) }

// place returns n bytes at a multiple of 8.
func (s *slab) place(n int) []byte {
	if len(s.chunks) == 0 || len(s.chunks[len(s.chunks)-1].Mem)-s.used < n {
		size := firstChunkBytes
		if len(s.chunks) > 0 {
			size = chunkBytes
		}
		c, _ := buffers.Get(max(n, size))
		s.chunks = append(s.chunks, c)
		s.used = 0
	}
	mem := s.chunks[len(s.chunks)-1].Mem
	at := s.used
	s.used += (n + 7) &^ 7
	return mem[at : at+n : at+n]
}

// rewind uses the memory of what was dropped again, if there is nothing else.
func (s *slab) rewind() {
	if len(s.frames) > 0 {
		return
	}
	for i, b := range s.big {
		b.Release()
		s.big[i] = nil
	}
	s.big = s.big[:0]
	for len(s.chunks) > 1 {
		last := len(s.chunks) - 1
		s.chunks[last].Release()
		s.chunks[last] = nil
		s.chunks = s.chunks[:last]
	}
	s.used = 0
}

// messages is how many whole messages it has.
func (s *slab) messages() int { return len(s.ends) }

// span gives the frames of message i.
func (s *slab) span(i int) (first, end int) {
	if i > 0 {
		first = int(s.ends[i-1])
	}
	return first, int(s.ends[i])
}

// Release gives up the hold of one message. A segment.Message calls it as its
// Owner.
func (s *slab) Release() {
	if s.refs.Add(-1) == 0 {
		s.recycle()
	}
}

// from is whose messages these are, in a peer's queue.
func (s *slab) from(queue *peer) *peer {
	if s.about != nil {
		return s.about
	}
	return queue
}

// recycle gives everything back.
func (s *slab) recycle() {
	if s.origin.some() {
		s.origin.release()
	}
	for i, c := range s.chunks {
		c.Release()
		s.chunks[i] = nil
	}
	for i, c := range s.big {
		if c != nil {
			c.Release()
		}
		s.big[i] = nil
	}
	if cap(s.frames) > maxSlabFrames || buffer.Debugging {
		return
	}
	clear(s.frames)
	s.frames, s.ends, s.chunks, s.big = s.frames[:0], s.ends[:0], s.chunks[:0], s.big[:0]
	s.bytes, s.used, s.next, s.origin, s.plain, s.lead, s.link, s.about = 0, 0, 0, owner{}, false, [1][]byte{}, 0, nil
	slabs.Put(s)
}

// An arrival is one message taken out of a queue. It is so small that it is
// handed on in registers.
type arrival struct {
	peer       *peer
	slab       *slab
	first, end int32 // of the slab's frames
}

func (a arrival) frames() [][]byte { return a.slab.frames[a.first:a.end:a.end] }

func (a arrival) len() int { return int(a.end - a.first) }

// size is the number of bytes in the frames.
func size(frames [][]byte) (n int64) {
	for _, f := range frames {
		n += int64(len(f))
	}
	return n
}

func (a arrival) release() { a.slab.Release() }

// keep fills dst with the frames, for good, and releases the message. Small
// frames are copied, large ones taken out of the memory that is used again.
func (a arrival) keep(dst [][]byte) {
	defer a.slab.Release()
	if a.slab.plain {
		copy(dst, a.frames())
		return
	}
	var small int
	for i, f := range a.frames() {
		if len(f) < bigFrame || !a.slab.giveUp(f) {
			small += len(f)
			dst[i] = nil
		} else {
			dst[i] = f
		}
	}
	all := make([]byte, 0, small)
	for i, f := range a.frames() {
		if dst[i] == nil {
			at := len(all)
			all = append(all, f...)
			dst[i] = all[at:len(all):len(all)]
		}
	}
}

// giveUp leaves the memory of a large frame to whoever has the frame, and tells
// whether that could be done.
func (s *slab) giveUp(f []byte) bool {
	for i, b := range s.big {
		if b != nil && &b.Mem[0] == &f[0] {
			b.Forsake()
			s.big[i] = nil
			return true
		}
	}
	return false
}
