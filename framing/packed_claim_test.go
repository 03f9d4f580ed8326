package framing_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
)

// A packed slice whose table claims a large message was believed for its length
// times a thousand, before anything was unpacked.
func TestPackedClaimTakesNoMemory(t *testing.T) {
	noLeak(t)
	// One segment of 2^23 - 8 words, of which 30 runs of 256 words come.
	b := []byte{0x70, 0xf8, 0xff, 0x7f}
	for range 30 {
		b = append(b, 0xff, 1, 1, 1, 1, 1, 1, 1, 1, 255)
		b = append(b, bytes.Repeat([]byte{1}, 255*8)...)
	}
	o := framing.DecoderOptions{Format: framing.Packed}
	for name, open := range map[string]func() *framing.Decoder{
		"slice":                    func() *framing.Decoder { return framing.NewSliceDecoder(b, o) },
		"reader":                   func() *framing.Decoder { return framing.NewDecoder(io.MultiReader(bytes.NewReader(b)), o) },
		"reader that tells length": func() *framing.Decoder { return framing.NewDecoder(bytes.NewReader(b), o) },
	} {
		t.Run(name, func(t *testing.T) {
			liveHeap() // empties the pools, so that what is taken is allocated
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := open().Decode()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v, want io.ErrUnexpectedEOF", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n >= 1<<20 {
				t.Errorf("%d bytes that claim 64 MiB took %d", len(b), n)
			}
		})
	}
}
