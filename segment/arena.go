package segment

// Arena is where a message's segments get their memory. Package arena has
// several; any type with these methods serves.
//
// An arena may also have these methods, which a message looks for:
//
//   - Grow(mem []byte, minBytes int) ([]byte, error) lengthens mem in place, to
//     at least minBytes, and returns the same memory with its new length. An
//     error means that it can't; the message then asks for a further segment.
//   - Zeroed() bool returning true promises that memory is zero. Without it
//     every word is looked at before it is used.
//   - Dirty(mem []byte) int tells how many bytes at the start of mem, which
//     Allocate just returned, may not be zero. They are cleared shortly before
//     they are written, and not at all where text or data is copied over them.
//     Free's used then counts them too.
//   - Debugging() bool returning true asks that messages be not recycled, so
//     that their use after Release is found.
//   - Keep(mem []byte, used int) bool takes memory back as Free does, and returning
//     true leaves it, all zero, with the bookkeeping of the message that had it, for a
//     later message of the same arena. Take(mem []byte) tells that one has it now, as
//     if from Allocate. Memory that no message comes for is left to the collector.
type Arena interface {
	// Allocate returns memory for a segment: at least minBytes (a multiple of
	// 8, more than 0) long, zero but for Dirty, 8-byte aligned. It stays where it is until
	// it is freed.
	Allocate(minBytes int) ([]byte, error)
	// Free takes back one slice that Allocate or Grow returned. From the byte
	// used on it is still zero.
	Free(mem []byte, used int)
}

type grower interface {
	Grow(mem []byte, minBytes int) ([]byte, error)
}

type soiled interface{ Dirty(mem []byte) int }

type keeper interface {
	Keep(mem []byte, used int) bool
	Take(mem []byte)
}

// Owner is told when a message no longer needs the memory that it was opened
// on. It is called once, by the goroutine that releases the message.
type Owner interface {
	Release()
}

func promisesZero(a Arena) bool {
	z, ok := a.(interface{ Zeroed() bool })
	return ok && z.Zeroed()
}

func debugs(a Arena) bool {
	d, ok := a.(interface{ Debugging() bool })
	return ok && d.Debugging()
}
