package segment

import "math"

// Unlimited, as the value of a limit, switches it off.
const Unlimited = math.MaxInt64

// Limits bound what a message from outside may cost its reader. A zero field
// means its default, so the zero Limits are the defaults.
type Limits struct {
	// TraversalWords is how many 8-byte words may be read, counted at each
	// pointer that is followed, so that a message in which many pointers lead
	// to one object cannot amplify. An element of a list of zero-sized
	// elements counts as one word. Default 8 Mi words (64 MiB).
	TraversalWords int64
	// Depth is how deep structs and lists may nest. Default 64, at most 65535.
	Depth int
	// Segments is how many segments a message may have. Default 511.
	Segments int
	// MessageBytes is how large a message's segments may be together; it is
	// looked at by those that read messages from a stream, before they take
	// any memory. Default 64 MiB.
	MessageBytes int64
}

// The defaults of [Limits].
const (
	DefaultTraversalWords = 8 << 20
	DefaultDepth          = 64
	DefaultSegments       = 511
	DefaultMessageBytes   = 64 << 20
)

var defaultLimits = Limits{}.WithDefaults()

// maxDepth is the deepest nesting a handle can count.
const maxDepth = math.MaxUint16

// WithDefaults gives l with each zero field set to its default.
func (l Limits) WithDefaults() Limits {
	if l.TraversalWords <= 0 {
		l.TraversalWords = DefaultTraversalWords
	}
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	l.Depth = min(l.Depth, maxDepth)
	if l.Segments <= 0 {
		l.Segments = DefaultSegments
	}
	if l.MessageBytes <= 0 {
		l.MessageBytes = DefaultMessageBytes
	}
	return l
}
