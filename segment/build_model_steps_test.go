package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/fairlead-go/fairlead/segment"
)

// maxModelWords bounds what a model grows to.
const maxModelWords = 3000

// place chooses a pointer of the message, and that of the model.
func (s *session) place() (PtrBuilder, **tree) { return s.below(s.m.RootBuilder(), &s.root) }

func (s *session) below(p PtrBuilder, t **tree) (PtrBuilder, **tree) {
	for depth := 0; *t != nil && len((*t).ptrs) > 0 && (depth == 0 && s.IntN(20) > 0 || s.IntN(4) > 0); depth++ {
		i := s.IntN(len((*t).ptrs))
		switch {
		case (*t).kind == KindStruct:
			p = p.Struct(Size{}).Ptr(uint16(i))
			t = &(*t).ptrs[i]
		case (*t).elem == Pointer:
			p = p.Ptrs().At(i)
			t = &(*t).ptrs[i]
		default:
			e := (*t).ptrs[i]
			if len(e.ptrs) == 0 {
				return p, t
			}
			j := s.IntN(len(e.ptrs))
			p = EditStructs[StructBuilder](p, Size{}).At(i).Ptr(uint16(j))
			t = &e.ptrs[j]
		}
	}
	return p, t
}

// any chooses a pointer to be read, of this message or another.
func (s *session) any() (Ptr, *tree) {
	if n := s.IntN(len(s.others) + 2); n < len(s.others) {
		o := s.others[n]
		p, t := o.m.Root(), o.t
		for t != nil && len(t.ptrs) > 0 && s.IntN(4) > 0 {
			i := s.IntN(len(t.ptrs))
			if t.isList(Composite) {
				e := t.ptrs[i]
				if len(e.ptrs) == 0 {
					break
				}
				j := s.IntN(len(e.ptrs))
				p, t = p.Structs().At(i).Ptr(uint16(j)), e.ptrs[j]
			} else if t.kind == KindStruct {
				p, t = p.Struct().Ptr(uint16(i)), t.ptrs[i]
			} else {
				p, t = p.Ptrs().At(i), t.ptrs[i]
			}
		}
		return p, t
	}
	p, t := s.place()
	return p.Reader(), *t
}

// few is any with something small enough to be copied once more.
func (s *session) few() (Ptr, *tree) {
	p, t := s.any()
	if t.words() > 300 || s.root.words() > maxModelWords {
		return Ptr{}, nil
	}
	return p, t
}

func (s *session) size() Size {
	return Size{DataWords: uint16(s.IntN(4)), Ptrs: uint16(s.IntN(4))}
}

func (s *session) some(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		if s.IntN(3) > 0 {
			b[i] = byte(s.Uint32())
		}
	}
	return b
}

// length is mostly small.
func (s *session) length() int { return s.IntN(2 << s.IntN(6)) }

// fault expects one of the message and forgets it.
func (s *session) fault(kind error) error {
	err := s.m.Err()
	s.m.ClearErr()
	if !errors.Is(err, kind) {
		return fmt.Errorf("fault %w, want %w", err, kind)
	}
	return nil
}

// step does one thing to the message and to the model.
func (s *session) step() error {
	steps := []struct {
		name string
		do   func(p PtrBuilder, t **tree) error
	}{
		{"clear", s.stepClear},
		{"bytes", s.stepBytes},
		{"bytes", s.stepBytes},
		{"external", s.stepExternal},
		{"struct", s.stepStruct},
		{"struct", s.stepStruct},
		{"structs", s.stepStructs},
		{"structs", s.stepStructs},
		{"list", s.stepList},
		{"list", s.stepList},
		{"set", s.stepSet},
		{"set", s.stepSet},
		{"upgrade", s.stepUpgrade},
		{"or", s.stepOr},
		{"overwrite", s.stepOverwrite},
		{"overwrite", s.stepOverwrite},
		{"overwrite", s.stepOverwrite},
		{"copy", s.stepCopy},
		{"disown", s.stepDisown},
		{"adopt", s.stepAdopt},
		{"new orphan", s.stepOrphan},
		{"resize", s.stepResize},
		{"resize", s.stepResize},
		{"orphan upgrade", s.stepOrphanUpgrade},
		{"misuse", s.stepMisuse},
	}
	d := steps[s.IntN(len(steps))]
	s.log = append(s.log, d.name)
	p, t := s.place()
	err := d.do(p, t)
	if s.refuses && (errors.Is(err, ErrArena) || errors.Is(s.m.Err(), ErrArena)) {
		// What should have been replaced may be gone; all else is there.
		s.m.ClearErr()
		s.refusals++
		s.dropped = true
		*t = treeOf(p.Reader(), s.isLent)
		if strings.Contains(d.name, "orphan") || d.name == "adopt" || d.name == "resize" || p.Message() == nil {
			s.orphans = nil
		}
		return s.same("after a refusal", s.m)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	if err := s.m.Err(); err != nil {
		return fmt.Errorf("%s: fault: %w", d.name, err)
	}
	return nil
}

func (s *session) stepClear(p PtrBuilder, t **tree) error {
	if s.IntN(4) == 0 {
		n := s.IntN(1000)
		p.SetCapability(uint32(n))
		*t = &tree{kind: KindCapability, n: n}
		return nil
	}
	p.Clear()
	*t = nil
	return nil
}

func (s *session) stepBytes(p PtrBuilder, t **tree) error {
	v := s.some(s.length())
	if s.IntN(20) == 0 {
		v = s.some(s.IntN(3000))
	}
	switch s.IntN(5) {
	case 0:
		p.SetText(string(v))
		v = append(v, 0)
	case 1:
		copy(p.NewText(len(v)), v)
		v = append(v, 0)
	case 2:
		p.SetData(v)
	case 3:
		b := p.NewData(len(v))
		if len(bytes.Trim(b, "\x00")) != 0 {
			return fmt.Errorf("NewData gives %x", b)
		}
		copy(b, v)
	case 4:
		copy(p.NewDirtyData(len(v)), v)
	}
	*t = newBytesTree(v)
	return nil
}

// lend gives bytes for the message to refer to, and counts when it no longer does.
func (s *session) lend() ([]byte, func()) {
	n := 1 + s.length()
	b := append(s.some(n), make([]byte, 8)...)[:n]
	s.lent = append(s.lent, b)
	return b, func() { s.back++ }
}

func (s *session) stepExternal(p PtrBuilder, t **tree) error {
	v, release := s.lend()
	var uncopied bool
	if s.IntN(2) == 0 {
		v[len(v)-1] = 0
		uncopied = p.SetExternalText(v, release)
	} else {
		uncopied = p.SetExternalData(v, release)
	}
	*t = newBytesTree(v)
	(*t).external = uncopied
	if !uncopied && s.m.Segments() < 400 {
		return errors.New("it was copied")
	}
	return nil
}

func (s *session) stepStruct(p PtrBuilder, t **tree) error {
	sz := s.size()
	b := p.NewStruct(sz)
	*t = newStructTree(sz)
	s.fill(b, *t)
	return nil
}

func (s *session) stepStructs(p PtrBuilder, t **tree) error {
	sz, n := s.size(), s.IntN(8)
	l := NewStructs[StructBuilder](p, sz, n)
	*t = newStructsTree(sz, n)
	for i, e := range (*t).ptrs {
		s.fill(l.At(i), e)
	}
	return nil
}

func (s *session) stepList(p PtrBuilder, t **tree) error {
	e := ElemSize(s.IntN(int(Composite)))
	n := s.length()
	if e == Pointer {
		n = s.IntN(8)
	}
	l := p.NewList(e, n)
	if l.Len() != n {
		return fmt.Errorf("%d elements, want %d", l.Len(), n)
	}
	*t = newListTree(e, n)
	for range n / 2 {
		s.setElement(p, *t)
	}
	return nil
}

// fill sets some fields of a struct.
func (s *session) fill(b StructBuilder, t *tree) {
	for range s.IntN(4) {
		s.setField(b, t)
	}
}

// setField sets a field of any width, which may be beyond the struct's end.
func (s *session) setField(b StructBuilder, t *tree) {
	v := s.Uint64()
	at := uint32(s.IntN(len(t.data) + 9))
	var w [8]byte
	binary.LittleEndian.PutUint64(w[:], v)
	put := func(n uint32) {
		if at %= uint32(len(t.data)) + 9; at-at%n+n <= uint32(len(t.data)) {
			copy(t.data[at-at%n:], w[:n])
		}
		at -= at % n
	}
	switch s.IntN(8) {
	case 0:
		put(1)
		b.SetUint8(at, uint8(v))
	case 1:
		put(2)
		b.SetInt16(at, int16(v))
	case 2:
		put(4)
		b.SetUint32(at, uint32(v))
	case 3:
		put(8)
		b.SetUint64(at, v)
	case 4:
		bit := at*8 + uint32(v%8)
		setBit(t.data, bit, v&8 != 0)
		b.SetBool(bit, v&8 != 0)
	case 5:
		bit, n := uint32(s.IntN(8*len(t.data)+70)), uint64(s.IntN(100))
		b.ClearData(bit, n)
		for i := range n {
			setBit(t.data, bit+uint32(i), false)
		}
	case 6:
		put(4)
		b.SetInt32(at, int32(v))
	case 7:
		if len(t.ptrs) > 0 {
			i, text := s.IntN(len(t.ptrs)), s.some(s.length())
			b.SetText(uint16(i), string(text))
			t.ptrs[i] = newBytesTree(append(text, 0))
		}
	}
}

func setBit(b []byte, bit uint32, v bool) {
	if int(bit/8) >= len(b) {
		return
	}
	if b[bit/8] &^= 1 << (bit % 8); v {
		b[bit/8] |= 1 << (bit % 8)
	}
}

// setElement sets an element of a list without pointers.
func (s *session) setElement(p PtrBuilder, t *tree) {
	if t.n == 0 || s.m.Err() != nil {
		return
	}
	i, v := s.IntN(t.n), s.Uint64()
	var w [8]byte
	binary.LittleEndian.PutUint64(w[:], v)
	switch t.elem {
	case Bit:
		p.Bools().Set(i, v&1 != 0)
		setBit(t.data, uint32(i), v&1 != 0)
	case Byte:
		EditNumbers[uint8](p).Set(i, uint8(v))
	case TwoBytes:
		EditNumbers[int16](p).Set(i, int16(v))
	case FourBytes:
		EditNumbers[uint32](p).Set(i, uint32(v))
	case EightBytes:
		EditNumbers[uint64](p).Copy([]uint64{v})
		i = 0
	}
	if n := elemBytes[min(t.elem, Pointer)]; n > 0 {
		copy(t.data[n*i:], w[:n])
	}
}

func (s *session) stepOverwrite(p PtrBuilder, t **tree) error {
	switch {
	case *t == nil || (*t).kind == KindCapability:
		return nil
	case (*t).kind == KindStruct:
		b := p.Struct(Size{})
		if s.IntN(15) == 0 {
			b.Clear()
			(*t).assign(nil)
		}
		s.fill(b, *t)
	case (*t).elem == Composite:
		if (*t).n == 0 {
			return nil
		}
		i := s.IntN((*t).n)
		if e := (*t).ptrs[i]; s.IntN(3) == 0 && len(e.data) > 0 {
			// Read as numbers the list is one of the first bytes of each element.
			v := uint16(s.Uint32())
			EditNumbers[uint16](p).Set(i, v)
			binary.LittleEndian.PutUint16(e.data, v)
			return nil
		}
		s.fill(EditStructs[StructBuilder](p, Size{}).At(i), (*t).ptrs[i])
	case (*t).external:
		if p.Data() != nil {
			return errors.New("external data can be written")
		}
		return s.fault(ErrReadOnly)
	case (*t).elem == Byte && (*t).n > 0 && s.IntN(2) == 0:
		b, v := p.Data(), s.some((*t).n)
		copy(b, v)
		copy((*t).data, v)
	default:
		s.setElement(p, *t)
	}
	return nil
}

func (s *session) stepSet(p PtrBuilder, t **tree) error {
	src, st := s.few()
	c := st.copied()
	switch {
	case c != nil && c.kind == KindStruct && s.IntN(2) == 0:
		p.SetStruct(src.Struct())
	case c != nil && c.kind == KindList && s.IntN(2) == 0:
		p.SetList(src.List())
	default:
		p.Set(src)
	}
	*t = c
	return nil
}

// stepCopy copies one struct over another. To itself that changes nothing: what is lent stays so.
func (s *session) stepCopy(p PtrBuilder, t **tree) error {
	src, st := s.few()
	var from Struct
	switch {
	case st == nil:
	case st.kind == KindStruct:
		from = src.Struct()
	case st.isList(Composite) && st.n > 0:
		i := s.IntN(st.n)
		from, st = src.Structs().At(i), st.ptrs[i]
	default:
		st = nil
	}
	switch {
	case *t == nil:
	case (*t).kind == KindStruct:
		p.Struct(Size{}).CopyFrom(from)
		if *t != st {
			(*t).assign(st)
		}
	case (*t).isList(Composite) && (*t).n > 0:
		i := s.IntN((*t).n)
		e := (*t).ptrs[i]
		EditStructs[StructBuilder](p, Size{}).Set(i, from)
		if e != st {
			e.assign(st)
		}
	}
	return nil
}

// small tells whether a list may become one of structs of any size here.
func (t *tree) small() bool { return t == nil || t.n <= 130 }

// upgrades tells what happens to a list that is wanted as one of structs.
func (t *tree) upgrades() error {
	switch {
	case t.kind != KindList, t.elem == Bit:
		return ErrMalformed
	case t.external:
		return ErrReadOnly
	}
	return nil
}

func (s *session) stepUpgrade(p PtrBuilder, t **tree) error {
	sz := s.size()
	if s.IntN(2) == 0 {
		b := p.Struct(sz)
		if *t == nil {
			*t = newStructTree(Size{})
		}
		if (*t).kind != KindStruct {
			return s.fault(ErrMalformed)
		}
		(*t).upgrade(sz)
		s.fill(b, *t)
		return nil
	}
	if !(*t).small() {
		return nil
	}
	l := EditStructs[StructBuilder](p, sz)
	if *t == nil {
		if l.Len() != 0 {
			return fmt.Errorf("null is a list of %d", l.Len())
		}
		return nil
	}
	if kind := (*t).upgrades(); kind != nil {
		return s.fault(kind)
	}
	(*t).upgradeList(sz)
	if l.Len() != (*t).n {
		return fmt.Errorf("%d elements, want %d", l.Len(), (*t).n)
	}
	if l.Len() > 0 {
		i := s.IntN(l.Len())
		s.fill(l.At(i), (*t).ptrs[i])
	}
	return nil
}

// stepOr builds copies of defaults.
func (s *session) stepOr(p PtrBuilder, t **tree) error {
	src, st := s.few()
	sz := s.size()
	if *t != nil || st == nil {
		return nil
	}
	st = st.copied()
	switch {
	case st.kind == KindStruct:
		p.StructOr(sz, src.Struct())
		st.upgrade(sz)
	case st.kind == KindList && st.elem != Bit && st.small() && s.IntN(2) == 0:
		p.StructListOr(sz, src.List())
		st.upgradeList(sz)
	case st.kind == KindList && st.elem != Composite:
		if l := p.ListOr(st.elem, src.List()); l.Len() != st.n {
			return fmt.Errorf("%d elements, want %d", l.Len(), st.n)
		}
	default:
		return nil
	}
	*t = st
	return nil
}

func (s *session) stepDisown(p PtrBuilder, t **tree) error {
	s.orphans = append(s.orphans, held{p.Disown(), *t})
	*t = nil
	if !p.IsNull() {
		return errors.New("the pointer is not null")
	}
	if len(s.orphans) > 6 {
		i := s.IntN(len(s.orphans))
		if s.IntN(2) == 0 {
			s.orphans[i].o.Discard()
			if !s.orphans[i].o.IsNull() {
				return errors.New("what was discarded is not null")
			}
		} else {
			s.dropped = s.dropped || s.orphans[i].t != nil
		}
		s.orphans = slices.Delete(s.orphans, i, i+1)
	}
	return nil
}

// orphan chooses one.
func (s *session) orphan() (*held, bool) {
	if len(s.orphans) == 0 {
		return nil, false
	}
	return &s.orphans[s.IntN(len(s.orphans))], true
}

func (s *session) stepAdopt(p PtrBuilder, t **tree) error {
	if len(s.orphans) == 0 {
		return nil
	}
	i := s.IntN(len(s.orphans))
	h := s.orphans[i]
	p.Adopt(h.o)
	*t = h.t
	s.orphans = slices.Delete(s.orphans, i, i+1)
	if s.IntN(4) == 0 {
		p.Adopt(h.o)
		return s.fault(ErrMisuse)
	}
	return nil
}

func (s *session) stepOrphan(PtrBuilder, **tree) error {
	var h held
	n, sz, v := s.length(), s.size(), s.some(s.length())
	switch s.IntN(8) {
	case 0:
		h = held{s.m.NewOrphanStruct(sz), newStructTree(sz)}
	case 1:
		e := ElemSize(s.IntN(int(Pointer)))
		h = held{s.m.NewOrphanList(e, n), newListTree(e, n)}
	case 2:
		n %= 8
		h = held{s.m.NewOrphanStructList(sz, n), newStructsTree(sz, n)}
	case 3:
		h = held{s.m.NewOrphanText(string(v)), newBytesTree(append(v, 0))}
	case 4:
		h = held{s.m.NewOrphanData(v), newBytesTree(v)}
	case 5:
		b, release := s.lend()
		h = held{s.m.NewOrphanExternal(b, release), newBytesTree(b)}
		if h.t.external = h.o.Data() == nil; h.t.external {
			if err := s.fault(ErrReadOnly); err != nil {
				return err
			}
		}
	case 6:
		src, st := s.few()
		h = held{s.m.NewOrphanCopy(src), st.copied()}
	case 7:
		return s.concat()
	}
	s.orphans = append(s.orphans, h)
	return nil
}

// concat joins lists of the same elements.
func (s *session) concat() error {
	var lists []List
	var sum *tree
	for range 12 {
		p, t := s.few()
		switch {
		case t == nil || t.kind != KindList || sum != nil && sum.n+t.n > 130:
			continue
		case sum == nil:
			sum = t.copied()
		case sum.elem != t.elem:
			if s.IntN(4) == 0 {
				s.m.NewOrphanConcat(append(lists, p.List())...)
				return s.fault(ErrMisuse)
			}
			continue
		default:
			sum.join(t.copied())
		}
		lists = append(lists, p.List())
	}
	if len(lists) > 0 {
		s.orphans = append(s.orphans, held{s.m.NewOrphanConcat(lists...), sum})
	}
	return nil
}

// join appends the elements of u.
func (t *tree) join(u *tree) {
	if t.elem == Bit {
		for i := range u.n {
			if (t.n+i)%8 == 0 {
				t.data = append(t.data, 0)
			}
			setBit(t.data, uint32(t.n+i), u.data[i/8]>>(i%8)&1 != 0)
		}
	} else {
		t.data = append(t.data, u.data...)
	}
	t.ptrs = append(t.ptrs, u.ptrs...)
	t.n += u.n
	if t.elem == Composite {
		t.upgradeList(u.size)
	}
}

// stepResize makes an orphan longer or shorter.
func (s *session) stepResize(PtrBuilder, **tree) error {
	h, ok := s.orphan()
	if !ok {
		return nil
	}
	n := s.length()
	switch t := h.t; {
	case t == nil || t.kind != KindList:
		h.o.Truncate(n)
		return s.fault(ErrMisuse)
	case t.external:
		h.o.Truncate(n)
		return s.fault(ErrReadOnly)
	case t.isText() && s.IntN(2) == 0:
		h.o.TruncateText(n)
		t.resize(n + 1)
		t.data[n] = 0
	default:
		if t.ptrs != nil {
			n %= 10
		}
		h.o.Truncate(n)
		t.resize(n)
	}
	return nil
}

// resize makes a list longer or shorter.
func (t *tree) resize(n int) {
	for ; t.n > n; t.n-- {
		switch t.elem {
		case Pointer, Composite:
			t.ptrs = t.ptrs[:t.n-1]
		case Bit:
			setBit(t.data, uint32(t.n-1), false)
			t.data = t.data[:(t.n+6)/8]
		default:
			t.data = t.data[:len(t.data)-elemBytes[t.elem]]
		}
	}
	if t.n == n {
		return
	}
	more := newStructsTree(t.size, n-t.n)
	if t.elem != Composite {
		more = newListTree(t.elem, n-t.n)
	}
	t.join(more)
}

// stepOrphanUpgrade builds in an orphan.
func (s *session) stepOrphanUpgrade(PtrBuilder, **tree) error {
	h, ok := s.orphan()
	if !ok || h.t == nil {
		return nil
	}
	sz, t := s.size(), h.t
	switch {
	case t.kind == KindStruct:
		b := h.o.Struct(sz)
		t.upgrade(sz)
		s.fill(b, t)
	case t.kind != KindList || t.external:
	case t.elem == Byte && s.IntN(2) == 0:
		v := s.some(t.n)
		if copy(h.o.Data(), v) != t.n {
			return errors.New("the data of an orphan is too short")
		}
		copy(t.data, v)
	case t.elem != Composite && s.IntN(2) == 0:
		if n := h.o.List(t.elem).Len(); n != t.n {
			return fmt.Errorf("%d elements, want %d", n, t.n)
		}
	case t.elem != Bit && t.small():
		l := h.o.StructList(sz)
		t.upgradeList(sz)
		if l.Len() != t.n {
			return fmt.Errorf("%d elements, want %d", l.Len(), t.n)
		}
	}
	return nil
}

// stepMisuse asks for what is refused, and changes nothing.
func (s *session) stepMisuse(p PtrBuilder, _ **tree) error {
	const most = 1<<29 - 1
	switch s.IntN(6) {
	case 0:
		p.NewList(Void, most+1)
	case 1:
		p.NewStructList(Size{DataWords: 1}, most)
	case 2:
		p.NewData(most + 1)
	case 3:
		p.NewText(most)
	case 4:
		p.NewStructList(Size{}, most+1)
	case 5:
		if h, ok := s.orphan(); ok {
			other := New(fresh{})
			defer other.Release()
			other.RootBuilder().Adopt(h.o)
			if !errors.Is(other.Err(), ErrMisuse) {
				return fmt.Errorf("adopted in another message: %w", other.Err())
			}
		}
		return nil
	}
	return s.fault(ErrLimit)
}
