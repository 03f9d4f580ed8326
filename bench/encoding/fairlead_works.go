package encoding

import (
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/schema/fairleadgen"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// fairleadWorks: building keeps one message and resets it; reading keeps one
// message and reopens it over the bytes where they lie.
func fairleadWorks(s shape, framed []byte) works {
	m := s.model
	check := fairleadCheckBuild(s, len(framed))
	w := works{
		"build":  {check, fairleadBuild(s, len(framed))},
		"encode": {fairleadCheckEncode(s, len(framed), check), fairleadEncode(s, len(framed))},
	}
	w["read"] = fairleadRead(m, framed)
	fairleadPacking(w, m, framed)
	return w
}

// fairleadHeldWorks reads one message that is opened once again and again from
// its root, as capnp-c++ does.
func fairleadHeldWorks(s shape, framed []byte) works {
	m := s.model
	msg, err := fairleadDecode(framed)
	must(err)
	// The iterations together would use up the budget of one message.
	msg.ResetLimits(segment.Limits{TraversalWords: segment.Unlimited})
	var run func(n int)
	switch {
	case m.a != nil:
		root := fairleadgen.RootA(msg)
		run = func(n int) {
			for range n {
				sink += fairleadSumA(root)
			}
		}
	case m.people != nil:
		root := fairleadgen.RootAddressBook(msg)
		run = func(n int) {
			for range n {
				sink += fairleadSumBook(root)
			}
		}
	default:
		root := fairleadgen.RootBlob(msg)
		run = func(n int) {
			for range n {
				sink += fairleadSumBlob(root)
			}
		}
	}
	return works{"read": {func() (harness.Answer, error) { return fairleadCheckRead(m, msg, framed) }, run}}
}

// fairleadDecode reads the one message of framed where it lies.
func fairleadDecode(framed []byte) (*segment.Message, error) {
	msg, rest, err := framing.Unmarshal(framed)
	if err == nil && len(rest) > 0 {
		msg.Release()
		return nil, fmt.Errorf("encoding: %d bytes follow the message", len(rest))
	}
	return msg, err
}

// fairleadNew starts a message for the shape.
func fairleadNew(s shape, framedSize int, kept *keptSegments) *segment.Message {
	switch {
	case s.segmented:
		return segment.New(kept)
	case s.people != nil:
		return segment.NewSized(arena.Pool(), framedSize)
	default:
		return segment.New(arena.Pool())
	}
}

// longestList is the size in bytes of what the list of people needs in a
// segment of its own: the elements, their tag and a landing pad.
func longestList(s shape) int { return len(s.people)*5*8 + 8 + 8 }

// fairleadBuild builds one message after another in the same memory, as the
// scratch segment of capnp-c++ is used.
func fairleadBuild(s shape, framedSize int) func(n int) {
	msg := fairleadNew(s, framedSize, &keptSegments{longest: longestList(s)})
	return func(n int) {
		for range n {
			msg.Reset()
			fairleadFill(s.model, msg)
		}
	}
}

// fairleadEncode appends the framed message to a kept buffer; a blob goes
// through an encoder to a socket, from where it lies.
func fairleadEncode(s shape, framedSize int) func(n int) {
	msg := fairleadNew(s, framedSize, &keptSegments{longest: longestList(s)})
	if s.blob != nil {
		enc := framing.NewEncoder(new(socket), framing.EncoderOptions{})
		return func(n int) {
			for range n {
				msg.Reset()
				fairleadFill(s.model, msg)
				must(enc.Encode(msg))
				must(enc.Flush())
			}
		}
	}
	buf := make([]byte, 0, framedSize+64)
	return func(n int) {
		for range n {
			msg.Reset()
			fairleadFill(s.model, msg)
			var err error
			buf, err = framing.Append(buf[:0], msg, framing.Binary)
			must(err)
		}
	}
}

// fairleadPoolWorks takes each message from the shared pool and releases it, as
// a program does that hands its messages over, or reads those of many peers.
func fairleadPoolWorks(s shape, framed []byte) works {
	kept := &keptSegments{longest: longestList(s)}
	return works{"build": {fairleadCheckBuild(s, len(framed)), func(n int) {
		for range n {
			msg := fairleadNew(s, len(framed), kept)
			fairleadFill(s.model, msg)
			msg.Release()
		}
	}}, "read": fairleadPoolRead(s.model, framed)}
}

// fairleadCheckEncode is the check of building, and for a blob a look at what
// arrives at the socket.
func fairleadCheckEncode(s shape, framedSize int, checkBuild func() (harness.Answer, error)) func() (harness.Answer, error) {
	if s.blob == nil {
		return checkBuild
	}
	return func() (harness.Answer, error) {
		conn := new(capture)
		enc := framing.NewEncoder(conn, framing.EncoderOptions{})
		msg := fairleadNew(s, framedSize, nil)
		defer msg.Release()
		fairleadFill(s.model, msg)
		if err := errors.Join(enc.Encode(msg), enc.Flush()); err != nil {
			return harness.Answer{}, err
		}
		values, err := goCapnpHash(s.model, conn.bytes)
		return answer(values), err // the blob is a segment of its own here
	}
}

func fairleadCheckBuild(s shape, framedSize int) func() (harness.Answer, error) {
	m := s.model
	return func() (harness.Answer, error) {
		kept := &keptSegments{longest: longestList(s)}
		// Twice, so that what the first message left in the memory shows.
		for range 2 {
			msg := fairleadNew(s, framedSize, kept)
			fairleadFill(m, msg)
			msg.Reset()
			fairleadFill(m, msg)
			msg.Release()
		}
		msg := fairleadNew(s, framedSize, kept)
		defer msg.Release()
		fairleadFill(m, msg)
		if s.segmented && msg.Segments() < 8 {
			return harness.Answer{}, fmt.Errorf("encoding: the message has only %d segments", msg.Segments())
		}
		framed, err := framing.Marshal(msg)
		if err != nil {
			return harness.Answer{}, err
		}
		values, err := goCapnpHash(m, framed)
		if s.segmented || m.blob != nil {
			return answer(values), err // where the segments end is the library's choice
		}
		return answer(values, framed), err
	}
}

// fairleadFill builds the model.
func fairleadFill(m model, msg *segment.Message) {
	switch {
	case m.a != nil:
		fairleadBuildA(msg, m.a)
	case m.people != nil:
		fairleadBuildBook(msg, m.people)
	default:
		fairleadBuildBlob(msg, m.blob)
	}
}

// fairleadRead reads one message after another with one that is kept, as
// go-capnp does.
func fairleadRead(m model, framed []byte) work {
	msg, err := fairleadDecode(framed)
	must(err)
	reopen := func() {
		rest, err := framing.Reopen(msg, framed)
		must(err)
		if len(rest) > 0 {
			must(fmt.Errorf("encoding: %d bytes follow the message", len(rest)))
		}
	}
	var run func(n int)
	switch {
	case m.a != nil:
		run = func(n int) {
			for range n {
				reopen()
				sink += fairleadSumA(fairleadgen.RootA(msg))
			}
		}
	case m.people != nil:
		run = func(n int) {
			for range n {
				reopen()
				sink += fairleadSumBook(fairleadgen.RootAddressBook(msg))
			}
		}
	default:
		run = func(n int) {
			for range n {
				reopen()
				sink += fairleadSumBlob(fairleadgen.RootBlob(msg))
			}
		}
	}
	return work{func() (harness.Answer, error) {
		reopen()
		return fairleadCheckRead(m, msg, framed)
	}, run}
}

// fairleadPoolRead takes each message from the shared pool and releases it.
func fairleadPoolRead(m model, framed []byte) work {
	return work{func() (harness.Answer, error) {
		msg, err := fairleadDecode(framed)
		if err != nil {
			return harness.Answer{}, err
		}
		defer msg.Release()
		return fairleadCheckRead(m, msg, framed)
	}, func(n int) {
		for range n {
			msg, err := fairleadDecode(framed)
			must(err)
			sink += fairleadSum(m, msg)
			msg.Release()
		}
	}}
}

func fairleadCheckRead(m model, msg *segment.Message, framed []byte) (harness.Answer, error) {
	if err := checkSum(m, fairleadSum(m, msg)); err != nil {
		return harness.Answer{}, err
	}
	values, err := fairleadHash(m, msg)
	return answer(values, framed), err
}
