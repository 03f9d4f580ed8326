package arena

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead-go/fairlead/internal/mem"
)

func newReserve(t *testing.T, maxBytes int) *Reserve {
	t.Helper()
	r, err := NewReserve(maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		checkOutstanding(t, r, 0, 0)
	})
	return r
}

// wantFull fails the test unless err is ErrFull and names all the numbers.
func wantFull(t *testing.T, err error, numbers ...int) {
	t.Helper()
	if !errors.Is(err, ErrFull) {
		t.Errorf("error %v, want one that is full", err)
		return
	}
	for _, n := range numbers {
		if !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("%q does not name %d", err, n)
		}
	}
}

func TestReserveGrowsInPlace(t *testing.T) {
	const maxBytes = 1<<20 + 8
	r := newReserve(t, maxBytes)
	seg, err := r.Allocate(16)
	if err != nil {
		t.Fatal(err)
	}
	checkBlock(t, seg, 16)
	checkOutstanding(t, r, 1, int64(len(seg)))
	first := &seg[0]
	for len(seg) < maxBytes {
		have := len(seg)
		fill(seg, 1)
		if seg, err = r.Grow(seg, have+8); err != nil {
			t.Fatal(err)
		}
		if &seg[0] != first {
			t.Fatal("the segment moved")
		}
		if len(seg) != min(2*have, maxBytes) || cap(seg) != len(seg) || len(seg)%8 != 0 {
			t.Fatalf("grew from %d to %d with capacity %d", have, len(seg), cap(seg))
		}
		if firstNot(seg[have:], zeroPage) >= 0 || firstNot(seg[:have], []byte{1}) >= 0 {
			t.Fatal("growing lost something, or gave dirty memory")
		}
	}
	same, err := r.Grow(seg, 8)
	if err != nil || len(same) != maxBytes {
		t.Errorf("growing to what is there: %d, %v", len(same), err)
	}
	_, err = r.Grow(seg, maxBytes+8)
	wantFull(t, err, maxBytes+8, maxBytes)
	_, err = r.Allocate(24)
	wantFull(t, err, 24, maxBytes)
	r.Free(seg, len(seg))
	checkOutstanding(t, r, 0, 0)
}

func TestReserveRefuses(t *testing.T) {
	for _, n := range []int{0, -8, 7, 12, maxSegment + 8} {
		if _, err := NewReserve(n); err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("maximum %d: %v", n, err)
		}
	}
	r := newReserve(t, 4096)
	for _, n := range []int{0, -8, 4104, maxSegment + 8} {
		_, err := r.Allocate(n)
		wantFull(t, err, n)
	}
	checkOutstanding(t, r, 0, 0)
	seg, err := r.Allocate(4096)
	if err != nil || len(seg) != 4096 {
		t.Fatalf("the whole maximum: %d, %v", len(seg), err)
	}
	if _, err := r.Grow(make([]byte, 8), 16); err == nil || !strings.Contains(err.Error(), "not out") {
		t.Errorf("growing something else: %v", err)
	}
	mustPanic(t, "not out", func() { r.Free(make([]byte, 4096), 0) })
	mustPanic(t, "used", func() { r.Free(seg, 4097) })
	r.Free(seg, 0)
	mustPanic(t, "not out", func() { r.Free(seg, 0) })
	if _, err := r.Grow(seg, 16); err == nil {
		t.Error("growing a freed segment: no error")
	}
}

func TestReserveClose(t *testing.T) {
	r := newReserve(t, 1<<20)
	seg, err := r.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	seg[len(seg)-1] = 1 // still there: the message is not released yet
	checkOutstanding(t, r, 1, int64(len(seg)))
	if r.region.Committed() == 0 {
		t.Error("the address space went while a segment was out")
	}
	r.Free(seg, len(seg))
	if r.region.Max() != 0 {
		t.Error("the address space stayed")
	}
	if _, err := r.Allocate(8); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestReserveTrims(t *testing.T) {
	r := newReserve(t, 64<<20)
	use := func(n int) {
		t.Helper()
		seg, err := r.Allocate(n)
		if err != nil {
			t.Fatal(err)
		}
		checkBlock(t, seg, n)
		fill(seg[:n], 0xcc)
		r.Free(seg, n)
	}
	use(32 << 20)
	use(8)
	if r.resident != 32<<20 {
		t.Fatalf("%d bytes stay after one small message, want all of them", r.resident)
	}
	// The mark sinks by an eighth a message: after six it is below half.
	for range 5 {
		use(8)
	}
	if r.resident >= 16<<20 || r.resident < 8<<20 {
		t.Fatalf("%d bytes stay after six small messages", r.resident)
	}
	if r.region.Committed() != mem.RoundUp(r.resident) {
		t.Errorf("%d bytes are committed, %d resident", r.region.Committed(), r.resident)
	}
	for range 200 {
		use(4096)
	}
	if r.resident > 2*reserveSlack {
		t.Errorf("%d bytes stay after 200 small messages", r.resident)
	}
	use(32 << 20) // what was given back comes zeroed again
	use(64 << 20)
}

// Random use against a model: the segment never moves, keeps its contents, comes
// zeroed, and is never longer than the maximum.
func TestReserveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxBytes := 8 * rapid.IntRange(1, 1<<20/8).Draw(t, "max")
		r, err := NewReserve(maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var seg []byte
		used := 0
		t.Repeat(map[string]func(*rapid.T){
			"allocate": func(t *rapid.T) {
				n := 8 * rapid.IntRange(1, 1<<20/8).Draw(t, "words")
				got, err := r.Allocate(n)
				if ok := seg == nil && n <= maxBytes; ok != (err == nil) || err != nil && !errors.Is(err, ErrFull) {
					t.Fatalf("%d bytes of %d, %d out: %v", n, maxBytes, len(seg), err)
				}
				if err == nil {
					checkBlock(t, got, n)
					seg = got
				}
			},
			"write": func(t *rapid.T) {
				if seg == nil {
					t.Skip()
				}
				used = rapid.IntRange(used/8, len(seg)/8).Draw(t, "used") * 8
				fill(seg[:used], 0x55)
			},
			"grow": func(t *rapid.T) {
				if seg == nil {
					t.Skip()
				}
				n := 8 * rapid.IntRange(1, 1<<20/8).Draw(t, "words")
				got, err := r.Grow(seg, n)
				if (n <= maxBytes) != (err == nil) {
					t.Fatalf("to %d bytes of %d: %v", n, maxBytes, err)
				}
				if err == nil {
					if !same(got, seg) || len(got) < n || len(got) > maxBytes || len(got) < len(seg) {
						t.Fatalf("grew from %d to %d, %d asked", len(seg), len(got), n)
					}
					seg = got
				}
			},
			"free": func(t *rapid.T) {
				if seg == nil {
					t.Skip()
				}
				if firstNot(seg[:used], []byte{0x55}) >= 0 || firstNot(seg[used:], zeroPage) >= 0 {
					t.Fatal("the contents changed")
				}
				r.Free(seg, used)
				seg, used = nil, 0
			},
			"": func(t *rapid.T) {
				if n, l := r.Outstanding(); l != int64(len(seg)) || (n == 1) != (seg != nil) {
					t.Fatalf("outstanding %d with %d bytes, %d are", n, l, len(seg))
				}
			},
		})
		if seg != nil {
			r.Free(seg, used)
		}
	})
}
