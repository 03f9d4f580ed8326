package zmtp

import (
	"encoding/binary"
	"math"
)

// The flags of a frame.
const (
	flagMore    = 1 << 0
	flagLong    = 1 << 1
	flagCommand = 1 << 2

	maxShort = 255 // the largest body of a short frame
)

// The sizes of a frame's parts in bytes.
const (
	// MaxHeader is the length of the longest frame header.
	MaxHeader = 9
	// MaxFrame is the largest body that the protocol can express.
	MaxFrame = math.MaxInt64
	// MaxHandshake is how much a peer may send in the commands of a handshake,
	// all together. It is the limit to give [ParseHeader] meanwhile.
	MaxHandshake = 4096
)

// FrameHeader is what stands in front of a frame's body.
type FrameHeader struct {
	More    bool   // more frames of the same message follow
	Command bool   // a command, not part of a message
	Size    uint64 // the length of the body
}

// ParseHeader parses the frame header at the start of b, n bytes of it, or
// returns n == 0 if more are needed. A body larger than limit is an error that
// matches [ErrLimit], so that nothing is allocated for it; a reserved flag, or
// a command that claims to be continued, is one that matches [ErrMalformed].
// A size of up to 255 in the long form is accepted.
func ParseHeader(b []byte, limit uint64) (h FrameHeader, n int, err error) {
	if len(b) == 0 {
		return FrameHeader{}, 0, nil
	}
	flags := b[0]
	if flags > flagCommand|flagLong || flags&(flagCommand|flagMore) == flagCommand|flagMore {
		return FrameHeader{}, 0, badFlags(flags)
	}
	var size uint64
	if flags&flagLong == 0 {
		if len(b) < 2 {
			return FrameHeader{}, 0, nil
		}
		size, n = uint64(b[1]), 2
	} else {
		if len(b) < MaxHeader {
			return FrameHeader{}, 0, nil
		}
		size, n = binary.BigEndian.Uint64(b[1:MaxHeader]), MaxHeader
	}
	if limit = min(limit, MaxFrame); size > limit {
		return FrameHeader{}, 0, overLimit("frame size", limit, size)
	}
	return FrameHeader{More: flags&flagMore != 0, Command: flags&flagCommand != 0, Size: size}, n, nil
}

//go:noinline
func badFlags(flags byte) error {
	if flags&^(flagMore|flagLong|flagCommand) != 0 {
		return fault(ErrMalformed, "frame flags %#02x, of which the upper five are reserved", flags)
	}
	return fault(ErrMalformed, "frame flags %#02x: a command can't have more frames", flags)
}

// AppendHeader appends the header of a frame, in the short form if the size
// allows. A command must not have More set.
func AppendHeader(dst []byte, h FrameHeader) []byte {
	var flags byte
	if h.More {
		flags |= flagMore
	}
	if h.Command {
		flags |= flagCommand
	}
	if h.Size <= maxShort {
		return append(dst, flags, byte(h.Size))
	}
	return binary.BigEndian.AppendUint64(append(dst, flags|flagLong), h.Size)
}

// HeaderSize returns the length of the header of a frame of size bytes.
func HeaderSize(size uint64) int {
	if size <= maxShort {
		return 2
	}
	return MaxHeader
}
