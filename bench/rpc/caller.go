package rpcbench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
)

// A caller is the client of one of the libraries, connected to its server.
type caller interface {
	// add calls add and waits. Any goroutine may.
	add(a, b int64) (int64, error)
	// addAll makes a call for each pair, and then waits for all of them, which
	// give sums.
	addAll(pairs [][2]int64, sums []int64) error
	// echo sends data, which does not change, and shows what comes back.
	echo(data []byte, look func([]byte)) error
	// chain makes three calls, each on what the one before gives, and waits for
	// each, or when they are pipelined for the last only.
	chain(start int64, pipelined bool) (int64, error)
	// stream sends n chunks and waits until they have been received. The data of
	// a chunk does not change.
	stream(n int, whole bool, chunk func(i int) []byte) (bytes, hash uint64, err error)
	// sleeper gives calls on an object of its own, whose handler blocks.
	sleeper() (sleep func(micros uint32) error, err error)
	close() error
}

// link is how the two sides of a case find each other.
type link struct {
	transport string // one of transports
	// dir is a folder of their own, with socket, a socket's path that is free,
	// and for tls cert.pem and key.pem.
	dir string
	// endpoint is what the server says of where it listens: a path or an address.
	endpoint string
	// many tells whether many goroutines call at once.
	many bool
}

// library is how a contestant that is written in Go is reached.
type library struct {
	// serve serves in the background for as long as the process lives.
	serve func(link) (endpoint string, err error)
	// dial connects to what serve serves.
	dial func(context.Context, link) (caller, error)
	// local gives both sides in one process.
	local func() (caller, error)
}

// calling is the worker that calls. It is a [company.Worker].
type calling struct {
	work
	caller caller

	times   []int64
	results []uint64 // of a check
	data    []byte
	wanted  uint64 // hash of what an echo gives back, in a check
	echoed  func([]byte)
	wrong   error // what echoed met
	pairs   [inFlight][2]int64
	sums    [inFlight]int64
	begun   bool // the sleepers sleep
	failed  chan error
}

var _ company.Worker = (*calling)(nil)

func newCalling(w work, c caller) *calling {
	k := &calling{work: w, caller: c, data: make([]byte, w.size), failed: make(chan error, sleepers)}
	fillContent(k.data, 0)
	k.echoed = k.lookAtEcho
	return k
}

// Prepare makes room for n latencies, and sets the sleepers to work.
func (k *calling) Prepare(n int) {
	k.times = k.times[:0]
	if k.kind != addFutures && k.kind != stream {
		if cap(k.times) < n {
			k.times = make([]int64, 0, n)
		}
		k.times = k.times[:n]
	}
	if k.kind != addBeside || k.begun {
		return
	}
	k.begun = true
	for range sleepers {
		sleep, err := k.caller.sleeper()
		if err != nil {
			k.failed <- err
			return
		}
		go func() {
			for {
				if err := sleep(sleepMicros); err != nil {
					k.failed <- err
					return
				}
			}
		}()
	}
	time.Sleep(2 * sleepMicros * time.Microsecond)
}

func (k *calling) Times() []int64 { return k.times }

func (k *calling) Greet(word string) error {
	return fmt.Errorf("rpcbench: caller: unexpected word %q", word)
}

// Check makes n calls that all differ, and gives the hash over their results.
func (k *calling) Check(n int) (uint64, error) {
	k.results = make([]uint64, n)
	if err := k.Run(n); err != nil {
		return 0, err
	}
	d := fnvOffset
	for _, r := range k.results {
		d.number(r)
	}
	k.results = nil
	return uint64(d), nil
}

// Run makes n calls.
func (k *calling) Run(n int) error {
	switch k.kind {
	case addSeq:
		return k.adds(0, n)
	case addMany:
		return k.addsFromMany(n)
	case addFutures:
		return k.addsByFutures(n)
	case addBeside:
		if err := k.adds(0, n); err != nil {
			return err
		}
		select {
		case err := <-k.failed:
			return fmt.Errorf("rpcbench: sleeper: %w", err)
		default:
			return nil
		}
	case echo:
		return k.echoes(n)
	case chain:
		return k.chains(n)
	case stream:
		return k.streams(n)
	}
	return fmt.Errorf("rpcbench: work of kind %d", k.kind)
}

// result notes what call i gave, which is compared at once with what it should.
func (k *calling) result(i int, got, want int64) error {
	if k.results != nil {
		k.results[i] = uint64(got)
	}
	if got != want {
		return fmt.Errorf("rpcbench: %s: call %d gives %d, want %d", k.name, i, got, want)
	}
	return nil
}

// adds makes the calls from index from to to, one at a time.
func (k *calling) adds(from, to int) error {
	last := company.Clock()
	for i := from; i < to; i++ {
		a, b := operands(i)
		sum, err := k.caller.add(a, b)
		if err != nil {
			return err
		}
		if err := k.result(i, sum, a+b); err != nil {
			return err
		}
		now := company.Clock()
		k.times[i] = now - last
		last = now
	}
	return nil
}

func (k *calling) addsFromMany(n int) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var first error
	for g := range inFlight {
		wait.Go(func() {
			if err := k.adds(n*g/inFlight, n*(g+1)/inFlight); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		})
	}
	wait.Wait()
	return first
}

func (k *calling) addsByFutures(n int) error {
	for at := 0; at < n; at += inFlight {
		pairs := k.pairs[:min(inFlight, n-at)]
		for i := range pairs {
			pairs[i][0], pairs[i][1] = operands(at + i)
		}
		if err := k.caller.addAll(pairs, k.sums[:len(pairs)]); err != nil {
			return err
		}
		for i, p := range pairs {
			if err := k.result(at+i, k.sums[i], p[0]+p[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAtEcho looks at what came back.
func (k *calling) lookAtEcho(got []byte) {
	k.wrong = nil
	switch {
	case len(got) != len(k.data) || got[0] != k.data[0] || got[len(got)-1] != k.data[len(got)-1]:
		k.wrong = fmt.Errorf("rpcbench: %s: %d bytes came back that are not the %d that were sent", k.name, len(got), len(k.data))
	case k.results != nil:
		k.wanted = hashOf(got)
	}
}

func (k *calling) echoes(n int) error {
	last := company.Clock()
	for i := range n {
		if k.results != nil {
			k.data = make([]byte, k.size)
			fillContent(k.data, i)
		}
		if err := k.caller.echo(k.data, k.echoed); err != nil {
			return err
		}
		if k.wrong != nil {
			return k.wrong
		}
		if k.results != nil {
			k.results[i] = k.wanted
		}
		now := company.Clock()
		k.times[i] = now - last
		last = now
	}
	return nil
}

func (k *calling) chains(n int) error {
	last := company.Clock()
	for i := range n {
		a, _ := operands(i)
		v, err := k.caller.chain(a, k.pipelined)
		if err != nil {
			return err
		}
		if err := k.result(i, v, a+chainAdds); err != nil {
			return err
		}
		now := company.Clock()
		k.times[i] = now - last
		last = now
	}
	return nil
}

func (k *calling) streams(n int) error {
	whole := k.results != nil
	chunk := func(i int) []byte {
		if !whole {
			return k.data
		}
		data := make([]byte, k.size)
		fillContent(data, i)
		return data
	}
	bytes, hash, err := k.caller.stream(n, whole, chunk)
	if err != nil {
		return err
	}
	if want := uint64(n) * uint64(k.size); bytes != want {
		return fmt.Errorf("rpcbench: %s: %d bytes of %d have been received", k.name, bytes, want)
	}
	if whole {
		k.results = []uint64{bytes, hash}
	}
	return nil
}

// serving is the worker that serves, in the background.
type serving struct{}

func (serving) Prepare(int)               {}
func (serving) Run(int) error             { return nil }
func (serving) Check(int) (uint64, error) { return 0, nil }
func (serving) Times() []int64            { return nil }
func (serving) Greet(word string) error {
	return fmt.Errorf("rpcbench: server: unexpected word %q", word)
}
