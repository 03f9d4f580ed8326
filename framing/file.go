package framing

import (
	"fmt"
	"iter"
	"os"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// File is a file of messages, mapped into memory: its messages are read where
// they lie in the file, and only what is looked at is ever loaded.
//
// The messages are [segment.Shared], because another process may write to the
// file. Reading them stays memory-safe whatever it does; what they say may
// change between two looks ([segment.Message.Snapshot] makes that stop). Where
// nobody writes to the file, NewSliceDecoder of its Bytes gives private messages.
//
// If somebody shortens the file, or its disk fails, reading what is gone is a
// fault of memory, which ends the program. Decoding finds that out and gives
// [ErrCorrupt]; for what the program reads of the messages there is Guard.
//
// A File may be used from any goroutine, but each of its decoders only from one.
type File struct {
	mu     sync.Mutex
	m      *mem.Mapping
	data   []byte
	holds  int // the caller's and one for each message
	closed bool
	err    error // of giving the mapping back
}

// fileHold is a message's hold on a file.
type fileHold File

// Open maps the regular file at path. The caller closes it. For what is not a
// regular file, or is packed, there is NewDecoder.
func Open(path string) (*File, error) {
	// Opening a fifo would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("framing: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("framing: open %s: not a regular file but %s", path, info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("framing: %w", err)
	}
	m, err := mem.MapFile(f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = cerr
		_ = m.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("framing: open: %w", err)
	}
	return &File{m: m, data: m.Bytes(), holds: 1}, nil
}

// Messages iterates over the file's messages in the standard format, with the
// default limits, from the first one. The caller releases each. The iteration
// ends with the file, or after the first error, which it gives.
func (f *File) Messages() iter.Seq2[*segment.Message, error] {
	return func(yield func(*segment.Message, error) bool) {
		f.Decoder(DecoderOptions{}).Messages()(yield)
	}
}

// Decoder returns a decoder of the file from its first byte. Messages that are
// not packed hold the file until they are released, even if it is closed.
func (f *File) Decoder(o DecoderOptions) *Decoder {
	d := NewSliceDecoder(f.data, o)
	d.file = f
	d.guarded = func() (err error) {
		d.opened, err = d.next()
		return err
	}
	return d
}

// next is the decoder's next, in a file that may be closed or go away.
func (f *File) next(d *Decoder) (*segment.Message, error) {
	if !f.retain() {
		return nil, fmt.Errorf("%w: the file", ErrClosed)
	}
	err := f.Guard(d.guarded)
	if err != nil || d.format.packed() {
		// Else the hold is now the message's.
		(*fileHold)(f).Release()
	}
	msg := d.opened
	d.opened = nil
	if err != nil {
		return nil, err
	}
	return msg, nil
}

func (f *File) retain() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.holds++
	return true
}

// drop gives up one hold. The caller has the lock.
func (f *File) drop() {
	if f.holds--; f.holds == 0 {
		if err := f.m.Close(); err != nil {
			f.err = fmt.Errorf("framing: close: %w", err)
		}
	}
}

// Release is told by a message that it needs the file no longer.
func (h *fileHold) Release() {
	f := (*File)(h)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
}

// Bytes returns the file's bytes as they are mapped. They are valid until Close
// and must not be written to.
func (f *File) Bytes() []byte { return f.data }

// Guard runs fn and turns a fault of its goroutine in the mapped file into an
// error that matches [ErrCorrupt]. Every other panic of fn goes on.
func (f *File) Guard(fn func() error) error { return guardedErr(mem.Guard(f.data, fn)) }

// Close gives the file back: at once, or when the last message from it is
// released. Decoders of it give an error from now on. Closing again does
// nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	f.drop()
	return f.err
}
