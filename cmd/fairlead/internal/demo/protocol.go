// Package demo moves a tree of files between two processes, over every
// transport there is, and compares what arrived with what was sent.
//
// The producer maps each file and sends it as one message whose content is the
// mapping itself. The worker, a second process of the same program, hashes the
// content where it arrived, counts its lines and answers. Both keep several
// messages under way. The messages, as a schema would say it:
//
//	struct Message {           # data word, byte   pointer
//	  kind    @0 :UInt16;      # 0, 0
//	  hashOk  @1 :Bool;        # 0, 2               answer
//	  slot    @2 :UInt32;      # 0, 4               file, answer: the sender's bookkeeping, sent back
//	  id      @3 :UInt64;      # 1, 8               file, answer: which file, sent back
//	  size    @4 :UInt64;      # 2, 16              file, answer: bytes of content; stats: messages copied
//	  lines   @5 :UInt64;      # 3, 24              answer: newlines;  stats: allocations
//	  mtime   @6 :Int64;       # 3, 24              file: nanoseconds since 1970
//	  mode    @7 :UInt32;      # 4, 32              file: permission bits
//	  path    @8 :Data;        # pointer 0          file: in the bytes of the file system
//	  hash    @9 :Data;        # pointer 1          file, answer: SHA-256; hello: the token
//	  content @10 :Data;       # pointer 2          file
//	}
//
// A connection starts with hello, which has no answer; then come files, each
// answered in any order, and at the end stats, answered after all of them.
package demo

import (
	"fmt"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/tree"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	kindHello uint16 = iota + 1
	kindFile
	kindAnswer
	kindStats
)

const (
	offKind  = 0
	bitOK    = 16
	offSlot  = 4
	offID    = 8
	offSize  = 16
	offLines = 24
	offMtime = 24
	offMode  = 32

	ptrPath    = 0
	ptrHash    = 1
	ptrContent = 2
)

var (
	fileSize   = segment.Size{DataWords: 5, Ptrs: 3}
	answerSize = segment.Size{DataWords: 4, Ptrs: 2}
)

// headBytes is room for a message without its content, so that all of it lies
// in one segment.
const headBytes = 512

func newMessage(p Pipe, kind uint16, sz segment.Size) (*segment.Message, segment.StructBuilder) {
	msg := p.NewMessage(headBytes)
	return msg, newRoot(msg, kind, sz)
}

func newRoot(msg *segment.Message, kind uint16, sz segment.Size) segment.StructBuilder {
	b := msg.NewRoot(sz)
	b.SetUint16(offKind, kind)
	return b
}

// putFile builds a file in an empty message. release is called when the message
// no longer needs the mapping. It tells whether the content had to be copied.
func putFile(msg *segment.Message, slot uint32, id uint64, f *tree.File, release func()) (copied bool) {
	b := newRoot(msg, kindFile, fileSize)
	b.SetUint32(offSlot, slot)
	b.SetUint64(offID, id)
	b.SetUint64(offSize, uint64(len(f.Bytes())))
	b.SetInt64(offMtime, f.ModTime.UnixNano())
	b.SetUint32(offMode, uint32(f.Mode))
	copy(b.NewData(ptrPath, len(f.Name)), f.Name)
	b.SetData(ptrHash, f.Sum[:])
	inPlace := b.Ptr(ptrContent).SetExternalData(f.Bytes(), release)
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
	msg, b := newMessage(p, kindAnswer, answerSize)
	b.SetBool(bitOK, a.hashOK)
	b.SetUint32(offSlot, a.slot)
	b.SetUint64(offID, a.id)
	b.SetUint64(offSize, a.size)
	b.SetUint64(offLines, a.lines)
	b.SetData(ptrHash, a.hash[:])
	return msg
}

// readAnswer reads an answer in a message that stays the caller's.
func readAnswer(m *segment.Message) (a answer, err error) {
	s := m.Root().Struct()
	a = answer{
		slot:   s.Uint32(offSlot),
		id:     s.Uint64(offID),
		size:   s.Uint64(offSize),
		lines:  s.Uint64(offLines),
		hashOK: s.Bool(bitOK),
	}
	hash := s.Data(ptrHash)
	if err := m.Err(); err != nil {
		return a, fmt.Errorf("demo: answer: %w", err)
	}
	if copy(a.hash[:], hash) != len(a.hash) || len(hash) != len(a.hash) {
		return a, fmt.Errorf("demo: answer: a hash of %d bytes, want %d", len(hash), len(a.hash))
	}
	return a, nil
}

func kindOf(m *segment.Message) uint16 { return m.Root().Struct().Uint16(offKind) }
