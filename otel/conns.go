package otel

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-go/fairlead/rpc"
)

// conns are the connections whose counts are told: as sums, for there may be any
// number of them. What those have counted that are gone stays in the sums.
type conns struct {
	mu   sync.RWMutex
	live map[*rpc.Conn]bool
	most int // at which the ended are looked for
	gone rpc.Stats
}

// WatchConn adds a connection to those of fairlead.rpc.*, until it ends. Those
// whose calls [Telemetry.Intercept] sees are there already.
func (t *Telemetry) WatchConn(c *rpc.Conn) { t.conns.saw(c) }

func (cs *conns) saw(c *rpc.Conn) {
	if c == nil {
		return
	}
	cs.mu.RLock()
	known := cs.live[c]
	cs.mu.RUnlock()
	if known {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.live == nil {
		cs.live = map[*rpc.Conn]bool{}
	}
	if len(cs.live) >= cs.most {
		cs.bury()
		cs.most = 2*len(cs.live) + 16
	}
	select {
	case <-c.Done(): // its last calls end after it
	default:
		cs.live[c] = true
	}
}

// bury takes those that have ended off the list. The caller has the lock.
func (cs *conns) bury() {
	for c := range cs.live {
		select {
		case <-c.Done():
			count(&cs.gone, c.Stats())
			delete(cs.live, c)
		default:
		}
	}
}

// count adds what of a connection is counted, and stays when it has ended.
func count(all *rpc.Stats, s rpc.Stats) {
	all.Calls += s.Calls
	all.Answered += s.Answered
	all.Sent += s.Sent
	all.Received += s.Received
	all.Flushes += s.Flushes
}

// sum gives the sums, and how many connections there are.
func (cs *conns) sum() (all rpc.Stats, n int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.bury()
	all = cs.gone
	for c := range cs.live {
		s := c.Stats()
		count(&all, s)
		all.Questions += s.Questions
		all.Answers += s.Answers
		all.Executing += s.Executing
		all.Exports += s.Exports
		all.Imports += s.Imports
		all.Embargoes += s.Embargoes
		all.QueuedBytes += s.QueuedBytes
	}
	return all, len(cs.live)
}

// register has the meter ask for the sums.
func (cs *conns) register(m metric.Meter) error {
	var o observer
	connections := o.gauge(m, "fairlead.rpc.connections", "{connection}", "Connections that are open.")
	questions := o.gauge(m, "fairlead.rpc.questions", "{call}", "Calls to peers that are not finished.")
	answers := o.gauge(m, "fairlead.rpc.answers", "{call}", "Calls of peers that are not finished.")
	executing := o.gauge(m, "fairlead.rpc.executing", "{call}", "Handlers of calls of peers that run or wait to.")
	exports := o.gauge(m, "fairlead.rpc.exports", "{capability}", "Capabilities that peers hold.")
	imports := o.gauge(m, "fairlead.rpc.imports", "{capability}", "Capabilities of peers that are held here.")
	embargoes := o.gauge(m, "fairlead.rpc.embargoes", "{embargo}", "Promises whose calls wait for those on their way.")
	queued := o.gauge(m, "fairlead.rpc.queued", "By", "Memory of messages that wait to be written.")
	calls := o.counter(m, "fairlead.rpc.calls", "{call}", "Calls that were sent.")
	answered := o.counter(m, "fairlead.rpc.answered", "{call}", "Calls of peers that were answered.")
	sent := o.counter(m, "fairlead.rpc.sent", "{message}", "Messages that were sent.")
	received := o.counter(m, "fairlead.rpc.received", "{message}", "Messages that were received.")
	flushes := o.counter(m, "fairlead.rpc.flushes", "{flush}", "Flushes of the transports.")
	if o.err != nil {
		return o.err
	}
	_, err := m.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s, n := cs.sum()
		to.ObserveInt64(connections, int64(n))
		to.ObserveInt64(questions, int64(s.Questions))
		to.ObserveInt64(answers, int64(s.Answers))
		to.ObserveInt64(executing, int64(s.Executing))
		to.ObserveInt64(exports, int64(s.Exports))
		to.ObserveInt64(imports, int64(s.Imports))
		to.ObserveInt64(embargoes, int64(s.Embargoes))
		to.ObserveInt64(queued, s.QueuedBytes)
		to.ObserveInt64(calls, int64(s.Calls))
		to.ObserveInt64(answered, int64(s.Answered))
		to.ObserveInt64(sent, int64(s.Sent))
		to.ObserveInt64(received, int64(s.Received))
		to.ObserveInt64(flushes, int64(s.Flushes))
		return nil
	}, o.all...)
	return err
}

// An observer makes instruments that are asked, and keeps the errors.
type observer struct {
	all []metric.Observable
	err error
}

func (o *observer) gauge(m metric.Meter, name, unit, what string) metric.Int64Observable {
	i, err := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
	o.all, o.err = append(o.all, i), errors.Join(o.err, err)
	return i
}

func (o *observer) counter(m metric.Meter, name, unit, what string) metric.Int64Observable {
	i, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
	o.all, o.err = append(o.all, i), errors.Join(o.err, err)
	return i
}
