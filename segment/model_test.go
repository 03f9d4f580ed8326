package segment_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	. "github.com/fairlead-go/fairlead/segment"
)

// A tree is what a pointer of a message leads to, as plain Go values. Null is nil.
type tree struct {
	kind     Kind
	elem     ElemSize // of a list
	n        int      // elements of a list, or the index of a capability
	size     Size     // of the elements of a Composite list
	data     []byte   // of a struct, or the elements of a list without pointers
	ptrs     []*tree  // of a struct or a list, or the elements of a Composite list
	external bool     // the data was lent to the message
}

// elemBytes is how many bytes an element of a list without pointers takes; 0
// where it is less than one.
var elemBytes = [...]int{Byte: 1, TwoBytes: 2, FourBytes: 4, EightBytes: 8, Pointer: 0}

func newStructTree(sz Size) *tree {
	return &tree{kind: KindStruct, data: make([]byte, 8*int(sz.DataWords)), ptrs: make([]*tree, sz.Ptrs)}
}

func newListTree(e ElemSize, n int) *tree {
	t := &tree{kind: KindList, elem: e, n: n}
	switch e {
	case Pointer:
		t.ptrs = make([]*tree, n)
	case Bit:
		t.data = make([]byte, (n+7)/8)
	default:
		t.data = make([]byte, elemBytes[e]*n)
	}
	return t
}

func newStructsTree(sz Size, n int) *tree {
	t := &tree{kind: KindList, elem: Composite, n: n, size: sz}
	for range n {
		t.ptrs = append(t.ptrs, newStructTree(sz))
	}
	return t
}

func newBytesTree(b []byte) *tree {
	return &tree{kind: KindList, elem: Byte, n: len(b), data: bytes.Clone(b)}
}

func (t *tree) structSize() Size {
	return Size{DataWords: uint16(len(t.data) / 8), Ptrs: uint16(len(t.ptrs))}
}

func (t *tree) isList(e ElemSize) bool { return t != nil && t.kind == KindList && t.elem == e }

// isText tells whether t is a list of bytes that ends in a NUL.
func (t *tree) isText() bool { return t.isList(Byte) && t.n > 0 && t.data[t.n-1] == 0 }

// copied is a deep copy, none of which is lent.
func (t *tree) copied() *tree {
	if t == nil {
		return nil
	}
	c := *t
	c.data, c.ptrs, c.external = bytes.Clone(t.data), slices.Clone(t.ptrs), false
	for i, p := range c.ptrs {
		c.ptrs[i] = p.copied()
	}
	return &c
}

// words are those of the object and all below it.
func (t *tree) words() int64 {
	if t == nil {
		return 0
	}
	n := int64(len(t.data)+7) / 8
	switch {
	case t.isList(Composite):
		n++
	default:
		n += int64(len(t.ptrs))
	}
	for _, p := range t.ptrs {
		n += p.words()
	}
	return n
}

func maxSize(a, b Size) Size {
	return Size{DataWords: max(a.DataWords, b.DataWords), Ptrs: max(a.Ptrs, b.Ptrs)}
}

// upgrade makes a struct as large as sz in both sections.
func (t *tree) upgrade(sz Size) {
	sz = maxSize(sz, t.structSize())
	t.data = append(t.data, make([]byte, 8*int(sz.DataWords)-len(t.data))...)
	t.ptrs = append(t.ptrs, make([]*tree, int(sz.Ptrs)-len(t.ptrs))...)
}

// upgradeList makes a list, not of bits, one of structs of size sz at least.
func (t *tree) upgradeList(sz Size) {
	if t.elem != Composite {
		elems := make([]*tree, t.n)
		for i := range elems {
			elems[i] = newStructTree(Size{})
			if t.elem == Pointer {
				elems[i].ptrs = []*tree{t.ptrs[i]}
			} else if n := elemBytes[t.elem]; n > 0 {
				elems[i].data = append(bytes.Clone(t.data[n*i:n*i+n]), make([]byte, 8-n)...)
			}
		}
		switch {
		case t.elem == Pointer:
			t.size = Size{Ptrs: 1}
		case t.elem != Void:
			t.size = Size{DataWords: 1}
		}
		t.elem, t.data, t.ptrs = Composite, nil, elems
	}
	t.size = maxSize(t.size, sz)
	for _, e := range t.ptrs {
		e.upgrade(t.size)
	}
}

// assign copies the struct src over t, which keeps its size.
func (t *tree) assign(src *tree) {
	src = src.copied()
	clear(t.data)
	clear(t.ptrs)
	if src != nil {
		copy(t.data, src.data)
		copy(t.ptrs, src.ptrs)
	}
}

// trimmed is t in canonical form.
func (t *tree) trimmed() *tree {
	if t == nil {
		return nil
	}
	t = t.copied()
	for i, p := range t.ptrs {
		t.ptrs[i] = p.trimmed()
	}
	switch {
	case t.kind == KindStruct:
		t.data = bytes.TrimRight(t.data, "\x00")
		t.data = append(t.data, make([]byte, -len(t.data)&7)...)
		for len(t.ptrs) > 0 && t.ptrs[len(t.ptrs)-1] == nil {
			t.ptrs = t.ptrs[:len(t.ptrs)-1]
		}
	case t.elem == Composite:
		t.size = Size{}
		for _, e := range t.ptrs {
			t.size = maxSize(t.size, e.structSize())
		}
		for _, e := range t.ptrs {
			e.upgrade(t.size)
		}
	}
	return t
}

// equal is what Ptr.Equal has to give.
func (t *tree) equal(u *tree) Equality {
	switch {
	case t == nil || u == nil:
		if t == u {
			return Equal
		}
		return NotEqual
	case t.kind != u.kind:
		return NotEqual
	case t.kind == KindCapability:
		return UnknownCapabilities
	case t.kind == KindList && (t.elem != u.elem || t.n != u.n):
		return NotEqual
	case t.kind == KindList && !bytes.Equal(t.data, u.data),
		!bytes.Equal(bytes.TrimRight(t.data, "\x00"), bytes.TrimRight(u.data, "\x00")):
		return NotEqual
	}
	e := Equal
	for i := range max(len(t.ptrs), len(u.ptrs)) {
		switch at(t.ptrs, i).equal(at(u.ptrs, i)) {
		case NotEqual:
			return NotEqual
		case UnknownCapabilities:
			e = UnknownCapabilities
		}
	}
	return e
}

func at(ptrs []*tree, i int) *tree {
	if i < len(ptrs) {
		return ptrs[i]
	}
	return nil
}

// hasCapability tells whether a capability is below t.
func (t *tree) hasCapability() bool {
	return t != nil && (t.kind == KindCapability || slices.ContainsFunc(t.ptrs, (*tree).hasCapability))
}

// diff tells where what p leads to differs from t, down to the sizes of structs.
func (t *tree) diff(p Ptr) error {
	if t == nil {
		if !p.IsNull() || p.Kind() != KindNull {
			return fmt.Errorf("%v, want null", p.Kind())
		}
		return nil
	}
	if p.IsNull() || p.Kind() != t.kind {
		return fmt.Errorf("%v, want %v", p.Kind(), t.kind)
	}
	switch t.kind {
	case KindStruct:
		return t.diffStruct(p.Struct())
	case KindCapability:
		if i, ok := p.Capability(); int(i) != t.n || !ok {
			return fmt.Errorf("capability %d, %t, want %d", i, ok, t.n)
		}
		return nil
	}
	l := p.List()
	if l.ElemSize() != t.elem || l.Len() != t.n {
		return fmt.Errorf("a list of %d %v elements, want %d %v", l.Len(), l.ElemSize(), t.n, t.elem)
	}
	switch t.elem {
	case Composite:
		if l.StructSize() != t.size {
			return fmt.Errorf("a list of structs of %v, want %v", l.StructSize(), t.size)
		}
		for i, s := range l.Structs().Indexed() {
			if err := t.ptrs[i].diffStruct(s); err != nil {
				return fmt.Errorf("[%d] %w", i, err)
			}
		}
		return nil
	case Pointer:
		for i, e := range l.Ptrs().Indexed() {
			if err := t.ptrs[i].diff(e); err != nil {
				return fmt.Errorf("[%d] %w", i, err)
			}
		}
		return nil
	}
	if got := elements(l); !bytes.Equal(got, t.data) {
		return fmt.Errorf("%v elements %x, want %x", t.elem, got, t.data)
	}
	if t.isText() {
		if got := p.TextBytes(); !bytes.Equal(got, t.data[:t.n-1]) {
			return fmt.Errorf("text %q, want %q", got, t.data)
		}
	}
	return nil
}

func (t *tree) diffStruct(s Struct) error {
	if s.Size() != t.structSize() {
		return fmt.Errorf("a struct of %v, want %v", s.Size(), t.structSize())
	}
	if !bytes.Equal(s.DataBytes(), t.data) {
		return fmt.Errorf("data %x, want %x", s.DataBytes(), t.data)
	}
	for i, p := range t.ptrs {
		if err := p.diff(s.Ptr(uint16(i))); err != nil {
			return fmt.Errorf(".%d %w", i, err)
		}
	}
	return nil
}

// elements are those of a list without pointers.
func elements(l List) (b []byte) {
	switch l.ElemSize() {
	case Bit:
		b = make([]byte, (l.Len()+7)/8)
		for i, v := range l.Bools().Indexed() {
			if v {
				b[i/8] |= 1 << (i % 8)
			}
		}
	case Byte:
		for v := range NumbersOf[uint8](l).All() {
			b = append(b, v)
		}
	case TwoBytes:
		for v := range NumbersOf[uint16](l).All() {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	case FourBytes:
		for v := range NumbersOf[uint32](l).All() {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	case EightBytes:
		for v := range NumbersOf[uint64](l).All() {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	return b
}

// treeOf is what p leads to; lent tells of bytes that are not the message's.
func treeOf(p Ptr, lent func([]byte) bool) *tree {
	var t *tree
	switch p.Kind() {
	case KindStruct:
		return treeOfStruct(p.Struct(), lent)
	case KindCapability:
		i, _ := p.Capability()
		return &tree{kind: KindCapability, n: int(i)}
	case KindList:
		l := p.List()
		t = &tree{kind: KindList, elem: l.ElemSize(), n: l.Len(), data: elements(l)}
		switch t.elem {
		case Byte:
			t.external = t.n > 0 && lent(p.Data())
		case Composite:
			t.size = l.StructSize()
			for s := range l.Structs().All() {
				t.ptrs = append(t.ptrs, treeOfStruct(s, lent))
			}
		case Pointer:
			for e := range l.Ptrs().All() {
				t.ptrs = append(t.ptrs, treeOf(e, lent))
			}
		}
	}
	return t
}

func treeOfStruct(s Struct, lent func([]byte) bool) *tree {
	t := newStructTree(s.Size())
	copy(t.data, s.DataBytes())
	for i := range t.ptrs {
		t.ptrs[i] = treeOf(s.Ptr(uint16(i)), lent)
	}
	return t
}
