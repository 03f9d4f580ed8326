package sturdy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// ErrCorrupt is matched by the error of a file that is not as it was written.
var ErrCorrupt = errors.New("sturdy: a corrupt file")

// errClosed is the error of a File after Close.
var errClosed = errors.New("sturdy: the file is closed")

// FileOptions say how a File works. The zero value is useful.
type FileOptions struct {
	// Max is how many entries there may be. Default 65536.
	Max int
}

// File is a [Store] in a file, which one process has at a time. An entry that was
// put, or deleted, stays so when the power fails.
//
// Each change is a line at the end of the file: its CRC-32C in hex, a space, and
// the change in JSON. When most lines are of no use any more, those that are get
// written beside it, and take its place in one step.
type File struct {
	path   string
	max    int
	unlock func()

	mu      sync.Mutex
	f       *os.File
	size    int64 // of the lines that are good
	lines   int
	entries map[Key]Entry
	broken  error // why nothing can be written any more
	closed  bool
}

// record is what a line says.
type record struct {
	Key     string `json:"key"`
	Deleted bool   `json:"deleted,omitempty"`
	Proof   string `json:"proof,omitempty"`
	Object  []byte `json:"object,omitempty"`
	Owner   string `json:"owner,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maxLine bounds a line, more than an entry can have.
const maxLine = 1 << 20

// spareLines is how many lines without use a file may have in any case.
const spareLines = 1 << 10

// OpenFile opens a store, or makes it, for its user alone. A change that was cut
// off by the end of its process, or of the power, is left out; other damage gives
// [ErrCorrupt]. The caller closes it.
func OpenFile(path string, o FileOptions) (*File, error) {
	if o.Max == 0 {
		o.Max = defaultMax
	}
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	f := &File{path: path, max: o.Max, unlock: unlock, entries: map[Key]Entry{}}
	if err := f.open(); err != nil {
		_ = f.f.Close()
		unlock()
		return nil, err
	}
	return f, nil
}

func (f *File) open() (err error) {
	if f.f, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	if err := f.load(); err != nil {
		return err
	}
	if err := f.f.Truncate(f.size); err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	if _, err := f.f.Seek(f.size, io.SeekStart); err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	if err := mem.SyncFolder(filepath.Dir(f.path)); err != nil { // it may be new
		return fmt.Errorf("sturdy: %w", err)
	}
	return nil
}

// load reads all lines. What follows the last good one and is no whole line was
// cut off.
func (f *File) load() error {
	r := bufio.NewReaderSize(f.f, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err == io.EOF:
			return nil // a line without its end, or none
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("%w: %s: line %d has more than %d bytes", ErrCorrupt, f.path, f.lines+1, maxLine)
		case err != nil:
			return fmt.Errorf("sturdy: %w", err)
		}
		if err := f.apply(line); err != nil {
			if _, end := r.Peek(1); end == io.EOF {
				return nil // it is the last, which was not whole when it was written
			}
			return fmt.Errorf("%w: %s: line %d: %w", ErrCorrupt, f.path, f.lines+1, err)
		}
		f.size += int64(len(line))
		f.lines++
	}
}

// apply does what a line says.
func (f *File) apply(line []byte) error {
	sum, body, ok := bytes.Cut(line[:len(line)-1], []byte(" "))
	if want := fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)); !ok || string(sum) != want {
		return fmt.Errorf("the checksum is %.16q, want %s", sum, want)
	}
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	var k Key
	if err := fromHex(k[:], r.Key); err != nil {
		return err
	}
	if r.Deleted {
		delete(f.entries, k)
		return nil
	}
	e := Entry{Object: string(r.Object), Owner: r.Owner}
	if err := fromHex(e.Proof[:], r.Proof); err != nil {
		return err
	}
	f.entries[k] = e
	return nil
}

func fromHex(to []byte, text string) error {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(to) {
		return fmt.Errorf("%.40q, want %d bytes in hex", text, len(to))
	}
	copy(to, b)
	return nil
}

// line writes a change.
func line(k Key, e *Entry) ([]byte, error) {
	r := record{Key: hex.EncodeToString(k[:]), Deleted: e == nil}
	if e != nil {
		r.Proof, r.Object, r.Owner = hex.EncodeToString(e.Proof[:]), []byte(e.Object), e.Owner
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	b := append(fmt.Appendf(nil, "%08x ", crc32.Checksum(body, castagnoli)), body...)
	if len(b) >= maxLine {
		return nil, fmt.Errorf("sturdy: an entry of %d bytes, at most %d", len(b), maxLine-1)
	}
	return append(b, '\n'), nil
}

// Put keeps an entry, which is on the disk when it returns.
func (f *File) Put(_ context.Context, k Key, e Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.entries) >= f.max {
		return errFull(f.max)
	}
	if err := f.write(k, &e); err != nil {
		return err
	}
	f.entries[k] = e
	return nil
}

// Get gives the entry of a key.
func (f *File) Get(_ context.Context, k Key) (Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[k]
	switch {
	case f.closed:
		return Entry{}, errClosed
	case !ok:
		return Entry{}, ErrUnknown
	}
	return e, nil
}

// Delete forgets a key, for good when it returns.
func (f *File) Delete(_ context.Context, k Key) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.entries[k]; !ok {
		return nil
	}
	if err := f.write(k, nil); err != nil {
		return err
	}
	delete(f.entries, k)
	return nil
}

// write appends a change. The caller has the lock.
func (f *File) write(k Key, e *Entry) error {
	if f.closed {
		return errClosed
	}
	if f.broken != nil {
		return f.broken
	}
	b, err := line(k, e)
	if err != nil {
		return err
	}
	if f.lines >= 2*len(f.entries)+spareLines {
		if err := f.rewrite(); err != nil {
			return err
		}
	}
	if _, err := f.f.Write(b); err != nil {
		// Such as a disk that is full: what is there of the line must not stay.
		if terr := f.cut(); terr != nil {
			f.broken = fmt.Errorf("sturdy: %w", errors.Join(err, terr))
		}
		return fmt.Errorf("sturdy: %w", err)
	}
	if err := f.f.Sync(); err != nil {
		// What the disk has is not known from here on.
		f.broken = fmt.Errorf("sturdy: %w", err)
		return f.broken
	}
	f.size += int64(len(b))
	f.lines++
	return nil
}

func (f *File) cut() error {
	if err := f.f.Truncate(f.size); err != nil {
		return err
	}
	_, err := f.f.Seek(f.size, io.SeekStart)
	return err
}

// rewrite puts a file in the place of this one that has what is in use. The
// caller has the lock.
func (f *File) rewrite() error {
	size, err := f.writeNew(f.path + ".new")
	if err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	_ = f.f.Close() // some systems don't rename what is open
	if err = os.Rename(f.path+".new", f.path); err == nil {
		f.size, f.lines = size, len(f.entries)
		err = mem.SyncFolder(filepath.Dir(f.path)) // or the old file may come back
	}
	n, oerr := os.OpenFile(f.path, os.O_RDWR, 0o600)
	if f.f = n; oerr == nil {
		_, oerr = n.Seek(f.size, io.SeekStart)
	}
	if err = errors.Join(err, oerr); err != nil {
		f.broken = fmt.Errorf("sturdy: %w", err)
	}
	return f.broken
}

// writeNew writes all entries into a new file.
func (f *File) writeNew(path string) (size int64, err error) {
	n, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	size, err = f.writeAll(n)
	if cerr := n.Close(); err == nil {
		err = cerr
	}
	return size, err
}

func (f *File) writeAll(n *os.File) (size int64, err error) {
	w := bufio.NewWriter(n)
	for k, e := range f.entries {
		b, err := line(k, &e)
		if err != nil {
			return 0, err
		}
		size += int64(len(b))
		if _, err := w.Write(b); err != nil {
			return 0, err
		}
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return size, n.Sync()
}

// Close closes the file. Closing again does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	err := f.f.Close()
	f.unlock()
	if err != nil {
		return fmt.Errorf("sturdy: %w", err)
	}
	return nil
}
