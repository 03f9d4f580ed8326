package framing

import (
	"strings"

	"github.com/fairlead-go/fairlead/internal/buffer"
)

// Allocated is how many buffers a decoder took that were new memory.
func (d *Decoder) Allocated() uint64 { return d.allocated }

// Reads is how often a decoder called its reader.
func (d *Decoder) Reads() uint64 { return d.reads }

// Sizes at which the behaviour changes.
const (
	Joined      = joined
	Referred    = referred
	ChunkBytes  = chunkBytes
	SharedFrame = sharedFrame
	MaxWindow   = maxWindow
	Unproven    = unproven
)

// Held is how many bytes of memory a decoder holds.
func (d *Decoder) Held() int {
	n := 0
	for _, b := range []*buffer.Buffer{d.buf, d.in} {
		if b != nil {
			n += len(b.Mem)
		}
	}
	return n
}

// EndReader puts a reader that is at its end in the place of the decoder's.
func EndReader(d *Decoder) { d.r = strings.NewReader("") }

// Holds is how many holders a file has: the caller until Close, and messages.
func (f *File) Holds() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holds
}

// Expects tells whether a pipe looks for its next message before it sleeps.
func (p *Pipe) Expects() bool { return p.soon.below != nil && p.soon.below.Soon }

// ManyAnswered is after how many reads it does.
const ManyAnswered = manyAnswered
