package segment

// CapTable holds the capabilities that the capability pointers of a message
// refer to by index. Package segment knows only that it exists: package rpc
// has the tables that live capabilities are kept in.
type CapTable interface {
	// Copy puts the capability at index into the table of dst too, making one if
	// dst has none, and gives the index that it has there. It is called when a
	// capability pointer is copied into another message.
	Copy(index uint32, dst *Message) uint32
	// Release is called once, when the message is released or reset, or gets
	// another table.
	Release()
}

// SetCapTable gives the message a table of capabilities, which then belongs to
// it. A table that it had before is released.
func (m *Message) SetCapTable(t CapTable) {
	if m.caps != nil && m.caps != t {
		m.caps.Release()
	}
	m.caps = t
}

// CapTable gives the message's table of capabilities; nil if it has none. It is
// valid until the message's Release.
func (m *Message) CapTable() CapTable { return m.caps }

func (m *Message) dropCaps() {
	m.caps.Release()
	m.caps = nil
}

// capability gives the word for a copy in dst of the capability pointer w of src.
func capability(dst, src *Message, w word) word {
	if src.caps == nil || dst == src {
		return w
	}
	return kindOther | word(src.caps.Copy(w.upper(), dst))<<32
}
