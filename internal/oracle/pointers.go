package oracle

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// splitSegments takes a framed message apart.
func splitSegments(t testing.TB, msg []byte) [][]byte {
	t.Helper()
	n := int(binary.LittleEndian.Uint32(msg)) + 1
	head := (4 + 4*n + 7) &^ 7
	at := head
	segs := make([][]byte, n)
	for i := range segs {
		size := 8 * int(binary.LittleEndian.Uint32(msg[4+4*i:]))
		segs[i] = msg[at : at+size : at+size]
		at += size
	}
	if at != len(msg) {
		t.Fatalf("a message of %d bytes has segments up to %d", len(msg), at)
	}
	return segs
}

// joinSegments frames segments.
func joinSegments(segs [][]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(segs)-1))
	for _, s := range segs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)/8))
	}
	if len(b)%8 != 0 {
		b = append(b, 0, 0, 0, 0)
	}
	for _, s := range segs {
		b = append(b, s...)
	}
	return b
}

// place is a word of a message.
type place struct{ segment, word int }

// pointerPlaces follows every pointer of a well-formed message and returns the
// words that are pointers, landing pads and list tags among them.
func pointerPlaces(t testing.TB, segs [][]byte, visit func(place, uint64)) {
	t.Helper()
	word := func(p place) uint64 {
		if p.word < 0 || 8*p.word+8 > len(segs[p.segment]) {
			t.Fatalf("pointer to word %d of segment %d, which has %d", p.word, p.segment, len(segs[p.segment])/8)
		}
		return binary.LittleEndian.Uint64(segs[p.segment][8*p.word:])
	}
	var follow func(p place)
	object := func(w uint64, target place) {
		if w&3 == 0 {
			data, ptrs := int(w>>32&0xffff), int(w>>48)
			for i := range ptrs {
				follow(place{target.segment, target.word + data + i})
			}
			return
		}
		count := int(w >> 35)
		switch w >> 32 & 7 {
		case 6:
			for i := range count {
				follow(place{target.segment, target.word + i})
			}
		case 7:
			tag := word(target)
			visit(target, tag)
			data, ptrs := int(tag>>32&0xffff), int(tag>>48)
			for e := range int(uint32(tag) >> 2) {
				for i := range ptrs {
					follow(place{target.segment, target.word + 1 + e*(data+ptrs) + data + i})
				}
			}
		}
	}
	follow = func(p place) {
		w := word(p)
		visit(p, w)
		switch {
		case w == 0 || w&3 == 3:
		case w&3 == 2:
			pad := place{int(w >> 32), int(uint32(w) >> 3)}
			if w&4 == 0 {
				follow(pad)
				return
			}
			far := word(pad)
			visit(pad, far)
			tagAt := place{pad.segment, pad.word + 1}
			tag := word(tagAt)
			visit(tagAt, tag)
			object(tag, place{int(far >> 32), int(uint32(far) >> 3)})
		default:
			object(w, place{p.segment, p.word + 1 + int(int32(uint32(w))>>2)})
		}
	}
	follow(place{0, 0})
}

// countPointers adds the kinds of a message's pointers to seen.
func countPointers(t testing.TB, msg []byte, seen map[string]int) {
	t.Helper()
	pointerPlaces(t, splitSegments(t, msg), func(_ place, w uint64) {
		switch {
		case w == 0:
			seen["null"]++
		case w == 0xfffffffc:
			seen["empty struct"]++
		case w&3 == 0:
			seen["struct"]++
		case w&3 == 1:
			seen[fmt.Sprintf("list %d", w>>32&7)]++
		case w&7 == 6:
			seen["double far"]++
		case w&3 == 2:
			seen["far"]++
		default:
			seen["other"]++
		}
	})
}

// doubleFar returns a well-formed message with every struct and list reached by
// a double-far pointer, whose pads lie in a segment of their own. The capnp
// tool never writes one, so the goldens have none.
func doubleFar(t testing.TB, msg []byte) []byte {
	t.Helper()
	old := splitSegments(t, msg)
	segs := make([][]byte, len(old)+1)
	for i := range old {
		segs[i] = append([]byte(nil), old[i]...)
	}
	last := len(old)
	// What a far pointer lands on has to stay as it is, and a composite list's
	// tag is no pointer.
	keep := map[place]bool{}
	type change struct {
		at   place
		word uint64
	}
	var changes []change
	pointerPlaces(t, old, func(p place, w uint64) {
		if w&3 == 2 {
			pad := place{int(w >> 32), int(uint32(w) >> 3)}
			keep[pad] = true
			if w&4 != 0 {
				keep[place{pad.segment, pad.word + 1}] = true
			}
		}
		if w&2 != 0 || w == 0 || w == 0xfffffffc {
			return
		}
		target := place{p.segment, p.word + 1 + int(int32(uint32(w))>>2)}
		isKept := keep[p]
		if w&3 == 1 && w>>32&7 == 7 {
			keep[target] = true
		}
		if isKept {
			return
		}
		pad := uint64(len(segs[last]) / 8)
		segs[last] = binary.LittleEndian.AppendUint64(segs[last], uint64(target.segment)<<32|uint64(target.word)<<3|2)
		segs[last] = binary.LittleEndian.AppendUint64(segs[last], w&^0xffffffff|w&3)
		changes = append(changes, change{p, uint64(last)<<32 | pad<<3 | 6})
	})
	for _, c := range changes {
		binary.LittleEndian.PutUint64(segs[c.at.segment][8*c.at.word:], c.word)
	}
	return joinSegments(segs)
}

// graft returns a message whose root is an Everything that has the given flat
// messages behind far pointers as its fields any and cap.
func graft(t testing.TB, flat ...[]byte) []byte {
	t.Helper()
	layout, err := Layout()
	if err != nil {
		t.Fatal(err)
	}
	s := layout["Everything"]
	root := binary.LittleEndian.AppendUint64(nil, uint64(s.DataWords)<<32|uint64(s.Pointers)<<48)
	root = append(root, make([]byte, 8*(s.DataWords+s.Pointers))...)
	segs := [][]byte{root}
	for _, f := range s.Fields {
		if f.Type != nil && f.Type.Kind == KindAny && len(segs) <= len(flat) {
			at := 8 * (1 + s.DataWords + f.Offset)
			binary.LittleEndian.PutUint64(root[at:], uint64(len(segs))<<32|2)
			segs = append(segs, flat[len(segs)-1])
		}
	}
	return joinSegments(segs)
}
