// Package demo moves a tree of files between two processes, over every
// transport there is, and compares what arrived with what was sent.
//
// The producer maps each file and sends it as one message whose content is the
// mapping itself. The worker, a second process of the same program, hashes the
// content where it arrived, counts its lines and answers. Both keep several
// messages under way. One transport has several workers, among which the files
// are shared out. Their messages are those of wire/demo.capnp.
package demo

import (
	"fmt"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/tree"
	"github.com/fairlead-go/fairlead/segment"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen wire/demo.capnp

// headBytes is room for a message without its content, so that all of it lies
// in one segment.
const headBytes = 512

func newMessage(p Pipe) (*segment.Message, wire.MessageBuilder) {
	msg := p.NewMessage(headBytes)
	return msg, wire.NewRootMessage(msg)
}

// putFile builds a file in an empty message. release is called when the message
// no longer needs the mapping. It tells whether the content had to be copied.
func putFile(msg *segment.Message, slot uint32, id uint64, f *tree.File, release func()) (copied bool) {
	b := wire.NewRootMessage(msg).NewFile()
	b.SetSlot(slot)
	b.SetID(id)
	b.SetSize(uint64(len(f.Bytes())))
	b.SetModTime(f.ModTime.UnixNano())
	b.SetMode(uint32(f.Mode))
	copy(b.NewPath(len(f.Name)), f.Name)
	b.SetHash(f.Sum[:])
	inPlace := b.SetExternalContent(f.Bytes(), release)
	return !inPlace && len(f.Bytes()) > 0
}

// answer is what the worker found in a file.
type answer struct {
	slot   uint32
	id     uint64
	size   uint64
	lines  uint64
	hashOK bool
	hash   [32]byte
}

func newAnswer(p Pipe, a *answer) *segment.Message {
	msg, m := newMessage(p)
	a.write(m.NewAnswer())
	return msg
}

func (a *answer) write(b wire.AnswerBuilder) {
	b.SetHashOk(a.hashOK)
	b.SetSlot(a.slot)
	b.SetID(a.id)
	b.SetSize(a.size)
	b.SetLines(a.lines)
	b.SetHash(a.hash[:])
}

// readAnswer reads an answer in a message that stays the caller's.
func readAnswer(m *segment.Message) (a answer, err error) {
	s := wire.RootMessage(m).Answer()
	a = answer{slot: s.Slot(), id: s.ID(), size: s.Size(), lines: s.Lines(), hashOK: s.HashOk()}
	hash := s.Hash()
	if err := m.Err(); err != nil {
		return a, fmt.Errorf("demo: answer: %w", err)
	}
	if copy(a.hash[:], hash) != len(a.hash) || len(hash) != len(a.hash) {
		return a, fmt.Errorf("demo: answer: a hash of %d bytes, want %d", len(hash), len(a.hash))
	}
	return a, nil
}
