package segment

// walk visits everything that a pointer leads to, without a schema, and counts
// its words. It reads as any reader does, so every fault and limit shows.
type walk struct {
	words  int64
	budget int64 // what the message had before
}

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
	v := walk{budget: m.budget}
	v.ptr(m.Root())
	if err := m.Err(); err != nil {
		return err
	}
	if m.metered {
		m.budget = v.budget
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
	m := p.Message()
	if m == nil {
		return 0, nil
	}
	v := walk{budget: m.budget}
	v.ptr(p)
	return v.end(m)
}

// TotalWords is the size of the struct and all below it in 8-byte words. See
// [Ptr.TotalWords].
func (s Struct) TotalWords() (int64, error) {
	m := s.Message()
	if m == nil {
		return 0, nil
	}
	v := walk{budget: m.budget}
	v.structure(s)
	return v.end(m)
}

// TotalWords is the size of the list, its tag and all below it in 8-byte
// words. See [Ptr.TotalWords].
func (l List) TotalWords() (int64, error) {
	m := l.Message()
	if m == nil {
		return 0, nil
	}
	v := walk{budget: m.budget}
	v.list(l)
	return v.end(m)
}

// end gives the budget back and tells what was counted.
func (v *walk) end(m *Message) (int64, error) {
	if m.metered {
		m.budget = v.budget
	}
	return v.words, m.Err()
}
