package shm

import "github.com/fairlead-go/fairlead/segment"

// A loan is a message that the peer has, or may have.
type loan struct {
	generation uint16
	lent       bool
	next       int32 // in the list of those that are not lent; -1 ends it
	number     uint64
	blocks     []*block
	keeps      *segment.Message // of memory that the peer has lent us; or nil
}

// loans are the leases of one end. Its outgoing side's lock guards them.
type loans struct {
	all  []loan
	free int32 // -1 if there is none
	lent int

	lends  uint64 // the number of the last loan
	looked uint64 // lends when eldest was looked for
	eldest uint64 // the number of the oldest loan, as far as it was looked for
	where  lease  // of that loan
}

func (l *loans) begin() { l.free = -1 }

// room tells whether one more message can be lent.
func (l *loans) room() bool { return l.lent < leases }

// lend makes a lease. The caller has looked for room, and adds the blocks.
func (l *loans) lend() (lease, *loan) {
	i := l.free
	if i < 0 {
		i = int32(len(l.all))
		l.all = append(l.all, loan{})
	} else {
		l.free = l.all[i].next
	}
	ln := &l.all[i]
	ln.generation = ln.generation%(generations-1) + 1
	ln.lent = true
	l.lent++
	l.lends++
	ln.number = l.lends
	x := leaseOf(int(i), ln.generation)
	if l.lent == 1 {
		l.eldest, l.where = ln.number, x
	}
	return x, ln
}

// find gives the loan of a lease that is lent.
func (l *loans) find(x lease) *loan {
	if i := x.index(); i < len(l.all) && l.all[i].lent && l.all[i].generation == x.generation() {
		return &l.all[i]
	}
	return nil
}

// end makes a lease free. The caller has taken the blocks.
func (l *loans) end(x lease, ln *loan) {
	ln.blocks = ln.blocks[:0]
	ln.lent = false
	ln.next, l.free = l.free, int32(x.index())
	l.lent--
}

// eldestEvery is how many loans are made at least until the oldest is looked for
// again.
const eldestEvery = 64

// oldest gives the number of the oldest loan, 0 if there is none. While that one
// lasts this costs nothing. To find the next takes a look at all of them, which is
// done only now and then, the rarer the more there are; until then it gives that of
// one that has ended.
func (l *loans) oldest() uint64 {
	switch {
	case l.lent == 0:
		return 0
	case l.find(l.where) == nil && l.lends-l.looked >= uint64(max(eldestEvery, 4*len(l.all))):
		l.looked, l.eldest = l.lends, l.lends
		for i := range l.all {
			if ln := &l.all[i]; ln.lent && ln.number <= l.eldest {
				l.eldest, l.where = ln.number, leaseOf(i, ln.generation)
			}
		}
	}
	return l.eldest
}
