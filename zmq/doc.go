// Package zmq is ZeroMQ in Go: sockets that carry messages of one or more frames
// over TCP, through the file system and within a process, and speak ZMTP 3.1 and
// 3.0 with libzmq and all its bindings.
//
//	push := zmq.NewPush()
//	defer push.Close()
//	err := push.Connect("tcp://127.0.0.1:5555")
//	err = push.SendMessage(ctx, msg)      // one frame a segment; msg now belongs to the socket
//
//	pull := zmq.NewPull()
//	endpoint, err := pull.Bind("tcp://127.0.0.1:*")
//	msg, err := pull.RecvMessage(ctx)     // readable where it arrived
//	defer msg.Release()
//
// # Sockets
//
//	PUSH → PULL               work, to one after the other
//	PUB, XPUB → SUB, XSUB     news, to all who subscribed; who is too slow misses some
//	REQ ↔ REP                 questions and answers, in turn
//	DEALER ↔ ROUTER           the same without turns: a ROUTER says whom it answers
//	PAIR ↔ PAIR               two sockets, both ways
//
// A socket may bind and connect to any number of endpoints, in either order. It
// connects again for ever when a connection is lost. [Proxy] joins two networks;
// [Dial], [Listen] and [NewPipe] make pipes, which end when their connection does.
//
// # Messages
//
// The segments of a message are the frames, and nothing is added: what pyzmq's
// send_multipart sends of the segments that pycapnp gives is what RecvMessage
// reads. A routing id, a delimiter or a topic stands before them as an envelope,
// which the caller gives and gets.
//
// # What is copied
//
// Frames of up to 2 KiB are copied to leave together; larger ones leave from
// where they lie, by reference count to however many peers. Frames of at least
// 8 KiB are read straight into memory of their own, but for what was read ahead
// with what came before; smaller ones are copied once to where they can be read
// in place. Inproc nothing is copied. [Stats] counts the bytes.
//
// # Peers are not trusted
//
// A length is checked against MaxMessageBytes before memory is taken, and memory
// above 1 MiB is taken only for a peer that delivered so much. A message has at
// most 1,024 frames, a peer at most MaxSubscriptions topics of 1 KiB. Handshakes
// are made off the accept path, 256 at once for each listener: one more makes the
// oldest give way. A peer that breaks a rule is dropped; the others notice
// nothing.
package zmq
