// Package gozmq sends and receives messages through the sockets of
// github.com/go-zeromq/zmq4 that a program already has.
//
//	err := gozmq.Send(sock, msg)   // msg now belongs to Send
//	msg, err := gozmq.Recv(sock)   // read where it arrived; the caller releases it
//
// A message's segments are its frames, one to one, with nothing added: what
// pycapnp's to_segments and from_segments with pyzmq's send_multipart and
// recv_multipart send and read, and what package zmq does. It knows v0.17.0 of
// zmq4, and the sockets that are written in Go.
//
// # Which package
//
// Use package zmq, which has an engine of its own, for whatever is new, and for
// every socket that others can reach. This package is for programs whose sockets
// belong to zmq4 for other reasons, among peers that they trust. It cannot mend
// what the sockets do; see below.
//
// # Envelopes
//
// Frames before the segments are given to [Send] and asked for by
// [RecvOptions].Envelope:
//
//	┌──────────────┬───────────┬───────────┬───────────┬─ ─
//	│ routing id … │ delimiter │ segment 0 │ segment 1 │
//	└──────────────┴───────────┴───────────┴───────────┴─ ─
//
//	                                     Send                    Envelope
//	PUSH, PAIR, REQ, REP                 nothing                 0
//	DEALER to DEALER, DEALER to ROUTER   nothing                 0
//	DEALER with REP                      an empty delimiter      1
//	ROUTER with DEALER                   the routing id          1
//	ROUTER with REQ                      what was received       Delimited
//	PUB, XPUB                            nothing, or a topic
//	SUB, XSUB                                                    0, or 1 with a topic
//
// REQ and REP make and take away their delimiter themselves. A PUB without a
// topic reaches those who subscribed to everything: what it compares with the
// subscriptions is the first frame, whichever that is.
//
// # What is copied
//
// A frame that is received is read in place. One that is sent is copied where
// zmq4 goes on reading it after Send, and nowhere else as far as that can be
// known:
//
//   - by PUB, XPUB and REP, which queue a message for a goroutine of theirs:
//     always;
//   - over inproc, which hands the memory itself to the reading side. A socket
//     does not tell whether it is connected by inproc. But inproc carries only
//     frames of up to 255 bytes, so those are copied on every socket, and longer
//     ones, which over tcp and ipc are with the kernel when Send returns, on
//     none.
//
// [ReadStats] counts the copies. With the mechanism PLAIN zmq4 makes one more
// copy of everything it sends and one of everything it receives.
//
// # Hazards of zmq4
//
// A test in this package shows each of these, unless it says "by its source".
//
// Peers, before any authentication:
//   - A frame header of nine bytes that claims 2^62 bytes ends the process: the
//     length is allocated unchecked, in a goroutine whose panic nobody can
//     recover. So does a READY without Socket-Type, and one that is cut short.
//   - Nothing limits the size or the number of frames, so that limits here hold
//     only once all of a message is in memory.
//   - One peer that connects and is silent blocks the handshakes of all that
//     connect after it, for as long as it likes.
//   - PLAIN accepts any user and any password. By its source there is no CURVE.
//
// Delivery:
//   - PUSH and DEALER send every message to every peer, instead of to one in
//     turn.
//   - Send succeeds when nobody gets the message: on PUSH, PAIR and DEALER once
//     the peers are gone, or after the socket's time-out (5 minutes by default)
//     if none ever came; over tcp also for the first messages after a peer died;
//     on ROUTER for an unknown routing id; on PUB always. By its source a socket
//     that dialed does not connect again, unless it was made with
//     WithAutomaticReconnect.
//   - A REQ that has dialed several REPs, one of which died, can panic in Send.
//   - Recv fails with io.EOF when one of many peers leaves. Call it again.
//   - REQ and ROUTER, by their source, wait for a peer that does not read
//     without regard to the time-out, and a REP's other answers wait behind such
//     a peer. A PUB's stalled subscriber stops the messages of all others, which
//     queue up without a bound.
//   - inproc loses all but the first bytes of a frame of more than 255, and takes
//     those for its length, which by its source can also end the process. Send
//     refuses such frames on a socket that listens on inproc, and cannot know of
//     one that dialed it. By its source it may lose what was sent before a close.
//
// Options and upkeep:
//   - A PING is never answered, and is given to the user as a message; Recv skips
//     it, but on a REP it is an error of Recv. A libzmq peer with heartbeats
//     therefore drops the connection again and again. zmq4 sends none itself.
//   - By its source there is no LINGER, and no high-water mark but PUB's, at which
//     messages are dropped for all subscribers together.
//   - XPUB does not deliver subscriptions (by its source).
//   - Close leaves goroutines behind: one for each PUB and XPUB, one for each end
//     that waits on inproc, and by its source one for each peer whose messages
//     nobody received.
package gozmq
