package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// A taken is what holds a message of a publisher until it is released.
type taken struct {
	inline  [pubWords]byte // first, for it has to be aligned
	sub     *feed
	id      int
	lends   bool // the message lies with the publisher, and not in inline
	number  uint64
	n       int // segments that lie there
	places  [pubPlaces]place
	few     [pubPlaces][]byte
	segs    [][]byte
	regions []*mem.Shared
	state   atomic.Uint32
}

// The states of a taken. While the publisher was not told that the message was
// taken, nothing has to be written for it to keep it: the message may well be
// released before. Only the policy Block allows that, for with the others the
// publisher may take away what it does not know to be held.
const (
	takenTold     = iota // the publisher was told that it is held
	takenFresh           // it was not
	takenReleased        // it was not, and need not be any more
)

var takens = sync.Pool{New: func() any { return new(taken) }}

// get gives a taken that is free.
func (s *feed) get() *taken {
	if last := len(s.spare) - 1; last >= 0 {
		r := s.spare[last]
		s.spare = s.spare[:last]
		return r
	}
	return takens.Get().(*taken)
}

// take makes r hold the message of an entry, and tells whether it could before that
// was taken away.
func (s *feed) take(r *taken, id int) bool {
	line := (*mem.Line)(s.table[8*id : 8*id+8])
	r.sub, r.id, r.lends = s, id, false
	w0 := line[0].Load()
	if n := int(w0&pubKind) - inEntry; n > 0 && n <= pubPlaces {
		for i := range n {
			binary.NativeEndian.PutUint64(r.inline[8*i:], line[1+i].Load())
		}
		point("take.inline")
		r.number, r.n = w0>>pubNumber, 0
		r.segs = append(r.few[:0], r.inline[:8*n:8*n])
		return s.queue.floor.Load() <= s.at // before that it was as it should be
	}
	if s.every == 1 {
		// The hold, then the floor: the publisher does it the other way round.
		s.own.holds[id].Swap(1)
		point("take.held")
		if s.queue.floor.Load() > s.at {
			s.own.holds[id].Swap(0)
			return false
		}
		w0 = line[0].Load()
	}
	r.lends = true
	r.number, r.n = w0>>pubNumber, int(w0&pubKind)
	for i := range r.places {
		r.places[i] = place(line[1+i].Load())
	}
	return true
}

// large tells that the publisher may well wait for the memory of the message.
func (r *taken) large() bool {
	var n uint64
	for _, where := range r.places[:min(r.n, pubPlaces)] {
		n += where.bytes()
	}
	return n > mostUntoldBytes || r.n > pubPlaces
}

// find finds the segments of a message. late is the number of a region that has not
// arrived yet, or -1.
func (s *feed) find(r *taken) (late int, err error) {
	if !r.lends {
		return -1, nil
	}
	s.mu.Lock()
	late, err = s.locate(r)
	s.mu.Unlock()
	return late, err
}

// findAll is find that waits for regions that have not arrived yet.
func (s *feed) findAll(ctx context.Context, r *taken) error {
	late, err := s.find(r)
	for late >= 0 && err == nil {
		if err = s.awaitRegion(ctx, late); err == nil {
			late, err = s.find(r)
		}
	}
	if errors.Is(err, ErrCorrupt) {
		err = s.broken(err)
	}
	return err
}

func (s *feed) locate(r *taken) (late int, err error) {
	r.dropRegions()
	if r.n == 0 {
		return -1, corrupt("a message of no segments")
	}
	r.segs = r.few[:0]
	if r.n <= pubPlaces {
		for _, where := range r.places[:r.n] {
			if late, err = s.add(r, where); late >= 0 || err != nil {
				return late, err
			}
		}
		return -1, nil
	}
	table, late, err := s.bytes(r.places[0])
	if late >= 0 || err != nil {
		return late, err
	}
	if len(table) < 8*r.n {
		return -1, corrupt("%d segments in a table of %d bytes", r.n, len(table))
	}
	n := min(r.n, s.o.Limits.Segments+1) // not more than Open needs to refuse it
	w, err := mem.Words(table)
	if err != nil {
		return -1, err
	}
	r.segs = make([][]byte, 0, n)
	for i := range n {
		if late, err = s.add(r, place(w[i].Load())); late >= 0 || err != nil {
			return late, err
		}
	}
	return -1, nil
}

func (s *feed) known(id int) bool { return id < len(s.regions) && s.regions[id] != nil }

// bytes gives the bytes of a place.
func (s *feed) bytes(where place) (b []byte, late int, err error) {
	return bytesAt(s.regions, where.region(), where.offset(), where.bytes())
}

// add adds a segment, and holds the region that it is in.
func (s *feed) add(r *taken, where place) (late int, err error) {
	b, late, err := s.bytes(where)
	if late >= 0 || err != nil {
		return late, err
	}
	if id := where.region(); id != 0 {
		s.regions[id].Retain()
		r.regions = append(r.regions, s.regions[id])
	}
	r.segs = append(r.segs, b)
	return -1, nil
}

func (r *taken) dropRegions() {
	for i, m := range r.regions {
		_ = m.Release()
		r.regions[i] = nil
	}
	r.regions = r.regions[:0]
}

// Release is called when the message is released.
func (r *taken) Release() {
	s, lends := r.sub, r.lends
	if !r.drop() {
		r.segs, r.sub = nil, nil
		takens.Put(r)
	}
	if lends {
		_ = s.leave()
	}
}

// drop gives the message back to the publisher. It tells whether r is one that
// [feed.tell] still has, to which nobody else may then look.
func (r *taken) drop() (told bool) {
	if !r.lends {
		return false
	}
	s := r.sub
	r.dropRegions()
	clear(r.segs)
	point("release")
	if r.state.CompareAndSwap(takenFresh, takenReleased) {
		return true
	}
	s.own.holds[r.id].Swap(0)
	point("released")
	if w := sleep(s.queue.sleep.Load()); w.asleep() && w.what() == untilReleased {
		s.backMu.Lock()
		ring := w != s.backRung
		s.backRung = w
		s.backMu.Unlock()
		if ring {
			_ = s.bell.Ring()
		}
	}
	return false
}

// awaitRegion waits for a region that a message names: it was sent before the
// message was published, and so it is on its way.
func (s *feed) awaitRegion(ctx context.Context, id int) error {
	late := time.NewTimer(lateRegion)
	defer late.Stop()
	for {
		s.mu.Lock()
		known, drained, arrived := s.known(id), s.drained, s.arrived
		s.mu.Unlock()
		if known {
			return nil
		}
		if drained {
			return s.gone()
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("shm: receive: %w", ctx.Err())
		case <-late.C:
			return corrupt("a message names region %d, which does not come", id)
		}
	}
}

// addRegion maps a region of the publisher, and closes fd.
func (s *feed) addRegion(id int, size uint64, fd int) error {
	s.mu.Lock()
	room, bad := s.o.MaxBytes-s.size, id <= 0 || id >= maxRegions || s.known(id)
	s.mu.Unlock()
	if bad || size == 0 || size > uint64(max(room, 0)) {
		closeAll([]int{fd})
		return corrupt("a region of %d bytes has number %d; %d bytes of %d are left", size, id, room, s.o.MaxBytes)
	}
	m, err := mem.OpenShared(fd, mem.OpenOptions{
		Size: int(size), Populate: size <= mostRegionBytes, Unsealed: s.o.Unsealed,
	})
	if err != nil {
		return fmt.Errorf("%w: region %d: %w", ErrDisconnected, id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id >= len(s.regions) {
		s.regions = append(s.regions, nil)
	}
	s.regions[id] = m
	s.size += int64(size)
	s.signal()
	return nil
}

// dropRegion gives up a region of the publisher.
func (s *feed) dropRegion(id int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id <= 0 || !s.known(id) {
		return corrupt("region %d is gone, which there was not", id)
	}
	m := s.regions[id]
	s.regions[id] = nil
	s.size -= int64(len(m.Bytes()))
	if err := m.Release(); err != nil {
		return disconnected(err)
	}
	return nil
}

func (s *feed) signal() {
	close(s.arrived)
	s.arrived = make(chan struct{})
}
