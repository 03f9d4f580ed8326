package segment

import "iter"

// Number is what a list of numbers can hold; an enum is a uint16.
type Number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// structLike is [Struct] and the types that generated code makes of it:
// type Person segment.Struct.
type structLike interface {
	~struct {
		seg  *seg
		data addr
		sz   sizes
	}
}

// Structs reads a list of structs. Any list but one of bits can be read so.
type Structs[T structLike] struct{ l List }

// ReadStructs reads the list of structs that p refers to.
func ReadStructs[T structLike](p Ptr) Structs[T] {
	return Structs[T]{p.structs()}
}

// Structs reads the list of structs that the pointer refers to, where
// generated code has a type for them: see [ReadStructs].
func (p Ptr) Structs() Structs[Struct] { return ReadStructs[Struct](p) }

// structs reads a list to be used as one of structs; its depth is that of the
// elements.
//
//go:noinline
func (p Ptr) structs() List {
	g := p.seg
	if g == nil {
		return List{}
	}
	w := word(g.ld64(p.at, 0))
	start := g.index(p.at) + 1 + w.offset()
	words := int64(w.count())
	// Near, with elements, and deep enough for them.
	if w&(3|7<<32) != kindList|word(Composite)<<32 || words == 0 || p.depth < 2 || start|(g.words-start-words-1) < 0 {
		return p.listOf(w, Composite).elements()
	}
	tag := word(g.ld64(g.at(start), 0))
	n := int64(tag.tagLen())
	each := int64(tag.data()) + int64(tag.ptrs())
	m := g.msg
	if tag.kind() != kindStruct || each == 0 || n == 0 || n*each > words || m.metered && m.budget <= words {
		return p.listOf(w, Composite).elements()
	}
	if m.metered {
		m.budget -= words + 1
	}
	return List{g, g.at(start + 1), sizes{uint32(tag.data()) * wordBytes, tag.ptrs(), p.depth - 2}, length{uint32(n), Composite}}
}

// elements makes sz.depth that of the elements.
func (l List) elements() List {
	if l.n.count == 0 || l.seg == nil {
		return l
	}
	if l.sz.depth == 0 {
		m := l.seg.msg
		m.overLimit("Depth", uint64(m.limits.Depth), uint64(m.limits.Depth)+1)
		l.base, l.sz = l.seg.base, sizes{}
		return l
	}
	l.sz.depth--
	return l
}

// List gives the same list without the type of its elements.
func (l Structs[T]) List() List {
	l.l.sz.depth++
	return l.l
}

// Len is the number of elements.
func (l Structs[T]) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l Structs[T]) At(i int) T {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	return T(Struct{l.l.seg, l.l.place(i), l.l.sz})
}

// All iterates over the elements.
func (l Structs[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range l.Len() {
			if !yield(T(Struct{l.l.seg, l.l.place(i), l.l.sz})) {
				return
			}
		}
	}
}

// Indexed iterates over the elements with their indexes.
func (l Structs[T]) Indexed() iter.Seq2[int, T] { return indexed(l.Len(), l.At) }

func indexed[T any](n int, at func(int) T) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i := range n {
			if !yield(i, at(i)) {
				return
			}
		}
	}
}

func each[T any](n int, at func(int) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range n {
			if !yield(at(i)) {
				return
			}
		}
	}
}

// Numbers reads a list of numbers or enums. A list of wider numbers, or of
// structs with data, can be read so, by the first bytes of each element.
type Numbers[T Number] struct{ l List }

// ReadNumbers reads the list of numbers that p refers to.
func ReadNumbers[T Number](p Ptr) Numbers[T] {
	return Numbers[T]{p.list(elemOf[T]())}
}

// elemOf is the element size of a list of T.
func elemOf[T Number]() ElemSize {
	switch sizeOf[T]() {
	case 1:
		return Byte
	case 2:
		return TwoBytes
	case 4:
		return FourBytes
	}
	return EightBytes
}

// List gives the same list without the type of its elements.
func (l Numbers[T]) List() List { return l.l }

// Len is the number of elements.
func (l Numbers[T]) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l Numbers[T]) At(i int) T {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	return ldNum[T](l.l.seg, l.l.place(i))
}

// All iterates over the elements.
func (l Numbers[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range l.Len() {
			if !yield(ldNum[T](l.l.seg, l.l.place(i))) {
				return
			}
		}
	}
}

// Indexed iterates over the elements with their indexes.
func (l Numbers[T]) Indexed() iter.Seq2[int, T] { return indexed(l.Len(), l.At) }

// dense tells whether the elements lie one after the other.
func (l List) dense(size uint32) bool { return l.sz.data == size && l.sz.ptrs == 0 }

// View gives the elements as a slice of the message's memory, without copying,
// valid until its Release and not to be modified. ok is false where that can't
// be: the list was written with larger elements, the machine is not
// little-endian, or the build avoids unsafe. [Numbers.Copy] always works.
func (l Numbers[T]) View() (vals []T, ok bool) {
	if !nativeViews || !l.l.dense(sizeOf[T]()) {
		return nil, l.l.n.count == 0
	}
	n := l.Len()
	return view[T](l.l.seg, l.l.base, n)[:n:n], true
}

// Copy copies elements to dst and returns how many: the smaller of the two
// lengths.
func (l Numbers[T]) Copy(dst []T) int {
	n := min(len(dst), l.Len())
	if v, ok := l.View(); ok {
		return copy(dst, v[:n])
	}
	for i := range n {
		dst[i] = ldNum[T](l.l.seg, l.l.place(i))
	}
	return n
}

// Bools reads a list of bits. No other list can be read so.
type Bools struct{ l List }

// Bools reads the list of Bool that the pointer refers to.
func (p Ptr) Bools() Bools { return Bools{p.list(Bit)} }

// List gives the same list without the type of its elements.
func (l Bools) List() List { return l.l }

// Len is the number of elements.
func (l Bools) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l Bools) At(i int) bool {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	return l.l.seg.ld8(l.l.base, uint32(i)>>3)>>(uint(i)&7)&1 != 0
}

// All iterates over the elements.
func (l Bools) All() iter.Seq[bool] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l Bools) Indexed() iter.Seq2[int, bool] { return indexed(l.Len(), l.At) }

// Ptrs reads a list of pointers: of lists, of interfaces, of anything. A list
// of structs can be read so, by the first pointer of each.
type Ptrs struct{ l List }

// Ptrs reads the list of pointers that the pointer refers to.
func (p Ptr) Ptrs() Ptrs { return Ptrs{p.list(Pointer)} }

// List gives the same list without the type of its elements.
func (l Ptrs) List() List { return l.l }

// Len is the number of elements.
func (l Ptrs) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l Ptrs) At(i int) Ptr {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	return Ptr{l.l.seg, step(l.l.place(i), uint(l.l.sz.data)), l.l.sz.depth}
}

// All iterates over the elements.
func (l Ptrs) All() iter.Seq[Ptr] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l Ptrs) Indexed() iter.Seq2[int, Ptr] { return indexed(l.Len(), l.At) }

// Texts reads a list of Text.
type Texts struct{ p Ptrs }

// Texts reads the list of Text that the pointer refers to.
func (p Ptr) Texts() Texts { return Texts{p.Ptrs()} }

// List gives the same list without the type of its elements.
func (l Texts) List() List { return l.p.l }

// Len is the number of elements.
func (l Texts) Len() int { return l.p.Len() }

// At copies element i. It panics where the list has no such, as a slice does.
func (l Texts) At(i int) string { return l.p.At(i).Text() }

// BytesAt gives element i without copying it. See [Ptr.TextBytes].
func (l Texts) BytesAt(i int) []byte { return l.p.At(i).TextBytes() }

// All iterates over copies of the elements.
func (l Texts) All() iter.Seq[string] { return each(l.Len(), l.At) }

// Indexed iterates over copies of the elements with their indexes.
func (l Texts) Indexed() iter.Seq2[int, string] { return indexed(l.Len(), l.At) }

// Datas reads a list of Data.
type Datas struct{ p Ptrs }

// Datas reads the list of Data that the pointer refers to.
func (p Ptr) Datas() Datas { return Datas{p.Ptrs()} }

// List gives the same list without the type of its elements.
func (l Datas) List() List { return l.p.l }

// Len is the number of elements.
func (l Datas) Len() int { return l.p.Len() }

// At gives element i without copying it. See [Ptr.Data]. It panics where the
// list has no such, as a slice does.
func (l Datas) At(i int) []byte { return l.p.At(i).Data() }

// All iterates over the elements.
func (l Datas) All() iter.Seq[[]byte] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l Datas) Indexed() iter.Seq2[int, []byte] { return indexed(l.Len(), l.At) }

// Structs reads a list of any elements but bits as structs.
func (l List) Structs() Structs[Struct] {
	if l.seg == nil || !l.usable(Composite) {
		return Structs[Struct]{}
	}
	return Structs[Struct]{l.elements()}
}

// Ptrs reads a list of any elements by their first pointer.
func (l List) Ptrs() Ptrs {
	if l.seg == nil || !l.usable(Pointer) {
		return Ptrs{}
	}
	return Ptrs{l}
}

// Bools reads a list of bits.
func (l List) Bools() Bools {
	if l.seg == nil || !l.usable(Bit) {
		return Bools{}
	}
	return Bools{l}
}

// NumbersOf reads a list of any elements by the first bytes of each.
func NumbersOf[T Number](l List) Numbers[T] {
	if l.seg == nil || !l.usable(elemOf[T]()) {
		return Numbers[T]{}
	}
	return Numbers[T]{l}
}

func (l List) usable(want ElemSize) bool {
	if compatible(l, want) {
		return true
	}
	l.seg.malformed(l.base, "expected a list of %s elements, found %s elements (%d bytes of data, %d pointers)", want, l.n.elem, l.sz.data, l.sz.ptrs)
	return false
}
