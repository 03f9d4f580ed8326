package shm

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// The counters of a first region, in words from atCounters on. Their owner writes
// them plainly, after what they count, and reads none of them.
const (
	countPID = iota
	countPeerPID
	countSince // nanoseconds since 1970
	countSent
	countSentBytes
	countCopied
	countSlots
	countOldest
	countLent
	countBlocks
	countBytes
	countReceived
	countReceivedBytes
	countDropped
	countPeers
	countWords
)

// CountersBytes is how much of a region [ReadCounters] needs.
const CountersBytes = atCounters + countWords*8

// RegionName is what the system's listings call all memory of this package.
const RegionName = regionName

// Counters are what the owner of a first region tells whoever looks on.
type Counters struct {
	Publisher bool // or else an end of a pipe
	PID       int
	PeerPID   int // of a pipe: who was there when it was made
	Since     time.Time

	Sent, SentBytes         uint64
	Received, ReceivedBytes uint64 // of a pipe
	Copied                  uint64 // messages sent that had to be copied

	// Lent is how many messages are with the peer, or with subscribers, Blocks how
	// many blocks they and messages that are being built have, and Bytes the size
	// of all regions of this end, as they were when it last sent something.
	Lent, Blocks int
	Bytes        int64
	// Oldest is the number of the message by reference that has been with the peer
	// of a pipe for longest, and 0 if none is. It is looked for once in 64 messages,
	// and more rarely where more are with the peer.
	Oldest uint64
	// Slots is how many slots were published, and Taken how many of the peer's
	// were: the difference to the other end's is what waits.
	Slots, Taken uint64
	// Dropped is how many messages subscribers did not get, and Peers how many
	// subscribers there are.
	Dropped uint64
	Peers   int
}

// ReadCounters reads the counters of the first region of a pipe's end or of a
// publisher, of which page is the beginning: [CountersBytes] or more, copied while
// its owner goes on. The error says that it is no such region.
func ReadCounters(page []byte) (Counters, error) {
	if len(page) < CountersBytes {
		return Counters{}, fmt.Errorf("shm: %d bytes of a region, want %d for its counters", len(page), CountersBytes)
	}
	word := func(at, i int) uint64 { return binary.NativeEndian.Uint64(page[at+8*i:]) }
	var c Counters
	switch m := word(atHeader, 0); m {
	case magic:
		for i, want := range header(int(word(atHeader, headerSize))) {
			if got := word(atHeader, i); got != want {
				return Counters{}, fmt.Errorf("shm: word %d of the region's header is %#x, want %#x", i, got, want)
			}
		}
		c.Taken = word(atConsumed, 0)
	case pubMagic:
		if v := word(atHeader, 1); v != pubVersion {
			return Counters{}, fmt.Errorf("shm: the region has version %d, want %d", v, pubVersion)
		}
		c.Publisher = true
	default:
		return Counters{}, fmt.Errorf("shm: the region begins with %#x, which is no first region's", m)
	}
	count := func(i int) uint64 { return word(atCounters, i) }
	c.PID, c.PeerPID = int(int32(count(countPID))), int(int32(count(countPeerPID)))
	c.Since = time.Unix(0, int64(count(countSince)))
	c.Sent, c.SentBytes, c.Copied = count(countSent), count(countSentBytes), count(countCopied)
	c.Received, c.ReceivedBytes = count(countReceived), count(countReceivedBytes)
	c.Lent, c.Blocks, c.Bytes = int(int32(count(countLent))), int(int32(count(countBlocks))), int64(count(countBytes))
	c.Oldest, c.Slots = count(countOldest), count(countSlots)
	c.Dropped, c.Peers = count(countDropped), int(int32(count(countPeers)))
	return c, nil
}

// A gauge writes counters into a region.
type gauge []mem.Word

// gaugeOf gives the counters of a region's words, and says whose they are.
func gaugeOf(w []mem.Word) gauge {
	g := gauge(w[atCounters/8 : atCounters/8+countWords])
	g.set(countPID, uint64(os.Getpid()))
	g.set(countSince, uint64(time.Now().UnixNano()))
	return g
}

func (g gauge) set(i int, v uint64) { g[i].SetPlain(v) }

// show writes what was sent. The caller has the lock.
func (o *outgoing) show() {
	g := o.gauge
	g.set(countSent, o.sent+o.packed)
	g.set(countSentBytes, o.bytes)
	g.set(countCopied, o.copied)
	g.set(countSlots, o.sent)
	g.set(countLent, uint64(o.loans.lent))
	g.set(countBlocks, uint64(o.store.taken))
	g.set(countBytes, uint64(o.store.bytes))
	g.set(countOldest, o.loans.oldest())
}

// show writes what was published. The caller has the lock.
func (p *Publisher) show() {
	g := p.gauge
	g.set(countSent, p.stats.Published)
	g.set(countSentBytes, p.bytes)
	g.set(countCopied, p.stats.Copied)
	g.set(countDropped, p.stats.Dropped)
	g.set(countPeers, uint64(len(p.subs)))
	g.set(countLent, uint64(pubEntries-len(p.free)))
	g.set(countBlocks, uint64(p.store.taken))
	g.set(countBytes, uint64(p.store.bytes))
}

// show writes what was received. The caller has the lock.
func (in *incoming) show() {
	in.gauge.set(countReceived, in.taken+in.packed)
	in.gauge.set(countReceivedBytes, in.bytes)
}
