//go:build linux && !purego

package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A folder is one that sockets are in. It is held open, and names are looked up in
// it, so that what was checked is what is used even if somebody renames a folder
// above it.
type folder struct{ *os.File }

// openFolder opens a folder. One for listening is made if it is missing, and must be
// safe from others.
func openFolder(path string, listening bool) (*folder, error) {
	if listening {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if listening {
		if err := safe(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &folder{f}, nil
}

// safe tells whether nobody else can put anything into the folder.
func safe(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if uid != os.Geteuid() && uid != 0 {
		return fmt.Errorf("%w: the folder %s belongs to user %d, want %d", ErrAuth, f.Name(), uid, os.Geteuid())
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("%w: the folder %s has mode %#o, and so others can write to it", ErrAuth, f.Name(), perm)
	}
	return nil
}

// path names a file of the folder, however long the folder's own path is and
// whatever it is called by now.
func (d *folder) path(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/" + name
}

func (d *folder) stat(name string) (fs.FileInfo, error) { return os.Lstat(d.path(name)) }

// remove deletes a file that need not be there.
func (d *folder) remove(name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (d *folder) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// lockTimeout is how long another process may take to make its socket in the same
// folder.
const lockTimeout = 5 * time.Second

// lock keeps other listeners from changing the folder meanwhile.
func (d *folder) lock() (unlock func(), err error) {
	for end := time.Now().Add(lockTimeout); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = unix.Flock(int(d.Fd()), unix.LOCK_UN) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			return nil, fmt.Errorf("lock the folder %s: %w", d.Name(), err)
		}
	}
}

// ownSocket tells whether a file is a socket of ours.
func ownSocket(info fs.FileInfo) error {
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("is there already, and is no socket but %v", info.Mode())
	}
	if uid := int(info.Sys().(*syscall.Stat_t).Uid); uid != os.Geteuid() {
		return fmt.Errorf("belongs to user %d, want %d", uid, os.Geteuid())
	}
	return nil
}

// restrict gives a socket the mode that its file will have.
func restrict(c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); e != nil {
		return e
	}
	return err
}

// isShortage tells whether an error may go away by itself.
func isShortage(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ETOOMANYREFS) || errors.Is(err, unix.ECONNABORTED)
}

// Pair makes the two ends of what becomes a pipe to a child process: one is for
// [Attach] here, the other goes to the child among its files (exec.Cmd.ExtraFiles),
// is closed here, and is for Attach there. The caller closes what it does not
// attach.
func Pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("shm: pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "shm"), os.NewFile(uintptr(fds[1]), "shm of the peer"), nil
}
