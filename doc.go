// Package fairlead is the front door of Fairlead: pipes that carry Cap'n Proto
// messages between goroutines, processes and machines without copying them, over
// whichever transport a URL names.
//
//	tcp://host:port                streams, as every other Cap'n Proto library has them
//	tls://host:port
//	unix:///run/x.sock
//	shm:///run/x.sock              shared memory: messages stay where they were built
//	zmq+tcp://host:port            ZeroMQ: one frame a segment
//	zmq+ipc:///run/x.sock
//	zmq+inproc://name              within a process
//
// A program moves from one to another by the string:
//
//	pipe, err := fairlead.Dial(ctx, os.Getenv("PEER"), fairlead.Options{})
//	…
//	defer pipe.Close()
//	msg := pipe.NewMessage(0)          // in memory that this pipe sends from
//	book := addressbook.NewRootAddressBook(msg)
//	…
//	err = pipe.Send(ctx, msg)          // msg belongs to the pipe now
//
//	msg, err = pipe.Recv(ctx)          // to be read where it arrived
//	…
//	defer msg.Release()
//
// and the other end is
//
//	ln, err := fairlead.Listen(url, fairlead.Options{})
//	…
//	defer ln.Close()
//	pipe, err := ln.Accept(ctx)
//
// Calls go the same ways: [ServeRPC] serves a capability at a URL, and [DialRPC]
// gives a connection to it. With #NAME at its end the URL is for what is exported
// there under the name.
//
// # What all transports keep
//
// Messages arrive whole, once and in order, or the pipe fails. Send takes a
// message over in every case, and Recv gives one that the caller releases. A
// peer that is slow makes Send wait; a context bounds every wait and breaks
// nothing. A peer that closes, or whose process ends, makes Recv give io.EOF once
// everything that arrived was received, but over TLS only one that closes does, for
// others could end the connection for it; then Send fails with [ErrDisconnected]. A
// peer is not trusted: limits are on by default, and what it does wrong ends its
// own pipe only.
//
// # What differs
//
//	                  copies of a large message   Dial where nobody listens   proves who the peer is
//	tcp, unix         the kernel's two            fails                       unix: the process
//	tls               and the encryption's        fails                       by certificates
//	shm               none                        fails                       the process
//	zmq+tcp, zmq+ipc  the kernel's two            waits                       by user or key, see Options.ZMQ
//	zmq+inproc        none                        waits                       it is this process
//
// Messages to several at once, to the next of many, or by topic are beyond a
// pipe: packages zmq and shm have them.
//
// # Where the rest is
//
// Package segment has messages, arena the memory to build them in, framing files
// and streams of them, schema and dynamic what they mean at run time, and rpc
// calls. The command "fairlead gen" makes Go code of schemas.
package fairlead
