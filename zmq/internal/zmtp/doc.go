// Package zmtp is the ZeroMQ Message Transport Protocol, versions 3.1 and 3.0,
// on bytes: it parses what a peer sent and makes what is to be sent. It opens
// no socket, starts no goroutine and keeps no time but the life of a cookie;
// whoever uses it reads and writes, and sets the deadlines.
//
// A connection is a greeting from both sides, a handshake of commands, and then
// frames.
//
//	greeting, 64 bytes
//	0      1              9      10      11      12              32          33         64
//	┌──────┬──────────────┬──────┬───────┬───────┬───────────────┬───────────┬──────────┐
//	│ 0xff │ not          │ 0x7f │ major │ minor │ mechanism,    │ as-server │ zeros    │
//	│      │ significant  │      │ 3     │ 0, 1  │ zero-padded   │ 0, 1      │          │
//	└──────┴──────────────┴──────┴───────┴───────┴───────────────┴───────────┴──────────┘
//
//	frame
//	┌───────────────────┬─────────────────────┬──────────────┐    flags: bit 0 MORE
//	│ flags, 1 byte     │ size, 1 byte, or    │ body         │           bit 1 LONG
//	│                   │ 8 if LONG           │              │           bit 2 COMMAND
//	└───────────────────┴─────────────────────┴──────────────┘           others zero
//
//	body of a command                    property, as in READY
//	┌───────────┬──────────┬──────┐      ┌───────────┬──────┬────────────────┬───────┐
//	│ length of │ name     │ data │      │ length of │ name │ length of the  │ value │
//	│ the name  │          │      │      │ the name  │      │ value, 4 bytes │       │
//	└───────────┴──────────┴──────┘      └───────────┴──────┴────────────────┴───────┘
//
// Numbers are big-endian. The sources are the ZeroMQ RFCs 23 (ZMTP 3.0), 37
// (3.1), 24 (PLAIN), 25 and 26 (CURVE) and 32 (Z85), at rfc.zeromq.org, and
// libzmq 4.3.4 where it differs: it leaves as-server zero, it sends what CURVE
// encrypts as messages and not as commands, and it sends commands inside of
// CURVE with a flag of its own.
//
// # A handshake
//
//	send AppendGreeting(nil, local), at once and whole
//	read until ParseGreeting gives n > 0; Negotiate(local, peer)
//	m, err := NewNULL(metadata)               // or PLAIN or CURVE, client or server
//	out, done, err := m.Next(nil)
//	for each round: send out as a command; if done, stop;
//	                read a command of at most MaxHandshake bytes; Next(body)
//
// If Next returns bytes together with an error, they are an ERROR command to be
// sent before the connection is closed. Afterwards frames pass as they are, or
// through [Mechanism.Wrapper] if that is not nil.
//
// # What comes from a peer
//
// Every byte is untrusted. A size is checked against a limit that the caller
// gives before anything is allocated; nothing that a peer sends panics; every
// error matches one of this package's sentinels and names the value it is about.
package zmtp
