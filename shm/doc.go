// Package shm moves messages between processes of one machine by reference: a
// message is built in memory that the other process already sees, and what
// crosses is a descriptor of 64 bytes.
//
//	ln, err := shm.Listen("/run/user/1000/frames.sock", shm.Options{})
//	pipe, err := ln.Accept(ctx)
//
//	pipe, err := shm.Dial(ctx, "/run/user/1000/frames.sock", shm.Options{}) // in the other process
//
//	msg := pipe.NewMessage(1 << 20) // its segments are blocks that the peer can already see
//	build(msg)                      // written once, in place
//	err := pipe.Send(ctx, msg)      // no byte of it is copied
//
//	got, err := pipe.Recv(ctx) // read where the peer built it
//	defer got.Release()        // gives the blocks back to the peer
//
// A [Pipe] has two ends. [Listen] and [Dial] make pipes by a socket in a folder,
// [Pair] and [Attach] for a child process by a descriptor that it inherits.
//
//	Pipe.NewMessage, Send, Recv   messages that are built and read where they lie
//	Writer, Reader                the least time for small messages, and many in one block
//	Poller                        one goroutine receives from many pipes
//
// This is for Linux. Elsewhere, and with the build tag purego, everything builds
// and each constructor gives an error that matches [ErrUnsupported].
//
// # One writer for each byte
//
// Each end makes memory of its own, its regions, and passes them to the peer, which
// can map them for reading only. An end writes its messages, its progress and its
// wishes into its own regions, and reads the peer's. What it has allocated,
// counted and lent lies in its heap. So nothing that a peer does, by mistake, by
// malice or by dying at any instant, can harm this process: at worst its own
// connection ends.
//
//	first region of an end
//	0x0000 ┌──────────────────────────────────────────────────────────────┐
//	       │ header: magic · version · size · slots · releases · checksum  │
//	0x0080 │ consumed      how many of the peer's slots were taken         │
//	0x0100 │ receive sleep odd: the receiver sleeps, ring it               │
//	0x0180 │ send sleep    odd: the sender sleeps until a count is reached │
//	0x0200 │ state         1 once the end is closed in order               │
//	0x0280 │ counters      for tools that look on                          │
//	0x1000 ├──────────────────────────────────────────────────────────────┤
//	       │ submit ring: 512 slots of 64 bytes, a message each            │
//	0x9000 ├──────────────────────────────────────────────────────────────┤
//	       │ release ring: 1,024 entries of 8 bytes, a lease given back    │
//	0xB000 ├──────────────────────────────────────────────────────────────┤
//	       │ blocks                                                        │
//	       └──────────────────────────────────────────────────────────────┘
//	further regions: blocks only
//
// Each control word has 128 bytes to itself, and is written by the region's owner
// only. All numbers are 64-bit words of the machine.
//
//	slot     w0  sequence 32 │ kind 8 │ segments 8 │ bytes 16    written last
//	1 inline w1 … w7: the message itself, of at most 56 bytes
//	others   w1  lease 32 │ a lease that is given back 32, 0 for none
//	2 places w2 … w7: where its segments are, up to six
//	3 table  w2: where a table of such words is
//	4 packed w2: where a block of many messages is │ w3: how many;
//	         each is a word with the number of its words, and its one segment
//	5 spans  w2, w3 and so on: where its segments are, up to three, to a word:
//	         yours 1 │ region 63, then offset in words 32 │ words 32
//	where    words 29 │ region 10 │ offset in 64 bytes 25
//	lease    index 20 │ generation 12, never 0
//	release  sequence 32 │ lease 32
//	sleep    epoch 31 │ what is counted 1 │ count 32
//
// The sequence of a slot is the number of the message, from 1 on, modulo 2^32. A
// slot is published by the exchange of its w0; until then the reader sees the
// sequence of an earlier lap. A lease is what a message's blocks are lent under.
// It comes back through the release ring, or in a slot that goes the other way
// anyway. A lease that is out of range, not lent, or of another generation ends
// the connection.
//
// A span is yours where the sender sends back part of what the receiver has lent to it:
// the segment lies in a block of the receiver's. The sender holds that until the
// receiver is done with the message, and the receiver holds its block besides.
//
// # Blocks
//
// Blocks come in sizes of 256 bytes to 4 MiB, with 64 bytes more for what a message
// has beside its contents; a larger segment has a region of its own. The first
// region is 256 KiB; as it fills, further ones are made and announced, up to
// [Options].MaxBytes. Before that a sender looks for a moment for blocks that come
// back. A block that has come back is used again, and is cleared then as
// far as it had been written: at once if that is little, else just before it is
// written again. Bulk data that is written as a whole need not be cleared at all, see
// [segment.PtrBuilder.NewDirtyData].
//
// # Waiting
//
// A call that has to wait spins for some 20 µs where there is more than one
// processor, then sets its sleeping word and sleeps in the runtime's poller,
// which holds no thread. See [Wait]. It is rung once for each sleep, and no peer can
// make ringing block. Wake-ups through the poller need a
// free P: where every P of the program is busy computing, a sleeper is noticed
// only when the scheduler looks, in some 10 ms. Set GOMAXPROCS above the number
// of goroutines that only compute.
//
// # The socket
//
// The socket over which two ends have met stays open between them. Over it go the
// descriptors of further regions, and the request for leases by a sender that is
// short of memory. Its end, or that of the process at its other end, is how each
// learns that the other is gone, within a second however that died; the kernel
// frees the memory of a large process first, some 0.1 s for 4 GiB.
//
// What a peer can do to us: not read, and so fill its own pipe; keep what it
// receives, up to 1,024 messages of each pipe; change what it has sent while we read
// it (see [segment.Shared]); and take some time of our processors by talking
// nonsense until its connection is ended. What it can't: write to our memory, make
// us read outside its own, block us beyond a context, or slow other peers.
package shm
