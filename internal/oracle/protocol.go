package oracle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Op is what the peer is asked to do with a message.
type Op uint8

// The operations; the methods of [Oracle] describe each.
const (
	OpWalk      Op = 1
	OpAny       Op = 2
	OpSize      Op = 3
	OpCanonical Op = 4
	OpCopy      Op = 5
	OpEqual     Op = 6
	OpFrame     Op = 7
	OpPack      Op = 8
	OpUnpack    Op = 9
	OpUpgrade   Op = 10
	OpLayout    Op = 11
)

var opNames = [...]string{
	OpWalk: "walk", OpAny: "any", OpSize: "size", OpCanonical: "canonical", OpCopy: "copy",
	OpEqual: "equal", OpFrame: "frame", OpPack: "pack", OpUnpack: "unpack",
	OpUpgrade: "upgrade", OpLayout: "layout",
}

// String returns the operation's name.
func (o Op) String() string {
	if int(o) < len(opNames) && opNames[o] != "" {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// Type is the struct of test.capnp that a message's root is read as.
type Type uint8

// The root types. AnyRoot reads the root as an AnyPointer.
const (
	Everything Type = 0
	Defaults   Type = 1
	Choice     Type = 2
	Old        Type = 3
	New        Type = 4
	Point      Type = 5
	Link       Type = 6
	Nothing    Type = 7
	AnyRoot    Type = 8
)

var typeNames = [...]string{
	Everything: "Everything", Defaults: "Defaults", Choice: "Choice", Old: "Old", New: "New",
	Point: "Point", Link: "Link", Nothing: "Nothing", AnyRoot: "AnyPointer",
}

// String returns the struct's name in test.capnp.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Flags alter an operation.
type Flags uint16

const (
	// Raw packs and unpacks bytes rather than a message.
	Raw Flags = 1
	// AnyCanonical canonicalises whatever the root is, a list too.
	AnyCanonical Flags = 2

	flagAbort Flags = 4
	flagHang  Flags = 8
)

// Kind says what sort of fault the peer met first.
type Kind uint8

// The kinds of fault. The last three are not the peer's words but ours about it.
const (
	OK         Kind = 0
	Limit      Kind = 1  // the traversal limit
	Nesting    Kind = 2  // the nesting limit
	Malformed  Kind = 3  // a pointer that cannot be followed, or of the wrong kind
	Framing    Kind = 4  // the segment table or the packed form
	EOF        Kind = 5  // the input ended, at a boundary or not
	Memory     Kind = 6  // the peer's own limit of memory
	Capability Kind = 7  // a capability where none can be
	Internal   Kind = 8  // anything else that libcapnp threw
	TooLarge   Kind = 9  // a dump of more than 64 MiB
	BadRequest Kind = 10 // the request itself

	Crashed Kind = 100 // the peer died over this request
	Hung    Kind = 101 // the peer did not answer in time and was killed
)

var kindNames = map[Kind]string{
	OK: "ok", Limit: "limit", Nesting: "nesting", Malformed: "malformed", Framing: "framing",
	EOF: "eof", Memory: "memory", Capability: "capability", Internal: "internal",
	TooLarge: "toolarge", BadRequest: "request", Crashed: "peer crashed", Hung: "peer hung",
}

// String returns the word that marks the fault in a dump.
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Request is one question to the peer. A and B are framed messages unless the
// operation says otherwise; they are only read.
type Request struct {
	Op      Op
	Type    Type
	Flags   Flags
	Nesting uint32 // the nesting limit
	Limit   uint64 // the traversal limit, in words
	Arg     uint32 // words a segment, or bytes to unpack
	A, B    []byte
}

// Answer is what the peer said. Payload belongs to the caller.
type Answer struct {
	Kind    Kind   // of the first fault, or OK
	Text    string // libcapnp's description of it
	Payload []byte
}

const headerBytes = 28

// maxAnswer bounds what we take from the peer: its dumps end at 64 MiB, and an
// answer holds at most two with a message.
const maxAnswer = 256 << 20

var errAnswer = errors.New("oracle: the peer's answer is malformed")

func (r *Request) appendHeader(b []byte) []byte {
	b = append(b, byte(r.Op), byte(r.Type))
	b = binary.LittleEndian.AppendUint16(b, uint16(r.Flags))
	b = binary.LittleEndian.AppendUint32(b, r.Nesting)
	b = binary.LittleEndian.AppendUint64(b, r.Limit)
	b = binary.LittleEndian.AppendUint32(b, r.Arg)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.A)))
	return binary.LittleEndian.AppendUint32(b, uint32(len(r.B)))
}

// writeTo sends the request. scratch is the caller's, so that a stream of
// requests allocates nothing.
func (r *Request) writeTo(w io.Writer, scratch *[headerBytes]byte) error {
	if _, err := w.Write(r.appendHeader(scratch[:0])); err != nil {
		return err
	}
	if _, err := w.Write(r.A); err != nil {
		return err
	}
	if len(r.B) == 0 {
		return nil
	}
	_, err := w.Write(r.B)
	return err
}

// readAnswer takes one answer off r.
func readAnswer(r io.Reader) (Answer, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Answer{}, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	text := uint32(binary.LittleEndian.Uint16(head[6:]))
	if size > maxAnswer || size < 4+text {
		return Answer{}, fmt.Errorf("%w: %d bytes with a text of %d", errAnswer, size, text)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return Answer{}, err
	}
	return Answer{
		Kind:    Kind(head[5]),
		Text:    string(body[:text]),
		Payload: body[text:len(body):len(body)],
	}, nil
}

// takeChunk splits a payload that begins with a chunk and its length.
func takeChunk(b []byte) (chunk, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("%w: a chunk of %d bytes has no length", errAnswer, len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, fmt.Errorf("%w: a chunk of %d bytes in %d", errAnswer, n, len(b)-4)
	}
	return b[4 : 4+n : 4+n], b[4+n:], nil
}
