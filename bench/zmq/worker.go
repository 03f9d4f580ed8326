package zmqbench

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/fairlead-go/fairlead/bench/company"
)

// ChildArgument is the first of the arguments that make this program a worker:
// one side of a connection. The rival's name follows, and then what
// [workload.start] gives.
const ChildArgument = "child-zmq"

// worker speaks as [company] says, and so does the C program. Two words more
// have publishers send a greeting that says so, and subscribers wait for it:
// hello and last.
//
// Between a publisher and each subscriber there is a pipe besides: the
// subscriber writes a byte for every quarter of a window that it received, and
// the publisher stays within the window, so that nothing is dropped.
type worker struct {
	setup
	end   end
	pipes []*os.File
	times []int64
}

// ServeChild is a worker. args are what follows [ChildArgument].
func ServeChild(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 6 {
		return fmt.Errorf("zmqbench: worker: got arguments %q, want a rival, a role, a size, a number of frames, a mechanism and an endpoint", args)
	}
	var w worker
	var err error
	if w.role, err = parseRole(args[1]); err != nil {
		return err
	}
	if w.shape, err = parseShape(args[2], args[3]); err != nil {
		return err
	}
	w.curve, w.endpoint = args[4] == "curve", args[5]
	open, ok := ends[args[0]]
	if !ok {
		return fmt.Errorf("zmqbench: worker: no rival has the name %q", args[0])
	}
	if w.pipes, err = inheritPipes(w.role); err != nil {
		return err
	}
	e, endpoint, err := open(w.setup)
	if err != nil {
		return fmt.Errorf("zmqbench: %s: open %s: %w", args[0], w.role, err)
	}
	w.end = e
	err = company.ServeWorker(in, out, endpoint, &w, "hello", "last")
	return fmt.Errorf("zmqbench: %s %s: %w", args[0], w.role, err)
}

// Greet sends or awaits a greeting.
func (w *worker) Greet(verb string) error {
	const length = 8 // a whole word, as segments are
	text := (verb + "       ")[:length]
	if w.role == pub {
		return w.end.sendFrames([][]byte{[]byte(text)})
	}
	for {
		frames, err := w.end.recvFrames()
		if err != nil {
			return err
		}
		if len(frames) == 1 && string(frames[0]) == text {
			return nil
		}
	}
}

// Prepare makes room for the times of one who asks.
func (w *worker) Prepare(n int) {
	if cap(w.times) < n && w.role == req {
		w.times = make([]int64, 0, n)
	}
	w.times = w.times[:0]
}

// Times gives the times of one who asks.
func (w *worker) Times() []int64 { return w.times }

// Run is the work of a run.
func (w *worker) Run(n int) (err error) {
	switch w.role {
	case push:
		return w.end.send(n)
	case pull:
		return w.end.recv(n)
	case req:
		return w.ask(n)
	case rep:
		for i := 0; i < n && err == nil; i++ {
			if err = w.end.recv(1); err == nil {
				err = w.end.send(1)
			}
		}
		return err
	case pub:
		return w.publish(n)
	default:
		return w.follow(n)
	}
}

// ask makes n round trips.
func (w *worker) ask(n int) error {
	last := company.Clock()
	for range n {
		if err := w.end.send(1); err != nil {
			return err
		}
		if err := w.end.recv(1); err != nil {
			return err
		}
		t := company.Clock()
		w.times = append(w.times, t-last)
		last = t
	}
	return nil
}

// publish sends n messages, at most a window ahead of every subscriber.
func (w *worker) publish(n int) error {
	quarter := w.window() / 4
	var one [1]byte
	await := func() error {
		for _, p := range w.pipes {
			if _, err := io.ReadFull(p, one[:]); err != nil {
				return err
			}
		}
		return nil
	}
	ahead := 0 // quarters sent and not acknowledged
	for left := n; left > 0; {
		k := min(left, quarter)
		if ahead == 4 {
			if err := await(); err != nil {
				return err
			}
			ahead--
		}
		if err := w.end.send(k); err != nil {
			return err
		}
		left -= k
		if k == quarter {
			ahead++
		}
	}
	for ; ahead > 0; ahead-- {
		if err := await(); err != nil {
			return err
		}
	}
	return nil
}

// follow receives n messages, and acknowledges each quarter of a window.
func (w *worker) follow(n int) error {
	quarter := w.window() / 4
	for left := n; left > 0; {
		k := min(left, quarter)
		if err := w.end.recv(k); err != nil {
			return err
		}
		left -= k
		if k < quarter {
			break
		}
		if _, err := w.pipes[0].Write([]byte{1}); err != nil {
			return err
		}
	}
	return nil
}

// Check sends or receives n messages of which each is different. The number is
// less than a window.
func (w *worker) Check(n int) (uint64, error) {
	d := digest(fnvOffset)
	for i := range n {
		if w.role == push || w.role == pub || w.role == req {
			if err := w.end.sendFrames(w.message(i)); err != nil {
				return 0, err
			}
		}
		if w.role == push || w.role == pub {
			continue
		}
		frames, err := w.end.recvFrames()
		if err != nil {
			return 0, err
		}
		d.message(frames)
		if w.role == rep {
			echo := make([][]byte, len(frames))
			for i, f := range frames {
				echo[i] = slices.Clone(f)
			}
			if err := w.end.sendFrames(echo); err != nil {
				return 0, err
			}
		}
	}
	return uint64(d), nil
}

// inheritPipes opens the pipes that a worker of this role was started with.
func inheritPipes(r role) ([]*os.File, error) {
	n := 0
	switch r {
	case pub:
		n = subscribers
	case sub:
		n = 1
	}
	var pipes []*os.File
	for i := range n {
		f, err := company.Inherit(uintptr(3 + i))
		if err != nil {
			return nil, err
		}
		pipes = append(pipes, f)
	}
	return pipes, nil
}
