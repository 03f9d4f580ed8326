package inspect

import (
	"encoding/binary"
	"fmt"
)

// A pointer is a pointer word of a message; package segment draws its layout.
type pointer uint64

const (
	kindStruct = 0
	kindList   = 1
	kindFar    = 2
	kindOther  = 3
)

func (p pointer) kind() int      { return int(p & 3) }
func (p pointer) offset() int64  { return int64(int32(uint32(p)) >> 2) }
func (p pointer) upper() uint32  { return uint32(p >> 32) }
func (p pointer) data() int64    { return int64(uint16(p >> 32)) }
func (p pointer) ptrs() int64    { return int64(uint16(p >> 48)) }
func (p pointer) elem() int      { return int(p >> 32 & 7) }
func (p pointer) count() int64   { return int64(p >> 35) }
func (p pointer) double() bool   { return p&4 != 0 }
func (p pointer) farWord() int64 { return int64(uint32(p) >> 3) }
func (p pointer) tagLen() int64  { return int64(uint32(p) >> 2) }

const (
	elemBit       = 1
	elemByte      = 2
	elemPointer   = 6
	elemComposite = 7
)

var (
	elemNames = [8]string{"void", "bit", "byte", "2-byte", "4-byte", "8-byte", "pointer", "struct"}
	elemBits  = [8]int64{0, 1, 8, 16, 32, 64, 64, 0}
)

// A target is what a pointer leads to, after far pointers.
type target struct {
	pointer        // describes the object; its offset is used up
	seg     uint32 // where the object lies
	word    int64
	way     string // the far pointers on the way, for print
}

// load gives a word that is known to be there.
func (m *message) load(seg uint32, word int64) pointer {
	return pointer(binary.LittleEndian.Uint64(m.segs[seg][word*wordBytes:]))
}

// resolve follows far pointers from the pointer p at a place.
func (m *message) resolve(seg uint32, word int64, p pointer) (target, error) {
	if p.kind() != kindFar {
		return target{pointer: p, seg: seg, word: word + 1 + p.offset()}, nil
	}
	pad, err := m.landing(p)
	if err != nil {
		return target{}, err
	}
	first := m.load(p.upper(), pad)
	way := fmt.Sprintf(" by way of %d:%d", p.upper(), pad)
	if !p.double() {
		if first.kind() == kindFar {
			return target{}, fmt.Errorf("a far pointer that lands on another, at %d:%d", p.upper(), pad)
		}
		return target{pointer: first, seg: p.upper(), word: pad + 1 + first.offset(), way: way}, nil
	}
	tag := m.load(p.upper(), pad+1)
	switch {
	case first.kind() != kindFar || first.double():
		return target{}, fmt.Errorf("a double-far pointer whose pad at %d:%d does not start with a far pointer", p.upper(), pad)
	case int(first.upper()) >= len(m.segs):
		return target{}, fmt.Errorf("a double-far pointer to segment %d of %d", first.upper(), len(m.segs))
	case tag.kind() == kindFar:
		return target{}, fmt.Errorf("a double-far pointer whose tag at %d:%d is a far pointer", p.upper(), pad+1)
	}
	way = fmt.Sprintf(" by way of %d:%d (double-far)", p.upper(), pad)
	return target{pointer: tag, seg: first.upper(), word: first.farWord(), way: way}, nil
}

// landing checks that the landing pad of a far pointer is there.
func (m *message) landing(p pointer) (int64, error) {
	need := int64(1)
	if p.double() {
		need = 2
	}
	if int64(p.upper()) >= int64(len(m.segs)) {
		return 0, fmt.Errorf("a far pointer to segment %d of %d", p.upper(), len(m.segs))
	}
	pad, words := p.farWord(), int64(len(m.segs[p.upper()])/wordBytes)
	if pad+need > words {
		return 0, fmt.Errorf("a far pointer to word %d of segment %d, which has %d", pad, p.upper(), words)
	}
	return pad, nil
}

// size is how many words the target has in its segment, the tag of a struct list
// included.
func (t target) size() int64 {
	switch {
	case t.kind() == kindStruct:
		return t.data() + t.ptrs()
	case t.kind() == kindList && t.elem() == elemComposite:
		return 1 + t.count()
	case t.kind() == kindList:
		return (t.count()*elemBits[t.elem()] + 63) / 64
	}
	return 0
}

// check sees that the target lies inside its segment.
func (m *message) check(t target) error {
	n, words := t.size(), int64(len(m.segs[t.seg])/wordBytes)
	if n == 0 && t.kind() != kindList {
		return nil // nothing of it is ever read
	}
	if t.word < 0 || t.word+n > words {
		return fmt.Errorf("%d words from word %d on, in segment %d, which has %d", n, t.word, t.seg, words)
	}
	return nil
}
