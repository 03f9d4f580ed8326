package sturdy

import (
	"fmt"
	"sync"

	"github.com/fairlead-go/fairlead/rpc"
)

// quotas count the references that were saved over each connection.
type quotas struct {
	mu    sync.Mutex
	conns map[*rpc.Conn]*quota
	swept int
}

type quota struct {
	n    int // those that are being saved among them
	keys map[Key]bool
}

// reserve makes room for one reference more. pay is told its key, or nil if it
// was not saved.
func (q *quotas) reserve(conn *rpc.Conn, most int) (pay func(*Key), err error) {
	if conn == nil {
		return func(*Key) {}, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.conns[conn]
	if c == nil {
		c = q.add(conn)
	}
	if c.n >= most {
		return nil, fmt.Errorf("%w: %d references saved over this connection, at most %d", rpc.ErrOverloaded, c.n, most)
	}
	c.n++
	return func(k *Key) {
		q.mu.Lock()
		defer q.mu.Unlock()
		if k == nil {
			c.n--
		} else {
			c.keys[*k] = true
		}
	}, nil
}

// add counts for a connection, and forgets those that have ended. The caller has
// the lock.
func (q *quotas) add(conn *rpc.Conn) *quota {
	if len(q.conns) >= max(sweepFrom, 2*q.swept) {
		for c := range q.conns {
			select {
			case <-c.Done():
				delete(q.conns, c)
			default:
			}
		}
		q.swept = len(q.conns)
	}
	if q.conns == nil {
		q.conns = map[*rpc.Conn]*quota{}
	}
	c := &quota{keys: map[Key]bool{}}
	q.conns[conn] = c
	return c
}

// refund counts a reference no more that was saved over the connection.
func (q *quotas) refund(conn *rpc.Conn, k Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.conns[conn]; c != nil && c.keys[k] {
		delete(c.keys, k)
		c.n--
	}
}
