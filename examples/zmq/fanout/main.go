// Fanout hands jobs out to workers and collects what they make of them: PUSH gives
// each job to the next worker that has room, PULL takes results from all of them.
//
// The three parts know of each other only by their endpoints; here they are
// goroutines, and as processes they are the same. What was given to a worker that
// dies is lost: where that matters, see the example workqueue.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/examples/zmq/wire"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen ../wire/wire.capnp

func main() {
	if err := run(context.Background(), os.Stdout, 3, []uint64{360, 361, 362, 363, 364, 365}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run takes numbers apart, with so many workers.
func run(ctx context.Context, w io.Writer, workers int, numbers []uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	work, results := zmq.NewPush(), zmq.NewPull()
	defer work.Close()
	defer results.Close()
	workAt, err := work.Bind("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	resultsAt, err := results.Bind("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	events := work.Monitor(16)
	for i := range workers {
		running.Go(func() {
			if err := worker(ctx, fmt.Sprintf("worker %d", i+1), workAt, resultsAt); !errors.Is(err, context.Canceled) {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	// The first to come would get everything, if it did not wait for the others.
	for there := 0; there < workers; {
		if e := <-events; e.Kind == zmq.HandshakeDone {
			there++
		}
	}

	for i, n := range numbers {
		msg := segment.New(arena.Pool())
		job := wire.NewRootJob(msg)
		job.SetID(uint32(i))
		job.SetNumber(n)
		if err := work.SendMessage(ctx, msg); err != nil { // blocks while all workers have enough to do
			return err
		}
	}
	return collect(ctx, w, results, numbers)
}

// worker does jobs until the context ends.
func worker(ctx context.Context, name, workAt, resultsAt string) error {
	work, results := zmq.NewPull(), zmq.NewPush()
	defer work.Close()
	defer results.Close()
	// The results' end first, for then it is there when the first job comes.
	if err := errors.Join(results.Connect(resultsAt), work.Connect(workAt)); err != nil {
		return err
	}
	for {
		msg, err := work.RecvMessage(ctx)
		if err != nil {
			return err
		}
		job := wire.RootJob(msg)
		reply := segment.New(arena.Pool())
		result := wire.NewRootResult(reply)
		result.SetID(job.ID())
		result.SetWorker(name)
		factors := factor(job.Number())
		list := result.NewFactors(len(factors))
		for i, f := range factors {
			list.Set(i, f)
		}
		msg.Release()
		if err := results.SendMessage(ctx, reply); err != nil {
			return err
		}
	}
}

// collect prints the results in the order of the numbers, and how many jobs each
// worker did.
func collect(ctx context.Context, w io.Writer, results *zmq.Socket, numbers []uint64) error {
	lines, jobs := make([]string, len(numbers)), map[string]int{}
	for range numbers {
		msg, err := results.RecvMessage(ctx)
		if err != nil {
			return err
		}
		result := wire.RootResult(msg)
		id, factors := int(result.ID()), []string(nil)
		for f := range result.Factors().All() {
			factors = append(factors, fmt.Sprint(f))
		}
		jobs[result.Worker()]++
		err = msg.Err()
		msg.Release()
		if err != nil {
			return err
		}
		if id >= len(numbers) {
			return fmt.Errorf("a result for job %d of %d", id, len(numbers))
		}
		lines[id] = fmt.Sprintf("%d = %s", numbers[id], strings.Join(factors, " × "))
	}
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	var names []string
	for name := range jobs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "%s did %d\n", name, jobs[name])
	}
	return nil
}

// factor gives the prime factors of n.
func factor(n uint64) (factors []uint64) {
	for p := uint64(2); p*p <= n; p++ {
		for n%p == 0 {
			factors = append(factors, p)
			n /= p
		}
	}
	if n > 1 {
		factors = append(factors, n)
	}
	return factors
}
