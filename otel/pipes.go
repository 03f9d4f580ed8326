package otel

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/shm"
	"github.com/fairlead-go/fairlead/zmq"
)

// A reading is what pipes and sockets of all kinds count. What one does not count
// is 0.
type reading struct {
	sent, sentBytes, received, receivedBytes uint64
	copied, dropped, errors                  uint64
	waiting, waitingBytes, held, memory      int64
}

// pipes are what is read, by what it is called.
type pipes struct {
	mu  sync.Mutex
	all map[*watched]bool
}

type watched struct {
	name metric.MeasurementOption
	read func() reading
}

// WatchPipe tells what a pipe of the front door carries, as the metrics
// fairlead.messages, fairlead.bytes and so on with the attribute fairlead.name,
// until stop is called. Two of one name must not be watched at once.
func (t *Telemetry) WatchPipe(name string, p interface{ Stats() fairlead.Stats }) (stop func()) {
	return t.pipes.add(name, func() reading {
		s := p.Stats()
		return reading{
			sent: s.Sent, sentBytes: s.SentBytes, received: s.Received, receivedBytes: s.ReceivedBytes,
			copied: s.Copied, errors: s.Errors, waitingBytes: s.WaitingBytes,
		}
	})
}

// WatchZMQ is WatchPipe for a socket or a listener of package zmq.
func (t *Telemetry) WatchZMQ(name string, socket interface{ Stats() zmq.Stats }) (stop func()) {
	return t.pipes.add(name, func() reading {
		s := socket.Stats()
		return reading{
			sent: s.Sent, sentBytes: s.SentBytes, received: s.Received, receivedBytes: s.ReceivedBytes,
			dropped: s.Dropped, errors: s.Errors, waiting: s.Waiting, waitingBytes: s.WaitingBytes, held: s.Unread,
		}
	})
}

// WatchSHM is WatchPipe for a pipe of package shm.
func (t *Telemetry) WatchSHM(name string, p interface{ Stats() shm.Stats }) (stop func()) {
	return t.pipes.add(name, func() reading {
		s := p.Stats()
		return reading{
			sent: s.Sent, sentBytes: s.SentBytes, received: s.Received, receivedBytes: s.ReceivedBytes,
			copied: s.Copied, errors: s.Errors, waiting: int64(s.Waiting), held: int64(s.Held), memory: s.Bytes,
		}
	})
}

func (ps *pipes) add(name string, read func() reading) (stop func()) {
	w := &watched{name: metric.WithAttributeSet(attribute.NewSet(attribute.String("fairlead.name", name))), read: read}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all == nil {
		ps.all = map[*watched]bool{}
	}
	ps.all[w] = true
	return func() {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		delete(ps.all, w)
	}
}

// register has the meter ask what is watched.
func (ps *pipes) register(m metric.Meter) error {
	var o observer
	sent := o.counter(m, "fairlead.messages.sent", "{message}", "Messages that were sent.")
	sentBytes := o.counter(m, "fairlead.bytes.sent", "By", "Bytes that were sent.")
	received := o.counter(m, "fairlead.messages.received", "{message}", "Messages that were received.")
	receivedBytes := o.counter(m, "fairlead.bytes.received", "By", "Bytes that were received.")
	copied := o.counter(m, "fairlead.messages.copied", "{message}", "Messages that had to be copied to be sent.")
	dropped := o.counter(m, "fairlead.messages.dropped", "{message}", "Messages that were dropped.")
	errs := o.counter(m, "fairlead.errors", "{error}", "Calls that failed.")
	waiting := o.gauge(m, "fairlead.messages.waiting", "{message}", "Messages that the peer has not taken, or the kernel.")
	waitingBytes := o.gauge(m, "fairlead.bytes.waiting", "By", "Bytes that the peer has not taken, or the kernel.")
	held := o.gauge(m, "fairlead.messages.held", "{message}", "Messages that were received and not released, or not taken.")
	memory := o.gauge(m, "fairlead.memory", "By", "Shared memory of ours.")
	if o.err != nil {
		return o.err
	}
	_, err := m.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		for w := range ps.all {
			r := w.read()
			to.ObserveInt64(sent, int64(r.sent), w.name)
			to.ObserveInt64(sentBytes, int64(r.sentBytes), w.name)
			to.ObserveInt64(received, int64(r.received), w.name)
			to.ObserveInt64(receivedBytes, int64(r.receivedBytes), w.name)
			to.ObserveInt64(copied, int64(r.copied), w.name)
			to.ObserveInt64(dropped, int64(r.dropped), w.name)
			to.ObserveInt64(errs, int64(r.errors), w.name)
			to.ObserveInt64(waiting, r.waiting, w.name)
			to.ObserveInt64(waitingBytes, r.waitingBytes, w.name)
			to.ObserveInt64(held, r.held, w.name)
			to.ObserveInt64(memory, r.memory, w.name)
		}
		return nil
	}, o.all...)
	return err
}
