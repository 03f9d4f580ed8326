package zmtp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// MaxPingContext is the length of the longest context of a PING, in bytes.
const MaxPingContext = 16

// The time to live in a PING counts tenths of a second.
const ttlUnit = time.Second / 10

// MaxTTL is the longest time to live that a PING can express.
const MaxTTL = math.MaxUint16 * ttlUnit

// Ping is the data of a PING command.
type Ping struct {
	// TTL is how long the sender lets the receiver wait for further traffic
	// before it may take the sender for dead; 0 if that is not said.
	TTL time.Duration
	// Context is what the PONG has to repeat. It aliases what it was parsed from.
	Context []byte
}

// ParsePing parses the data of a PING command.
func ParsePing(data []byte) (Ping, error) {
	if len(data) < 2 {
		return Ping{}, fault(ErrMalformed, "PING with %d bytes of data, at least 2 are needed", len(data))
	}
	context, err := ParsePong(data[2:])
	if err != nil {
		return Ping{}, err
	}
	return Ping{TTL: time.Duration(binary.BigEndian.Uint16(data)) * ttlUnit, Context: context}, nil
}

// ParsePong parses the data of a PONG command: the context of the PING that it
// answers. The result aliases data.
func ParsePong(data []byte) (context []byte, err error) {
	if len(data) > MaxPingContext {
		return nil, overLimit("length of a PING context", MaxPingContext, uint64(len(data)))
	}
	return data, nil
}

// AppendPing appends the body of a PING command. The time to live is rounded up
// to a tenth of a second, and is at most [MaxTTL]. It panics if the context is
// longer than [MaxPingContext].
func AppendPing(dst []byte, p Ping) []byte {
	checkContext(p.Context)
	ttl := (min(max(p.TTL, 0), MaxTTL) + ttlUnit - 1) / ttlUnit
	dst = binary.BigEndian.AppendUint16(appendName(dst, cmdPing), uint16(ttl))
	return append(dst, p.Context...)
}

// AppendPong appends the body of the PONG command that answers a PING with this
// context. It panics if the context is longer than [MaxPingContext].
func AppendPong(dst, context []byte) []byte {
	checkContext(context)
	return AppendCommand(dst, cmdPong, context)
}

func checkContext(context []byte) {
	if len(context) > MaxPingContext {
		panic(fmt.Sprintf("zmtp: PING context of %d bytes, at most %d", len(context), MaxPingContext))
	}
}
