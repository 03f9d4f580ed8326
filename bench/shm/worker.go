package shmbench

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
)

// ChildArgument is the first of the arguments that make this program a worker:
// one side of a connection. The rival's name follows, and then what
// [workload.start] gives.
const ChildArgument = "child-shm"

// worker speaks as [company] says, and so does the C++ program.
type worker struct {
	setup
	end   end
	times []int64
}

// ServeChild is a worker. args are what follows [ChildArgument].
func ServeChild(args []string, in io.Reader, out io.Writer) error {
	if len(args) < 6 || len(args) > 7 {
		return fmt.Errorf("shmbench: worker: got arguments %q, want a rival, a role, a size, a mode, a number of receivers, an endpoint and which of the subscribers", args)
	}
	var w worker
	var err error
	if w.role, err = parseRole(args[1]); err != nil {
		return err
	}
	if w.shape, err = parseShape(args[2]); err != nil {
		return err
	}
	if w.mode, err = parseMode(args[3]); err != nil {
		return err
	}
	if w.receivers, err = strconv.Atoi(args[4]); err != nil || w.receivers < 1 || w.receivers > maxReceivers {
		return fmt.Errorf("shmbench: worker: %q is no number of receivers up to %d", args[4], maxReceivers)
	}
	w.endpoint = args[5]
	if len(args) == 7 {
		if w.which, err = strconv.Atoi(args[6]); err != nil || w.which < 0 || w.which >= w.receivers {
			return fmt.Errorf("shmbench: worker: %q is none of %d subscribers", args[6], w.receivers)
		}
	}
	open, ok := ends[args[0]]
	if !ok {
		return fmt.Errorf("shmbench: worker: no rival has the name %q", args[0])
	}
	e, endpoint, err := open(w.setup)
	if err != nil {
		return fmt.Errorf("shmbench: %s: open %s: %w", args[0], w.role, err)
	}
	w.end = e
	err = company.ServeWorker(in, out, endpoint, &w)
	return fmt.Errorf("shmbench: %s %s: %w", args[0], w.role, err)
}

// Prepare makes room for the times of one who asks.
func (w *worker) Prepare(n int) {
	if cap(w.times) < n && w.role.asks() {
		w.times = make([]int64, 0, n)
	}
	w.times = w.times[:0]
}

// Times gives the times of one who asks.
func (w *worker) Times() []int64 { return w.times }

// Greet has no words.
func (w *worker) Greet(word string) error {
	return fmt.Errorf("shmbench: worker: unknown command %q", word)
}

// Run is the work of a run.
func (w *worker) Run(n int) error {
	switch w.role {
	case meet, host:
		for range n {
			start := time.Now()
			if err := w.exchange(); err != nil {
				return err
			}
			if w.role == meet {
				w.times = append(w.times, int64(time.Since(start)))
			}
		}
		return nil
	case ask:
		// The clock that is read for each must not need a system call.
		start := time.Now()
		last := time.Duration(0)
		for range n {
			if err := w.end.send(1); err != nil {
				return err
			}
			if err := w.end.recv(1); err != nil {
				return err
			}
			t := time.Since(start)
			w.times = append(w.times, int64(t-last))
			last = t
		}
		return nil
	case answer:
		for range n {
			if err := w.end.recv(1); err != nil {
				return err
			}
			if err := w.end.send(1); err != nil {
				return err
			}
		}
		return nil
	case send, pub:
		return w.end.send(n)
	default:
		return w.end.recv(n)
	}
}

// exchange is one message and its reply, by a connection of their own.
func (w *worker) exchange() error {
	e, ok := w.end.(*fresh)
	if !ok {
		return fmt.Errorf("shmbench: no %s makes connections", w.role)
	}
	if err := e.renew(); err != nil {
		return err
	}
	first, second := e.send, e.recv
	if w.role == host {
		first, second = e.recv, e.send
	}
	if err := first(1); err != nil {
		return err
	}
	return second(1)
}

// Check sends or receives n messages of which each is different.
func (w *worker) Check(n int) (uint64, error) {
	d := digest(fnvOffset)
	for i := range n {
		if e, ok := w.end.(*fresh); ok {
			if err := e.renew(); err != nil {
				return 0, err
			}
		}
		if w.role.asks() || w.role == send || w.role == pub {
			if err := w.end.sendBytes(w.message(i)); err != nil {
				return 0, err
			}
		}
		if w.role == send || w.role == pub {
			continue
		}
		b, err := w.end.recvBytes()
		if err != nil {
			return 0, err
		}
		d.message(b)
		if w.role.answers() {
			if err := w.end.sendBytes(b); err != nil {
				return 0, err
			}
		}
	}
	return uint64(d), nil
}
