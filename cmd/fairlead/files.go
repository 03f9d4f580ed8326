package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// writeFile replaces a file by what write writes, or leaves it as it was. Where
// name is "-" or standard output itself, or leads to a device or a pipe, it is
// written to as it comes.
func writeFile(stdout io.Writer, name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(stdout)
	}
	info, err := os.Stat(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil {
		if isFile(info, stdout) {
			return write(stdout)
		}
		if !info.Mode().IsRegular() || virtual(name) {
			return writeTo(name, os.O_WRONLY|os.O_TRUNC, write)
		}
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return err
		}
	}
	next := filepath.Join(filepath.Dir(name), fmt.Sprintf(".fairlead-%016x", rand.Uint64()))
	err = writeTo(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, write)
	if errors.Is(err, os.ErrExist) {
		return err // it is not ours
	}
	if err == nil && info != nil {
		err = os.Chmod(next, info.Mode().Perm())
	}
	if err == nil {
		err = os.Rename(next, name)
	}
	if err != nil {
		if removeErr := os.Remove(next); !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// isFile tells whether w is the file of info.
func isFile(info os.FileInfo, w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	other, err := f.Stat()
	return err == nil && os.SameFile(info, other)
}

// virtual tells whether a name stands for something that a process has open,
// such as /dev/fd/3, which must not be replaced.
func virtual(name string) bool {
	name, err := filepath.Abs(name)
	return err != nil || strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "/proc/")
}

func writeTo(name string, flags int, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// interruptible reads from r until ctx ends, even while r has nothing to read.
// The caller calls stop when it needs no more; then r may be read once more.
func interruptible(ctx context.Context, r io.Reader) (in io.Reader, stop func()) {
	pr, pw := io.Pipe()
	go func() {
		// Copy takes the size of its steps from the buffer only if r and the pipe
		// have no methods of their own to do it.
		_, err := io.CopyBuffer(struct{ io.Writer }{pw}, struct{ io.Reader }{r}, make([]byte, 64<<10))
		pw.CloseWithError(err)
	}()
	forget := context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	return pr, func() {
		forget()
		pr.Close()
	}
}
