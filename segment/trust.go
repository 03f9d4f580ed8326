package segment

// Trust says who can write the memory that a message is read from. It is
// fixed when the message is made.
type Trust uint8

const (
	// Private memory is ours, or sealed against writing. After
	// [Message.Verify] reads charge no budget, and many goroutines may read.
	Private Trust = iota
	// Shared memory can be written by another process at any time. Every
	// pointer word is loaded once and checked, and Verify only diagnoses.
	Shared
	// Snapshot is a private copy of what was shared.
	Snapshot
)

func (t Trust) String() string {
	switch t {
	case Private:
		return "private"
	case Shared:
		return "shared"
	case Snapshot:
		return "snapshot"
	}
	return "unknown trust"
}

// steady is the proof that a message's bytes do not change between two looks.
// Whatever looks twice takes one; only steadyOf makes it.
type steady struct{ m *Message }

// steadyOf gives the proof for a message that nobody else can write.
func steadyOf(m *Message) (steady, bool) {
	return steady{m}, m.trust != Shared
}

// unmeter ends the budget: the walk that found no fault stays true.
func (p steady) unmeter() { p.m.metered = false }

// Trust tells who can write the message's memory.
func (m *Message) Trust() Trust { return m.trust }
