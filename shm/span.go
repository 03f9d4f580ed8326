package shm

import (
	"fmt"
	"slices"
	"sort"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// mostSpans is how many segments a message may have of which one lies inside a block,
// or in a block of the peer's: each takes two words of the slot.
const mostSpans = 3

// A span is where such a segment is: in a region of the sender's, or of the receiver's.
type span struct {
	region        int
	yours         bool // the receiver's
	offset, bytes int  // multiples of 8
}

func (s span) words() (where, extent uint64) {
	where = uint64(s.region)
	if s.yours {
		where |= 1 << 63
	}
	return where, uint64(s.offset/8)<<32 | uint64(s.bytes/8)
}

// spanOf reads a span, of which nothing is known but that its numbers are not absurd.
func spanOf(where, extent uint64) (span, error) {
	yours, from, words := where>>63 == 1, extent>>32, extent&(1<<32-1)
	if where &^= 1 << 63; where >= maxRegions || from > maxBlock/8 || words > maxBlock/8 {
		return span{}, corrupt("a segment is %d words from word %d on of region %d", words, from, where)
	}
	return span{int(where), yours, int(from) * 8, int(words) * 8}, nil
}

func (s span) String() string {
	return fmt.Sprintf("%d bytes from %d on of region %d", s.bytes, s.offset, s.region)
}

// ranges are the peer's regions as addresses, by number: nil where there is none. One
// is never changed.
type ranges [][]byte

// setRange notes where a region of the peer is, nil when it is gone. The caller has
// the lock.
func (in *incoming) setRange(id int, b []byte) {
	var now ranges
	if old := in.ranges.Load(); old != nil {
		now = slices.Clone(*old)
	}
	for id >= len(now) {
		now = append(now, nil)
	}
	now[id] = b
	in.ranges.Store(&now)
}

// lent gives where a segment is that lies in the peer's memory. It needs no lock.
func (in *incoming) lent(segment []byte) (span, bool) {
	r := in.ranges.Load()
	if r == nil {
		return span{}, false
	}
	for id, b := range *r {
		if at, ok := mem.Within(b, segment); ok {
			return span{id, true, at, len(segment)}, true
		}
	}
	return span{}, false
}

// within gives the block that a segment lies in, which somebody holds; nil if there is
// none.
func (s *store) within(segment []byte) (b *block, at int) {
	for _, r := range s.regions {
		if r == nil {
			continue
		}
		if at, ok := mem.Within(r.shared.Bytes(), segment); ok {
			if b := r.blockAt(at, len(segment)); b != nil && b.holds > 0 {
				return b, at
			}
			return nil, 0
		}
	}
	return nil, 0
}

// blockAt gives the block that has so many bytes from an offset on, nil if none has.
func (r *region) blockAt(offset, bytes int) *block {
	i := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].offset > offset }) - 1
	if i < 0 || offset-r.blocks[i].offset+bytes > len(r.blocks[i].mem) {
		return nil
	}
	return r.blocks[i]
}

// submitSpans publishes a message of which a segment refers to part of a block that
// somebody else holds too, or to memory that the peer has lent us. found is false if
// there is no such segment: then nothing was done.
func (o *outgoing) submitSpans(s *sending) (found bool, short shortage, err error) {
	n := s.msg.Segments()
	if n < 2 || n > mostSpans || !s.ours {
		return false, nothing, nil
	}
	var spans [mostSpans]span
	var blocks [mostSpans]*block
	keep, extra, size := false, 0, 0
	for i := range n {
		seg := s.msg.Segment(i)
		size += len(seg)
		if b := o.store.find(seg); b != nil {
			blocks[i], spans[i] = b, span{b.region.id, false, b.offset, len(seg)}
		} else if b, at := o.store.within(seg); b != nil {
			blocks[i], spans[i] = b, span{b.region.id, false, at, len(seg)}
			found = true
		} else if theirs, ok := o.pipe.in.lent(seg); ok && s.by == nil {
			spans[i] = theirs
			found, keep = true, true
		} else {
			extra += roundBlock(len(seg))
		}
	}
	if !found {
		return false, nothing, nil
	}
	var spare *block
	if extra > 0 {
		if spare, err = o.spare(extra, s); spare == nil {
			return true, shortOrNot(err), err
		}
	}
	l, ln := o.loans.lend()
	w1 := o.leases(l)
	at := 0
	for i, b := range blocks[:n] {
		switch {
		case b != nil:
			b.holds++
			ln.blocks = append(ln.blocks, b)
		case !spans[i].yours:
			seg := s.msg.Segment(i)
			copy(spare.mem[at:], seg)
			spans[i] = span{spare.region.id, false, spare.offset + at, len(seg)}
			at += roundBlock(len(seg))
		}
	}
	if spare != nil {
		o.lendCopies(ln, spare, extra)
	}
	if keep {
		// What the peer has lent us must not go back before the peer is done with this.
		ln.keeps, s.kept = s.msg, true
	}
	line := o.own.slot(o.sent)
	line[1].SetPlain(w1)
	for i, p := range spans[:n] {
		where, extent := p.words()
		line[2+2*i].SetPlain(where)
		line[3+2*i].SetPlain(extent)
	}
	point("send.spans")
	o.commit(line, kindSpans, n, 0, size)
	return true, nothing, nil
}

// unlock gives the lock back, and releases the messages that were kept for the peer.
func (o *outgoing) unlock() {
	for n := len(o.over) - 1; n >= 0; n = len(o.over) - 1 {
		m := o.over[n]
		o.over[n], o.over = nil, o.over[:n]
		o.mu.Unlock()
		m.Release()
		o.mu.Lock()
	}
	o.mu.Unlock()
}

// addSpan adds a segment of a slot of spans.
func (in *incoming) addSpan(r *received, where, extent uint64) (late int, err error) {
	s, err := spanOf(where, extent)
	switch {
	case err != nil:
		return -1, err
	case s.yours:
		return -1, in.addOurs(r, s)
	}
	return in.addBytes(r, s.region, uint64(s.offset), uint64(s.bytes))
}

// addOurs adds a segment that lies in a block of ours, which the peer has, and holds
// that.
func (in *incoming) addOurs(r *received, s span) error {
	o := &in.pipe.out
	o.mu.Lock()
	defer o.mu.Unlock()
	var b *block
	if s.region < len(o.store.regions) && o.store.regions[s.region] != nil {
		b = o.store.regions[s.region].blockAt(s.offset, s.bytes)
	}
	switch {
	case b != nil && b.holds > 0:
		b.holds++
	case b != nil && in.pipe.sendable() != nil:
		o.store.revive(b) // the peer is gone, and what it had was taken back, but not written since
	default:
		return corrupt("a segment is %v of ours, which it does not have", s)
	}
	r.own = append(r.own, b)
	at := s.offset - b.offset
	r.segs = append(r.segs, b.mem[at:at+s.bytes:at+s.bytes])
	return nil
}

// revive takes a certain block that is free.
func (s *store) revive(b *block) {
	if b.class < 0 {
		s.large = slices.DeleteFunc(s.large, func(l *block) bool { return l == b })
	} else if s.ready == b {
		s.ready = nil
	} else {
		for at := &s.free[b.class]; *at != nil; at = &(*at).next {
			if *at == b {
				*at = b.next
				break
			}
		}
	}
	s.took(b)
}

// dropOwn gives up the blocks of ours that a message referred to. A sender of ours that
// is short looks again then, and gives back the message's lease, which has to be in the
// pile: the peer holds the blocks as well until it has that.
func (r *received) dropOwn(o *outgoing) {
	for _, b := range r.own {
		o.release(b)
	}
	r.own = r.own[:0]
}
