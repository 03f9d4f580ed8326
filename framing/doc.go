// Package framing carries messages over byte streams: files, pipes and
// connections.
//
// A message on a stream is its segments, one after the other, behind a table
// that says how many they are and how long each is:
//
//	byte 0             4                 8                 12
//	┌──────────────────┬─────────────────┬─────────────────┬─ ─ ─┬──────────────┐
//	│ segments − 1     │ words of        │ words of        │  …  │ zeros up to  │
//	│ uint32           │ segment 0       │ segment 1       │     │ 8 bytes      │
//	├──────────────────┴─────────────────┴─────────────────┴─ ─ ─┴──────────────┤
//	│ segment 0 │ segment 1 │ …                                                 │
//	└───────────────────────────────────────────────────────────────────────────┘
//
// Numbers are little-endian, a word is 8 bytes, and so every message on a
// stream is a multiple of 8 bytes long.
// (https://capnproto.org/encoding.html#serialization-over-a-stream)
//
// That is the [Format] Binary. Packed is the same with its zero bytes squeezed
// out; Flat is one segment without a table, to the end of the stream, and
// FlatPacked is that packed.
//
// # Which function
//
//	Write, Read           one message, to and from a stream
//	Marshal, Unmarshal    one message, to and from bytes in memory
//	Encoder, Decoder      many messages, any format, limits of your own
//	Open                  a file, mapped: its messages are read in place
//	Pipe                  messages both ways over a connection
//
// Nothing here decodes. A received message lies in the memory it arrived in and
// is read there: its Release gives that memory back. A message that is sent
// leaves from the memory it was built in, except that small ones are copied
// together so that many leave with one system call.
//
// # Ends, faults and limits
//
// A stream that ends between two messages gives [io.EOF]. One that ends inside a
// message gives an error that matches [io.ErrUnexpectedEOF], in every format,
// except that a flat stream has nothing to tell a message cut between two words
// from a shorter one. All faults of a stream but io.EOF are an [*Error], which
// says where the message began that it was met in.
//
// What a stream claims is checked against [segment.Limits] before memory is
// taken: the number of segments and the size of a message, unpacked. Within the
// limits memory is taken as the bytes come in: about 64 KiB more than the stream
// has delivered so far, or twice what the message has, so that a claim alone
// costs nothing. A packed stream is counted unpacked.
package framing
