package shm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// A taken is what holds a message of a publisher until it is released.
type taken struct {
	sub     *Subscriber
	id      int
	number  uint64
	n       int // segments
	places  [pubPlaces]place
	few     [pubPlaces][]byte
	segs    [][]byte
	regions []*mem.Shared
}

var takens = sync.Pool{New: func() any { return new(taken) }}

// take copies an entry of the table, of which we have the hold.
func (s *Subscriber) take(id int) *taken {
	line := (*mem.Line)(s.table[8*id : 8*id+8])
	r := takens.Get().(*taken)
	r.sub, r.id = s, id
	r.number = line[0].Load()
	r.n = int(min(line[1].Load(), 1<<20))
	for i := range r.places {
		r.places[i] = place(line[2+i].Load())
	}
	return r
}

// find finds the segments of a message. late is the number of a region that has not
// arrived yet, or -1.
func (s *Subscriber) find(r *taken) (late int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	late, err = s.locate(r)
	if late < 0 && err == nil {
		s.received++
	}
	return late, err
}

func (s *Subscriber) locate(r *taken) (late int, err error) {
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

func (s *Subscriber) known(id int) bool { return id < len(s.regions) && s.regions[id] != nil }

// bytes gives the bytes of a place.
func (s *Subscriber) bytes(where place) (b []byte, late int, err error) {
	id := where.region()
	if !s.known(id) {
		return nil, id, nil
	}
	b = s.regions[id].Bytes()
	from, to := where.offset(), where.offset()+where.bytes()
	if to > uint64(len(b)) {
		return nil, -1, corrupt("a segment is %v, which has %d", where, len(b))
	}
	return b[from:to:to], -1, nil
}

// add adds a segment, and holds the region that it is in.
func (s *Subscriber) add(r *taken, where place) (late int, err error) {
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
	s := r.sub
	r.giveUp()
	s.leave()
}

// giveUp gives the message back to the publisher.
func (r *taken) giveUp() {
	s := r.sub
	r.dropRegions()
	clear(r.segs)
	r.segs, r.sub = nil, nil
	point("release")
	s.own.holds[r.id].Swap(0)
	point("released")
	takens.Put(r)
	if w := sleep(s.queue.sleep.Load()); w.asleep() && w.what() == untilReleased {
		s.backMu.Lock()
		ring := w != s.backRung
		s.backRung = w
		s.backMu.Unlock()
		if ring {
			_ = s.bell.Ring()
		}
	}
}

// awaitRegion waits for a region that a message names: it was sent before the
// message was published, and so it is on its way.
func (s *Subscriber) awaitRegion(ctx context.Context, id int) error {
	late := time.NewTimer(lateRegion)
	defer late.Stop()
	for {
		s.mu.Lock()
		known, arrived := s.known(id), s.arrived
		s.mu.Unlock()
		if known {
			return nil
		}
		if s.over.Load() != overNot {
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
func (s *Subscriber) addRegion(id int, size uint64, fd int) error {
	s.mu.Lock()
	room, bad := s.o.MaxBytes-s.size, id <= 0 || id >= maxRegions || s.known(id)
	s.mu.Unlock()
	if bad || size == 0 || size > uint64(max(room, 0)) {
		closeAll([]int{fd})
		return corrupt("a region of %d bytes has number %d; %d bytes of %d are left", size, id, room, s.o.MaxBytes)
	}
	m, err := mem.OpenShared(fd, mem.OpenOptions{Size: int(size), Populate: size <= mostRegionBytes})
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
func (s *Subscriber) dropRegion(id int) error {
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

func (s *Subscriber) signal() {
	close(s.arrived)
	s.arrived = make(chan struct{})
}
