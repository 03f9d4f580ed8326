package reference

import (
	"bytes"
	"fmt"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// side is one end of the exchange of bytes in memory: it writes messages to a
// buffer that is kept, and reads those of the other side.
type side struct {
	builder *builder
	format  framing.Format
	buf     []byte

	// A packed stream that goes on from one message to the next.
	stream bytes.Reader
	dec    *framing.Decoder
}

func newSide(kept bool, format framing.Format) *side {
	s := &side{builder: newBuilder(kept), format: format, buf: make([]byte, 0, keptBytes)}
	if kept && format == framing.Packed {
		s.dec = framing.NewDecoder(&s.stream, framing.DecoderOptions{Format: format})
	}
	return s
}

// write encodes the message that was built. The bytes are valid until the next
// write.
func (s *side) write() ([]byte, error) {
	var err error
	s.buf, err = framing.Append(s.buf[:0], s.builder.msg, s.format)
	return s.buf, err
}

// read decodes a message, which the caller releases.
func (s *side) read(b []byte) (*segment.Message, error) {
	switch {
	case s.format == framing.Binary:
		msg, _, err := framing.Unmarshal(b)
		return msg, err
	case s.dec != nil:
		s.stream.Reset(b)
		return s.dec.Decode()
	default:
		return framing.NewSliceDecoder(b, framing.DecoderOptions{Format: s.format}).Decode()
	}
}

// inMemory encodes each message, and decodes it from its bytes.
type inMemory struct {
	prog           program
	client, server *side
}

func newInMemory(prog program, kept bool, format framing.Format) inMemory {
	return inMemory{prog, newSide(kept, format), newSide(kept, format)}
}

func (m inMemory) pass(n int, probe *probe) error {
	for range n {
		if err := m.exchange(probe); err != nil {
			return err
		}
	}
	return nil
}

func (m inMemory) exchange(probe *probe) error {
	expected := m.prog.request(m.client.builder.start())
	defer m.client.builder.finish()
	sent, err := m.client.write()
	if err != nil {
		return fmt.Errorf("reference: request: %w", err)
	}
	answered, err := m.answer(sent)
	if err != nil {
		return fmt.Errorf("reference: server: %w", err)
	}
	response, err := m.client.read(answered)
	if err != nil {
		return fmt.Errorf("reference: response: %w", err)
	}
	defer response.Release()
	if err := verdict(m.prog, expected, response); err != nil {
		return err
	}
	probe.written(sent)
	probe.written(answered)
	probe.answer(m.prog, expected, response)
	return nil
}

// answer is the server's part.
func (m inMemory) answer(sent []byte) ([]byte, error) {
	request, err := m.server.read(sent)
	if err != nil {
		return nil, err
	}
	defer request.Release()
	m.prog.respond(request, m.server.builder.start())
	defer m.server.builder.finish()
	if err := request.Err(); err != nil {
		return nil, err
	}
	return m.server.write()
}
