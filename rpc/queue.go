package rpc

// A queue is a list of exchanges, each of which is in one queue at most. Whoever
// uses it has the lock of its owner.
type queue struct {
	head, tail *exchange
	n          int
	sweepAt    int // how long it is when it is swept again
}

func (q *queue) push(x *exchange) {
	x.reader, x.fresh = nil, false
	q.add(x)
}

func (q *queue) add(x *exchange) {
	if q.head == nil {
		q.head = x
	} else {
		q.tail.next = x
	}
	q.tail = x
	q.n++
}

func (q *queue) pop() *exchange {
	x := q.head
	if x != nil {
		q.head, x.next = x.next, nil
		if q.head == nil {
			q.tail = nil
		}
		q.n--
	}
	return x
}

// putBack makes x, which was popped, the first again.
func (q *queue) putBack(x *exchange) {
	x.next = q.head
	q.head = x
	if x.next == nil {
		q.tail = x
	}
	q.n++
}

// sweep takes out those that were cancelled, whenever the queue has doubled since:
// a peer that goes on making and cancelling calls, which wait for what does not
// happen, would fill the memory. The caller abandons them when it has given the
// lock back.
func (q *queue) sweep() (dead *exchange) {
	if q.n < max(sweepFrom, q.sweepAt) {
		return nil
	}
	var live queue
	for x := q.pop(); x != nil; x = q.pop() {
		if x.dead.Load() {
			x.next, dead = dead, x
		} else {
			live.add(x)
		}
	}
	live.sweepAt = 2 * live.n
	*q = live
	return dead
}

// abandonAll abandons what sweep took out.
func abandonAll(dead *exchange) {
	for dead != nil {
		x := dead
		dead, x.next = x.next, nil
		x.leave()
		x.abandon()
	}
}
