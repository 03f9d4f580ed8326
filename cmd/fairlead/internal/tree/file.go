package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// MaxFileBytes is the most that one Data field can hold, and so the largest file
// that can be sent as one.
const MaxFileBytes = 1<<29 - 1

// File is an open regular file, mapped and hashed. Its zero value is ready for
// [File.Open]. It is not safe for concurrent use.
type File struct {
	Name    string      // relative to the root it was opened in
	Mode    fs.FileMode // permission bits
	ModTime time.Time
	Sum     [sha256.Size]byte // of Bytes, when it was opened

	file    *os.File
	info    fs.FileInfo
	mapping *mem.Mapping
}

// Open opens, maps and hashes the file rel below root, of at most maxBytes bytes
// (0: [MaxFileBytes]). It never waits for a fifo and opens no device, even where one took
// the file's place after the walk. The error is the reason to skip it, without
// its path; the File is then closed.
func (f *File) Open(root, rel string, maxBytes int64) (err error) {
	*f = File{Name: rel}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	if f.file, err = openNoWait(filepath.Join(root, rel)); err != nil {
		return errors.New(reason(err))
	}
	if f.info, err = f.file.Stat(); err != nil {
		return errors.New(reason(err))
	}
	if !f.info.Mode().IsRegular() {
		return errors.New(kind(f.info.Mode()))
	}
	if maxBytes <= 0 {
		maxBytes = MaxFileBytes
	}
	maxBytes = min(maxBytes, MaxFileBytes, math.MaxInt/2)
	if size := f.info.Size(); size > maxBytes {
		return fmt.Errorf("%d bytes, more than the limit of %d", size, maxBytes)
	}
	f.Mode, f.ModTime = f.info.Mode().Perm(), f.info.ModTime()
	if f.mapping, err = mem.MapFile(f.file); err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause // the path stands beside the reason already
		}
		return fmt.Errorf("cannot be mapped: %w", err)
	}
	if int64(len(f.Bytes())) != f.info.Size() {
		return errChanged
	}
	if f.Sum, err = f.hash(); err != nil {
		return errChanged
	}
	return nil
}

var (
	errChanged  = errors.New("changed while it was read")
	errVanished = errors.New("vanished while it was read")
)

// Bytes returns the file's content, valid until [File.Close]. It is the file
// itself: whoever touches it must do so under [mem.Guard], or hand it to a
// system call.
func (f *File) Bytes() []byte {
	if f.mapping == nil {
		return nil
	}
	return f.mapping.Bytes()
}

func (f *File) hash() (sum [sha256.Size]byte, err error) {
	b := f.Bytes()
	err = mem.Guard(b, func() error {
		sum = sha256.Sum256(b)
		return nil
	})
	return sum, err
}

// Changed reports how the file differs from what was opened: an error that says
// that it changed or vanished meanwhile, or nil. It looks at the file's size,
// time and links, which costs one system call.
func (f *File) Changed() error {
	now, err := f.file.Stat()
	switch {
	case err != nil:
		return errors.New(reason(err))
	case now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()):
		return errChanged
	case gone(now):
		return errVanished
	}
	return nil
}

// Reread is [File.Changed] for when something is known to be wrong: it takes the
// hash again too, because a change within one tick of the file system's clock
// leaves size and time as they were.
func (f *File) Reread() error {
	if err := f.Changed(); err != nil {
		return err
	}
	if sum, err := f.hash(); err != nil || sum != f.Sum {
		return errChanged
	}
	return nil
}

// Close unmaps and closes the file. Closing it again does nothing.
func (f *File) Close() error {
	var err error
	if f.mapping != nil {
		err = f.mapping.Close()
		f.mapping = nil
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
		f.file = nil
	}
	return err
}
