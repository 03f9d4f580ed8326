//go:build !purego

package mem

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	f := tempFile(t, nil)
	if err := Lock(f); err != nil {
		t.Fatal(err)
	}
	again, err := os.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := Lock(again); !errors.Is(err, ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	f.Close()
	if err := Lock(again); err != nil {
		t.Errorf("after the first is closed: %v", err)
	}
}

func TestWatch(t *testing.T) {
	f := tempFile(t, []byte("fairlead"))
	w, err := NewWatch(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	write := func() bool {
		if _, err := f.WriteAt([]byte{1}, 0); err != nil {
			t.Error(err)
		}
		return true
	}
	for range 1000 { // many more events than are read at a time
		write()
	}
	if err := w.Wait(func() bool { return false }); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
	for range 1000 {
		if err := w.Wait(write); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(yes); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	if err := w.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(func() bool { go w.Close(); return true }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed meanwhile: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
