// Package regions looks on at shared memory that is in use: it finds the regions
// of this user's processes and reads the counters that their owners write there.
// It attaches to nothing, takes no lock and maps nothing, so that nobody notices.
package regions

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/shm"
)

// A Region is a first region: that of an end of a pipe, or of a publisher.
type Region struct {
	shm.Counters
	Inode   uint64 // tells regions apart while they exist
	Owner   int    // the process as it is seen from here, which may be in a container
	Command string // of the owner
}

// A Rate is what a region did between two looks.
type Rate struct {
	Region
	SentPerS, SentBytesPerS         float64
	ReceivedPerS, ReceivedBytesPerS float64
	DroppedPerS                     float64
	// Waiting is how many slots the peer has not taken, and -1 where its end is not
	// to be seen.
	Waiting int64
	// OldestAge is for how long the oldest message has been with the peer, as far as
	// the looks go back.
	OldestAge time.Duration
}

// A Watch makes rates of looks. The zero value is ready to be used.
type Watch struct {
	at   time.Time
	last map[uint64]seen
}

// seen is a region at the last look.
type seen struct {
	Region
	oldest time.Time // when that lease was first seen
}

// Look gives the rates since the last look, those of what is new since it began,
// in the order of the processes.
func (w *Watch) Look(all []Region, now time.Time) []Rate {
	next := make(map[uint64]seen, len(all))
	rates := make([]Rate, 0, len(all))
	for _, r := range all {
		before, known := w.last[r.Inode]
		since := w.at
		if !known {
			before.Region, since = Region{}, r.Since
		}
		rate := Rate{Region: r, Waiting: waiting(r, all)}
		if d := now.Sub(since).Seconds(); d > 0 && !since.IsZero() {
			per := func(now, before uint64) float64 { return float64(now-min(now, before)) / d }
			rate.SentPerS = per(r.Sent, before.Sent)
			rate.SentBytesPerS = per(r.SentBytes, before.SentBytes)
			rate.ReceivedPerS = per(r.Received, before.Received)
			rate.ReceivedBytesPerS = per(r.ReceivedBytes, before.ReceivedBytes)
			rate.DroppedPerS = per(r.Dropped, before.Dropped)
		}
		s := seen{r, now}
		if known && r.Oldest != 0 && before.Oldest == r.Oldest {
			s.oldest = before.oldest
			rate.OldestAge = now.Sub(s.oldest)
		}
		next[r.Inode] = s
		rates = append(rates, rate)
	}
	w.at, w.last = now, next
	slices.SortFunc(rates, func(a, b Rate) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), a.Since.Compare(b.Since), cmp.Compare(a.Inode, b.Inode))
	})
	return rates
}

// waiting tells how many of a pipe's slots the other end has not taken. Which
// region is the other end is told by the processes and by when they met.
func waiting(r Region, all []Region) int64 {
	var other *Region
	for i, o := range all {
		if r.Publisher || o.Publisher || o.Inode == r.Inode || o.PID != r.PeerPID || o.PeerPID != r.PID {
			continue
		}
		if other == nil || apart(o, r) < apart(*other, r) {
			other = &all[i]
		}
	}
	if other == nil {
		return -1
	}
	return max(0, int64(r.Slots-other.Taken))
}

func apart(a, b Region) time.Duration { return a.Since.Sub(b.Since).Abs() }
