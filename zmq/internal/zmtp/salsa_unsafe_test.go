//go:build amd64 && !purego

package zmtp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	//lint:ignore SA1019 A NaCl box consists of it.
	"golang.org/x/crypto/salsa20/salsa"
)

// TestStreamIsSalsa20 compares the assembly with golang.org/x/crypto.
func TestStreamIsSalsa20(t *testing.T) {
	if !haveAVX2 {
		t.Skip("NOT TESTED: the processor has no AVX2")
	}
	r := rand.NewChaCha8([32]byte{1})
	for n := range 3*salsaStride + 10 {
		check(t, r, n, 1)
	}
	for _, n := range []int{64 << 10, 1<<20 + 7} {
		check(t, r, n, 1)
	}
	for _, first := range []uint64{0, 1 << 31, 1<<32 - 13, 1<<32 - 12, 1<<32 - 1, 1 << 32, 1<<64 - 5} {
		check(t, r, 2*salsaStride, first)
	}
}

func check(t *testing.T, r *rand.ChaCha8, n int, first uint64) {
	t.Helper()
	var key [keySize]byte
	var counter [16]byte
	text := make([]byte, n)
	for _, b := range [][]byte{key[:], counter[:shortNonce], text} {
		_, _ = r.Read(b)
	}
	binary.LittleEndian.PutUint64(counter[shortNonce:], first)
	want := make([]byte, n)
	c := counter
	salsa.XORKeyStream(want, text, &c, &key)

	const margin = 64
	got := bytes.Repeat([]byte{0xee}, n+2*margin)
	c = counter
	xorStream(got[margin:margin+n:margin+n], text, &c, &key)
	if !bytes.Equal(got[margin:margin+n], want) {
		t.Fatalf("%d bytes from block %d on are not what they should be", n, first)
	}
	for i, b := range got {
		if (i < margin || i >= margin+n) && b != 0xee {
			t.Fatalf("%d bytes: byte %d outside of them was written to", n, i-margin)
		}
	}
	in := bytes.Clone(text)
	c = counter
	xorStream(in, in, &c, &key)
	if !bytes.Equal(in, want) {
		t.Fatalf("%d bytes from block %d on are not what they should be in place", n, first)
	}
}

func BenchmarkStream(b *testing.B) {
	var key [keySize]byte
	var counter [16]byte
	text := make([]byte, 64<<10)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			clear(counter[:])
			xorStream(text, text, &counter, &key)
		}
	})
	b.Run("golang.org/x/crypto", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			salsa.XORKeyStream(text, text, &counter, &key)
		}
	})
}
