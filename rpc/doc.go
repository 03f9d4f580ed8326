// Package rpc is Cap'n Proto's remote procedure calls: capabilities, calls
// that are answered in any order, and promise pipelining.
//
// A [Client] refers to a capability: an object that somebody serves. A call on
// it gives a [Future] at once; the capabilities among its results can be called
// before they are there, with [Future.Client]: nobody waits between the calls.
//
// Programs use the clients and servers that "fairlead gen" makes of a schema's
// interfaces, which are thin: a client is a Client under the interface's name,
// a server a Go interface with one method for each of the schema's. Without
// generated code, package rpc/dynrpc calls and serves by names.
//
// A [Conn] joins two processes over any [Transport]: a pipe of package framing,
// zmq or shm. What one side hands to the other, from its bootstrap capability on,
// is called across it as it is within a process:
//
//	conn := rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), rpc.ConnOptions{})
//	defer conn.Close()
//	calc := calculator.NewCalculator(conn.Bootstrap())
//
// It speaks level 1 of Cap'n Proto's protocol (https://capnproto.org/rpc.html),
// and level 2 with package rpc/sturdy, with peers of the reference from 0.9 on.
// Handlers of remote calls run on the goroutine that reads from the transport,
// which another takes over from a handler that blocks.
//
// # Who owns what
//
//   - A Client that a constructor or Retain gives belongs to the caller, who
//     releases it or hands it on. Setting a capability in a message takes it
//     over. One that is read from a message, or is a future's, is lent: it is good
//     for as long as the message or the future, and Retain makes it one's own.
//   - A Future is released by who made the call. Its results, and all that was
//     read from them without a copy, are valid until then. Releasing it before it
//     is done cancels the call.
//   - A handler's parameters are lent until it returns. Its results are sent when
//     it returns without an error.
//
// # Order
//
// Calls on one capability start in the order in which they were made, those on
// a promise too. A server's handler has its object for itself: the next call
// starts when the handler returns, calls [Call.Go], or waits for a call of its
// own.
//
// # Watching
//
// Interceptors see all calls of a connection: see [ConnOptions]. With
// FAIRLEAD_DEBUG=1 in the environment, clients and futures that are dropped without
// Release, released too often, or held when their connection ends are reported to
// slog.Default, with where they were made.
package rpc
