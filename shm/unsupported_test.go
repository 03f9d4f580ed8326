package shm_test

import (
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/shm"
)

// needs skips a test where there is no shared memory.
func needs(t testing.TB) {
	t.Helper()
	if _, err := shm.Listen("", shm.Options{}); errors.Is(err, shm.ErrUnsupported) {
		t.Skip(err)
	}
}

// TestUnsupported holds every constructor to a clear error, where there has to be
// one.
func TestUnsupported(t *testing.T) {
	ours, theirs, err := shm.Pair()
	if err == nil {
		must(t, errors.Join(ours.Close(), theirs.Close()))
		t.Skip("shared memory is supported here")
	}
	if !errors.Is(err, shm.ErrUnsupported) || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Pair: %v", err)
	}
	if _, err := shm.Listen("x", shm.Options{}); !errors.Is(err, shm.ErrUnsupported) {
		t.Errorf("Listen: %v", err)
	}
	if _, err := shm.Dial(background, "x", shm.Options{}); !errors.Is(err, shm.ErrUnsupported) {
		t.Errorf("Dial: %v", err)
	}
}
