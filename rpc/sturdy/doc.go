// Package sturdy keeps capabilities beyond their connections: a client saves one
// and gets a sturdy reference, bytes that it may write to a disk, and restores the
// capability from them over another connection, after a restart of either side if
// the server can build its objects again. It is level 2 of Cap'n Proto's RPC
// protocol.
//
// A server has a [Keeper], which is the restorer of its connections, and tells it
// which objects can be saved:
//
//	keeper := sturdy.NewKeeper(sturdy.Options{Store: store, Load: load})
//	defer keeper.Close()
//	keeper.Persist(counter.Client, "counters/7") // what load builds it from again
//	fairlead.ServeRPC(ctx, url, boot, fairlead.Options{RPC: rpc.ConnOptions{Restorer: keeper.Dispatch}})
//
// and a client saves and restores in a line each:
//
//	ref, err := sturdy.Save(ctx, counter.Client, sturdy.Anyone)
//	counter := NewCounter(sturdy.Restore(ctx, conn, ref))
//
// # What a reference is worth
//
// A reference is 32 random bytes, and whoever has them has the capability, as with
// a password: they belong where secrets are kept. The server's store has their
// hashes only, so that who reads it can't restore anything. [Drop] makes a
// reference worthless for everybody.
//
// One that is sealed for an owner is of use to that owner alone, as whom a peer
// has to prove itself by its transport; see [Options.Owners] and [Self].
//
// # On the wire
//
// Saving is the method of the standard interface Persistent, with references that
// are Data and owners that are Text, and so is open to clients of every
// implementation. Restoring is the interface Restorer, see restorer.capnp, on the
// bootstrap capability of the connection.
package sturdy
