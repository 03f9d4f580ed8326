package rpc

// ownIDs is a table of what this side numbers, from 0 on; it prefers low
// numbers.
type ownIDs[T comparable] struct {
	list []T
	free []uint32
	n    int
}

func (t *ownIDs[T]) add(v T) uint32 {
	t.n++
	if n := len(t.free); n > 0 {
		id := t.free[n-1]
		t.free = t.free[:n-1]
		t.list[id] = v
		return id
	}
	t.list = append(t.list, v)
	return uint32(len(t.list) - 1)
}

func (t *ownIDs[T]) at(id uint32) (v T) {
	if uint64(id) < uint64(len(t.list)) {
		v = t.list[id]
	}
	return v
}

func (t *ownIDs[T]) remove(id uint32) {
	var none T
	t.n--
	t.list[id] = none
	t.free = append(t.free, id)
}

// peerIDs is a table of what the peer numbers. Low numbers take the short way;
// those that it may choose at will cost no more than the entries.
type peerIDs[T comparable] struct {
	low  []T
	high map[uint32]T
	n    int
}

const lowIDs = 1 << 12

func (t *peerIDs[T]) get(id uint32) (v T, ok bool) {
	if id < lowIDs {
		if uint64(id) < uint64(len(t.low)) {
			v = t.low[id]
		}
	} else {
		v = t.high[id]
	}
	var none T
	return v, v != none
}

// set makes v the entry of id, which has none.
func (t *peerIDs[T]) set(id uint32, v T) {
	t.n++
	if id >= lowIDs {
		if t.high == nil {
			t.high = map[uint32]T{}
		}
		t.high[id] = v
		return
	}
	for uint64(id) >= uint64(len(t.low)) {
		t.low = append(t.low, *new(T))
	}
	t.low[id] = v
}

func (t *peerIDs[T]) remove(id uint32) {
	t.n--
	if id >= lowIDs {
		delete(t.high, id)
		return
	}
	t.low[id] = *new(T)
}

// all gives the entries.
func (t *peerIDs[T]) all() []T {
	var none T
	all := make([]T, 0, t.n)
	for _, v := range t.low {
		if v != none {
			all = append(all, v)
		}
	}
	for _, v := range t.high {
		all = append(all, v)
	}
	return all
}
