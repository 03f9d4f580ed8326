package segment

import "bytes"

// Equality is the outcome of comparing two objects.
type Equality uint8

// The outcomes.
const (
	NotEqual Equality = iota
	Equal
	// UnknownCapabilities: equal but for capabilities, which can't be compared
	// by their indexes.
	UnknownCapabilities
)

// worse lets NotEqual win, and then UnknownCapabilities.
func worse(a, b Equality) Equality {
	if a == NotEqual || b == NotEqual {
		return NotEqual
	}
	return max(a, b)
}

// Equal compares what two pointers lead to, by structure: trailing zero words
// and null pointers of a struct do not count, the element size of a list does.
// It reads both, within their limits; look at both messages' Err afterwards,
// for what can't be read compares as null.
func (p Ptr) Equal(q Ptr) Equality {
	k, a := p.object()
	kq, b := q.object()
	if k.orNull() != kq.orNull() {
		return NotEqual
	}
	switch k {
	case KindStruct:
		return p.structAt(a).Equal(q.structAt(b))
	case KindList:
		return p.listAt(a, anyElem).Equal(q.listAt(b, anyElem))
	case KindCapability:
		return UnknownCapabilities
	}
	return Equal
}

// Equal compares two structs. See [Ptr.Equal].
func (s Struct) Equal(t Struct) Equality {
	if !bytes.Equal(trimZeros(s.DataBytes()), trimZeros(t.DataBytes())) {
		return NotEqual
	}
	e := Equal
	for i := uint16(0); i < max(s.sz.ptrs, t.sz.ptrs) && e != NotEqual; i++ {
		e = worse(e, s.Ptr(i).Equal(t.Ptr(i)))
	}
	return e
}

// orNull takes what can't be read for null.
func (k Kind) orNull() Kind {
	if k == KindInvalid {
		return KindNull
	}
	return k
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// Equal compares two lists. See [Ptr.Equal].
func (l List) Equal(r List) Equality {
	if l.n != r.n {
		return NotEqual
	}
	e := Equal
	switch l.n.elem {
	case Void:
	case Bit:
		a, b := Bools{l}, Bools{r}
		for i := range l.Len() {
			if a.At(i) != b.At(i) {
				return NotEqual
			}
		}
	case Pointer:
		a, b := Ptrs{l}, Ptrs{r}
		for i := 0; i < l.Len() && e != NotEqual; i++ {
			e = worse(e, a.At(i).Equal(b.At(i)))
		}
	case Composite:
		a, b := l.Structs(), r.Structs()
		for i := 0; i < l.Len() && e != NotEqual; i++ {
			e = worse(e, a.At(i).Equal(b.At(i)))
		}
	default:
		n := int(l.n.count) * int(l.sz.data)
		if n != 0 && !bytes.Equal(l.seg.bytes(l.base, n), r.seg.bytes(r.base, n)) {
			return NotEqual
		}
	}
	return e
}
