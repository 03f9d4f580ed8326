//go:build !purego

package mem

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tmpfs is a folder of ordinary memory, which behaves as one with huge pages does.
func tmpfs(t *testing.T) string {
	t.Helper()
	const folder = "/dev/shm"
	if unit, err := FolderUnit(folder); err != nil || unit != hugePage {
		t.Skipf("SKIPPED: no tmpfs at %s: %d, %v", folder, unit, err)
	}
	return folder
}

func TestSharedOfFolder(t *testing.T) {
	folder := tmpfs(t)
	before := openDescriptors(t)
	s, err := NewShared("fairlead-test", 2*hugePage, SharedOptions{Folder: folder, Populate: true})
	if err != nil {
		t.Fatal(err)
	}
	if addressOf(s.Bytes()) == addressOf(s.guard) {
		t.Error("no page is before the memory")
	}
	// Nobody writes by what is passed on, and there is no name to open it by.
	if _, err := unix.Write(s.Descriptor(), []byte{1}); !errors.Is(err, unix.EBADF) {
		t.Errorf("a write by the descriptor: %v", err)
	}
	if name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(s.Descriptor())); err != nil || !strings.Contains(name, "(deleted)") {
		t.Errorf("its name is %q, %v", name, err)
	}
	if _, err := attach(t, s, OpenOptions{}); !errors.Is(err, ErrShared) || !strings.Contains(err.Error(), "without") {
		t.Errorf("without Unsealed: %v", err)
	}
	peer, err := attach(t, s, OpenOptions{Unsealed: true, Size: 2 * hugePage, Populate: true})
	if err != nil {
		t.Fatal(err)
	}
	copy(s.Bytes()[hugePage:], "fairlead")
	if string(peer.Bytes()[hugePage:][:8]) != "fairlead" {
		t.Error("the peer reads something else")
	}
	if err := Guard(peer.Bytes(), func() error { peer.Bytes()[5] = 1; return nil }); !errors.Is(err, ErrFault) {
		t.Errorf("a store of the peer: %v", err)
	}
	for _, m := range []*Shared{s, peer} {
		if at := addressOf(m.Bytes()); at%hugePage != 0 {
			t.Errorf("it is mapped at %#x", at)
		}
		if err := m.Release(); err != nil {
			t.Error(err)
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func TestFolderRefused(t *testing.T) {
	folder := tmpfs(t)
	before := openDescriptors(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, folder string
		want         error
		text         string
	}{
		{"none", filepath.Join(folder, "fairlead-none"), fs.ErrNotExist, "fairlead-none"},
		{"a file", file, unix.ENOTDIR, "file"},
		{"another file system", "/proc", nil, "want a tmpfs"},
	} {
		if _, err := FolderUnit(c.folder); err == nil || !errors.Is(err, c.want) && c.want != nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: the unit: %v", c.name, err)
		}
		if _, err := NewShared("fairlead-test", hugePage, SharedOptions{Folder: c.folder}); err == nil {
			t.Errorf("%s: memory was made", c.name)
		}
	}
	if _, err := NewShared("fairlead-test", PageSize(), SharedOptions{Folder: folder}); err == nil || !strings.Contains(err.Error(), "multiple of") {
		t.Errorf("a page: %v", err)
	}
	// More than the folder has is told, and not met later as a fault.
	if _, err := NewShared("fairlead-test", (maxInt>>1)&^(hugePage-1), SharedOptions{Folder: folder}); err == nil {
		t.Error("half of the address space was made")
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

// TestOpenUnsealedRefuses offers files of a tmpfs that are not as NewShared makes them.
func TestOpenUnsealedRefuses(t *testing.T) {
	folder := tmpfs(t)
	file := func(t *testing.T, flags int, size, stored int64) int {
		fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Ftruncate(fd, size); err != nil {
			t.Fatal(err)
		}
		if stored > 0 {
			if err := unix.Fallocate(fd, 0, 0, stored); err != nil {
				t.Fatal(err)
			}
		}
		if flags == unix.O_RDWR {
			return fd
		}
		defer unix.Close(fd)
		again, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	p := int64(PageSize())
	for _, c := range []struct {
		name string
		make func(t *testing.T) int
		want string
	}{
		{"to be written", func(t *testing.T) int { return file(t, unix.O_RDWR, 4*p, 4*p) }, "for reading"},
		{"holes", func(t *testing.T) int { return file(t, unix.O_RDONLY, 4*p, p) }, "with storage for"},
		{"another length", func(t *testing.T) int { return file(t, unix.O_RDONLY, p, p) }, "announced"},
		{"a name", func(t *testing.T) int {
			f, err := os.CreateTemp(folder, "fairlead-test")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			t.Cleanup(func() { os.Remove(f.Name()) })
			fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}, "names"},
		{"a memfd that may shrink", func(t *testing.T) int { return stored(t, 4*p, 0) }, "for reading"},
		{"another file system", func(t *testing.T) int {
			fd, err := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}, "no memfd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenShared(c.make(t), OpenOptions{Unsealed: true, Size: int(4 * p)})
			if !errors.Is(err, ErrShared) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

// SAFETY: the address is only looked at.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
