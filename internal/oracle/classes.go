package oracle

import (
	"encoding/binary"
	"strings"
)

// The classes of DIFFERENCES.md, by their headings.
const (
	classPeer        = "peer-died"
	classEmptySecond = "canonical-with-empty-second-segment"
	classDepth       = "depth-of-struct-lists"
	classVoids       = "size-of-zero-sized-lists"
	classWhole       = "limit-of-whole-messages"
	classBools       = "bools-of-wider-elements"
	classVoidBits    = "voids-of-bits"
	classFarCap      = "far-to-capability"
	classDoublePad   = "double-bit-of-a-pad"
	classEmptyFar    = "double-far-to-empty-segment"
	classOrder       = "order-of-checks"
	classEqual       = "equality-of-faulty-messages"
	classUnread      = "canonical-but-for-unread-bits"
	classCapDepth    = "depth-of-capabilities"
)

// classify names the class of DIFFERENCES.md that a difference belongs to, or
// returns "". Each predicate is as narrow as its explanation.
func classify(d *Difference) string {
	ours, theirs := d.Ours, d.Peers
	switch {
	case theirs.Kind == Crashed || theirs.Kind == Hung:
		return classPeer
	case d.hasDoubledPad() && ours.Kind != OK:
		return classDoublePad
	case d.hasFarToEmpty() && theirs.Kind != OK:
		return classEmptyFar
	case d.Op == OpWalk || d.Op == OpAny:
		return d.lineClass()
	case d.Op == OpCanonical && d.isEmptySecond():
		return classEmptySecond
	case d.Op == OpCanonical && d.isUnread():
		return classUnread
	case ours.Kind == Nesting && theirs.Kind != Nesting:
		return classDepth
	case d.Op == OpSize && ours.Kind == OK && theirs.Kind == Nesting && d.AnyKind != Nesting && d.hasCapability():
		return classCapDepth
	case d.Op == OpSize && ours.Kind == Limit && theirs.Kind == OK:
		return classVoids
	case (d.Op == OpCanonical || d.Op == OpEqual) && (ours.Kind == Limit) != (theirs.Kind == Limit):
		return classWhole
	case ours.Kind == Malformed && strings.Contains(ours.Detail, "leads to a capability"):
		return classFarCap
	case d.Op == OpEqual && (ours.Kind != OK || theirs.Kind != OK) && (d.AnyKind != OK || d.Case.nesting() < DefaultNesting):
		return classEqual
	case readFault(ours.Kind) && readFault(theirs.Kind):
		return classOrder
	case ours.Kind == OK && theirs.Kind == OK && (d.Op == OpCopy || d.Op == OpUpgrade):
		return d.lineClass()
	}
	return ""
}

// readFault: a fault that reading a message has.
func readFault(k Kind) bool {
	return k == Malformed || k == Limit || k == Nesting || k == Capability
}

// sameForm: the same canonical bytes, and libcapnp alone calls the message
// canonical as it stands.
func (d *Difference) sameForm() bool {
	return d.Ours.Kind == OK && d.Peers.Kind == OK &&
		strings.HasPrefix(d.Ours.Payload, "0") && strings.HasPrefix(d.Peers.Payload, "1") &&
		d.Ours.Payload[1:] == d.Peers.Payload[1:]
}

// isEmptySecond: libcapnp looks no further than to a second segment that is
// empty, which it takes for none.
func (d *Difference) isEmptySecond() bool {
	segs := d.Case.Segments
	return d.sameForm() && len(segs) > 1 && len(segs[1]) == 0
}

// isUnread: the message differs from its canonical form in nothing but bits
// that no reader looks at: the offset of a pointer to a list without size, and
// the highest bit of a tag's count.
func (d *Difference) isUnread() bool {
	if !d.sameForm() || len(d.Case.Segments) != 1 {
		return false
	}
	is, want := d.Case.Segments[0], []byte(d.Ours.Payload[1:])
	if len(is) != len(want) {
		return false
	}
	for i := 0; i < len(is); i += 8 {
		x, y := binary.LittleEndian.Uint64(is[i:]), binary.LittleEndian.Uint64(want[i:])
		size, count := x>>32&7, x>>35
		unread := uint64(0)
		switch {
		case x&3 == 1 && size != 7 && (size == 0 || count == 0):
			unread = 0xfffffffc
		case x&3 == 0:
			unread = 1 << 31
		}
		if (x^y)&^unread != 0 {
			return false
		}
	}
	return true
}

// hasDoubledPad: somewhere a double-far pointer lands on a far pointer that has
// the bit of a double-far one, which libcapnp does not look at.
func (d *Difference) hasDoubledPad() bool {
	at := func(w uint64) uint64 {
		seg, word := w>>32, uint64(uint32(w)>>3)
		if seg >= uint64(len(d.Case.Segments)) || 8*word+8 > uint64(len(d.Case.Segments[seg])) {
			return 0
		}
		return binary.LittleEndian.Uint64(d.Case.Segments[seg][8*word:])
	}
	for _, s := range d.Case.Segments {
		for i := 0; i+8 <= len(s); i += 8 {
			if w := binary.LittleEndian.Uint64(s[i:]); w&7 == 6 && at(w)&7 == 6 {
				return true
			}
		}
	}
	return false
}

// hasCapability: somewhere is a capability pointer.
func (d *Difference) hasCapability() bool {
	for _, s := range d.Case.Segments {
		for i := 0; i+8 <= len(s); i += 8 {
			if binary.LittleEndian.Uint32(s[i:]) == 3 {
				return true
			}
		}
	}
	return false
}

// hasFarToEmpty: somewhere a far pointer, as the pad of a double-far one has it,
// leads to a segment that is empty, which libcapnp takes for none. Nothing but an
// object without size can lie there.
func (d *Difference) hasFarToEmpty() bool {
	for _, s := range d.Case.Segments {
		for i := 0; i+8 <= len(s); i += 8 {
			w := binary.LittleEndian.Uint64(s[i:])
			to := w >> 32
			if w&7 == 2 && to > 0 && to < uint64(len(d.Case.Segments)) && len(d.Case.Segments[to]) == 0 {
				return true
			}
		}
	}
	return false
}

// lineClass compares two dumps line by line. Every line that differs has to be
// explained, and the first names the class.
func (d *Difference) lineClass() string {
	a, b := strings.Split(d.Ours.Payload, "\n"), strings.Split(d.Peers.Payload, "\n")
	if len(a) != len(b) {
		return ""
	}
	class := ""
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		c := valueClass(values(a[i], b[i]))
		if c == "" {
			return ""
		}
		if class == "" {
			class = c
		}
	}
	return class
}

// values cuts what two lines have in common off their fronts: a field's name.
func values(a, b string) (x, y string) {
	i := strings.IndexAny(a, ":~")
	if i < 0 || !strings.HasPrefix(b, a[:i+1]) {
		return a, b
	}
	return a[i+1:], b[i+1:]
}

// valueClass explains that one value reads as ours on our side and as theirs on
// the other.
func valueClass(ours, theirs string) string {
	switch {
	case ours == "!malformed" && isBoolList(theirs):
		return classBools
	case ours == "!malformed" && theirs == "cap":
		return classFarCap
	case ours == "!malformed" && theirs == "!nesting":
		return classOrder
	case theirs == "!malformed" && isVoidList(ours):
		return classVoidBits
	}
	return ""
}

func isVoidList(s string) bool {
	return len(s) > 2 && s[0] == '[' && strings.Trim(s[1:], "0123456789") == "]"
}

func isBoolList(s string) bool {
	s, ok := strings.CutPrefix(s, "[")
	s, closed := strings.CutSuffix(s, "]")
	if !ok || !closed {
		return false
	}
	bits := strings.Split(s, " ")
	for _, b := range bits[1:] {
		if b != "0" && b != "1" {
			return false
		}
	}
	return true
}
