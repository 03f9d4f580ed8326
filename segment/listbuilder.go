package segment

import (
	"iter"
	"math"
)

// ListBuilder builds a list of any elements. It is a small value, valid as a
// [StructBuilder] is. A failed list keeps the length that was asked for, so
// that filling it in a loop does nothing instead of panicking.
type ListBuilder struct {
	seg  *seg
	head addr
	sz   sizes
	n    length
}

// Reader gives the same list for reading, at no cost. That of a failed list is
// empty.
func (l ListBuilder) Reader() List {
	if l.seg == nil {
		return List{}
	}
	return List{l.seg, l.head, sizes{l.sz.data, l.sz.ptrs, math.MaxUint16}, l.n}
}

// Len is the number of elements.
func (l ListBuilder) Len() int { return int(l.n.count) }

// place is where element i lies. The caller has compared i with the length.
func (l ListBuilder) place(i int) addr {
	return step(l.head, uint(i)*(uint(l.sz.data)+uint(l.sz.ptrs)*wordBytes))
}

// NewList builds a list of n zero elements of size e, which is not Composite:
// see [PtrBuilder.NewStructList]. A list has at most 2^29 - 1 elements.
func (p PtrBuilder) NewList(e ElemSize, n int) ListBuilder {
	if e >= Composite {
		panic("segment: NewList makes no list of " + e.String() + " elements")
	}
	if uint(n) > maxListLen {
		p.tooLong("elements of a list", maxListLen, n)
		return ListBuilder{n: length{lenOf(n), e}}
	}
	return p.newList(e, n)
}

//go:noinline
func (p PtrBuilder) newList(e ElemSize, n int) ListBuilder {
	failed := ListBuilder{n: length{uint32(n), e}}
	o := place(p.seg, p.at, listWords(e, uint32(n)))
	if o.seg == nil {
		return failed
	}
	o.describe(listWord(e, uint32(n)))
	at := target{seg: o.seg, start: o.start}.place()
	return ListBuilder{o.seg, at, sizes{data: elemData[e], ptrs: elemPtrs[e]}, failed.n}
}

// NewStructList builds a list of n structs of size sz, all zero. The whole
// list is smaller than 2^29 words.
func (p PtrBuilder) NewStructList(sz Size, n int) ListBuilder {
	return p.field().NewStructList(0, sz, n)
}

// NewStructList builds a list of n structs of size sz, all zero, under pointer
// i. See [PtrBuilder.NewStructList].
//
//go:noinline
func (s StructBuilder) NewStructList(i uint16, sz Size, n int) ListBuilder {
	words := (int64(sz.DataWords) + int64(sz.Ptrs)) * int64(n)
	if i >= s.sz.ptrs || uint(n) > maxListLen || words == 0 {
		return s.newStructListSlow(i, sz, n)
	}
	g, at := s.seg, step(s.base, uint(s.sz.data)+uint(i)*wordBytes)
	start := g.words
	if start+words >= g.limit || g.ld64(at, 0) != 0 {
		return g.listBeside(at, sz, n)
	}
	g.words = start + words + 1
	tag := g.at(start)
	g.st64(at, 0, uint64(link(listWord(Composite, uint32(words)), at, tag)))
	g.st64(tag, 0, uint64(tagWord(uint32(n), sz)))
	return ListBuilder{g, step(tag, wordBytes), sizes{data: uint32(sz.DataWords) * wordBytes, ptrs: sz.Ptrs}, length{uint32(n), Composite}}
}

//go:noinline
func (s StructBuilder) newStructListSlow(i uint16, sz Size, n int) ListBuilder {
	return s.Ptr(i).newStructListSlow(sz, n)
}

//go:noinline
func (p PtrBuilder) newStructListSlow(sz Size, n int) ListBuilder {
	if uint(n) > maxListLen {
		p.tooLong("elements of a list", maxListLen, n)
		return ListBuilder{n: length{lenOf(n), Composite}}
	}
	failed := ListBuilder{n: length{uint32(n), Composite}}
	words := int64(sz.Words()) * int64(n)
	if words >= maxSegmentWords {
		p.tooLong("words of a list", maxSegmentWords-1, int(min(words, math.MaxInt)))
		return failed
	}
	o := place(p.seg, p.at, words+1)
	if o.seg == nil {
		return failed
	}
	o.describe(listWord(Composite, uint32(words)))
	o.seg.st64(o.seg.at(o.start), 0, uint64(tagWord(uint32(n), sz)))
	at := target{seg: o.seg, start: o.start + 1}.place()
	return ListBuilder{o.seg, at, sizes{data: uint32(sz.DataWords) * wordBytes, ptrs: sz.Ptrs}, failed.n}
}

// builderLike is [StructBuilder] and the types that generated code makes of
// it: type PersonBuilder segment.StructBuilder.
type builderLike interface {
	~struct {
		seg  *seg
		base addr
		sz   sizes
	}
}

// StructsBuilder builds a list of structs.
type StructsBuilder[T builderLike] struct{ l ListBuilder }

// NewStructs builds a list of n structs of size sz, all zero, under p.
func NewStructs[T builderLike](p PtrBuilder, sz Size, n int) StructsBuilder[T] {
	return StructsBuilder[T]{p.NewStructList(sz, n)}
}

// NewStructsIn builds a list of n structs of size sz, all zero, under pointer i
// of s.
func NewStructsIn[T builderLike](s StructBuilder, i uint16, sz Size, n int) StructsBuilder[T] {
	return StructsBuilder[T]{s.NewStructList(i, sz, n)}
}

// EditStructs gives the list of structs under p, of size sz at least. See
// [PtrBuilder.StructList].
func EditStructs[T builderLike](p PtrBuilder, sz Size) StructsBuilder[T] {
	return StructsBuilder[T]{p.StructList(sz)}
}

// List gives the same list without the type of its elements.
func (l StructsBuilder[T]) List() ListBuilder { return l.l }

// Len is the number of elements.
func (l StructsBuilder[T]) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l StructsBuilder[T]) At(i int) T {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	return T(StructBuilder{l.l.seg, l.l.place(i), l.l.sz})
}

// All iterates over the elements.
func (l StructsBuilder[T]) All() iter.Seq[T] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l StructsBuilder[T]) Indexed() iter.Seq2[int, T] { return indexed(l.Len(), l.At) }

// Set copies src deeply into element i. What does not fit the elements' size
// is lost. Setting an element to itself changes nothing.
func (l StructsBuilder[T]) Set(i int, src Struct) {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	StructBuilder{l.l.seg, l.l.place(i), l.l.sz}.CopyFrom(src)
}

// NumbersBuilder builds a list of numbers or enums.
type NumbersBuilder[T Number] struct{ l ListBuilder }

// NewNumbers builds a list of n zeros under p.
func NewNumbers[T Number](p PtrBuilder, n int) NumbersBuilder[T] {
	return NumbersBuilder[T]{p.NewList(elemOf[T](), n)}
}

// EditNumbers gives the list of numbers under p. See [PtrBuilder.List].
func EditNumbers[T Number](p PtrBuilder) NumbersBuilder[T] {
	return NumbersBuilder[T]{p.List(elemOf[T]())}
}

// Reader gives the same list for reading.
func (l NumbersBuilder[T]) Reader() Numbers[T] { return Numbers[T]{l.l.Reader()} }

// List gives the same list without the type of its elements.
func (l NumbersBuilder[T]) List() ListBuilder { return l.l }

// Len is the number of elements.
func (l NumbersBuilder[T]) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l NumbersBuilder[T]) At(i int) T {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	if l.l.seg == nil {
		return 0
	}
	return ldNum[T](l.l.seg, l.l.place(i))
}

// Set sets element i. It panics where the list has no such, as a slice does.
func (l NumbersBuilder[T]) Set(i int, v T) {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	if l.l.seg != nil {
		stNum(l.l.seg, l.l.place(i), v)
	}
}

// View gives the elements as a slice of the message's memory, to be read and
// written in place, valid until its Release. See [Numbers.View].
func (l NumbersBuilder[T]) View() (vals []T, ok bool) { return l.Reader().View() }

// Copy sets elements from vals and returns how many: the smaller of the two
// lengths.
func (l NumbersBuilder[T]) Copy(vals []T) int {
	n := min(len(vals), l.Len())
	if n == 0 || l.l.seg == nil {
		return n
	}
	if v, ok := l.View(); ok {
		return copy(v, vals)
	}
	for i, v := range vals[:n] {
		stNum(l.l.seg, l.l.place(i), v)
	}
	return n
}

// All iterates over the elements.
func (l NumbersBuilder[T]) All() iter.Seq[T] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l NumbersBuilder[T]) Indexed() iter.Seq2[int, T] { return indexed(l.Len(), l.At) }

// BoolsBuilder builds a list of bits.
type BoolsBuilder struct{ l ListBuilder }

// NewBools builds a list of n times false.
func (p PtrBuilder) NewBools(n int) BoolsBuilder { return BoolsBuilder{p.NewList(Bit, n)} }

// Bools gives the list of bits that is there.
func (p PtrBuilder) Bools() BoolsBuilder { return BoolsBuilder{p.List(Bit)} }

// Reader gives the same list for reading.
func (l BoolsBuilder) Reader() Bools { return Bools{l.l.Reader()} }

// Len is the number of elements.
func (l BoolsBuilder) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l BoolsBuilder) At(i int) bool {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	return l.l.seg != nil && l.l.bits().Reader().Bool(uint32(i))
}

// Set sets element i. It panics where the list has no such, as a slice does.
func (l BoolsBuilder) Set(i int, v bool) {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	l.l.bits().SetBool(uint32(i), v)
}

// bits gives a list of bits as the data section of a struct.
func (l ListBuilder) bits() StructBuilder {
	if l.seg == nil {
		return StructBuilder{}
	}
	return StructBuilder{l.seg, l.head, sizes{data: (l.n.count + 7) / 8}}
}

// All iterates over the elements.
func (l BoolsBuilder) All() iter.Seq[bool] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l BoolsBuilder) Indexed() iter.Seq2[int, bool] { return indexed(l.Len(), l.At) }

// PtrsBuilder builds a list of pointers: to texts, data, lists or anything.
type PtrsBuilder struct{ l ListBuilder }

// NewPtrs builds a list of n null pointers.
func (p PtrBuilder) NewPtrs(n int) PtrsBuilder { return PtrsBuilder{p.NewList(Pointer, n)} }

// Ptrs gives the list of pointers that is there.
func (p PtrBuilder) Ptrs() PtrsBuilder { return PtrsBuilder{p.List(Pointer)} }

// Reader gives the same list for reading.
func (l PtrsBuilder) Reader() Ptrs { return Ptrs{l.l.Reader()} }

// Len is the number of elements.
func (l PtrsBuilder) Len() int { return int(l.l.n.count) }

// At gives element i. It panics where the list has no such, as a slice does.
func (l PtrsBuilder) At(i int) PtrBuilder {
	if uint(i) >= uint(l.l.n.count) {
		_ = none[:l.l.n.count][i]
	}
	if l.l.seg == nil {
		return PtrBuilder{}
	}
	return PtrBuilder{l.l.seg, step(l.l.place(i), uint(l.l.sz.data))}
}

// All iterates over the elements.
func (l PtrsBuilder) All() iter.Seq[PtrBuilder] { return each(l.Len(), l.At) }

// Indexed iterates over the elements with their indexes.
func (l PtrsBuilder) Indexed() iter.Seq2[int, PtrBuilder] { return indexed(l.Len(), l.At) }
