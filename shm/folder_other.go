//go:build !linux || purego

package shm

import (
	"io/fs"
	"os"
	"syscall"
)

// No constructor comes so far as to use a folder here.
type folder struct{ *os.File }

func openFolder(string, bool) (*folder, error) { return nil, ErrUnsupported }

func (d *folder) path(name string) string          { return name }
func (d *folder) stat(string) (fs.FileInfo, error) { return nil, ErrUnsupported }
func (d *folder) remove(string) error              { return ErrUnsupported }
func (d *folder) rename(string, string) error      { return ErrUnsupported }
func (d *folder) lock() (unlock func(), err error) { return nil, ErrUnsupported }
func ownSocket(fs.FileInfo) error                  { return ErrUnsupported }
func restrict(syscall.RawConn) error               { return ErrUnsupported }
func isShortage(error) bool                        { return false }

// Pair makes the two ends of what becomes a pipe to a child process. Here it gives
// [ErrUnsupported].
func Pair() (ours, theirs *os.File, err error) { return nil, nil, ErrUnsupported }
