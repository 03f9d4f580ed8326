package packed

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// segmentBuilder lays out one segment as Cap'n Proto does, as far as the test
// messages need it. Places are word indexes.
type segmentBuilder []byte

func (b *segmentBuilder) alloc(words int) int {
	at := len(*b) / 8
	*b = append(*b, make([]byte, 8*words)...)
	return at
}

func (b segmentBuilder) put(word int, v uint64) { binary.LittleEndian.PutUint64(b[8*word:], v) }

func (b *segmentBuilder) pointer(at, target int, kind, rest uint64) {
	b.put(at, uint64(uint32(target-at-1)<<2)|kind|rest<<32)
}

func (b *segmentBuilder) structAt(at, dataWords, pointers int) int {
	target := b.alloc(dataWords + pointers)
	b.pointer(at, target, 0, uint64(dataWords|pointers<<16))
	return target
}

// structList returns the place of the first element.
func (b *segmentBuilder) structList(at, n, dataWords, pointers int) int {
	size := n * (dataWords + pointers)
	target := b.alloc(1 + size)
	b.pointer(at, target, 1, uint64(7|size<<3))
	b.put(target, uint64(n<<2)|uint64(dataWords|pointers<<16)<<32)
	return target + 1
}

func (b *segmentBuilder) text(at int, s string) {
	target := b.alloc((len(s) + 1 + 7) / 8)
	b.pointer(at, target, 1, uint64(2|(len(s)+1)<<3))
	copy((*b)[8*target:], s)
}

// addressBook is the segment of the tutorial's AddressBook message: people
// with a name, an e-mail address, phones and an employment.
func addressBook(r *rand.Rand, people int) []byte {
	first := []string{"Alice", "Bob", "Carolina", "Dieter", "Eva", "Francesca", "Guo", "Hildegard"}
	last := []string{"Smith", "Jones", "Vandenberg", "Li", "Okonkwo", "Müller", "García Márquez", "Ng"}
	var b segmentBuilder
	root := b.structAt(b.alloc(1), 0, 1)
	list := b.structList(root, people, 1, 4)
	for i := range people {
		p := list + 5*i
		f, l := first[r.IntN(len(first))], last[r.IntN(len(last))]
		b.text(p+1, f+" "+l)
		b.text(p+2, fmt.Sprintf("%s.%d@example.com", f, i))
		phones := r.IntN(4)
		ph := b.structList(p+3, phones, 1, 1)
		for j := range phones {
			b.text(ph+2*j+1, fmt.Sprintf("+%d-555-%04d", 1+r.IntN(99), r.IntN(10_000)))
			b.put(ph+2*j, r.Uint64N(3))
		}
		employment := r.Uint64N(4)
		switch employment {
		case 1:
			b.text(p+4, "Fairlead Ropes Ltd.")
		case 2:
			b.text(p+4, "MIT")
		}
		b.put(p, uint64(1000+i)|employment<<32)
	}
	return b
}

// framed is a message of these segments, as one stream of bytes.
func framed(segments ...[]byte) []byte {
	b := segmentTable(segments)
	for _, s := range segments {
		b = append(b, s...)
	}
	return b
}

func segmentTable(segments [][]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(segments)-1))
	for _, s := range segments {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)/8))
	}
	if len(b)%8 != 0 {
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// packMessage packs a message as the reference does: each piece for itself.
func packMessage(segments ...[]byte) []byte {
	b := Append(nil, segmentTable(segments))
	for _, s := range segments {
		b = Append(b, s)
	}
	return b
}
