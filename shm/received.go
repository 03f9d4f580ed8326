package shm

import (
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// A received is what holds a message's memory until it is released.
type received struct {
	inline  [inlineBytes]byte // first, for it has to be aligned
	pipe    *Pipe             // nil if nothing of the peer is held
	lease   lease
	large   bool
	few     [slotPlaces][]byte
	segs    [][]byte
	own     []*block       // of ours, each held
	regions []*mem.Shared  // beside the first, each held once for each segment in it
	kept    [4]*mem.Shared // regions that a Reader holds from one message to the next
	stays   bool           // the Reader holds the mappings from one message to the next
	reader  bool           // it is a Reader's, which takes many messages for itself
	pack    pack           // if it is many messages
	parent  *received      // the many messages that it is one of
}

var receiveds = sync.Pool{New: func() any { return new(received) }}

// Release is called when the message is released.
func (r *received) Release() {
	r.giveBack()
	receiveds.Put(r)
}

// giveBack gives up what is held of the peer.
func (r *received) giveBack() {
	p := r.pipe
	if p == nil {
		return
	}
	r.pipe = nil
	r.pack.rest, r.pack.left = nil, 0
	if r.parent != nil {
		r.parent.leave()
		r.parent = nil
		return
	}
	r.dropRegions()
	p.giveBack(r.lease, r.large)
	r.dropOwn(&p.out)
	p.leave()
}

// giveBackOnly is giveBack of a Reader's message, which keeps what the next one is
// likely to need too.
func (r *received) giveBackOnly() {
	for i, s := range r.regions {
		if free := slices.Index(r.kept[:], nil); free >= 0 {
			r.kept[free] = s
		} else {
			r.kept[i%len(r.kept)], r.regions[i] = s, r.kept[i%len(r.kept)]
			_ = r.regions[i].Release()
		}
	}
	r.regions = r.regions[:0]
	p := r.pipe
	r.pipe = nil
	if r.parent != nil {
		r.parent.leave()
		r.parent = nil
		return
	}
	p.giveBack(r.lease, r.large)
	r.dropOwn(&p.out)
	r.stays = true
}

// rest gives up what was kept for the next message. p is the Reader's pipe.
func (r *received) rest(p *Pipe) {
	for i, s := range r.kept {
		if s != nil {
			_ = s.Release()
			r.kept[i] = nil
		}
	}
	if r.stays {
		r.stays = false
		p.leave()
	}
}

func (r *received) dropRegions() {
	for _, s := range r.regions {
		_ = s.Release()
	}
	r.regions = r.regions[:0]
}
