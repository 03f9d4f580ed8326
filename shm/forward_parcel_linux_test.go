package shm

import (
	"fmt"
	"math/rand/v2"

	"github.com/fairlead-go/fairlead/segment"
)

// A piece is part of some data, of which each byte is known by its number and place.
type piece struct {
	of, at uint64
	bytes  []byte
}

func (p piece) byteAt(i int) byte {
	at := p.at + uint64(i)
	return byte(p.of*101 + p.of>>8 + at + at>>8*3)
}

func (p piece) write() {
	for i := 0; i < len(p.bytes); i += 13 {
		p.bytes[i] = p.byteAt(i)
	}
}

// fault gives the first byte that is wrong, or -1.
func (p piece) fault() int {
	for i := range p.bytes {
		if (p.at+uint64(i))%13 == 0 && p.bytes[i] != p.byteAt(i) {
			return i
		}
	}
	return -1
}

// part gives a part of it that can be referred to.
func (p piece) part(rnd *rand.Rand) piece {
	words := len(p.bytes) / 8
	if words == 0 {
		return p
	}
	from := rnd.IntN(words)
	to := from + 1 + rnd.IntN(words-from)
	return piece{p.of, p.at + uint64(8*from), p.bytes[8*from : 8*to]}
}

// A parcelKey is a parcel, by the flow that it was first sent in and its place there.
type parcelKey struct{ flow, n uint64 }

// A parcel is a message, or what it says.
type parcel struct {
	parcelKey
	hops   uint64
	pieces []piece
	msg    *segment.Message
}

// readParcel reads a parcel and looks whether it is as it was written.
func readParcel(msg *segment.Message) (p parcel, err error) {
	root := msg.Root().Struct()
	p = parcel{parcelKey{root.Uint64(0), root.Uint64(8)}, root.Uint64(16) >> 8, nil, msg}
	for i := range root.Uint64(16) & 0xff {
		c := piece{root.Uint64(uint32(24 + 24*i)), root.Uint64(uint32(32 + 24*i)), root.Data(uint16(i))}
		if want := root.Uint64(uint32(40 + 24*i)); uint64(len(c.bytes)) != want {
			return p, fmt.Errorf("piece %d has %d bytes, want %d: %w", i, len(c.bytes), want, msg.Err())
		}
		if at := c.fault(); at >= 0 {
			return p, fmt.Errorf("piece %d, %d bytes from %d on of %d, is wrong at %d", i, len(c.bytes), c.at, c.of, at)
		}
		p.pieces = append(p.pieces, c)
	}
	return p, msg.Err()
}

// pieces chooses what a new parcel to d has: new data, parts of from, which may be nil,
// and of what is in stock. Who is held for it is given as well.
func (c *clerk) pieces(d *desk, from *parcel) (list []piece, held []*segment.Message) {
	for range c.rnd.IntN(4) {
		old := from
		if d != nil && c.rnd.IntN(3) == 0 {
			d.mu.Lock()
			if old = d.stock; old != nil {
				old.msg.Retain()
			}
			d.mu.Unlock()
		} else if old != nil {
			old.msg.Retain()
		}
		switch {
		case old != nil && len(old.pieces) > 0:
			list = append(list, old.pieces[c.rnd.IntN(len(old.pieces))].part(c.rnd))
			held = append(held, old.msg)
			continue
		case old != nil:
			old.msg.Release()
		}
		n, _ := noteLength(c.rnd)
		list = append(list, piece{of: c.numbers.Add(1), bytes: make([]byte, 0, n&^7)})
		held = append(held, nil)
	}
	return list, held
}

// write makes msg a parcel. What is held is released with it.
func (p *parcel) write(msg *segment.Message, held []*segment.Message) {
	k := len(p.pieces)
	root := msg.NewRoot(segment.Size{DataWords: uint16(3 + 3*k), Ptrs: uint16(k)})
	root.SetUint64(0, p.flow)
	root.SetUint64(8, p.n)
	root.SetUint64(16, p.hops<<8|uint64(k))
	for i, c := range p.pieces {
		if held[i] == nil {
			c.bytes = root.NewData(uint16(i), cap(c.bytes))
			c.write()
			p.pieces[i] = c
		} else {
			root.SetExternalData(uint16(i), c.bytes, held[i].Release)
		}
		root.SetUint64(uint32(24+24*i), c.of)
		root.SetUint64(uint32(32+24*i), c.at)
		root.SetUint64(uint32(40+24*i), uint64(len(c.bytes)))
	}
	p.msg = msg
}
