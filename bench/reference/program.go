package reference

import (
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// program is one of the three: a client that asks, and a server that answers.
type program interface {
	// restart seeds the random numbers.
	restart()
	// request builds a random request, and gives what its answer must say.
	request(msg *segment.Message) (expected uint64)
	// respond builds the answer to a request.
	respond(request, response *segment.Message)
	// accept tells whether the answer is the expected one.
	accept(response *segment.Message, expected uint64) bool
	// digest hashes the whole answer.
	digest(h *hash, response *segment.Message)
}

// programs makes the three by their names.
var programs = []struct {
	name  string
	new   func() program
	plain func() plainProgram
}{
	{"carsales", func() program { return new(carSales) }, func() plainProgram { return new(plainCarSales) }},
	{"catrank", func() program { return new(ranking) }, func() plainProgram { return new(plainRanking) }},
	{"eval", func() program { return new(expressions) }, func() plainProgram { return new(plainExpressions) }},
}

var errAnswer = errors.New("reference: the answer is not the expected one")

// keptBytes is the size of the memory that messages are built in again and
// again, as large as the C++ program's. A contestant has it as long as the
// program runs.
const keptBytes = 1 << 20

// builder starts messages one after another: in memory that is kept, or each
// in memory from the shared pool.
type builder struct {
	kept bool
	msg  *segment.Message
}

func newBuilder(kept bool) *builder {
	b := &builder{kept: kept}
	if kept {
		b.msg = segment.NewSized(arena.Pool(), keptBytes)
	}
	return b
}

// start gives an empty message, in the place of the one that finish was called
// for.
func (b *builder) start() *segment.Message {
	if b.kept {
		b.msg.Reset()
	} else {
		b.msg = segment.New(arena.Pool())
	}
	return b.msg
}

// finish ends the use of the message.
func (b *builder) finish() {
	if !b.kept {
		b.msg.Release()
	}
}

// probe looks at the iterations of a run that is not timed. A nil probe looks
// at nothing.
type probe struct {
	hashing       bool // else only sizes are counted
	values, bytes hash
	size          int64
}

func (p *probe) answer(prog program, expected uint64, response *segment.Message) {
	if p != nil && p.hashing {
		p.values.number(expected)
		prog.digest(&p.values, response)
	}
}

func (p *probe) written(b []byte) {
	if p == nil {
		return
	}
	p.size += int64(len(b))
	if p.hashing {
		p.bytes.bytes(b)
	}
}

// objects hands the messages over as they are built.
type objects struct {
	prog           program
	client, server *builder
}

func newObjects(prog program, kept bool) objects {
	return objects{prog, newBuilder(kept), newBuilder(kept)}
}

func (o objects) pass(n int, probe *probe) error {
	prog, client, server := o.prog, o.client, o.server
	var largest int64
	for range n {
		request := client.start()
		expected := prog.request(request)
		response := server.start()
		prog.respond(request, response)
		if err := request.Err(); err != nil {
			return fmt.Errorf("reference: request: %w", err)
		}
		if err := verdict(prog, expected, response); err != nil {
			return err
		}
		if probe != nil {
			largest = max(largest, request.SizeBytes()+response.SizeBytes())
			probe.answer(prog, expected, response)
		}
		client.finish()
		server.finish()
	}
	if probe != nil {
		// As the benchmark counts objects whose memory is kept.
		probe.size = largest * int64(n)
	}
	return nil
}

// verdict looks at an answer, and for a fault of its message.
func verdict(prog program, expected uint64, response *segment.Message) error {
	accepted := prog.accept(response, expected)
	if err := response.Err(); err != nil {
		return fmt.Errorf("reference: response: %w", err)
	}
	if !accepted {
		return errAnswer
	}
	return nil
}
