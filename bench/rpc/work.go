package rpcbench

import (
	"fmt"
	"strings"
)

// work is what the calls of a case do.
type work struct {
	name string // behind the transport's in the case
	kind kind
	size int // bytes that a call carries; 0 for numbers
	// pipelined tells whether a call is made on what another has not given yet.
	pipelined bool
}

type kind int

const (
	addSeq     kind = iota // add one at a time
	addMany                // add from inFlight goroutines
	addFutures             // add from one goroutine, inFlight calls before it waits
	addBeside              // add one at a time, while other handlers block
	echo                   // data out and back, one at a time
	chain                  // three calls, each on what the one before gives
	stream                 // data out, as a stream
)

const (
	// inFlight is how many calls are under way where it is not one.
	inFlight = 64
	// sleepers is how many handlers block, each again and again for
	// sleepMicros, beside the calls of addBeside.
	sleepers    = 4
	sleepMicros = 20_000
	chunkSize   = 64 << 10
)

// works are those that each transport has.
var works = []work{
	{name: "add/seq", kind: addSeq},
	{name: "add/64", kind: addMany},
	{name: "add/futures64", kind: addFutures},
	{name: "add/beside4", kind: addBeside},
	{name: "echo4K/seq", kind: echo, size: 4 << 10},
	{name: "echo1M/seq", kind: echo, size: 1 << 20},
	{name: "chain3/pipelined", kind: chain, pipelined: true},
	{name: "chain3/awaited", kind: chain},
	{name: "stream64K", kind: stream, size: chunkSize},
}

// transports are the first parts of the cases' names.
var transports = []string{"inproc", "unix", "tcp", "tls", "zmq+ipc", "shm"}

// parseCase finds the work of a case, and its transport.
func parseCase(name string) (transport string, w work, err error) {
	transport, rest, _ := strings.Cut(name, "/")
	for _, w := range works {
		if w.name == rest {
			return transport, w, nil
		}
	}
	return "", work{}, fmt.Errorf("rpcbench: no case has the name %q", name)
}

// content is what byte j of the data of call i is. The C++ program has the same.
func content(i, j int) byte { return byte(i*31 + j*7 + j>>8) }

// fillContent writes the data of call i.
func fillContent(data []byte, i int) {
	for j := range data {
		data[j] = content(i, j)
	}
}

// The numbers of call i: what add adds, and where a chain starts.
func operands(i int) (a, b int64) { return int64(i)*1_000_003 - 7, int64(i)<<33 + 11 }

// A chain adds one in each of its first two calls.
const chainAdds = 2

// checkCalls is how many calls are compared before anything is timed.
func (w work) checkCalls() int {
	if w.size >= chunkSize {
		return 3
	}
	return 200
}

// digest is an FNV-1a hash.
type digest uint64

const (
	fnvOffset digest = 14695981039346656037
	fnvPrime  digest = 1099511628211
)

func (d *digest) number(x uint64) {
	h := *d
	for range 8 {
		h = (h ^ digest(byte(x))) * fnvPrime
		x >>= 8
	}
	*d = h
}

func (d *digest) bytes(b []byte) {
	h := *d
	for _, c := range b {
		h = (h ^ digest(c)) * fnvPrime
	}
	*d = h
}

// hashOf is the hash of some data.
func hashOf(data []byte) uint64 {
	d := fnvOffset
	d.bytes(data)
	return uint64(d)
}

// sink is what the servers in Go have of a stream. It is used by one goroutine
// at a time.
type sink struct {
	whole bool
	bytes uint64
	hash  digest
}

func newSink(whole bool) *sink { return &sink{whole: whole, hash: fnvOffset} }

func (s *sink) put(chunk []byte) {
	s.bytes += uint64(len(chunk))
	s.hash.number(uint64(len(chunk)))
	switch {
	case s.whole:
		s.hash.bytes(chunk)
	case len(chunk) > 0:
		s.hash.number(uint64(chunk[0])<<8 | uint64(chunk[len(chunk)-1]))
	}
}

// model is the hash over the results of the calls that are compared.
func (w work) model() uint64 {
	d := fnvOffset
	n := w.checkCalls()
	data := make([]byte, w.size)
	received := newSink(true)
	for i := range n {
		a, b := operands(i)
		fillContent(data, i)
		switch w.kind {
		case addSeq, addMany, addFutures, addBeside:
			d.number(uint64(a + b))
		case echo:
			d.number(hashOf(data))
		case chain:
			d.number(uint64(a + chainAdds))
		case stream:
			received.put(data)
		}
	}
	if w.kind == stream {
		d.number(received.bytes)
		d.number(uint64(received.hash))
	}
	return uint64(d)
}
