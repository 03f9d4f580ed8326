package framing_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
)

// Where a read ran into its deadline when the table was there and nothing more than
// the beginning of the next packed word, the decoder took that for a run that the
// table ended with, and the stream for malformed.
func TestDeadlineAtAnyByte(t *testing.T) {
	noLeak(t)
	for _, f := range formats {
		for _, words := range [][]int{{40}, {1, 3}, {2, 0, 7}, {3, 30, 1, 5}} {
			if len(words) > 1 && (f == framing.Flat || f == framing.FlatPacked) {
				continue // one segment is all they have
			}
			msg := raw(t, 3, words...)
			whole := encode(t, f, msg)
			for at := 1; at < len(whole); at++ {
				parts := [][]byte{whole[:at], nil, whole[at:]}
				d := framing.NewDecoder(readerFunc(func(p []byte) (int, error) {
					if len(parts) == 0 {
						return 0, io.EOF
					}
					b := parts[0]
					if b == nil {
						parts = parts[1:]
						return 0, os.ErrDeadlineExceeded
					}
					n := copy(p, b)
					if parts[0] = b[n:]; n == len(b) {
						parts = parts[1:]
					}
					return n, nil
				}), framing.DecoderOptions{Format: f})
				if _, err := d.Decode(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%v: %v, want the deadline after %d bytes", f, err, at)
				}
				got, err := d.Decode()
				if err != nil {
					t.Errorf("%v, segments of %d words: after a deadline at byte %d: %v", f, words, at, err)
					continue
				}
				if !same(contents(t, got), contents(t, msg)) {
					t.Errorf("%v: another message came after a deadline at byte %d", f, at)
				}
				got.Release()
				if _, err := d.Decode(); err != io.EOF {
					t.Errorf("%v: then %v, want io.EOF", f, err)
				}
			}
		}
	}
}
