// Package deferred keeps functions to be called later.
package deferred

// A Queue is a list of functions to call later, in the order in which they
// were added. Its zero value is empty. It is not safe for concurrent use.
type Queue struct {
	calls []func()
}

// Defer adds f to the queue.
func (q *Queue) Defer(f func()) {
	q.calls = append(q.calls, f)
}

// Run calls what is in the queue, also what those calls add to it, and
// leaves it empty.
func (q *Queue) Run() {
	for len(q.calls) > 0 {
		calls := q.calls
		q.calls = nil
		for _, f := range calls {
			f()
		}
	}
}
