// Package segment builds and reads Cap'n Proto messages in the memory that
// they are sent from and in which they arrive.
//
// A message is one or more segments of 8-byte words. The first word of the
// first segment is the root pointer; a pointer leads to a struct or a list,
// within its segment or, by a far pointer, in another:
//
//	segment 0  | root | struct: data words … | pointers … | list … |
//	              └────▲                         └──────────▲
//	segment 1  | landing pad | object … |     ◀── far pointer
//
// # Building
//
// [New] starts a message in memory from an [Arena]. Builders write straight
// into that memory, so a message that is built is encoded:
//
//	msg := segment.New(arena.Pool())
//	defer msg.Release()
//	point := msg.NewRoot(segment.Size{DataWords: 2, Ptrs: 1})
//	point.SetFloat64(0, 1.5)
//	point.SetFloat64(8, -2)
//	point.SetText(0, "a corner")
//	segs, err := msg.ToSegments()
//
// The sizes and offsets come from a schema; generated code has a type for each
// struct (type Point segment.Struct) and hides them.
//
// # Reading
//
// [FromSegments] and [Open] read a message where it lies; nothing is decoded
// and nothing is copied. A getter checks what it reads and returns a value,
// not an error: what is malformed reads as zero, and [Message.Err] tells of
// the first fault. Any bytes are safe to read: no input panics, reads outside
// its segments, or costs more than the message's [Limits].
//
// # Ownership
//
// Handles ([Struct], [List], [Ptr] and their builders) are small values that
// refer to their message, and slices that getters return are its memory. All
// are valid until [Message.Release]. Retain and Release count holders.
//
// One goroutine at a time uses a message, because reading is metered. After
// [Message.Verify] found no fault, many may read a message whose bytes nobody
// else can write. Of other messages give each goroutine a reader of its own
// over the same bytes, which is cheap:
//
//	segs, err := msg.ToSegments()
//	mine, err := segment.Open(segs, segment.Options{Owner: msg.Retain()})
//
// # Memory that another process writes
//
// A message opened as [Shared] stays memory-safe whatever its writer does:
// each pointer word is loaded once, and what was checked is what is used. Its
// values can still change between two looks; [Message.Snapshot] copies it.
//
// The build tag purego replaces the unsafe loads and stores of this package by
// checked ones on slices.
package segment
