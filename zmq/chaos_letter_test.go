package zmq_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/fairlead-go/fairlead/segment"
)

// A letter is what is sent: who sends it, how many that one sent before, what about.
type letter struct {
	from, n uint64
	topic   string // of 8 bytes
	steady  bool   // the sender has one connection to each peer, for life
	last    bool
	answer  bool
}

const headBytes = 8 + 5*8

// chaosTopics are what subscriptions are to: each letter's topic begins with one.
var chaosTopics = []string{"", "a", "ab", "b", "ba", "abc"}

func (l letter) flags() (f uint64) {
	if l.steady {
		f |= 1
	}
	if l.last {
		f |= 2
	}
	if l.answer {
		f |= 4
	}
	return f
}

func (l *letter) setFlags(f uint64) { l.steady, l.last, l.answer = f&1 != 0, f&2 != 0, f&4 != 0 }

// fill makes what follows in a letter.
func (l letter) fill(b []byte) {
	for i := 0; i < len(b); i += 61 {
		b[i] = byte(l.from*31 + l.n*7 + uint64(i))
	}
	if len(b) > 0 {
		b[len(b)-1] = byte(l.n)
	}
}

func (l letter) isFilled(b []byte) bool {
	for i := 0; i < len(b)-1; i += 61 {
		if b[i] != byte(l.from*31+l.n*7+uint64(i)) {
			return false
		}
	}
	return len(b) == 0 || b[len(b)-1] == byte(l.n)
}

// someSize is how large a part of a letter is.
func someSize(rnd *rand.Rand) int {
	switch rnd.IntN(24) {
	case 0:
		return rnd.IntN(300_000)
	case 1, 2:
		return rnd.IntN(20_000)
	case 3:
		return 0
	}
	return rnd.IntN(300)
}

// say sends a letter behind the frames of an envelope.
func (g *guest) say(ctx context.Context, rnd *rand.Rand, l letter, envelope ...[]byte) error {
	size := someSize(rnd)
	if g.b.pool != nil {
		hint := 0
		if g.opt.Conflate || rnd.IntN(2) == 0 {
			hint = size + 2*headBytes
		}
		m := segment.NewSized(g.b.pool, hint)
		s := m.NewRoot(segment.Size{DataWords: 4, Ptrs: 3})
		s.SetUint64(0, l.from)
		s.SetUint64(8, l.n)
		s.SetUint64(16, l.flags())
		s.SetUint64(24, binary.BigEndian.Uint64([]byte(l.topic)))
		l.fill(s.NewData(0, size))
		return g.SendMessage(ctx, m, envelope...)
	}
	head := make([]byte, headBytes+size)
	copy(head, l.topic)
	parts := 0
	if !g.opt.Conflate {
		parts = max(0, rnd.IntN(6)-2)
	}
	frames := append(envelope[:len(envelope):len(envelope)], head)
	total := 0
	for range parts {
		part := make([]byte, someSize(rnd))
		l.fill(part)
		total += len(part)
		frames = append(frames, part)
	}
	for i, v := range [...]uint64{l.from, l.n, l.flags(), uint64(parts), uint64(total)<<32 | uint64(size)} {
		binary.BigEndian.PutUint64(head[8+8*i:], v)
	}
	l.fill(head[headBytes:])
	return g.Send(ctx, frames...)
}

// errNoLetter is what is wrong with what is received.
var errNoLetter = errors.New("not what was sent")

// hear receives a letter behind an envelope of so many frames, which it fills.
func (g *guest) hear(ctx context.Context, envelope [][]byte) (l letter, err error) {
	if g.b.pool != nil {
		m, err := g.RecvEnvelope(ctx, envelope)
		if err != nil {
			return l, err
		}
		defer m.Release()
		for i, f := range envelope {
			envelope[i] = append([]byte{}, f...)
		}
		s := m.Root().Struct()
		l.from, l.n = s.Uint64(0), s.Uint64(8)
		l.topic = string(binary.BigEndian.AppendUint64(nil, s.Uint64(24)))
		l.setFlags(s.Uint64(16))
		if !l.isFilled(s.Data(0)) || m.Err() != nil {
			return l, fmt.Errorf("%w: message %d of %d: %w", errNoLetter, l.n, l.from, m.Err())
		}
		return l, nil
	}
	frames, err := g.Recv(ctx)
	if err != nil {
		return l, err
	}
	if len(frames) <= len(envelope) {
		return l, fmt.Errorf("%w: %d frames", errNoLetter, len(frames))
	}
	frames = frames[copy(envelope, frames):]
	head := frames[0]
	if len(head) < headBytes {
		return l, fmt.Errorf("%w: a head of %d bytes: %.40q", errNoLetter, len(head), head)
	}
	var v [5]uint64
	for i := range v {
		v[i] = binary.BigEndian.Uint64(head[8+8*i:])
	}
	l.topic, l.from, l.n = string(head[:8]), v[0], v[1]
	l.setFlags(v[2])
	whole := int(v[3]) == len(frames)-1 && len(head) == headBytes+int(uint32(v[4])) && l.isFilled(head[headBytes:])
	total := 0
	for _, part := range frames[1:] {
		whole = whole && l.isFilled(part)
		total += len(part)
	}
	if !whole || total != int(v[4]>>32) {
		return l, fmt.Errorf("%w: letter %d of %d has %d frames", errNoLetter, l.n, l.from, len(frames))
	}
	return l, nil
}
