package fairlead

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// listenUnix listens at a socket in the file system, and takes over one that
// nobody listens at any more.
func listenUnix(path string) (net.Listener, error) {
	ln, err := bindUnix(path)
	if err == nil || !addressInUse(err) {
		return ln, err
	}
	// Of several who come at once, one takes it over, and the others see that one.
	unlock, lockErr := lockFolder(filepath.Dir(path))
	if lockErr != nil {
		return nil, errors.Join(err, lockErr)
	}
	defer unlock()
	fi, statErr := os.Lstat(path)
	if statErr == nil && fi.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("%w: it is no socket", err)
	}
	if !abandoned(path) {
		return nil, fmt.Errorf("%w: somebody listens there", err)
	}
	if rmErr := os.Remove(path); rmErr != nil && !errors.Is(rmErr, os.ErrNotExist) {
		return nil, errors.Join(err, rmErr)
	}
	return bindUnix(path)
}

// abandoned tells whether a socket is nobody's any more. It asks with a socket of
// another type, to which one that is somebody's is of the wrong type, so that its
// owner gets no connection of it.
func abandoned(path string) bool {
	c, err := net.Dial(probeNetwork, path)
	if err == nil {
		_ = c.Close()
		return false
	}
	return connectionRefused(err) || errors.Is(err, os.ErrNotExist)
}

// A unixListener removes its socket only if it is still the one that it made.
type unixListener struct {
	*net.UnixListener
	path string
	made os.FileInfo
	once sync.Once
	err  error
}

func bindUnix(path string) (net.Listener, error) {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	made, err := os.Lstat(path)
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	return &unixListener{UnixListener: ln, path: path, made: made}, nil
}

func (l *unixListener) Close() error {
	l.once.Do(func() {
		// Before closing: afterwards the next listener may have come already.
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
			_ = os.Remove(l.path) // what is left is taken over by the next
		}
		l.err = l.UnixListener.Close()
	})
	return l.err
}
