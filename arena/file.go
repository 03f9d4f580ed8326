package arena

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// FileOptions says how a file is built. The zero value is right for most.
type FileOptions struct {
	// MaxBytes is the longest that the message may become, a multiple of 8. It
	// costs address space, and no disk until it is used. 0 means 1 GiB, or 64 MiB
	// on 32-bit systems; the most is 2^29 − 1 words.
	MaxBytes int

	// Perm is the mode of the file before umask. 0 means 0600.
	Perm os.FileMode
}

// TempSuffix ends the name of a file under construction. The name is
//
//	.<name of the file>.<number in base 36>.fairlead-tmp
//
// in the same folder. A process that dies leaves it behind; whoever knows that no
// process is building there may delete it.
const TempSuffix = ".fairlead-tmp"

const (
	tableBytes = 8        // the segment table of a message of one segment
	fileFirst  = 64 << 10 // the least that a file starts with
	fileStep   = 64 << 20 // the most that a file grows beyond what was asked
)

// File is an arena whose one segment is a file mapped into memory, with room for
// the segment table in front: what is built is the file, and finishing it copies
// nothing. Until [File.Commit] everything happens in a temporary file beside it,
// so that the path always names the complete old file or the complete new one,
// whatever happens to the process.
//
//	byte 0        4        8                                8 + 8·words
//	┌─────────────┬────────┬────────────────────────────────┐
//	│ segments −1 │ words  │ the segment                    │
//	│ = 0, uint32 │ uint32 │                                │
//	└─────────────┴────────┴────────────────────────────────┘
//
// The disk space is taken when the segment grows, so that a full disk is an error
// of Allocate or Grow that matches [ErrFull], and not a fault while building.
// (A file system that copies on write may still run out later.)
//
// It serves one message. On Windows, and with the build tag purego, the memory is
// beside the file, and Sync and Commit write it. Windows also refuses a Commit
// onto a file that somebody has open or mapped.
type File struct {
	path, temp string
	max        int

	mu        sync.Mutex
	file      *os.File // the temporary file, nil once closed
	fm        *mem.FileMap
	there     int    // bytes of the segment that the file has
	out       []byte // nil while no message has the segment
	sealed    bool   // complete and on the disk, and the memory is no longer the file's
	committed bool
	closed    bool
	failed    error // a write to the disk failed: nothing about the file can be relied on
}

// atFileStep is called between the steps that lead to a committed file. Tests die
// in it.
var atFileStep = func(string) {}

// CreateFile starts a file that will become path. The caller builds one message
// in it, calls [File.Commit] and, in any case, [File.Close]. The folder must exist
// and path must name a regular file or nothing; if it is a symbolic link, the link
// is what the file will replace.
func CreateFile(path string, opts FileOptions) (*File, error) {
	a := &File{path: path, max: opts.MaxBytes}
	if a.max == 0 {
		a.max = defaultFileMax
	}
	if a.max < 8 || a.max > maxSegment || a.max%8 != 0 {
		return nil, fmt.Errorf("arena: create %s: maximum of %d bytes, want a multiple of 8 from 8 to %d", path, a.max, maxSegment)
	}
	perm := opts.Perm
	if perm == 0 {
		perm = 0o600
	}
	if perm&^os.ModePerm != 0 {
		return nil, fmt.Errorf("arena: create %s: mode %v, want permission bits only", path, perm)
	}
	if base := filepath.Base(path); path == "" || base == "." || base == ".." || base == string(filepath.Separator) {
		return nil, fmt.Errorf("arena: create %q: not the name of a file", path)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		// A rename would put a file where a device was, or fail after all work.
		return nil, fmt.Errorf("arena: create %s: it exists and is no regular file but %v", path, info.Mode().Type())
	}
	if err := a.openTemp(perm); err != nil {
		return nil, fmt.Errorf("arena: create %s: %w", path, full(err))
	}
	fm, err := mem.NewFileMap(a.file, tableBytes+a.max)
	if err != nil {
		err = errors.Join(err, a.file.Close(), os.Remove(a.temp))
		return nil, fmt.Errorf("arena: create %s: %w", path, err)
	}
	a.fm = fm
	atFileStep("created")
	return a, nil
}

// defaultFileMax is 64 MiB on 32-bit systems and 1 GiB on others.
const defaultFileMax = 64 << 20 << (^uint(0) >> 63 * 4)

func (a *File) openTemp(perm os.FileMode) error {
	dir, base := filepath.Split(a.path)
	// Names may have 255 bytes; a very long one is shortened, so that there is
	// room for the rest.
	if len(base) > 200 {
		base = base[:200]
	}
	for range 100 {
		a.temp = filepath.Join(dir, "."+base+"."+strconv.FormatUint(rand.Uint64(), 36)+TempSuffix)
		f, err := os.OpenFile(a.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			a.file = f
			return nil
		}
		if !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("no free name for a temporary file: %w", os.ErrExist)
}

// full marks err with ErrFull if it says that the disk is full.
func full(err error) error {
	if mem.IsNoSpace(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Allocate returns the segment, which lies behind the room for the segment table.
// It is an error if it is out already: a file holds one.
func (a *File) Allocate(minBytes int) ([]byte, error) {
	if err := checkAsk("file", minBytes); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable(); err != nil {
		return nil, err
	}
	if a.out != nil {
		return nil, fmt.Errorf("%w: file %s: %d bytes asked beside a segment of %d, which is the only one and has at most %d",
			ErrFull, a.path, minBytes, len(a.out), a.max)
	}
	return a.extend(minBytes, max(a.there, fileFirst-tableBytes))
}

// Grow lengthens the segment and the file in place to at least minBytes. It is an
// error to ask for more than the maximum or than the disk has; the segment then
// stays as it is.
func (a *File) Grow(segment []byte, minBytes int) ([]byte, error) {
	if err := checkAsk("file", minBytes); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable(); err != nil {
		return nil, err
	}
	if !same(segment, a.out) {
		return nil, fmt.Errorf("arena: file %s: Grow of a segment of %d bytes that is not out", a.path, len(segment))
	}
	if minBytes <= len(a.out) {
		return a.out, nil
	}
	have := len(a.out)
	return a.extend(minBytes, have+min(have, fileStep, maxSegment-have))
}

// usable says why nothing can be built any more, if so.
func (a *File) usable() error {
	switch {
	case a.closed:
		return fmt.Errorf("%w: file %s", ErrClosed, a.path)
	case a.sealed:
		return fmt.Errorf("%w: file %s is complete", ErrClosed, a.path)
	}
	return a.failed
}

// extend makes the segment at least minBytes long and want if it can be.
func (a *File) extend(minBytes, want int) ([]byte, error) {
	if minBytes > a.max {
		return nil, fmt.Errorf("%w: file %s: %d bytes asked for one segment, the maximum is %d", ErrFull, a.path, minBytes, a.max)
	}
	// With the table in front the file is whole pages.
	pages := func(n int) int { return min(mem.RoundUp(min(n, a.max)+tableBytes)-tableBytes, a.max) }
	want = pages(max(want, minBytes))
	all, err := a.fm.Extend(tableBytes + want)
	if err != nil && want > minBytes {
		// The disk may have that much and no more.
		want = pages(minBytes)
		all, err = a.fm.Extend(tableBytes + want)
	}
	if err != nil {
		return nil, fmt.Errorf("arena: file %s: %w", a.path, full(err))
	}
	a.there = max(a.there, want)
	a.out = all[tableBytes:]
	atFileStep("extended")
	return a.out, nil
}

// Free takes the segment back, of which only the first used bytes were written.
// A committed file keeps its contents; otherwise another message may be built.
// It panics if segment is not out.
func (a *File) Free(segment []byte, used int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	checkFree("file", segment, a.out, used)
	if !a.sealed && !a.closed {
		clear(a.out[:used])
	}
	a.out = nil
	if a.closed {
		_ = a.fm.Close() // nobody is left to tell, and nothing to be done
	}
}

// Sync waits until everything built so far is on the disk, in the temporary file.
// It spares Commit that work; the path still names the old file.
func (a *File) Sync() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable(); err != nil {
		return err
	}
	return a.sync(tableBytes + len(a.out))
}

func (a *File) sync(n int) error {
	err := a.fm.Flush(n)
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		// After a failed write the system may have dropped the pages and call
		// the next attempt a success.
		a.failed = fmt.Errorf("arena: sync %s: %w", a.path, full(err))
	}
	return a.failed
}

// Commit completes the file and puts it in the place of whatever the path named,
// at one instant. msg, a *segment.Message, must be built in this arena and have
// one segment; its first fault comes out here. When Commit returns nil the file
// is on the disk and under its name.
//
// The message stays readable until it is released and the arena closed. What is
// written to it after Commit stays in this process.
//
// If the place cannot be taken, Commit may be called again. Any other failure
// while writing is final. An error of the last step, syncing the folder, says
// that the new file is there but that a power failure may bring the old one back;
// Commit may be called again then too.
func (a *File) Commit(msg interface{ ToSegments() ([][]byte, error) }) error {
	segments, err := msg.ToSegments()
	if err != nil {
		return fmt.Errorf("arena: commit %s: %w", a.path, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.committed {
		return fmt.Errorf("%w: commit %s: closed or committed before", ErrClosed, a.path)
	}
	if a.failed != nil {
		return a.failed
	}
	if len(segments) != 1 || !same(segments[0], a.out) {
		return fmt.Errorf("arena: commit %s: the message has %d segments, want one, built in this file", a.path, len(segments))
	}
	n := len(segments[0])
	if n%8 != 0 || n > len(a.out) {
		return fmt.Errorf("arena: commit %s: segment of %d bytes, want a multiple of 8 up to %d", a.path, n, len(a.out))
	}
	if !a.sealed {
		if err := a.seal(n); err != nil {
			return err
		}
	}
	if err := a.rename(); err != nil {
		return fmt.Errorf("arena: commit %s: %w", a.path, full(err))
	}
	a.committed = true
	return nil
}

// seal writes the table, cuts the file to its length, and waits for the disk.
func (a *File) seal(n int) error {
	all, err := a.fm.Extend(tableBytes + n)
	if err != nil {
		return fmt.Errorf("arena: commit %s: %w", a.path, err)
	}
	binary.LittleEndian.PutUint32(all[0:], 0)
	binary.LittleEndian.PutUint32(all[4:], uint32(n/8))
	atFileStep("table")
	// The order matters: nobody may write to the file through the memory once it
	// is complete, and no page of memory may lie behind the end of a shorter file.
	if err := a.fm.Flush(tableBytes + n); err != nil {
		a.failed = fmt.Errorf("arena: commit %s: %w", a.path, full(err))
		return a.failed
	}
	atFileStep("flushed")
	if err := a.fm.Detach(tableBytes + n); err != nil {
		a.failed = fmt.Errorf("arena: commit %s: %w", a.path, full(err))
		return a.failed
	}
	atFileStep("detached")
	if err := a.file.Truncate(int64(tableBytes + n)); err != nil {
		a.failed = fmt.Errorf("arena: commit %s: %w", a.path, full(err))
		return a.failed
	}
	atFileStep("truncated")
	err = a.file.Sync()
	if cerr := a.file.Close(); err == nil {
		err = cerr
	}
	a.file = nil
	if err != nil {
		a.failed = fmt.Errorf("arena: commit %s: %w", a.path, full(err))
		return a.failed
	}
	a.sealed = true
	atFileStep("synced")
	return nil
}

func (a *File) rename() error {
	if a.temp != "" {
		if err := os.Rename(a.temp, a.path); err != nil {
			return err
		}
		a.temp = ""
		atFileStep("renamed")
	}
	if err := mem.SyncFolder(filepath.Dir(a.path)); err != nil {
		return err
	}
	atFileStep("folder")
	return nil
}

// Close ends the work: without a Commit the temporary file is deleted and the
// path names what it did before. The memory is given back at once, or if a
// message has it, as soon as that is released. Closing again does nothing.
func (a *File) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	var errs []error
	if a.file != nil {
		errs = append(errs, a.file.Close())
	}
	if a.temp != "" {
		errs = append(errs, os.Remove(a.temp))
	}
	if a.out == nil {
		errs = append(errs, a.fm.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("arena: close %s: %w", a.path, err)
	}
	return nil
}

// Outstanding returns 1 and the length of the segment while it is out.
func (a *File) Outstanding() (blocks, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return outstanding(a.out)
}

// Zeroed reports that memory comes zeroed, so that nobody need check.
func (a *File) Zeroed() bool { return true }
