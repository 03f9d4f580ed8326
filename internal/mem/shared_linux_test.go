//go:build !purego

package mem

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// attach opens what a peer would be sent.
func attach(t testing.TB, s *Shared, o OpenOptions) (*Shared, error) {
	t.Helper()
	fd, err := Duplicate(s.Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	return OpenShared(fd, o)
}

func TestShared(t *testing.T) {
	for name, o := range map[string]struct {
		make SharedOptions
		open OpenOptions
	}{
		"plain":      {},
		"populated":  {SharedOptions{Populate: true}, OpenOptions{Populate: true}},
		"huge pages": {SharedOptions{Huge: true, Populate: true}, OpenOptions{Size: 4 << 20, MaxSize: 4 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			before := openDescriptors(t)
			s, err := NewShared("fairlead-test", 4<<20, o.make)
			if err != nil {
				t.Fatal(err)
			}
			peer, err := attach(t, s, o.open)
			if err != nil {
				t.Fatal(err)
			}
			mine, theirs := s.Bytes(), peer.Bytes()
			if len(mine) != 4<<20 || cap(mine) != len(mine) || len(theirs) != len(mine) || cap(theirs) != len(mine) {
				t.Fatalf("%d and %d bytes", len(mine), len(theirs))
			}
			if !bytes.Equal(theirs, make([]byte, 4<<20)) {
				t.Error("fresh memory is not zero")
			}
			copy(mine[4<<20-8:], "fairlead")
			if string(theirs[4<<20-8:]) != "fairlead" {
				t.Errorf("the peer reads %q", theirs[4<<20-8:])
			}
			if err := Guard(theirs, func() error { theirs[5] = 1; return nil }); !errors.Is(err, ErrFault) {
				t.Errorf("a store of the peer: %v", err)
			}
			for _, m := range []*Shared{s, peer} {
				p := int(addressOf(m.data) - addressOf(m.guard))
				if err := Guard(m.guard, func() error { sinkString = string(m.guard[p-1 : p]); return nil }); !errors.Is(err, ErrFault) {
					t.Errorf("the byte before: %v", err)
				}
				end := p + len(m.data)
				if err := Guard(m.guard, func() error { sinkString = string(m.guard[end : end+1]); return nil }); !errors.Is(err, ErrFault) {
					t.Errorf("the byte behind: %v", err)
				}
			}
			// The peer reads on after its maker has gone.
			if err := s.Release(); err != nil {
				t.Error(err)
			}
			if string(theirs[4<<20-8:]) != "fairlead" {
				t.Errorf("after its maker's release: %q", theirs[4<<20-8:])
			}
			if err := peer.Release(); err != nil {
				t.Error(err)
			}
			if after := openDescriptors(t); after != before {
				t.Errorf("%d descriptors open, %d before", after, before)
			}
		})
	}
}

func TestSharedUsers(t *testing.T) {
	s, err := NewShared("fairlead-test", PageSize(), SharedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Retain()
	if err := s.CloseDescriptor(); err != nil || s.Descriptor() != -1 {
		t.Errorf("descriptor %d, %v", s.Descriptor(), err)
	}
	if err := errors.Join(s.CloseDescriptor(), s.Release()); err != nil || s.Bytes() == nil {
		t.Fatalf("released while there is a user: %v", err)
	}
	s.Bytes()[0] = 1
	if err := s.Release(); err != nil || s.Bytes() != nil {
		t.Errorf("the last release: %v", err)
	}
	for name, f := range map[string]func(){
		"Release": func() { _ = s.Release() },
		"Retain":  s.Retain,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of released memory: no panic", name)
				}
			}()
			f()
		}()
	}
}

// Whatever could make an access fault, or let another write, is refused to
// everybody.
func TestSharedIsSealed(t *testing.T) {
	s, err := NewShared("fairlead-test", 4*PageSize(), SharedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	peer, err := attach(t, s, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Release()
	fd := s.Descriptor()
	size := int64(len(s.Bytes()))
	for name, f := range map[string]func() error{
		"shrink":       func() error { return unix.Ftruncate(fd, size/2) },
		"grow":         func() error { return unix.Ftruncate(fd, size*2) },
		"grow by room": func() error { return unix.Fallocate(fd, 0, size, size) },
		"punch": func() error {
			return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, size)
		},
		"remove": func() error { return unix.Madvise(s.Bytes(), unix.MADV_REMOVE) },
		"seal": func() error {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
			return err
		},
		"write": func() error { _, err := unix.Pwrite(fd, []byte{1}, 0); return err },
		"map for writing": func() error {
			_, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		},
		"map again by its name": func() error {
			f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		},
		"write through the peer's mapping": func() error {
			return unix.Mprotect(peer.Bytes(), unix.PROT_READ|unix.PROT_WRITE)
		},
		"run": func() error {
			return exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd)).Run()
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := f(); err == nil {
				t.Error("it was let")
			}
		})
	}
}

func TestNewSharedRefuses(t *testing.T) {
	for _, size := range []int{0, -PageSize(), 1, PageSize() + 8, maxInt &^ (PageSize() - 1)} {
		if s, err := NewShared("fairlead-test", size, SharedOptions{}); err == nil {
			t.Errorf("%d bytes: no error", size)
			_ = s.Release()
		}
	}
}

// rawMemfd makes a memfd of that length with those seals, without storage.
func rawMemfd(t *testing.T, flags int, size int64, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("fairlead-test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|flags)
	if err != nil {
		t.Skipf("SKIPPED: no memfd with flags %#x: %v", flags, err)
	}
	if err := unix.Ftruncate(fd, size); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

func stored(t *testing.T, size int64, seals int) int {
	t.Helper()
	fd := rawMemfd(t, 0, 0, 0)
	if err := unix.Fallocate(fd, 0, 0, size); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestOpenSharedRefuses(t *testing.T) {
	p := int64(PageSize())
	before := openDescriptors(t)
	for _, c := range []struct {
		name string
		make func(t *testing.T) int
		open OpenOptions
		want string
	}{
		{"no seals", func(t *testing.T) int { return stored(t, p, 0) }, OpenOptions{}, "without 0x17"},
		{"may shrink", func(t *testing.T) int { return stored(t, p, seals&^unix.F_SEAL_SHRINK) }, OpenOptions{}, "without 0x2"},
		{"may grow", func(t *testing.T) int { return stored(t, p, seals&^unix.F_SEAL_GROW) }, OpenOptions{}, "without 0x4"},
		{"may be written", func(t *testing.T) int { return stored(t, p, seals&^unix.F_SEAL_FUTURE_WRITE) }, OpenOptions{}, "without 0x10"},
		{"may be sealed further", func(t *testing.T) int { return stored(t, p, seals&^unix.F_SEAL_SEAL) }, OpenOptions{}, "without 0x1"},
		{"other size than announced", func(t *testing.T) int { return stored(t, 2*p, seals) }, OpenOptions{Size: int(p)}, "announced"},
		{"empty", func(t *testing.T) int { return rawMemfd(t, 0, 0, seals) }, OpenOptions{}, "0 bytes long"},
		{"half a page", func(t *testing.T) int { return stored(t, p+p/2, seals) }, OpenOptions{}, "multiple of"},
		{"longer than accepted", func(t *testing.T) int { return stored(t, 4*p, seals) }, OpenOptions{MaxSize: int(3 * p)}, "at most"},
		{"holes", func(t *testing.T) int { return rawMemfd(t, 0, 64*p, seals) }, OpenOptions{}, "with storage for 0"},
		{"one hole", func(t *testing.T) int {
			fd := rawMemfd(t, 0, 64*p, 0)
			if err := unix.Fallocate(fd, 0, 0, 63*p); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
				t.Fatal(err)
			}
			return fd
		}, OpenOptions{}, "with storage for"},
		{"hugetlb", func(t *testing.T) int { return rawMemfd(t, unix.MFD_HUGETLB, 2<<20, seals) }, OpenOptions{}, "ordinary pages"},
		{"file of a tmpfs", func(t *testing.T) int {
			fd, err := unix.Open("/dev/shm", unix.O_TMPFILE|unix.O_RDWR, 0o600)
			if err != nil {
				t.Skipf("SKIPPED: no tmpfs at /dev/shm: %v", err)
			}
			return fd
		}, OpenOptions{}, "without 0x16"},
		{"file", func(t *testing.T) int { return open(t, filepath.Join(t.TempDir(), "f")) }, OpenOptions{}, "no memfd"},
		{"folder", func(t *testing.T) int {
			fd, err := unix.Open(t.TempDir(), unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}, OpenOptions{}, "no memfd"},
		{"device", func(t *testing.T) int { return open(t, "/dev/zero") }, OpenOptions{}, "no memfd"},
		{"pipe", func(t *testing.T) int {
			var fds [2]int
			if err := unix.Pipe(fds[:]); err != nil {
				t.Fatal(err)
			}
			unix.Close(fds[1])
			return fds[0]
		}, OpenOptions{}, "no memfd"},
		{"none", func(t *testing.T) int { return -1 }, OpenOptions{}, "no memfd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fd := c.make(t)
			s, err := OpenShared(fd, c.open)
			if !errors.Is(err, ErrShared) {
				t.Fatalf("error %v and %v, want a refusal", err, s)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not say %q", err, c.want)
			}
		})
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func open(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// Where there is no room, making shared memory is an error and leaves nothing
// open. Memory files live on a tmpfs of the kernel's own without a bound, so the
// test gives a process of its own a bound on the length of files.
func TestSharedWithoutRoom(t *testing.T) {
	const variable = "FAIRLEAD_TEST_NO_ROOM"
	if os.Getenv(variable) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSharedWithoutRoom$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "no room, as it should be") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	limit := unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	s, err := NewShared("fairlead-test", 1<<20, SharedOptions{Populate: true})
	if err != nil {
		t.Fatal(err)
	}
	before := openDescriptors(t)
	for range 10 {
		if _, err := NewShared("fairlead-test", 2<<20, SharedOptions{Populate: true}); !IsNoSpace(err) {
			t.Fatalf("2 MiB where a file has at most 1: %v", err)
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
	for i := range s.Bytes() { // what there was before stays good
		s.Bytes()[i] = 1
	}
	t.Log("no room, as it should be")
}

func BenchmarkNewShared(b *testing.B) {
	for _, populate := range []bool{false, true} {
		b.Run(fmt.Sprintf("1 MiB, populated %v", populate), func(b *testing.B) {
			for b.Loop() {
				s, err := NewShared("fairlead-bench", 1<<20, SharedOptions{Populate: populate})
				if err != nil {
					b.Fatal(err)
				}
				_ = s.Release()
			}
		})
	}
}
