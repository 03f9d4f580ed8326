package shm

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// LogOptions says how a log is written. The zero value is right for most.
type LogOptions struct {
	// MaxBytes is how long the file may become. It costs address space, and no
	// disk until it is used. Default 16 GiB, on 32-bit systems 256 MiB.
	MaxBytes int64
	// Perm is the mode of a new file before umask. Default 0600.
	Perm os.FileMode
	// ManualFlush makes Append only collect: readers that sleep are woken by
	// Flush. One that is awake sees messages at once in any case.
	ManualFlush bool
}

// LogStats says what was appended to a log since it was opened.
type LogStats struct {
	Messages int64 // appended
	Bytes    int64 // how long the log is now
	Copied   int64 // bytes of messages that were not built in the log
	Skipped  int64 // bytes of the file that hold nothing
	Torn     int64 // bytes that were thrown away when it was opened
}

// A Log is a file of messages that one process appends to and any number of
// others read, in place and while it grows ([ReadLog]). A message is built in the
// file ([Log.NewMessage]), so that appending it copies nothing.
//
// It lives in this package rather than in arena or framing because it is a way
// between processes: messages are read in memory that another process writes, and
// readers wait.
//
//	0x0000 ┌───────────────────────────────────────────────────────────┐
//	       │ magic · version · number of the log · time made · checksum │
//	0x0080 │ end: where the last complete record ends                   │
//	0x0100 │ synced: an end that is on the disk · its sequence · check  │
//	0x0180 │ bell: written with a system call, to wake readers          │
//	0x1000 ├───────────────────────────────────────────────────────────┤
//	       │ records, each a multiple of 8 bytes                        │
//	       └───────────────────────────────────────────────────────────┘
//	record  w0  marker 32 │ CRC-32C of the rest 32
//	        w1  segments 24 │ words of the record 40
//	        w2  sequence, from 1 on
//	        w3  time appended, in nanoseconds since 1970
//	        of more than one segment: the words of each, a word each
//	        the segments
//
// All numbers are little-endian 64-bit words. The end is stored last, so that
// whenever the process dies, each message whose Append returned is there and whole,
// and nothing else is. After a failure of the whole machine the same holds for what
// was there at the last Sync; of what came after it, those messages are kept up to
// the first that did not reach the disk whole.
//
// A log may be used from any goroutine. One message at a time is built in the file;
// while it is, others are built in the heap and copied.
type Log struct {
	path   string
	manual bool
	file   *os.File
	head   logHead

	mu     sync.Mutex
	fm     *mem.FileMap
	data   []byte // the file as far as it has storage
	max    int
	end    int
	seq    uint64
	tail   []byte         // the segment that is built behind end; nil if there is none
	held   map[*byte]bool // segments in the file that a message has, beside tail
	closed bool
	stats  LogStats
	segs   [][]byte // of the message that is appended

	syncing sync.Mutex // taken before mu
	bell    [8]byte
}

const (
	defaultLogBytes = min(16<<30, int64(^uint(0)>>1)>>3+1)
	logFirst        = 64 << 10 // the least that a file grows to
	logStep         = 64 << 20 // the most that it grows beyond what was asked
)

// ErrCorruptLog is matched by the error of a file that is no log, or of a log whose
// contents are not what was appended.
var ErrCorruptLog = errors.New("shm: corrupt log")

// OpenLog opens the log at path for appending, and makes it if there is none. Only
// one process at a time can: others get an error that matches [ErrInUse]. What an
// earlier process left half-done is thrown away. The caller closes it.
//
// A file that is something else is never written to; the error matches
// [ErrCorruptLog].
func OpenLog(path string, o LogOptions) (*Log, error) {
	if !mem.SharedSupported() {
		return nil, ErrUnsupported
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultLogBytes
	}
	if o.Perm == 0 {
		o.Perm = 0o600
	}
	if o.MaxBytes < logFirst || o.MaxBytes > int64(^uint(0)>>2) || o.Perm&^os.ModePerm != 0 {
		return nil, fmt.Errorf("shm: open log %s: options: MaxBytes %d, Perm %v", path, o.MaxBytes, o.Perm)
	}
	l := &Log{path: path, manual: o.ManualFlush, max: int(o.MaxBytes), held: map[*byte]bool{}}
	if err := l.open(o.Perm); err != nil {
		if l.fm != nil {
			err = errors.Join(err, l.fm.Close())
		}
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
		return nil, fmt.Errorf("shm: open log %s: %w", path, err)
	}
	return l, nil
}

// atLogStep is called between the steps of a log. Tests die in it.
var atLogStep = func(string) {}

func (l *Log) open(perm os.FileMode) error {
	info, err := os.Stat(l.path)
	if err == nil && !info.Mode().IsRegular() { // opening a fifo would wait for a writer
		return fmt.Errorf("%w: not a regular file but %s", ErrCorruptLog, info.Mode().Type())
	}
	l.file, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, perm)
	if err != nil {
		return err
	}
	if err := mem.Lock(l.file); err != nil {
		if errors.Is(err, mem.ErrLocked) {
			return ErrInUse
		}
		return err
	}
	atLogStep("locked")
	found, err := recoverLog(l.file)
	if err != nil {
		return err
	}
	atLogStep("recovered")
	if l.fm, err = mem.OpenFileMap(l.file, l.max); err != nil {
		return err
	}
	l.end, l.seq = found.end, found.seq
	l.stats.Bytes, l.stats.Torn = int64(found.end), found.torn
	if err := l.extend(l.end); err != nil {
		return err
	}
	atLogStep("extended")
	if l.head, err = logHeadOf(l.data); err != nil {
		return err
	}
	if found.fresh {
		l.head.begin()
		atLogStep("begun")
		if err := l.sync(l.end, l.seq); err != nil {
			return err
		}
	}
	l.head.end.Swap(uint64(l.end))
	atLogStep("opened")
	return nil
}

// extend makes sure that the file has storage for its first n bytes, and for a part
// of the records that will follow.
func (l *Log) extend(n int) error {
	if n <= len(l.data) {
		return nil
	}
	if n > l.max {
		return fmt.Errorf("%w: %d bytes, MaxBytes is %d", ErrFull, n, l.max)
	}
	to := min(l.max, max(n+logFirst, min(2*n, n+logStep)))
	data, err := l.fm.Extend(to)
	if err != nil && mem.IsNoSpace(err) {
		data, err = l.fm.Extend(n) // what is asked may still fit
	}
	if err != nil {
		if mem.IsNoSpace(err) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return err
	}
	l.data = data
	return nil
}

// NewMessage starts a message of about sizeHint bytes, 0 if that is not known, in
// the file, where Append leaves it. While another one is being built there, it
// starts in the heap. It belongs to the caller until it is appended.
func (l *Log) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized((*logMemory)(l), max(sizeHint, 0))
}

// Append adds a message to the log. It belongs to the log from now on in every
// case. When Append returns nil the message will be read, even if this process
// dies at once; only Sync also guards against a failure of the machine. An error
// that matches [ErrFull] says that the disk is full, or the log.
func (l *Log) Append(msg *segment.Message) error {
	if msg.Segments() == 0 {
		msg.RootBuilder() // takes the first segment
	}
	l.mu.Lock()
	segs, err := msg.AppendSegments(l.segs[:0])
	if err == nil {
		err = l.append(segs)
	}
	clear(segs)
	l.segs = segs[:0]
	l.mu.Unlock()
	msg.Release()
	if err != nil {
		return fmt.Errorf("shm: append to %s: %w", l.path, err)
	}
	return nil
}

func (l *Log) append(segs [][]byte) error {
	if l.closed {
		return ErrClosed
	}
	inPlace := len(segs) == 1 && len(l.tail) > 0 && &segs[0][0] == &l.tail[0]
	if !inPlace && l.tail != nil {
		l.skip()
	}
	size := recordBytes(segs)
	if err := l.extend(l.end + size); err != nil {
		return err
	}
	record := l.data[l.end : l.end+size]
	if inPlace {
		l.held[&l.tail[0]] = true
		l.tail = nil
	} else {
		l.stats.Copied += int64(fillRecord(record, segs))
	}
	atLogStep("filled")
	putRecordHead(record, len(segs), l.seq+1, time.Now())
	atLogStep("headed")
	l.seq++
	l.commit(l.end + size)
	l.stats.Messages++
	if !l.manual {
		return l.ring()
	}
	return nil
}

// commit makes what lies before end part of the log.
func (l *Log) commit(end int) {
	l.end = end
	l.stats.Bytes = int64(end)
	l.head.end.Swap(uint64(end))
	atLogStep("committed")
}

// skip gives up the place behind the end to the message that is built there, so
// that another can be appended. When it comes to be appended it is copied.
func (l *Log) skip() {
	size := recordHeadBytes + len(l.tail)
	putSkipHead(l.data[l.end:l.end+recordHeadBytes], size, l.seq)
	l.held[&l.tail[0]] = true
	l.tail = nil
	l.stats.Skipped += int64(size)
	l.commit(l.end + size)
}

// Flush wakes the readers that sleep. It is needed with LogOptions.ManualFlush
// only.
func (l *Log) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return l.ring()
}

func (l *Log) ring() error {
	l.bell[0]++
	if _, err := l.file.WriteAt(l.bell[:], atLogBell); err != nil {
		return fmt.Errorf("wake readers: %w", err)
	}
	atLogStep("rung")
	return nil
}

// Sync waits until everything appended so far is on the disk. Others may append
// meanwhile.
func (l *Log) Sync() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	end, seq, closed := l.end, l.seq, l.closed
	l.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if err := l.sync(end, seq); err != nil {
		return fmt.Errorf("shm: sync %s: %w", l.path, err)
	}
	return nil
}

// sync is called by one at a time.
func (l *Log) sync(end int, seq uint64) error {
	if err := l.fm.Flush(end); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	atLogStep("flushed")
	// Only now, or it would tell of what is not there.
	l.head.setSynced(end, seq)
	atLogStep("marked")
	return l.fm.Flush(atLogRecords)
}

// Stats tells what was appended.
func (l *Log) Stats() LogStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Close ends appending. It does not wait for the disk: Sync does. Readers go on
// reading what is there, and will read what the next one appends who opens the log.
// A message of the log that is not released yet is readable on, but cannot be
// appended. Closing again does nothing.
func (l *Log) Close() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var err error
	if l.tail != nil || len(l.held) > 0 {
		err = l.fm.Detach(l.end) // a store to what is cut off below would fault
	}
	if err == nil {
		err = l.file.Truncate(int64(l.end))
	}
	atLogStep("closing")
	err = errors.Join(err, l.file.Close(), l.leave())
	if err != nil {
		return fmt.Errorf("shm: close log %s: %w", l.path, err)
	}
	return nil
}

// leave gives the memory back if the log is closed and no message has any of it.
func (l *Log) leave() error {
	if !l.closed || l.tail != nil || len(l.held) > 0 {
		return nil
	}
	l.data, l.head = nil, logHead{}
	return l.fm.Close()
}

// logMemory is a log as the arena of its messages.
type logMemory Log

// Allocate gives the memory behind the end, or some of the heap if somebody has
// that.
func (m *logMemory) Allocate(minBytes int) ([]byte, error) {
	l := (*Log)(m)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.tail != nil {
		return arena.Pool().Allocate(minBytes)
	}
	return l.take(minBytes)
}

// take makes tail n bytes long.
func (l *Log) take(n int) ([]byte, error) {
	at := l.end + recordHeadBytes
	if n > l.max-at {
		return nil, fmt.Errorf("%w: a message of %d bytes at %d, MaxBytes is %d", ErrFull, n, l.end, l.max)
	}
	if err := l.extend(at + n); err != nil {
		return nil, err
	}
	l.tail = l.data[at : at+n : at+n]
	return l.tail, nil
}

// Grow lengthens the memory behind the end in place.
func (m *logMemory) Grow(segment []byte, minBytes int) ([]byte, error) {
	l := (*Log)(m)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.tail) == 0 || &segment[0] != &l.tail[0] {
		return nil, fmt.Errorf("shm: log %s: this memory cannot grow", l.path)
	}
	at := l.end + recordHeadBytes
	return l.take(max(minBytes, min(2*len(l.tail), len(l.data)-at)))
}

// Free takes memory back.
func (m *logMemory) Free(segment []byte, used int) {
	l := (*Log)(m)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.tail) > 0 && &segment[0] == &l.tail[0]:
		clear(segment[:used])
		l.tail = nil
	case l.held[&segment[0]]:
		delete(l.held, &segment[0])
	default:
		arena.Pool().Free(segment, used)
		return
	}
	// Nobody is left to tell of an error here.
	_ = l.leave()
}

// Zeroed says that memory is zero.
func (m *logMemory) Zeroed() bool { return true }
