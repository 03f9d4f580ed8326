package arena

import (
	"strings"
	"testing"
)

func TestFixed(t *testing.T) {
	buf := make([]byte, 1003)
	fill(buf, 0x77)
	f, err := NewFixed(buf)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		seg, err := f.Allocate(16)
		if err != nil {
			t.Fatal(err)
		}
		checkBlock(t, seg, 1000)
		if &seg[0] != &buf[0] || len(seg) != 1000 {
			t.Fatalf("%d bytes, want the 1000 of the buffer", len(seg))
		}
		checkOutstanding(t, f, 1, 1000)
		_, err = f.Allocate(24)
		wantFull(t, err, 24, 1000)
		fill(seg[:504], 1)
		f.Free(seg, 504)
		checkOutstanding(t, f, 0, 0)
		mustPanic(t, "not out", func() { f.Free(seg, 0) })
	}
	if string(buf[1000:]) != "www" {
		t.Error("the bytes behind the last word were touched")
	}
	_, err = f.Allocate(1008)
	wantFull(t, err, 1008, 1000)
	_, err = f.Allocate(0)
	wantFull(t, err)
	if !f.Zeroed() {
		t.Error("not zeroed")
	}
}

// Only what a message used is cleared: that is the point of telling.
func TestFixedClearsOnlyWhatWasUsed(t *testing.T) {
	f, err := NewFixed(make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	seg, err := f.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	fill(seg, 9)
	f.Free(seg, 32)
	if firstNot(seg[:32], zeroPage) >= 0 || firstNot(seg[32:], []byte{9}) >= 0 {
		t.Errorf("after Free with 32 used: % x", seg)
	}
}

func TestFixedRefuses(t *testing.T) {
	buf := make([]byte, 64)
	for name, c := range map[string]struct {
		buf  []byte
		want string
	}{
		"nil":       {nil, "0 bytes"},
		"short":     {buf[:7], "7 bytes"},
		"unaligned": {buf[3:], "3 bytes behind a multiple of 8"},
	} {
		if _, err := NewFixed(c.buf); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
