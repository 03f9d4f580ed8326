package zmtp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"

	"golang.org/x/crypto/nacl/secretbox"
	//lint:ignore SA1019 A NaCl box consists of it, and package secretbox can't work in place.
	"golang.org/x/crypto/poly1305"
	//lint:ignore SA1019 As above.
	"golang.org/x/crypto/salsa20/salsa"
)

// A box of NaCl, as CURVE uses it:
//
//	0            16
//	┌────────────┬─────────────┐
//	│ Poly1305   │ XSalsa20    │
//	│ tag        │ ciphertext  │
//	└────────────┴─────────────┘
//
// Its nonce has 24 bytes: a prefix for the kind of command, and either a number
// that goes up by one with each command of a connection, or random bytes.

const (
	nonceSize       = 24
	shortNonce      = 8  // bytes of a nonce that is a number, behind a prefix of 16
	longNonce       = 16 // bytes of a nonce that is random, behind a prefix of 8
	boxOverhead     = secretbox.Overhead
	salsaBlock      = 64
	messageHeader   = 1 + len(cmdMessage) + shortNonce
	messageOverhead = messageHeader + boxOverhead + 1 // with the flags of the payload

	cmdMessage       = "MESSAGE"
	messageCommand   = "\x07" + cmdMessage
	prefixFromClient = "CurveZMQMESSAGEC"
	prefixFromServer = "CurveZMQMESSAGES"
)

// The flags of a payload.
const (
	payloadMore    = 1 << 0
	payloadCommand = 1 << 1 // libzmq's: RFC 26 reserves it
)

// numbered returns the nonce of a prefix of 16 bytes and a number.
func numbered(prefix string, n uint64) (nonce [nonceSize]byte) {
	copy(nonce[:], prefix)
	binary.BigEndian.PutUint64(nonce[nonceSize-shortNonce:], n)
	return nonce
}

// given returns the nonce of a prefix and what stands in a command behind it.
func given(prefix string, rest []byte) (nonce [nonceSize]byte) {
	copy(nonce[copy(nonce[:], prefix):], rest)
	return nonce
}

// random returns a nonce of a prefix of 8 bytes and random ones.
func random(prefix string) (nonce [nonceSize]byte) {
	_, _ = rand.Read(nonce[copy(nonce[:], prefix):]) // never fails: it ends the program instead
	return nonce
}

// Wrapper encrypts and decrypts the frames of a connection after a handshake of
// CURVE. Each travels in the body of a frame of its own:
//
//	0            8           16           32      33
//	┌────────────┬───────────┬────────────┬───────┬─────────┐
//	│ 7 MESSAGE  │ nonce     │ tag        │ flags │ payload │
//	└────────────┴───────────┴────────────┴───────┴─────────┘
//	                                      └── encrypted ────┘
//
// One goroutine may use Wrap while another uses Unwrap.
type Wrapper struct {
	key        [keySize]byte
	sendPrefix string
	recvPrefix string
	next       uint64 // nonce to send next; 0 when they are used up
	last       uint64 // nonce received last
}

// WrapOverhead returns how many bytes [Wrapper.Wrap] appends in front of n bytes
// of body. Behind them it appends none.
func WrapOverhead(n int) int {
	return HeaderSize(uint64(n)+uint64(messageOverhead)) + messageOverhead
}

// Wrap appends the frame, with its header, that carries a frame with these flags
// and this body. It doesn't allocate if dst has room for [WrapOverhead] bytes
// more than body has. It doesn't change body, which may lie exactly where its
// encrypted form goes, WrapOverhead behind the end of dst, and must otherwise
// not overlap that place. It fails only when 2^64−2 frames were sent, because
// no nonce is used twice; dst is returned as it was then.
func (w *Wrapper) Wrap(dst []byte, more, command bool, body []byte) ([]byte, error) {
	if w.next == 0 {
		return dst, overLimit("number of frames sent with one key", 1<<64-2, 1<<64-1)
	}
	nonce := numbered(w.sendPrefix, w.next)
	w.next++

	var flags byte
	if more {
		flags |= payloadMore
	}
	if command {
		flags |= payloadCommand
	}
	begin := len(dst)
	end := begin + WrapOverhead(len(body)) + len(body)
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	box := dst[end-len(body)-1-boxOverhead : end]

	// The flags and the first bytes of the body take the first block of the
	// key stream, of which the front half makes the key of the tag. They are
	// taken out of body before anything is written, and the rest is encrypted
	// at once into its place.
	var first [salsaBlock]byte
	first[keySize] = flags
	head := copy(first[keySize+1:], body)
	stream, counter := streamOf(&w.key, &nonce)
	salsa.XORKeyStream(first[:], first[:], &counter, &stream)
	counter[shortNonce] = 1
	cipher := box[boxOverhead:]
	xorStream(cipher[1+head:], body[head:], &counter, &stream)
	copy(cipher, first[keySize:keySize+1+head])
	var tag [boxOverhead]byte
	poly1305.Sum(&tag, cipher, (*[keySize]byte)(first[:keySize]))
	copy(box, tag[:])

	// It goes as a message, although RFC 26 calls it a command: libzmq sends it
	// so, and takes the payload of a command frame for a command.
	dst = AppendHeader(dst[:begin], FrameHeader{Size: uint64(messageOverhead + len(body))})
	dst = append(dst, messageCommand...)
	dst = append(dst, nonce[nonceSize-shortNonce:]...)
	return dst[:end], nil
}

// Unwrap takes the body of a received frame, decrypts it in place and returns
// what it carries. The payload aliases body, from byte 33 to its end. Bytes that
// the peer's key didn't make for this place in the stream give an error that
// matches [ErrAuth], and the connection is to be closed; body is unchanged then.
func (w *Wrapper) Unwrap(body []byte) (more, command bool, payload []byte, err error) {
	if len(body) < messageOverhead || string(body[:len(messageCommand)]) != messageCommand {
		return false, false, nil, notMessage(body)
	}
	n := binary.BigEndian.Uint64(body[len(messageCommand):])
	if n <= w.last {
		return false, false, nil, fault(ErrAuth, "CURVE MESSAGE number %d after %d: repeated or out of order", n, w.last)
	}
	nonce := numbered(w.recvPrefix, n)

	var first [salsaBlock]byte
	stream, counter := streamOf(&w.key, &nonce)
	salsa.XORKeyStream(first[:], first[:], &counter, &stream)
	cipher := body[messageHeader+boxOverhead:]
	tag := (*[boxOverhead]byte)(body[messageHeader:])
	if !poly1305.Verify(tag, cipher, (*[keySize]byte)(first[:keySize])) {
		return false, false, nil, fault(ErrAuth, "CURVE MESSAGE number %d of %d bytes was not made with this connection's key", n, len(body))
	}
	w.last = n
	head := min(len(cipher), salsaBlock-keySize)
	subtle.XORBytes(cipher[:head], cipher[:head], first[keySize:])
	counter[shortNonce] = 1
	xorStream(cipher[head:], cipher[head:], &counter, &stream)

	flags := cipher[0]
	if flags > payloadCommand {
		return false, false, nil, fault(ErrMalformed, "CURVE MESSAGE with flags %#02x", flags)
	}
	return flags&payloadMore != 0, flags&payloadCommand != 0, cipher[1:], nil
}

//go:noinline
func notMessage(body []byte) error {
	return fault(ErrAuth, "frame of %d bytes on a CURVE connection is not a MESSAGE, which has at least %d", len(body), messageOverhead)
}

// streamOf returns the key and the first counter of the key stream of a nonce.
func streamOf(key *[keySize]byte, nonce *[nonceSize]byte) (stream [keySize]byte, counter [16]byte) {
	copy(counter[:], nonce[:])
	salsa.HSalsa20(&stream, &counter, key, &salsa.Sigma)
	clear(counter[copy(counter[:], nonce[len(nonce)-shortNonce:]):])
	return stream, counter
}
