package shm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// hugeFolder is a folder of memory: ordinary pages serve as well to see where
// messages lie. With FAIRLEAD_TEST_HUGE it is one with huge pages.
func hugeFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("FAIRLEAD_TEST_HUGE")
	if folder == "" {
		folder = "/dev/shm"
	}
	if _, err := mem.FolderUnit(folder); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return folder
}

// large makes a message that does not lie in a first region.
func large(msg *segment.Message, n int) *segment.Message {
	b := msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, n)
	b[0], b[n-1] = 1, 2
	return msg
}

func checkLarge(t *testing.T, msg *segment.Message, n int) {
	t.Helper()
	if b := msg.Root().Struct().Data(0); len(b) != n || b[0] != 1 || b[n-1] != 2 {
		t.Errorf("%d bytes, want %d", len(b), n)
	}
	msg.Release()
}

func TestHugeFolder(t *testing.T) {
	folder := hugeFolder(t)
	unit, err := mem.FolderUnit(folder)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	a, b := ends(t, Options{HugeFolder: folder, unit: unit}, Options{Unsealed: true})
	for _, n := range []int{100, 400 << 10, 3 << 20, 9 << 20} {
		if err := a.Send(briefly(t), large(a.NewMessage(n), n)); err != nil {
			t.Fatal(err)
		}
		got, err := b.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		checkLarge(t, got, n)
		if err := b.Send(briefly(t), large(b.NewMessage(n), n)); err != nil { // from memory of its own
			t.Fatal(err)
		}
		if got, err = a.Recv(briefly(t)); err != nil {
			t.Fatal(err)
		}
		checkLarge(t, got, n)
	}
	if st := a.Stats(); st.Copied != 0 {
		t.Errorf("%+v", st)
	}
	a.out.mu.Lock()
	files := 0
	for id, r := range a.out.store.regions {
		if r != nil && id > 0 {
			files++
			if n := len(r.shared.Bytes()); n%unit != 0 {
				t.Errorf("region %d has %d bytes, want a multiple of %d", id, n, unit)
			}
		}
	}
	a.out.mu.Unlock()
	if files < 3 {
		t.Errorf("%d regions beside the first", files)
	}
	after, err := os.ReadDir(folder)
	if err != nil || len(after) != len(before) {
		t.Errorf("%d names in the folder, %d before, %v", len(after), len(before), err)
	}
}

// Who has not the option refuses such memory, and is not harmed.
func TestHugeFolderUntrusted(t *testing.T) {
	folder := hugeFolder(t)
	unit, err := mem.FolderUnit(folder)
	if err != nil {
		t.Fatal(err)
	}
	a, b := ends(t, Options{HugeFolder: folder, unit: unit}, Options{})
	if err := a.Send(briefly(t), large(a.NewMessage(1<<20), 1<<20)); err != nil && !errors.Is(err, ErrDisconnected) {
		t.Fatal(err)
	}
	if _, err := b.Recv(briefly(t)); !errors.Is(err, ErrDisconnected) || !errors.Is(err, mem.ErrShared) {
		t.Errorf("without Unsealed: %v", err)
	}
}

func TestPublishHugeFolder(t *testing.T) {
	folder := hugeFolder(t)
	p := newPublisher(t, PublisherOptions{HugeFolder: folder})
	s := subscribe(t, p, SubscriberOptions{Unsealed: true})
	other := subscribe(t, p, SubscriberOptions{})
	for _, n := range []int{300 << 10, 5 << 20} {
		if err := p.Publish(briefly(t), large(p.NewMessage(n), n)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		checkLarge(t, got, n)
	}
	if st := p.Stats(); st.Copied != 0 {
		t.Errorf("%+v", st)
	}
	if _, err := other.Recv(briefly(t)); !errors.Is(err, ErrDisconnected) || !errors.Is(err, mem.ErrShared) {
		t.Errorf("without Unsealed: %v", err)
	}
}

// Where such memory cannot be had, that is told at once.
func TestNoHugeFolder(t *testing.T) {
	needSharedMemory(t)
	path := newPath(t)
	for _, folder := range []string{filepath.Join(path, "none"), "/proc"} {
		_, err := Listen(path, Options{HugeFolder: folder})
		if err == nil || !strings.Contains(err.Error(), "HugeFolder") || !strings.Contains(err.Error(), folder) {
			t.Errorf("Listen: %v", err)
		}
		if _, err = NewPublisher(path, PublisherOptions{HugeFolder: folder}); err == nil || !strings.Contains(err.Error(), "HugeFolder") {
			t.Errorf("NewPublisher: %v", err)
		}
	}
	// A folder that goes away afterwards leaves what there is in the first region, and
	// the heap.
	folder := hugeFolder(t)
	a, b := ends(t, Options{HugeFolder: folder, unit: 2 << 20}, Options{Unsealed: true})
	a.out.mu.Lock()
	a.out.store.folder = filepath.Join(folder, "fairlead-none")
	a.out.mu.Unlock()
	if err := a.Send(briefly(t), large(a.NewMessage(100), 100)); err != nil {
		t.Error(err)
	}
	got, err := b.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	checkLarge(t, got, 100)
	if err := a.Send(briefly(t), large(a.NewMessage(1<<20), 1<<20)); !errors.Is(err, ErrFull) {
		t.Errorf("a message without room: %v", err)
	}
}
