package convert

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/fairlead-go/fairlead/segment"
)

// firstWords is how large libcapnp makes the first segment of a message.
const firstWords = 1024

// maxWords is the largest segment: what a list pointer can count.
const maxWords = 1<<29 - 1

// emptyRoot is a message whose root is a struct without fields, which is what a
// message without a root reads as.
var emptyRoot = []byte{0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// A copier copies messages, without what nothing refers to, into segments that
// hold the same bytes as those that the capnp tool writes: whatever their size is
// to be, which package segment leaves no choice about.
//
//	an object goes to  the segment of its pointer
//	or, behind a pad,  the last segment
//	                   a new segment as large as all before together
//
// The bytes of one copy are valid until the next.
type copier struct {
	words int  // the size of all segments, 0 for sizes that grow
	flat  bool // one segment only
	segs  []block
	next  int // the size of the next segment in words
	out   [][]byte
	err   error
}

// block is a segment.
type block struct {
	mem []byte // what is taken, and zero unless it was written
	max int    // how many words may be taken
}

// take takes n words, and gives the index of the first one.
func (b *block) take(n int) (int, bool) {
	at := len(b.mem) / 8
	if n > b.max-at {
		return 0, false
	}
	size := 8 * (at + n)
	if size > cap(b.mem) {
		grown := make([]byte, size, max(size, 2*cap(b.mem)))
		copy(grown, b.mem)
		b.mem = grown
		return at, true
	}
	b.mem = b.mem[:size]
	clear(b.mem[8*at:])
	return at, true
}

// copy gives the segments of a message whose root is s.
func (c *copier) copy(s segment.Struct) ([][]byte, error) {
	c.err = nil
	for i := range c.segs {
		c.segs[i].mem = c.segs[i].mem[:0]
	}
	c.segs = c.segs[:0]
	switch {
	case c.flat:
		c.next = maxWords
	case c.words > 0:
		c.next = min(c.words, maxWords)
	default:
		c.next = firstWords
	}
	c.grow(1)
	c.structure(0, 0, s)
	c.out = c.out[:0]
	for _, b := range c.segs {
		c.out = append(c.out, b.mem)
	}
	return c.out, c.err
}

// grow adds a segment and takes n words of it.
func (c *copier) grow(n int) {
	size := max(n, c.next)
	i := len(c.segs)
	if i < cap(c.segs) {
		c.segs = c.segs[:i+1] // and use its memory again
	} else {
		c.segs = append(c.segs, block{})
	}
	c.segs[i].max = size
	c.segs[i].take(n)
	if i > 0 && c.words == 0 {
		c.next = min(c.next+size, maxWords)
	}
}

// place takes n words for an object under the pointer at a word of a segment. It
// gives the place of the object, and of the pointer that is to describe it: the
// same, or a landing pad.
func (c *copier) place(seg, at, n int) (s, start, ptr int) {
	if start, ok := c.segs[seg].take(n); ok {
		return seg, start, at
	}
	s = len(c.segs) - 1
	pad, ok := c.segs[s].take(n + 1)
	if !ok {
		s++
		c.grow(n + 1)
	}
	c.put(seg, at, 2|uint64(pad)<<3|uint64(s)<<32)
	return s, pad + 1, pad
}

func (c *copier) put(seg, at int, word uint64) {
	binary.LittleEndian.PutUint64(c.segs[seg].mem[8*at:], word)
}

// link writes the pointer at ptr, whose upper half and kind are w, to an object
// in the same segment.
func (c *copier) link(seg, ptr, start int, w uint64) {
	c.put(seg, ptr, w|uint64(uint32(start-ptr-1)<<2))
}

func sizeWord(sz segment.Size) uint64 { return uint64(sz.DataWords)<<32 | uint64(sz.Ptrs)<<48 }

// structure copies a struct under the pointer at a word of a segment.
func (c *copier) structure(seg, at int, src segment.Struct) {
	sz := src.Size()
	n := int(sz.DataWords) + int(sz.Ptrs)
	if n == 0 {
		c.link(seg, at, at, 0) // an empty struct lies at its own pointer
		return
	}
	seg, start, ptr := c.place(seg, at, n)
	c.link(seg, ptr, start, sizeWord(sz))
	c.fill(seg, start, sz, src)
}

// fill copies the fields of a struct to a word of a segment.
func (c *copier) fill(seg, at int, sz segment.Size, src segment.Struct) {
	copy(c.segs[seg].mem[8*at:], src.DataBytes())
	at += int(sz.DataWords)
	for i := range sz.Ptrs {
		c.pointer(seg, at+int(i), src.Ptr(i))
	}
}

func (c *copier) pointer(seg, at int, src segment.Ptr) {
	switch src.Kind() {
	case segment.KindStruct:
		if s := src.Struct(); s.Message() != nil { // else it is malformed
			c.structure(seg, at, s)
		}
	case segment.KindList:
		if l := src.List(); l.Message() != nil {
			c.list(seg, at, l)
		}
	case segment.KindCapability:
		i, _ := src.Capability()
		c.put(seg, at, 3|uint64(i)<<32)
	}
}

var elemBits = [...]int{
	segment.Void: 0, segment.Bit: 1, segment.Byte: 8, segment.TwoBytes: 16, segment.FourBytes: 32,
	segment.EightBytes: 64, segment.Pointer: 64, segment.Composite: 0,
}

// list copies a list under the pointer at a word of a segment.
func (c *copier) list(seg, at int, src segment.List) {
	elem, count := src.ElemSize(), src.Len()
	var sz segment.Size
	bits := elemBits[elem]
	words := (int64(bits)*int64(count) + 63) / 64
	n := count // what the pointer counts
	if elem == segment.Composite {
		sz = src.StructSize()
		words = int64(count) * int64(int(sz.DataWords)+int(sz.Ptrs))
		n = int(words)
		words++ // the tag
	}
	if words > maxWords || words > math.MaxInt/16 {
		c.err = fmt.Errorf("convert: list of %d words, more than the limit of %d", words, min(maxWords, math.MaxInt/16))
		return
	}
	seg, start, ptr := c.place(seg, at, int(words))
	c.link(seg, ptr, start, 1|uint64(elem)<<32|uint64(n)<<35)
	switch elem {
	case segment.Void:
	case segment.Bit:
		mem := c.segs[seg].mem[8*start:]
		for i, bit := range src.Bools().Indexed() {
			if bit {
				mem[i/8] |= 1 << (i % 8)
			}
		}
	case segment.Pointer:
		for i, p := range src.Ptrs().Indexed() {
			c.pointer(seg, start+i, p)
		}
	case segment.Composite:
		c.put(seg, start, uint64(count)<<2|sizeWord(sz))
		each := int(sz.DataWords) + int(sz.Ptrs)
		if each == 0 {
			return
		}
		for i, s := range src.Structs().Indexed() {
			c.fill(seg, start+1+i*each, sz, s)
		}
	default:
		size := bits / 8
		mem := c.segs[seg].mem[8*start:]
		for s := range src.Structs().All() {
			copy(mem, s.DataBytes()[:size])
			mem = mem[size:]
		}
	}
}
