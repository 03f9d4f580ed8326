package shm

import (
	"fmt"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// The layout of a first region, in bytes. The package comment draws it.
const (
	atHeader       = 0x0000
	atConsumed     = 0x0080
	atReceiveSleep = 0x0100
	atSendSleep    = 0x0180
	atState        = 0x0200
	atCounters     = 0x0280
	atSubmit       = 0x1000
	atRelease      = atSubmit + slots*slotBytes
	atBlocks       = atRelease + leases*8

	slots     = 512
	slotBytes = 64
	leases    = 1024 // how many messages the peer may hold, and so the entries of the release ring

	firstRegionBytes = 256 << 10

	magic   = 0x316d68736c726146 // "Farlshm1" as it lies there
	version = 1
)

// States of an end, as its region tells.
const (
	stateOpen = iota
	stateClosed
)

// The kinds of slots.
const (
	kindInline = 1 + iota // the message is in the slot
	kindPlaces            // the slot tells where its segments are
	kindTable             // the slot tells where a table of such places is
	kindPacked            // the slot tells where a block of many messages is
	kindSpans             // the slot tells where its segments are, to a word, and in whose memory
)

const (
	inlineBytes = 56
	slotPlaces  = 6 // how many places fit into a slot
)

// head is the first word of a slot.
func head(seq uint32, kind, segments, bytes int) uint64 {
	return uint64(seq)<<32 | uint64(kind)<<24 | uint64(segments)<<16 | uint64(bytes)
}

// A place is where a segment lies: words 29, region 10, offset in 64 bytes 25.
type place uint64

const (
	blockAlign = 64
	maxRegions = 1 << 10
)

func placeOf(region, offset, bytes int) place {
	return place(uint64(bytes/8)<<35 | uint64(region)<<25 | uint64(offset/blockAlign))
}

func (p place) bytes() uint64  { return uint64(p>>35) * 8 }
func (p place) region() int    { return int(p>>25) & (maxRegions - 1) }
func (p place) offset() uint64 { return uint64(p&(1<<25-1)) * blockAlign }

// A lease is what the blocks of a message are lent under: index 20, generation 12.
type lease uint32

const generations = 1 << 12

func leaseOf(index int, generation uint16) lease {
	return lease(uint32(index)<<12 | uint32(generation))
}

func (l lease) index() int         { return int(l >> 12) }
func (l lease) generation() uint16 { return uint16(l & (generations - 1)) }

func (l lease) String() string {
	return fmt.Sprintf("lease %d of generation %d", l.index(), l.generation())
}

// A sleep word says that its owner sleeps, and until when: epoch 31, what is
// counted 1, the count 32. The epoch is odd while its owner sleeps.
type sleep uint64

const (
	untilConsumed = 0
	untilReleased = 1
)

func sleepOf(epoch uint32, what int, count uint32) sleep {
	return sleep(uint64(epoch)<<33 | uint64(what)<<32 | uint64(count))
}

func (s sleep) asleep() bool  { return s>>33&1 == 1 }
func (s sleep) what() int     { return int(s >> 32 & 1) }
func (s sleep) count() uint32 { return uint32(s) }

// short tells whether it is one until leases come back.
func (s sleep) short() bool { return s.asleep() && s.what() == untilReleased }

// words are a first region, as its owner or the peer sees it.
type words struct {
	w                                      []mem.Word
	consumed, receiveSleep, sendSleep, end *mem.Word
}

func wordsOf(b []byte) (words, error) {
	w, err := mem.Words(b)
	if err != nil {
		return words{}, fmt.Errorf("shm: region: %w", err)
	}
	return words{w, &w[atConsumed/8], &w[atReceiveSleep/8], &w[atSendSleep/8], &w[atState/8]}, nil
}

// slot is the slot of a message by its number, from 0 on.
func (r *words) slot(n uint64) *mem.Line {
	at := atSubmit/8 + n%slots*(slotBytes/8)
	return (*mem.Line)(r.w[at : at+slotBytes/8])
}

// entriesLine is how many entries of the release ring are in a cache line.
const entriesLine = 8

// releases is the line of the release ring that begins with entry n.
func (r *words) releases(n uint32) *mem.Line {
	at := atRelease/8 + n%leases
	return (*mem.Line)(r.w[at : at+entriesLine])
}

// release is the entry of the release ring by its number, from 0 on.
func (r *words) release(n uint32) *mem.Word { return &r.w[atRelease/8+n%leases] }

// The header of a first region, in words.
const (
	headerMagic = iota
	headerVersion
	headerSize
	headerSlots
	headerReleases
	headerSum
	headerWords
)

func header(size int) [headerWords]uint64 {
	h := [headerWords]uint64{magic, version, uint64(size), slots, leases}
	for _, w := range h {
		h[headerSum] = (h[headerSum] ^ w) * 0x9e3779b97f4a7c15
	}
	return h
}

// begin writes the header.
func (r *words) begin() {
	for i, v := range header(len(r.w) * 8) {
		r.w[i].SetPlain(v)
	}
}

// checkHeader tells whether the peer's region is laid out as ours.
func (r *words) checkHeader() error {
	for i, want := range header(len(r.w) * 8) {
		if got := r.w[i].Load(); got != want {
			return corrupt("word %d of its region's header is %#x, want %#x", i, got, want)
		}
	}
	return nil
}
