package segment

// Ptr reads a pointer: what a schema calls AnyPointer. It is a small value,
// valid until its message's Release; the zero Ptr is null.
//
// What it refers to is checked when it is followed. A pointer that is not
// valid, or refers to something else than was asked for, reads as the default
// (no bytes, no elements, all zero), and the first such fault is kept in the
// message's [Message.Err].
type Ptr struct {
	seg   *seg
	at    addr
	depth uint16
}

// Kind is what a pointer refers to.
type Kind uint8

// The kinds of pointers.
const (
	KindNull Kind = iota
	KindStruct
	KindList
	KindCapability
	KindInvalid // a fault, which Err of the message tells
)

func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindStruct:
		return "struct"
	case KindList:
		return "list"
	case KindCapability:
		return "capability"
	}
	return "invalid"
}

func (p Ptr) load() word {
	if p.seg == nil {
		return 0
	}
	return word(p.seg.ld64(p.at, 0))
}

// Message is the message that the pointer lies in, or nil for the zero Ptr.
func (p Ptr) Message() *Message {
	if p.seg == nil {
		return nil
	}
	return p.seg.msg
}

// IsNull tells whether the pointer is null. A pointer to an empty struct or an
// empty list is not.
func (p Ptr) IsNull() bool { return p.load() == 0 }

// Kind tells what the pointer refers to, following far pointers but without
// looking at the object itself.
func (p Ptr) Kind() Kind {
	k, _ := p.object()
	return k
}

// object follows the pointer, which is loaded once, through far pointers.
func (p Ptr) object() (Kind, target) { return p.objectOf(p.load()) }

// objectOf is object for a pointer that was loaded.
func (p Ptr) objectOf(w word) (Kind, target) {
	if w == 0 {
		return KindNull, target{}
	}
	if w.kind() == kindOther {
		if w.isCap() {
			return KindCapability, target{tag: w}
		}
		p.seg.malformed(p.at, "%v", w)
		return KindInvalid, target{}
	}
	t, ok := p.seg.resolve(p.at, w)
	if !ok {
		return KindInvalid, target{}
	}
	switch t.tag.kind() {
	case kindStruct:
		return KindStruct, t
	case kindList:
		return KindList, t
	}
	p.seg.malformed(p.at, "%v leads to a %v", w, t.tag)
	return KindInvalid, target{}
}

// Capability gives the index that a capability pointer holds. The table that
// it is an index into belongs to the caller.
func (p Ptr) Capability() (index uint32, ok bool) {
	w := p.load()
	if w == 0 {
		return 0, false
	}
	if !w.isCap() {
		p.seg.malformed(p.at, "expected a capability, found a %v", w)
		return 0, false
	}
	return w.upper(), true
}

// field gives the pointer as the only one of a struct, so that a pointer and a
// struct's pointer have one way to be followed, which takes one call.
func (p Ptr) field() Struct {
	if p.seg == nil {
		return Struct{}
	}
	return Struct{p.seg, p.at, sizes{ptrs: 1, depth: p.depth}}
}

// Struct reads the struct that the pointer refers to.
func (p Ptr) Struct() Struct { return p.field().Struct(0) }

//go:noinline
func (p Ptr) structSlow(w word) Struct {
	if w == 0 || !p.descend() {
		return Struct{}
	}
	t, ok := p.seg.resolve(p.at, w)
	if !ok {
		return Struct{}
	}
	if t.tag.kind() != kindStruct {
		p.seg.malformed(p.at, "expected a struct, found a %v", t.tag)
		return Struct{}
	}
	return p.structAt(t)
}

// structAt reads the struct that the pointer was followed to.
func (p Ptr) structAt(t target) Struct {
	if !p.descend() || !t.check(p, int64(t.tag.size().Words())) {
		return Struct{}
	}
	return Struct{t.seg, t.place(), sizes{uint32(t.tag.data()) * wordBytes, t.tag.ptrs(), p.depth - 1}}
}

// descend checks the nesting limit.
func (p Ptr) descend() bool {
	if p.depth == 0 {
		p.seg.msg.overLimit("Depth", uint64(p.seg.msg.limits.Depth), uint64(p.seg.msg.limits.Depth)+1)
		return false
	}
	return true
}

// byteList finds a list of bytes. It gives no segment where there is none.
func (p Ptr) byteList(w word, what string) (t target, n uint32) {
	s := p.seg
	if w == 0 {
		return target{}, 0
	}
	t, ok := s.resolve(p.at, w)
	if !ok {
		return target{}, 0
	}
	if t.tag.kind() != kindList || t.tag.elem() != Byte {
		s.malformed(p.at, "expected %s, found a %v", what, t.tag)
		return target{}, 0
	}
	n = t.tag.count()
	if !t.check(p, int64(n+7)/wordBytes) {
		return target{}, 0
	}
	return t, n
}

// TextBytes gives the text that the pointer refers to, without its NUL and
// without copying it. The slice is the message's memory, valid until its
// Release; do not modify it or append to it. It is nil where there is none, or
// where the list of bytes does not end in a NUL. The bytes need not be UTF-8.
func (p Ptr) TextBytes() []byte { return p.field().TextBytes(0) }

//go:noinline
func (p Ptr) textSlow(w word) []byte {
	t, n := p.byteList(w, "text")
	if t.seg == nil {
		return nil
	}
	if n == 0 {
		p.seg.malformed(p.at, "text has no NUL: its size is 0")
		return nil
	}
	a := t.place()
	if t.seg.ld8(a, n-1) != 0 {
		p.seg.malformed(p.at, "text does not end in a NUL")
		return nil
	}
	return t.seg.bytes(a, int(n-1))
}

// Text copies the text that the pointer refers to. See [Ptr.TextBytes].
func (p Ptr) Text() string { return string(p.TextBytes()) }

// Data gives the bytes that the pointer refers to without copying them. The
// slice is the message's memory, valid until its Release; do not modify it or
// append to it. It is nil where the pointer is null.
//
//go:noinline
func (p Ptr) Data() []byte {
	t, n := p.byteList(p.load(), "data")
	if t.seg == nil {
		return nil
	}
	return t.bytes(int(n))
}

// StructOr is Struct, with def in the place of a null or invalid pointer.
func (p Ptr) StructOr(def Struct) Struct {
	if s := p.Struct(); s.seg != nil {
		return s
	}
	return def
}

// TextOr is Text, with def in the place of a null or invalid pointer.
func (p Ptr) TextOr(def string) string {
	if b := p.TextBytes(); b != nil {
		return string(b)
	}
	return def
}

// DataOr is Data, with def in the place of a null or invalid pointer.
func (p Ptr) DataOr(def []byte) []byte {
	if b := p.Data(); b != nil {
		return b
	}
	return def
}

// ListOr is List, with def in the place of a null or invalid pointer.
func (p Ptr) ListOr(def List) List {
	if l := p.List(); l.seg != nil {
		return l
	}
	return def
}
