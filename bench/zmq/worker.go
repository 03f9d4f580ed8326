package zmqbench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
)

// ChildArgument is the first of the arguments that make this program a worker:
// one side of a connection. The rival's name follows, and then what
// [company.start] gives.
const ChildArgument = "child-zmq"

// A worker is told what to do on its standard input, a word or two a line, and
// answers on its standard output. The C program does the same.
//
//	                      open ENDPOINT VERSION      at its start
//	run N, or check N     ready
//	go                    done BEGIN END P50 P99 HASH
//	end                   ok ALLOCS ALLOCBYTES       since go; -1 -1 where not counted
//	hello, last           ok                         publishers: a message that says so is sent
//	hello, last           ok                         subscribers: such a message has come
//
// BEGIN and END are readings of a clock that all processes share, and P50 and
// P99 latencies, all in nanoseconds. The constant messages of a run are not
// hashed, and HASH is 0. A worker leaves at the end of its input, whatever it is
// doing.
//
// Between a publisher and each subscriber there is a pipe besides: the
// subscriber writes a byte for every quarter of a window that it received, and
// the publisher stays within the window, so that nothing is dropped.
type worker struct {
	setup
	end   end
	out   io.Writer
	pipes []*os.File

	commands <-chan command
	line     []byte
	before   runtime.MemStats
	after    runtime.MemStats
	times    []int64
}

type command struct {
	verb string
	n    int
}

var errProtocol = errors.New("zmqbench: worker: out of turn")

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
	if f, ok := in.(*os.File); ok {
		if in, err = inherit(f.Fd()); err != nil {
			return err
		}
	}
	e, endpoint, err := open(w.setup)
	if err != nil {
		return fmt.Errorf("zmqbench: %s: open %s: %w", args[0], w.role, err)
	}
	w.end, w.out = e, out
	w.line = make([]byte, 0, 256)
	commands := make(chan command)
	go func() {
		readCommands(in, commands)
		os.Exit(0) // the parent is gone or done
	}()
	w.commands = commands
	if _, err := fmt.Fprintln(out, "open", endpoint, runtime.Version()); err != nil {
		return fmt.Errorf("zmqbench: worker: %w", err)
	}
	for {
		if err := w.obey(<-w.commands); err != nil {
			return fmt.Errorf("zmqbench: %s %s: %w", args[0], w.role, err)
		}
	}
}

// readCommands reads without allocating, for it does so while allocations are
// counted.
func readCommands(in io.Reader, to chan<- command) {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		var c command
		for _, b := range line {
			if b >= '0' && b <= '9' {
				c.n = c.n*10 + int(b-'0')
			}
		}
		for _, verb := range [...]string{"run", "check", "go", "end", "hello", "last"} {
			if len(line) > len(verb) && string(line[:len(verb)]) == verb {
				c.verb = verb
			}
		}
		to <- c
	}
}

func (w *worker) obey(c command) error {
	switch c.verb {
	case "run", "check":
		return w.turn(c)
	case "hello", "last":
		if err := w.greet(c.verb); err != nil {
			return err
		}
		return w.say("ok")
	}
	return errProtocol
}

// greet sends or awaits a greeting.
func (w *worker) greet(verb string) error {
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

// turn carries out a run or check.
func (w *worker) turn(c command) error {
	if cap(w.times) < c.n && w.role == req {
		w.times = make([]int64, 0, c.n)
	}
	w.times = w.times[:0]
	if err := w.say("ready"); err != nil {
		return err
	}
	if next := <-w.commands; next.verb != "go" {
		return errProtocol
	}
	runtime.ReadMemStats(&w.before)
	begin := clock()
	hash, finish, err := w.work(c)
	if err != nil {
		return err
	}
	slices.Sort(w.times)
	if err := w.say("done", begin, finish, w.percentile(50), w.percentile(99), hash); err != nil {
		return err
	}
	if next := <-w.commands; next.verb != "end" {
		return errProtocol
	}
	runtime.ReadMemStats(&w.after)
	return w.say("ok", int64(w.after.Mallocs-w.before.Mallocs), int64(w.after.TotalAlloc-w.before.TotalAlloc))
}

// work is the work of a turn. It tells when the last message was done with.
func (w *worker) work(c command) (hash, finish int64, err error) {
	if c.verb == "check" {
		hash, err = w.check(c.n)
		return hash, clock(), err
	}
	switch w.role {
	case push:
		err = w.end.send(c.n)
	case pull:
		err = w.end.recv(c.n)
	case req:
		err = w.ask(c.n)
	case rep:
		for i := 0; i < c.n && err == nil; i++ {
			if err = w.end.recv(1); err == nil {
				err = w.end.send(1)
			}
		}
	case pub:
		err = w.publish(c.n)
	case sub:
		err = w.follow(c.n)
	}
	return 0, clock(), err
}

// ask makes n round trips.
func (w *worker) ask(n int) error {
	last := clock()
	for range n {
		if err := w.end.send(1); err != nil {
			return err
		}
		if err := w.end.recv(1); err != nil {
			return err
		}
		t := clock()
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

// check sends or receives n messages of which each is different. The number is
// less than a window.
func (w *worker) check(n int) (int64, error) {
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
	return int64(d), nil
}

// percentile gives the p-th of the sorted times, 0 if there are none.
func (w *worker) percentile(p int) int64 {
	if len(w.times) == 0 {
		return 0
	}
	return w.times[len(w.times)*p/100]
}

// say writes a line, without allocating.
func (w *worker) say(word string, numbers ...int64) error {
	w.line = append(w.line[:0], word...)
	for _, n := range numbers {
		w.line = append(w.line, ' ')
		w.line = strconv.AppendInt(w.line, n, 10)
	}
	w.line = append(w.line, '\n')
	_, err := w.out.Write(w.line)
	return err
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
		f, err := inherit(uintptr(3 + i))
		if err != nil {
			return nil, err
		}
		pipes = append(pipes, f)
	}
	return pipes, nil
}
