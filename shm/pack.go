package shm

import (
	"encoding/binary"
	"sync/atomic"
)

// A block of many messages holds them one behind the other, each behind a word
// that tells how many words it has.
const (
	packBytes = 8 << 10
	// packMost is the largest message that is packed.
	packMost = 2 << 10
)

// A pack is a received block of many messages, as far as it has not been read. The
// peer can still write to it: each word is loaded once and checked.
type pack struct {
	rest  []byte
	left  int // messages
	users atomic.Int32
}

// begin starts with a block that is said to have so many messages.
func (k *pack) begin(b []byte, count uint64) error {
	if count == 0 || count > uint64(len(b)/16) {
		return corrupt("a block of %d bytes has %d messages", len(b), count)
	}
	k.rest, k.left = b, int(count)
	k.users.Store(1)
	return nil
}

// next gives the next message's segment. The caller has looked that there is one.
func (k *pack) next() ([]byte, error) {
	rest := k.rest
	if len(rest) < 16 {
		return nil, corrupt("a block has %d messages more than it has room for", k.left)
	}
	words := binary.NativeEndian.Uint64(rest)
	if words == 0 || words > uint64(len(rest)/8-1) {
		return nil, corrupt("a message of %d words is in the last %d bytes of a block", words, len(rest))
	}
	n := 8 + 8*int(words)
	k.rest = rest[n:]
	k.left--
	return rest[8:n:n], nil
}

// begin makes the messages of r, a block of many, those that Recv gives after what it has
// begun with. r is free again. The caller has the lock.
func (in *incoming) begin(r *received) {
	parent := receiveds.Get().(*received)
	parent.pipe, parent.lease, parent.large = r.pipe, r.lease, r.large
	parent.regions, r.regions = r.regions, parent.regions
	parent.pack.rest, parent.pack.left = r.pack.rest, r.pack.left
	parent.pack.users.Store(1)
	r.pipe, r.pack.rest, r.pack.left = nil, nil, 0
	in.packs = append(in.packs, parent)
}

// unpack makes r hold the next message of a block of many, if there is one. The
// caller has the lock.
func (in *incoming) unpack(r *received) (found bool, err error) {
	parent := in.packs[0]
	b, err := parent.pack.next()
	if err != nil {
		return false, err
	}
	r.segs = append(r.few[:0], b)
	r.pipe, r.parent = in.pipe, parent
	parent.pack.users.Add(1)
	if parent.pack.left == 0 {
		copy(in.packs, in.packs[1:])
		in.packs = in.packs[:len(in.packs)-1]
		parent.leave()
	}
	return true, nil
}

// leave ends one use of a block of many messages.
func (r *received) leave() {
	if r.pack.users.Add(-1) == 0 {
		r.Release()
	}
}
