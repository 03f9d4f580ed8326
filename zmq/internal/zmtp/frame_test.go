package zmtp_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

func TestHeader(t *testing.T) {
	type header = zmtp.FrameHeader
	for _, test := range []struct {
		name  string
		b     []byte
		want  header
		other bool // there is a shorter form of it
	}{
		{"empty", []byte{0, 0}, header{}, false},
		{"short, more", []byte{1, 5}, header{More: true, Size: 5}, false},
		{"short command, RFC 37's READY", []byte{4, 41}, header{Command: true, Size: 41}, false},
		{"largest short", []byte{0, 255}, header{Size: 255}, false},
		{"smallest long", []byte{2, 0, 0, 0, 0, 0, 0, 1, 0}, header{Size: 256}, false},
		{"long, more", []byte{3, 0, 0, 0, 0, 0, 1, 0, 0}, header{More: true, Size: 65536}, false},
		{"long command", []byte{6, 0, 0, 0, 0, 0, 0, 1, 1}, header{Command: true, Size: 257}, false},
		{"long without need", []byte{2, 0, 0, 0, 0, 0, 0, 0, 7}, header{Size: 7}, true},
		{"largest", []byte{2, 0x7f, 255, 255, 255, 255, 255, 255, 255}, header{Size: math.MaxInt64}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for n := range test.b {
				if _, got, err := zmtp.ParseHeader(test.b[:n], math.MaxUint64); got != 0 || err != nil {
					t.Fatalf("%d bytes: %d, %v", n, got, err)
				}
			}
			h, n, err := zmtp.ParseHeader(append(test.b, "body"...), test.want.Size)
			if h != test.want || n != len(test.b) || err != nil {
				t.Fatalf("got %+v, %d, %v, want %+v", h, n, err, test.want)
			}
			if got := zmtp.AppendHeader(nil, h); bytes.Equal(got, test.b) == test.other || len(got) != zmtp.HeaderSize(h.Size) {
				t.Errorf("appended as % x", got)
			}
			if h.Size > 0 {
				_, _, err = zmtp.ParseHeader(test.b, h.Size-1)
				wantErr(t, err, zmtp.ErrLimit, "frame size")
			}
		})
	}
}

func TestHeaderRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		b     []byte
		limit uint64
		want  error
		text  string
	}{
		{"2^62 bytes", []byte{2, 0x40, 0, 0, 0, 0, 0, 0, 0}, 64 << 20, zmtp.ErrLimit, "frame size is 4611686018427387904, at most 67108864"},
		{"2^62 bytes in a handshake", []byte{6, 0x40, 0, 0, 0, 0, 0, 0, 0}, zmtp.MaxHandshake, zmtp.ErrLimit, "at most 4096"},
		{"2^63 bytes, no limit", []byte{2, 0x80, 0, 0, 0, 0, 0, 0, 0}, math.MaxUint64, zmtp.ErrLimit, "at most 9223372036854775807"},
		{"2^64-1 bytes", []byte{2, 255, 255, 255, 255, 255, 255, 255, 255}, 1 << 20, zmtp.ErrLimit, "18446744073709551615"},
		{"short above the limit", []byte{0, 200}, 100, zmtp.ErrLimit, "frame size is 200, at most 100"},
		{"bit 3", []byte{8}, 100, zmtp.ErrMalformed, "0x08"},
		{"bit 7", []byte{0x80, 1}, 100, zmtp.ErrMalformed, "0x80"},
		{"all bits", []byte{0xff}, 100, zmtp.ErrMalformed, "0xff"},
		{"continued command", []byte{5, 1}, 100, zmtp.ErrMalformed, "0x05"},
		{"continued long command", []byte{7}, 100, zmtp.ErrMalformed, "0x07"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, n, err := zmtp.ParseHeader(test.b, test.limit)
			wantErr(t, err, test.want, test.text)
			if n != 0 || h != (zmtp.FrameHeader{}) {
				t.Errorf("%+v, %d beside an error", h, n)
			}
		})
	}
}
