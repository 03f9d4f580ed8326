//go:build !purego

package shm

import (
	"encoding/binary"
	"testing"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// FuzzSlot reads a slot, and what it leads to, of any bytes: a message's segments
// lie in the peer's regions, or there is an error, and everything that was held is
// given back.
func FuzzSlot(f *testing.F) {
	shared, err := mem.NewShared("fuzz", firstRegionBytes, mem.SharedOptions{})
	if err != nil {
		f.Fatal(err)
	}
	more, err := mem.NewShared("fuzz", 1<<20, mem.SharedOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := shared.Release(); err != nil {
			f.Error(err)
		}
		if err := more.Release(); err != nil {
			f.Error(err)
		}
	})
	peer, err := wordsOf(shared.Bytes())
	if err != nil {
		f.Fatal(err)
	}
	slot := func(kind, segments, bytes int, words ...uint64) []byte {
		b := binary.NativeEndian.AppendUint64(nil, head(1, kind, segments, bytes))
		for i := range 7 {
			var w uint64
			if i < len(words) {
				w = words[i]
			}
			b = binary.NativeEndian.AppendUint64(b, w)
		}
		return b
	}
	at := func(region, offset, bytes int) uint64 { return uint64(placeOf(region, offset, bytes)) }
	f.Add(slot(kindInline, 1, 56), []byte{})
	f.Add(slot(kindInline, 1, 57), []byte{})
	f.Add(slot(kindPlaces, 2, 0, 1<<32, at(0, atBlocks, 64), at(1, 0, 1<<20)), []byte{})
	f.Add(slot(kindPlaces, 1, 0, 1<<32, at(1, 64, 1<<20)), []byte{})
	f.Add(slot(kindPlaces, 1, 0, 1<<32, at(2, 0, 8)), []byte{})
	f.Add(slot(kindPlaces, 7, 0, 1<<32), []byte{})
	f.Add(slot(kindTable, 7, 0, 1<<32, at(0, atBlocks, 16)), binary.NativeEndian.AppendUint64(nil, at(1, 0, 8)))
	f.Add(slot(kindTable, 7, 0, 1<<32, at(1, 0, 1<<20)), []byte{})
	f.Add(slot(kindPacked, 1, 0, 1<<32, at(0, atBlocks, 48), 2), []byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 2, 0, 0, 0, 0, 0, 0, 0})
	f.Add(slot(kindPacked, 1, 0, 1<<32, at(0, atBlocks, 48), 2), []byte{255, 255, 255, 255, 255, 255, 255, 255})
	spans := func(spans ...span) []byte {
		words := []uint64{1 << 32}
		for _, s := range spans {
			where, extent := s.words()
			words = append(words, where, extent)
		}
		return slot(kindSpans, len(spans), 0, words...)
	}
	f.Add(spans(span{0, false, atBlocks, 64}, span{1, false, 8, 1<<20 - 8}), []byte{})
	f.Add(spans(span{1, false, 8, 1 << 20}, span{0, true, atBlocks, 64}), []byte{})
	f.Add(spans(span{2, false, 0, 8}), []byte{})
	f.Add(slot(9, 1, 0), []byte{})
	f.Fuzz(func(t *testing.T, line, block []byte) {
		if len(line) != slotBytes {
			return
		}
		clear(shared.Bytes()[atBlocks:])
		copy(shared.Bytes()[atBlocks:], block)
		copy(shared.Bytes()[atSubmit:], line)
		p := &Pipe{limits: segment.Limits{}.WithDefaults()}
		in := &p.in
		in.pipe, in.peer, in.regions = p, &peer, []*mem.Shared{shared, more}
		in.gauge = make(gauge, countWords)
		r := new(received)
		_, late, err := in.take(r)
		if late >= 0 || err != nil {
			if late >= 0 && in.known(late) {
				t.Errorf("region %d is known, and said to be late", late)
			}
			if len(r.regions) != 0 || len(r.own) != 0 || r.pipe != nil {
				t.Error("something is still held")
			}
			return
		}
		for n := 0; r.pack.left > 0; n++ {
			b, err := r.pack.next()
			if err != nil {
				break
			}
			inside(t, b, shared, more)
			if n > firstRegionBytes {
				t.Fatal("a block of many messages does not end")
			}
		}
		if msg, err := segment.Open(r.segs, segment.Options{Trust: segment.Shared, Limits: p.limits}); err == nil {
			for _, s := range r.segs {
				if r.pipe != nil {
					inside(t, s, shared, more)
				}
			}
			_ = msg.Verify()
			msg.Release()
		}
		r.dropRegions()
	})
}

// inside tells that a segment lies in one of the regions.
func inside(t *testing.T, b []byte, regions ...*mem.Shared) {
	if len(b) == 0 {
		return
	}
	for _, s := range regions {
		all := s.Bytes()
		// Both ends by their addresses, which for memory of one mapping can only be
		// compared by looking for them.
		if first, last := index(all, &b[0]), index(all, &b[len(b)-1]); first >= 0 && last == first+len(b)-1 {
			return
		}
	}
	t.Errorf("a segment of %d bytes lies outside", len(b))
}

// index tells where in b the byte at p is. Segments begin at multiples of 8.
func index(b []byte, p *byte) int {
	for at := 0; at < len(b); at += 8 {
		if &b[at] == p || &b[at+7] == p {
			if &b[at] == p {
				return at
			}
			return at + 7
		}
	}
	return -1
}
