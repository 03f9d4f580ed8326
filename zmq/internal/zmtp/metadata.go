package zmtp

import (
	"encoding/binary"
	"math"
	"strings"
)

// The names of the properties that the protocol defines.
const (
	PropSocketType = "Socket-Type"
	PropIdentity   = "Identity"
	PropResource   = "Resource"
)

// The limits of metadata.
const (
	// MaxProperties is how many properties a peer may send.
	MaxProperties = 64
	// MaxMetadata is how many bytes of it are sent, so that a handshake stays
	// within [MaxHandshake] with every mechanism.
	MaxMetadata = 3072
	// MaxIdentity is the length of the longest identity, in bytes.
	MaxIdentity = 255
)

// Property is one property of a connection.
type Property struct {
	Name  string // 1 to 255 letters, digits and "-_.+"; in whatever case
	Value []byte
}

// Metadata is what a peer says about itself, in the order in which it says it.
type Metadata []Property

// Get returns the value of the property of that name, in whatever case.
func (m Metadata) Get(name string) (value []byte, ok bool) {
	for _, p := range m {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return nil, false
}

// SocketType returns the property Socket-Type, which a peer's metadata always
// has once its handshake is done.
func (m Metadata) SocketType() SocketType {
	v, _ := m.Get(PropSocketType)
	return SocketType(v)
}

// Identity returns the property Identity: the routing id that the peer asks
// for, nil if it leaves that open.
func (m Metadata) Identity() []byte {
	v, _ := m.Get(PropIdentity)
	if len(v) == 0 {
		return nil
	}
	return v
}

// ParseMetadata parses properties up to the end of b, and copies them. A
// property that is cut short, has no valid name, or is there twice is an error.
func ParseMetadata(b []byte) (Metadata, error) {
	var m Metadata
	for size := len(b); len(b) > 0; {
		at := size - len(b)
		end := 1 + int(b[0])
		if end+4 > len(b) {
			return nil, fault(ErrMalformed, "property at byte %d of %d is cut short: its name has %d bytes", at, size, b[0])
		}
		name := string(b[1:end])
		if !validProperty(name) {
			return nil, fault(ErrMalformed, "property at byte %d has the name %q", at, name)
		}
		n := binary.BigEndian.Uint32(b[end:])
		b = b[end+4:]
		if uint64(n) > uint64(len(b)) {
			return nil, fault(ErrMalformed, "property %s at byte %d of %d is cut short: its value has %d bytes", name, at, size, n)
		}
		if _, twice := m.Get(name); twice {
			return nil, fault(ErrMalformed, "property %s is there twice", name)
		}
		if len(m) == MaxProperties {
			return nil, overLimit("number of properties", MaxProperties, MaxProperties+1)
		}
		m = append(m, Property{Name: name, Value: append([]byte{}, b[:n]...)})
		b = b[n:]
	}
	return m, nil
}

// AppendMetadata appends the properties of m, which must have valid names.
func AppendMetadata(dst []byte, m Metadata) []byte {
	for _, p := range m {
		dst = append(append(dst, byte(len(p.Name))), p.Name...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Value)))
		dst = append(dst, p.Value...)
	}
	return dst
}

// checkLocal checks what this side is going to say.
func (m Metadata) checkLocal() error {
	size := 0
	for i, p := range m {
		if !validProperty(p.Name) {
			return fault(ErrMalformed, "property name %q", p.Name)
		}
		if _, twice := m[:i].Get(p.Name); twice {
			return fault(ErrMalformed, "property %s is there twice", p.Name)
		}
		size += 1 + len(p.Name) + 4 + min(len(p.Value), math.MaxInt32)
		if size > MaxMetadata {
			return overLimit("size of the metadata", MaxMetadata, uint64(size))
		}
	}
	if len(m) > MaxProperties {
		return overLimit("number of properties", MaxProperties, uint64(len(m)))
	}
	return m.checkOwn()
}

// checkOwn checks the properties that the protocol gives a meaning.
func (m Metadata) checkOwn() error {
	v, ok := m.Get(PropSocketType)
	if !ok {
		return fault(ErrMalformed, "no property Socket-Type")
	}
	kind := SocketType(v)
	if !kind.Valid() {
		return fault(ErrMalformed, "unknown Socket-Type %q", v[:min(len(v), 32)])
	}
	id := m.Identity()
	if len(id) == 0 || !kind.hasIdentity() {
		return nil
	}
	if len(id) > MaxIdentity {
		return overLimit("length of Identity", MaxIdentity, uint64(len(id)))
	}
	if id[0] == 0 {
		return fault(ErrMalformed, "Identity %q begins with a zero, which is reserved", id)
	}
	return nil
}

// checkPeer checks what a peer said against what this side says.
func (m Metadata) checkPeer(local Metadata) error {
	if err := m.checkOwn(); err != nil {
		return err
	}
	if mine, its := local.SocketType(), m.SocketType(); !mine.Compatible(its) {
		return fault(ErrMalformed, "Socket-Type %s, which a %s can't talk to", its, mine)
	}
	return nil
}

// validProperty tells whether name can be that of a property.
func validProperty(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '+':
		default:
			return false
		}
	}
	return true
}
