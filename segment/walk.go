package segment

// walk visits everything that a pointer leads to, without a schema, and counts
// its words. It reads as any reader does, so every fault and limit shows.
type walk struct{ words int64 }

func (v *walk) ptr(p Ptr) {
	switch k, t := p.object(); k {
	case KindStruct:
		v.structure(p.structAt(t))
	case KindList:
		v.list(p.listAt(t, anyElem))
	}
}

func (v *walk) structure(s Struct) {
	v.words += int64(s.Size().Words())
	v.ptrs(s)
}

func (v *walk) ptrs(s Struct) {
	if s.seg == nil {
		return
	}
	for i := range s.sz.ptrs {
		if s.seg.msg.fault.Load() != nil {
			return
		}
		v.ptr(s.Ptr(i))
	}
}

func (v *walk) list(l List) {
	switch l.n.elem {
	case Composite:
		v.words += 1 + int64(l.n.count)*int64(l.StructSize().Words())
		if l.sz.ptrs == 0 {
			return
		}
		for e := range l.Structs().All() {
			if l.seg.msg.fault.Load() != nil {
				return
			}
			v.ptrs(e)
		}
	case Pointer:
		v.words += int64(l.n.count)
		for p := range (Ptrs{l}).All() {
			if l.seg.msg.fault.Load() != nil {
				return
			}
			v.ptr(p)
		}
	default:
		v.words += listWords(l.n.elem, l.n.count)
	}
}

// Verify walks everything once and gives the first fault. It costs no budget
// if it finds none: in a message whose bytes nobody else can write, reading is
// then no longer metered, and many goroutines may read at once. In a [Shared]
// message it only diagnoses, for the writer may change what was looked at.
func (m *Message) Verify() error {
	budget := m.budget
	var v walk
	v.ptr(m.Root())
	if err := m.Err(); err != nil {
		return err
	}
	if m.metered {
		m.budget = budget
		if p, ok := steadyOf(m); ok {
			p.unmeter()
		}
	}
	return nil
}

// TotalWords is the size of what the pointer leads to in 8-byte words, without
// landing pads and without the pointer itself. It costs no budget. The error
// is the message's first fault.
func (p Ptr) TotalWords() (int64, error) {
	return total(p.Message(), func(v *walk) { v.ptr(p) })
}

// TotalWords is the size of the struct and all below it in 8-byte words,
// without landing pads. It costs no budget. The error is the message's first
// fault.
func (s Struct) TotalWords() (int64, error) {
	return total(s.Message(), func(v *walk) { v.structure(s) })
}

// TotalWords is the size of the list and all below it in 8-byte words, with
// its tag and without landing pads. It costs no budget. The error is the
// message's first fault.
func (l List) TotalWords() (int64, error) {
	return total(l.Message(), func(v *walk) { v.list(l) })
}

func total(m *Message, visit func(*walk)) (int64, error) {
	if m == nil {
		return 0, nil
	}
	var v walk
	budget := m.budget
	visit(&v)
	if m.metered {
		m.budget = budget
	}
	return v.words, m.Err()
}
