//go:build !purego

package mem

import (
	"bytes"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	b := make([]byte, 72)
	start := 0
	for ; start < 8; start++ {
		if _, err := Words(b[start : start+64]); err == nil {
			break
		}
	}
	w, err := Words(b[start : start+64])
	if err != nil || len(w) != 8 || cap(w) != 8 {
		t.Fatalf("%d words, %v", len(w), err)
	}
	line := (*Line)(w)
	line[1].Store(0x0102030405060708)
	if got := string(b[start+8 : start+16]); got != "\x08\x07\x06\x05\x04\x03\x02\x01" {
		t.Skipf("SKIPPED: this processor is not little-endian: %q", got)
	}
	if v := line[1].Load(); v != 0x0102030405060708 {
		t.Errorf("load gives %#x", v)
	}
	if v := line[1].Swap(7); v != 0x0102030405060708 || line[1].Plain() != 7 {
		t.Errorf("swap gives %#x and leaves %d", v, line[1].Plain())
	}
	if v := line[1].Add(5); v != 12 {
		t.Errorf("add gives %d", v)
	}
	if line[1].Release(3); line[1].Load() != 3 {
		t.Errorf("release leaves %d", line[1].Load())
	}
	line[7].SetPlain(9)
	if b[start+56] != 9 {
		t.Error("a plain store went elsewhere")
	}
	for name, c := range map[string][]byte{
		"odd start":  b[start+1 : start+9],
		"odd length": b[start : start+12],
	} {
		if _, err := Words(c); err == nil || !strings.Contains(err.Error(), "words") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w, err := Words(nil); err != nil || len(w) != 0 {
		t.Errorf("nothing: %v, %v", w, err)
	}
}

func TestPrefetch(t *testing.T) {
	b := make([]byte, 4096)
	for _, b := range [][]byte{b, b[:1], b[4095:], b[:0], nil} {
		Prefetch(b) // returns, and touches nothing
		PrefetchWrite(b)
	}
	var l Line
	PrefetchLine(&l)
	PrefetchLineWrite(&l)
	if l != (Line{}) || !bytes.Equal(b, make([]byte, 4096)) {
		t.Error("memory has changed")
	}
}

func TestPause(t *testing.T) {
	for _, n := range []uint32{0, 1, 1000} {
		Pause(n) // returns, with any count
	}
	if p := Processors(); p < 1 {
		t.Errorf("%d processors", p)
	}
}

func BenchmarkPause(b *testing.B) {
	for b.Loop() {
		Pause(1)
	}
}
