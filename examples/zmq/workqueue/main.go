// Workqueue gives each job to one worker, and to another if that one dies or says
// nothing for too long, so that every job is done at least once.
//
// Each worker has a pipe of its own to the queue and one job at a time: a slow one
// gets fewer. The queue may be restarted, or workers may come and go, at any time.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/examples/zmq/wire"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// patience is how long a worker may take for a job.
const patience = 10 * time.Second

func main() {
	if err := run(context.Background(), os.Stdout, 20); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run has the squares of the numbers below n computed, by two workers of which
// one dies, and a third that then comes.
func run(ctx context.Context, w io.Writer, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	ln, err := zmq.Listen("tcp://127.0.0.1:*", zmq.PipeOptions{})
	if err != nil {
		return err
	}
	defer ln.Close()
	q := newQueue(n)
	running.Go(func() { q.accept(ctx, ln) })
	start := func(dies bool) <-chan struct{} {
		ended := make(chan struct{})
		running.Go(func() {
			defer close(ended)
			if err := worker(ctx, ln.Endpoint(), dies); !errors.Is(err, context.Canceled) && !errors.Is(err, errDied) {
				fmt.Fprintln(os.Stderr, err)
			}
		})
		return ended
	}
	<-start(true)
	start(false)
	start(false)

	sum := uint64(0)
	for range n {
		select {
		case square := <-q.done:
			sum += square
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err = fmt.Fprintf(w, "the squares below %d have the sum %d; given out again: %d\n", n, sum, q.again.Load())
	return err
}

// A queue holds the jobs that nobody does at the moment.
type queue struct {
	todo  chan uint64
	done  chan uint64 // results
	again atomic.Int32
}

func newQueue(n int) *queue {
	q := &queue{todo: make(chan uint64, n), done: make(chan uint64)}
	for i := range n {
		q.todo <- uint64(i)
	}
	return q
}

// accept serves workers until the context ends.
func (q *queue) accept(ctx context.Context, ln *zmq.Listener) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		p, err := ln.Accept(ctx)
		if err != nil {
			return
		}
		serving.Go(func() { q.serve(ctx, p) })
	}
}

// serve gives a worker one job after the other.
func (q *queue) serve(ctx context.Context, p *zmq.Pipe) {
	defer p.Close()
	for {
		var n uint64
		select {
		case n = <-q.todo:
		case <-ctx.Done():
			return
		}
		square, err := ask(ctx, p, n)
		if err != nil {
			q.again.Add(1)
			q.todo <- n // there is room: it came from there
			return
		}
		select {
		case q.done <- square:
		case <-ctx.Done():
			return
		}
	}
}

// ask has a worker do one job.
func ask(ctx context.Context, p *zmq.Pipe, n uint64) (square uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	msg := p.NewMessage(0)
	wire.NewRootJob(msg).SetNumber(n)
	if err := p.Send(ctx, msg); err != nil {
		return 0, err
	}
	reply, err := p.Recv(ctx)
	if err != nil {
		return 0, err // such as io.EOF, of one that died
	}
	defer reply.Release()
	factors := wire.RootResult(reply).Factors()
	if err := reply.Err(); err != nil {
		return 0, err
	}
	if factors.Len() != 2 {
		return 0, fmt.Errorf("a square of %d factors", factors.Len())
	}
	return factors.At(0) * factors.At(1), nil
}

var errDied = errors.New("worker: died")

// worker does jobs until the context ends, or dies of the first.
func worker(ctx context.Context, queueAt string, dies bool) error {
	p, err := zmq.Dial(ctx, queueAt, zmq.PipeOptions{})
	if err != nil {
		return err
	}
	defer p.Close()
	for {
		msg, err := p.Recv(ctx)
		if err != nil {
			return err
		}
		n := wire.RootJob(msg).Number()
		msg.Release()
		if dies {
			return errDied
		}
		reply := segment.New(arena.Pool())
		factors := wire.NewRootResult(reply).NewFactors(2)
		factors.Set(0, n)
		factors.Set(1, n)
		if err := p.Send(ctx, reply); err != nil {
			return err
		}
	}
}
