package shm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/spin"
	"github.com/fairlead-go/fairlead/segment"
)

// LogReaderOptions says how a log is read. The zero value reads what is there.
type LogReaderOptions struct {
	// Follow makes Next wait at the end of the log for what will be appended,
	// even by a process that opens the log later.
	Follow bool
	// From is where to begin: what Position of an earlier reader gave. Default:
	// with the first message.
	From LogPosition
	// Copy makes Next give a copy of each message whose checksum was right, in
	// memory of this process. Nothing that anybody does to the file can then
	// change a message or make reading it fault.
	Copy bool
	// Limits bound what reading a message may cost; zero fields mean the defaults.
	Limits segment.Limits
}

// LogPosition is a place between two messages of a log.
type LogPosition struct {
	Offset   int64  // in bytes; 0 means the beginning
	Sequence uint64 // of the message before it
}

// logRetry is how often a reader looks that the system gives no way to wait.
const logRetry = 2 * time.Millisecond

// A LogReader reads the messages of a log where they lie in the file, which is
// mapped for reading. It treats the file as hostile: whatever is in it, Next gives
// messages that are safe to read, or an error that matches [ErrCorruptLog].
//
// Its messages are [segment.Shared], unless they are copied. If somebody shortens
// the file, which a [Log] never does to what it has appended, reading what is gone
// is a fault of memory, which ends the program. Next finds that out and gives
// ErrCorruptLog; for what the program reads of the messages there is Guard, and Copy.
//
// One goroutine at a time calls Next and Guard; any may call Close.
type LogReader struct {
	path string
	o    LogReaderOptions

	mu     sync.Mutex // held by Next but not while it sleeps
	file   *os.File
	m      *logMapping
	maps   []*logMapping // those that messages have, and m
	pos    int
	seq    uint64
	bell   *mem.Watch // nil if the system gives none
	watch  deadline.Watch
	busy   bool // Next is at work
	closed bool

	took      *segment.Message
	step      func() error
	look      func() bool
	somewhere bool // whether there is something to look at
	peek      func() error
}

// logMapping is the file as long as it was at some time.
type logMapping struct {
	m      *mem.Mapping
	data   []byte
	head   logHead
	reader *LogReader
	users  int // the reader's and one for each message; its lock guards it
}

// ReadLog opens the log at path for reading, wherever its writer is, if there is
// any. The caller closes it.
func ReadLog(path string, o LogReaderOptions) (*LogReader, error) {
	if !mem.SharedSupported() {
		return nil, ErrUnsupported
	}
	o.Limits = o.Limits.WithDefaults()
	r := &LogReader{path: path, o: o}
	if err := r.open(); err != nil {
		if r.file != nil {
			err = errors.Join(err, r.file.Close())
		}
		if r.m != nil {
			err = errors.Join(err, r.m.m.Close())
		}
		return nil, fmt.Errorf("shm: read log %s: %w", path, err)
	}
	return r, nil
}

func (r *LogReader) open() error {
	info, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // opening a fifo would wait for a writer
		return fmt.Errorf("%w: not a regular file but %s", ErrCorruptLog, info.Mode().Type())
	}
	if r.file, err = os.Open(r.path); err != nil {
		return err
	}
	if err := r.remap(); err != nil {
		return err
	}
	if err := mem.Guard(r.m.data, r.m.head.check); err != nil {
		return corruptLog(err)
	}
	r.pos, r.seq = atLogRecords, r.o.From.Sequence
	if at := r.o.From.Offset; at != 0 {
		if at < atLogRecords || at%8 != 0 || at > int64(len(r.m.data)) {
			return fmt.Errorf("%w: no position %d in a file of %d bytes", ErrCorruptLog, at, len(r.m.data))
		}
		r.pos = int(at)
	} else if r.seq != 0 {
		return fmt.Errorf("shm: read log: a position with sequence %d and no offset", r.seq)
	}
	r.step, r.look, r.peek = r.take, r.quiet, r.peekEnd
	if r.o.Follow {
		// Without one, such as when the user has as many as may be, Next looks
		// from time to time.
		if r.bell, err = mem.NewWatch(r.file); err == nil {
			r.watch.SetDeadline = r.bell.SetDeadline
		}
	}
	return nil
}

// remap maps the file as it is now.
func (r *LogReader) remap() error {
	m, err := mem.MapFile(r.file)
	if err != nil {
		return err
	}
	data := m.Bytes()
	if len(data) < atLogRecords {
		return errors.Join(fmt.Errorf("%w: %d bytes, a log has at least %d", ErrCorruptLog, len(data), atLogRecords), m.Close())
	}
	head, err := logHeadOf(data)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if r.m != nil {
		r.leave(r.m)
	}
	r.m = &logMapping{m: m, data: data, head: head, reader: r, users: 1}
	r.maps = append(r.maps, r.m)
	return nil
}

// leave gives up one use of a mapping. The caller has the lock.
func (r *LogReader) leave(m *logMapping) {
	if m.users--; m.users > 0 {
		return
	}
	_ = m.m.Close() // of memory that nobody has any more
	for i := range r.maps {
		if r.maps[i] == m {
			r.maps = append(r.maps[:i], r.maps[i+1:]...)
			return
		}
	}
}

// Release is told by a message that it needs the file no longer.
func (m *logMapping) Release() {
	m.reader.mu.Lock()
	defer m.reader.mu.Unlock()
	m.reader.leave(m)
}

// Next returns the next message, which the caller releases. At the end of the log
// it returns [io.EOF], or waits for the next message if the reader follows. After
// an error it can be called again; one that matches [ErrCorruptLog] will come again
// until somebody repairs the file.
func (r *LogReader) Next(ctx context.Context) (*segment.Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = true
	defer r.rest()
	for {
		if r.closed {
			return nil, fmt.Errorf("shm: read log %s: %w", r.path, ErrClosed)
		}
		err := mem.Guard(r.m.data, r.step)
		if err == errLonger {
			if err = r.longer(); err == nil {
				err = mem.Guard(r.m.data, r.step)
			}
		}
		msg := r.took
		r.took = nil
		switch {
		case err == errLonger: // it grows while we look
		case err != nil:
			return nil, fmt.Errorf("shm: read log %s at %d: %w", r.path, r.pos, corruptLog(err))
		case msg != nil:
			return msg, nil
		case !r.o.Follow:
			return nil, io.EOF
		}
		if err := r.wait(ctx); err != nil {
			return nil, fmt.Errorf("shm: read log: %w", err)
		}
	}
}

// longer maps more of the file, and finds out whether it has grown at all.
func (r *LogReader) longer() error {
	before := len(r.m.data)
	if err := r.remap(); err != nil {
		return err
	}
	if len(r.m.data) <= before {
		return fmt.Errorf("%w: it ends behind its file of %d bytes", ErrCorruptLog, len(r.m.data))
	}
	return nil
}

// rest ends a Next. The caller has the lock.
func (r *LogReader) rest() {
	r.busy = false
	if r.closed {
		_ = r.end() // of files that were only read
	}
}

// end gives back what the reader has, but not what its messages have.
func (r *LogReader) end() error {
	if r.m == nil {
		return nil
	}
	r.leave(r.m)
	r.m = nil
	err := r.file.Close()
	if r.bell != nil {
		err = errors.Join(err, r.bell.Close())
	}
	return err
}

// corruptLog says of a fault what it means.
func corruptLog(err error) error {
	if errors.Is(err, mem.ErrFault) {
		return fmt.Errorf("%w: the file was shortened, or its disk failed: %w", ErrCorruptLog, err)
	}
	return err
}

// errLonger says that the log ends behind the mapping.
var errLonger = errors.New("the log is longer")

// take takes the next message, if there is one. It runs guarded.
func (r *LogReader) take() error {
	for {
		end := r.m.head.end.Load()
		if end == uint64(r.pos) {
			return nil
		}
		if end < uint64(r.pos) || end%8 != 0 {
			return fmt.Errorf("%w: it ends at %d", ErrCorruptLog, end)
		}
		if end > uint64(len(r.m.data)) {
			return errLonger
		}
		record := r.m.data[r.pos:end]
		head, err := readRecordHead(record, r.seq)
		if err != nil {
			return err
		}
		if head.marker == recordMarker {
			err = r.openRecord(&head, record[:head.bytes:head.bytes])
		}
		if err != nil {
			return err
		}
		r.pos, r.seq = r.pos+head.bytes, head.seq
		if r.took != nil {
			return nil
		}
	}
}

// openRecord makes a message of a record.
func (r *LogReader) openRecord(head *recordHead, record []byte) (err error) {
	if r.o.Copy {
		return r.copyRecord(head, record)
	}
	segs, err := head.splitRecord(nil, record, r.o.Limits.Segments)
	if err != nil {
		return err
	}
	r.took, err = segment.Open(segs, segment.Options{Limits: r.o.Limits, Trust: segment.Shared, Owner: r.m})
	if err == nil {
		r.m.users++
	}
	return err
}

func (r *LogReader) copyRecord(head *recordHead, record []byte) error {
	if int64(len(record)) > r.o.Limits.MessageBytes {
		return &segment.LimitError{Limit: "MessageBytes", Max: uint64(r.o.Limits.MessageBytes), Got: uint64(len(record))}
	}
	b, err := arena.Pool().Allocate(len(record))
	if err != nil {
		return err
	}
	c := &logCopy{b, len(record)}
	copied := b[:len(record):len(record)]
	copy(copied, record)
	// Only the copy counts from here on.
	again, err := readRecordHead(copied, r.seq)
	if err == nil && again.bytes != len(copied) {
		err = fmt.Errorf("%w: the record changed while it was read", ErrCorruptLog)
	}
	if err == nil {
		err = again.checkSum(copied)
	}
	var segs [][]byte
	if err == nil {
		segs, err = again.splitRecord(nil, copied, r.o.Limits.Segments)
	}
	if err == nil {
		r.took, err = segment.Open(segs, segment.Options{Limits: r.o.Limits, Trust: segment.Snapshot, Owner: c})
	}
	if err != nil {
		c.Release()
		return err
	}
	head.seq = again.seq
	return nil
}

// logCopy is memory of the pool that a copied message has.
type logCopy struct {
	mem  []byte
	used int
}

func (c *logCopy) Release() { arena.Pool().Free(c.mem, c.used) }

// quiet tells whether there is nothing to look at. It is called when no wake-up can
// be missed any more.
func (r *LogReader) quiet() bool {
	r.somewhere = true // if the file cannot be looked at, Next says so
	_ = mem.Guard(r.m.data, r.peek)
	return !r.somewhere
}

func (r *LogReader) peekEnd() error {
	r.somewhere = r.m.head.end.Load() != uint64(r.pos)
	return nil
}

// wait waits until the log is longer, and may return before. It gives the lock back
// meanwhile; m stays, because only Next replaces it and Close waits.
func (r *LogReader) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Unlock()
	defer r.mu.Lock()
	if spin.Allowed() {
		for began := clock(); clock()-began < spinBudget; {
			for range spinRounds {
				mem.Pause(1)
			}
			if !r.quiet() {
				return nil
			}
		}
	}
	if r.bell == nil {
		timer := time.NewTimer(logRetry)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !r.watch.Begin(ctx, 0) {
		return ctx.Err()
	}
	err := r.bell.Wait(r.look)
	r.watch.End()
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		return ctx.Err()
	}
	return err
}

// Position tells where the next message begins, for another reader to go on from.
func (r *LogReader) Position() LogPosition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return LogPosition{Offset: int64(r.pos), Sequence: r.seq}
}

// Guard runs fn and turns a fault of its goroutine in the mapped file into an error
// that matches [ErrCorruptLog]. Every other panic of fn goes on.
func (r *LogReader) Guard(fn func() error) error {
	r.mu.Lock()
	maps := append([]*logMapping(nil), r.maps...)
	r.mu.Unlock()
	return corruptLog(guardAll(maps, fn))
}

func guardAll(maps []*logMapping, fn func() error) error {
	if len(maps) == 0 {
		return fn()
	}
	return mem.Guard(maps[0].data, func() error { return guardAll(maps[1:], fn) })
}

// Close ends a Next that waits, and reading. The memory is given back when the last
// message is released. Closing again does nothing.
func (r *LogReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.bell != nil {
		r.watch.Close(true)
	}
	if r.busy {
		return nil // Next is about to return, and ends the reader
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("shm: close log: %w", err)
	}
	return nil
}
