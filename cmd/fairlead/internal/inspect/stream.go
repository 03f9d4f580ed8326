package inspect

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/internal/packed"
	"github.com/fairlead-go/fairlead/segment"
)

const wordBytes = 8

// A message is one of the input, as far as it was there.
type message struct {
	at     int      // byte of the input where it starts
	end    int      // byte of the input behind it
	table  int      // bytes of its segment table, unpacked
	packed bool     // places are those of the unpacked message, not of the input
	segs   [][]byte // as long as the table says, or shorter where the input ends
	starts []int    // byte of each segment: in the input, or in the unpacked message
}

func (m *message) words() (n int) {
	for _, s := range m.segs {
		n += len(s) / wordBytes
	}
	return n
}

// byteAt is the place of a word for messages to people.
func (m *message) byteAt(seg uint32, word int64) int64 {
	return int64(m.starts[seg]) + word*wordBytes
}

// plausible reports whether the root pointer leads to something, which tells
// messages from other bytes.
func (m *message) plausible() bool {
	if len(m.segs) == 0 || len(m.segs[0]) < wordBytes {
		return false
	}
	p := m.load(0, 0)
	if p == 0 {
		return true
	}
	t, err := m.resolve(0, 0, p)
	return err == nil && t.kind() != kindOther && m.check(t) == nil
}

// rootFills reports whether a root without pointers is all that there is. The
// table of a framed message with many segments, cut short, looks like the pointer
// to such a root, with more behind it.
func (m *message) rootFills() bool {
	t, err := m.resolve(0, 0, m.load(0, 0))
	return err == nil && (t.kind() != kindStruct || t.ptrs() > 0 || t.word+t.size() == int64(m.words()))
}

// A stream takes the input apart into messages.
type stream struct {
	data     []byte
	pos      int
	format   Format
	maxBytes int64
}

// next returns the next message, and io.EOF when there is no other. A message
// that is cut short comes with its error.
func (s *stream) next() (*message, error) {
	if s.pos == len(s.data) {
		return nil, io.EOF
	}
	m := &message{at: s.pos, packed: s.format.packed()}
	var err error
	if s.format.flat() {
		err = s.flat(m)
	} else {
		err = s.framed(m)
	}
	m.end = s.pos
	if len(m.segs) == 0 {
		return nil, err
	}
	return m, err
}

func (s *stream) flat(m *message) error {
	seg := s.data
	if m.packed {
		n, err := packed.UnpackedLen(s.data)
		if err != nil {
			return fmt.Errorf("at byte %d: %w", len(s.data), err)
		}
		if n > s.maxBytes {
			return fmt.Errorf("at byte 0: unpacks to %d bytes, more than the limit of %d", n, s.maxBytes)
		}
		seg = make([]byte, n)
		var u packed.Unpacker
		u.Unpack(seg, s.data)
	}
	s.pos = len(s.data)
	whole := len(seg) &^ (wordBytes - 1)
	m.segs, m.starts = [][]byte{seg[:whole]}, []int{0}
	if whole != len(seg) {
		return fmt.Errorf("at byte %d: %d bytes, not a multiple of 8", whole, len(seg))
	}
	return nil
}

func (s *stream) framed(m *message) error {
	var u packed.Unpacker
	head, err := s.piece(&u, wordBytes, "the segment table")
	if err != nil {
		return err
	}
	count := uint64(binary.LittleEndian.Uint32(head)) + 1
	if count > segment.DefaultSegments {
		return fmt.Errorf("at byte %d: %d segments, more than the limit of %d", m.at, count, segment.DefaultSegments)
	}
	m.table = int(count/2+1) * wordBytes
	table := head
	if m.table > wordBytes {
		rest, err := s.piece(&u, m.table-wordBytes, "the segment table")
		if err != nil {
			return err
		}
		table = append(head[:wordBytes:wordBytes], rest...)
	}
	total := int64(0)
	for i := range count {
		total += int64(binary.LittleEndian.Uint32(table[4+4*i:])) * wordBytes
	}
	if total > s.maxBytes {
		return fmt.Errorf("at byte %d: a message of %d bytes, more than the limit of %d", m.at, total, s.maxBytes)
	}
	at := s.pos
	if m.packed {
		at = m.table
	}
	body, err := s.piece(&u, int(total), "the segments")
	for i := range count {
		n := int(binary.LittleEndian.Uint32(table[4+4*i:])) * wordBytes
		n = min(n, len(body)&^(wordBytes-1))
		m.segs, m.starts = append(m.segs, body[:n:n]), append(m.starts, at)
		body, at = body[n:], at+n
	}
	return err
}

// piece takes n bytes, unpacked where the stream is packed; runs may not reach
// over its end. With an error it gives as much as there is.
func (s *stream) piece(u *packed.Unpacker, n int, what string) ([]byte, error) {
	rest := s.data[s.pos:]
	if !s.format.packed() {
		got := rest[:min(n, len(rest))]
		s.pos += len(got)
		if len(got) < n {
			return got, fmt.Errorf("at byte %d: the input ends in %s, %d bytes early", s.pos, what, n-len(got))
		}
		return got, nil
	}
	// No byte unpacks to more than 1,024, so this bounds what a claim costs.
	b := make([]byte, min(int64(n), int64(len(rest))*1024+int64(u.RunLeft())*wordBytes))
	nd, ns := u.Unpack(b, rest)
	s.pos += ns
	switch {
	case nd < n:
		return b[:nd], fmt.Errorf("at byte %d: the packed input ends in %s, %d of %d bytes unpacked", s.pos, what, nd, n)
	case u.AwaitsCount():
		return b, fmt.Errorf("at byte %d: the packed input ends before the count of a run", s.pos)
	case !u.AtBoundary():
		return b, fmt.Errorf("at byte %d: a run of the packed input does not end with %s", s.pos, what)
	}
	return b, nil
}
