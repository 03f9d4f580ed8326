package company

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

// Worker is what a suite's worker can do.
type Worker interface {
	// Prepare makes room for the latencies of n messages, or does nothing.
	// Its allocations are not counted.
	Prepare(n int)
	// Run does the work of a run.
	Run(n int) error
	// Check does the work of a check, and gives its hash.
	Check(n int) (hash uint64, err error)
	// Times gives the latencies of the last run in nanoseconds, to be sorted;
	// none if it has none.
	Times() []int64
	// Greet does what another word says.
	Greet(word string) error
}

type command struct {
	word string
	n    int
}

var errProtocol = errors.New("company: worker: out of turn")

// ServeWorker is the worker's side of a company: it carries out the commands of
// in until in ends, and then ends the process. endpoint is what the others of
// the company connect to. words are those that Greet knows. It returns only with an
// error.
func ServeWorker(in io.Reader, out io.Writer, endpoint string, w Worker, words ...string) error {
	if f, ok := in.(*os.File); ok {
		var err error
		if in, err = Inherit(f.Fd()); err != nil {
			return err
		}
	}
	s := &server{worker: w, out: out, line: make([]byte, 0, 256)}
	commands := make(chan command)
	go func() {
		readCommands(in, commands, slices.Concat([]string{"run", "check", "go", "end"}, words))
		os.Exit(0) // the parent is gone or done
	}()
	s.commands = commands
	if _, err := fmt.Fprintln(out, "open", endpoint, runtime.Version()); err != nil {
		return fmt.Errorf("company: worker: %w", err)
	}
	for {
		if err := s.obey(<-s.commands); err != nil {
			return err
		}
	}
}

type server struct {
	worker   Worker
	out      io.Writer
	commands <-chan command
	line     []byte

	before, after runtime.MemStats
}

// readCommands reads without allocating, for it does so while allocations are
// counted.
func readCommands(in io.Reader, to chan<- command, words []string) {
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
		for _, word := range words {
			if len(line) > len(word) && string(line[:len(word)]) == word {
				c.word = word
			}
		}
		to <- c
	}
}

func (s *server) obey(c command) error {
	switch c.word {
	case "run", "check":
		return s.turn(c)
	case "go", "end", "":
		return errProtocol
	}
	if err := s.worker.Greet(c.word); err != nil {
		return err
	}
	return s.say("ok")
}

// turn carries out a run or check.
func (s *server) turn(c command) error {
	s.worker.Prepare(c.n)
	if err := s.say("ready"); err != nil {
		return err
	}
	if next := <-s.commands; next.word != "go" {
		return errProtocol
	}
	runtime.ReadMemStats(&s.before)
	begin := Clock()
	var hash uint64
	var err error
	if c.word == "check" {
		hash, err = s.worker.Check(c.n)
	} else {
		err = s.worker.Run(c.n)
	}
	finish := Clock()
	if err != nil {
		return err
	}
	times := s.worker.Times()
	slices.Sort(times)
	if err := s.say("done", begin, finish, percentile(times, 50), percentile(times, 99), int64(hash)); err != nil {
		return err
	}
	if next := <-s.commands; next.word != "end" {
		return errProtocol
	}
	runtime.ReadMemStats(&s.after)
	return s.say("ok", int64(s.after.Mallocs-s.before.Mallocs), int64(s.after.TotalAlloc-s.before.TotalAlloc))
}

// percentile gives the p-th of the sorted times, 0 if there are none.
func percentile(times []int64, p int) int64 {
	if len(times) == 0 {
		return 0
	}
	return times[len(times)*p/100]
}

// say writes a line, without allocating.
func (s *server) say(word string, numbers ...int64) error {
	s.line = append(s.line[:0], word...)
	for _, n := range numbers {
		s.line = append(s.line, ' ')
		s.line = strconv.AppendInt(s.line, n, 10)
	}
	s.line = append(s.line, '\n')
	_, err := s.out.Write(s.line)
	return err
}
