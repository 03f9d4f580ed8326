package framing

// Format is how messages are written to a stream of bytes.
type Format uint8

const (
	// Binary is the standard format: segments behind a segment table.
	Binary Format = iota
	// Packed is Binary, packed: most zero bytes are left out.
	Packed
	// Flat is one segment without a table. Nothing says where it ends but the
	// end of the stream, which holds one message therefore. Canonical messages
	// are mostly kept so.
	Flat
	// FlatPacked is Flat, packed.
	FlatPacked
)

// String returns the name that the capnp tool has for the format.
func (f Format) String() string {
	switch f {
	case Binary:
		return "binary"
	case Packed:
		return "packed"
	case Flat:
		return "flat"
	case FlatPacked:
		return "flat-packed"
	}
	return "unknown format"
}

func (f Format) packed() bool { return f == Packed || f == FlatPacked }
func (f Format) flat() bool   { return f == Flat || f == FlatPacked }

// check panics on a format that does not exist: a mistake of the program.
func (f Format) check() {
	if f > FlatPacked {
		panic("framing: " + f.String())
	}
}
