package mem

import "sync/atomic"

// Word is 64 bits of shared memory. Load, Store and Swap are atomic; Plain and
// SetPlain are ordinary accesses, for what a later atomic one publishes or an
// earlier one has made visible. Whoever reads memory that another process writes
// loads a word once and checks the copy.
type Word struct{ v uint64 }

// Load reads the word, before everything that follows.
func (w *Word) Load() uint64 { return atomic.LoadUint64(&w.v) }

// Store writes the word, after everything before it and, which an ordinary store
// does not promise, before every load that follows.
func (w *Word) Store(v uint64) { atomic.StoreUint64(&w.v, v) }

// Swap is Store that returns what was there.
func (w *Word) Swap(v uint64) uint64 { return atomic.SwapUint64(&w.v, v) }

// Add adds d to the word and returns the sum.
func (w *Word) Add(d uint64) uint64 { return atomic.AddUint64(&w.v, d) }

// Release writes the word after everything before it, as Store does; but what
// follows may come before it.
func (w *Word) Release(v uint64) { w.release(v) }

// Plain reads the word in no order with anything.
func (w *Word) Plain() uint64 { return w.v }

// SetPlain writes the word in no order with anything.
func (w *Word) SetPlain(v uint64) { w.v = v }

// A Line is the eight words of a cache line.
type Line [8]Word
