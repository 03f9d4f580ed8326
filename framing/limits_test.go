package framing_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/packed"
	"github.com/fairlead-go/fairlead/segment"
)

// table makes a segment table of any claims.
func table(words ...uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(words)-1))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return append(b, make([]byte, len(b)%8)...)
}

// allocatedBy is how many bytes of memory f takes.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestClaims(t *testing.T) {
	words := func(n int) []uint32 {
		w := make([]uint32, n)
		w[0] = 1
		return w
	}
	cases := []struct {
		name  string
		table []byte
		lim   segment.Limits
		limit string // the limit that is met, "" for none
		got   uint64
		whole bool // a reader of bytes in memory looks at it too
	}{
		{"segment count ffffffff", []byte{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0}, segment.Limits{}, "Segments", 1 << 32, true},
		{"segment count 7fffffff", []byte{0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0}, segment.Limits{}, "Segments", 1 << 31, true},
		{"511 segments", table(words(511)...), segment.Limits{}, "", 0, true},
		{"512 segments", table(words(512)...), segment.Limits{}, "Segments", 512, true},
		{"3 of 2 segments", table(1, 1, 1), segment.Limits{Segments: 2}, "Segments", 3, true},
		{"64 MiB and a word", table(8<<20 + 1), segment.Limits{}, "MessageBytes", 64<<20 + 8, false},
		{"64 MiB and a word in two", table(8<<20, 1), segment.Limits{}, "MessageBytes", 64<<20 + 8, false},
		{"all that 32 bits say", table(slices.Repeat([]uint32{0xffffffff}, 511)...), segment.Limits{}, "words of a segment", 1<<32 - 1, true},
		{"5 of 4 words", table(5), segment.Limits{MessageBytes: 32}, "MessageBytes", 40, false},
		{"4 of 4 words", table(4), segment.Limits{MessageBytes: 32}, "", 0, false},
		{"a segment of 2^29 words", table(1 << 29), segment.Limits{MessageBytes: segment.Unlimited}, "words of a segment", 1 << 29, true},
	}
	for _, c := range cases {
		for _, f := range formats[:2] {
			for _, r := range readings {
				if f == framing.Binary && !c.whole && (r.name == "slice" || r.name == "file") {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v/%s", c.name, f, r.name), func(t *testing.T) {
					noLeak(t)
					stream := c.table
					if f == framing.Packed {
						// The first word and the rest of the table are two pieces.
						stream = packed.Append(packed.Append(nil, c.table[:8]), c.table[8:])
					}
					d := r.open(t, stream, framing.DecoderOptions{Format: f, Limits: c.lim})
					var err error
					took := allocatedBy(func() { _, err = d.Decode() })
					if c.limit == "" {
						if !errors.Is(err, io.ErrUnexpectedEOF) {
							t.Fatalf("%v, want the table to be accepted", err)
						}
						return
					}
					var lim *segment.LimitError
					if !errors.Is(err, segment.ErrLimit) || !errors.As(err, &lim) {
						t.Fatalf("%v, want a limit", err)
					}
					if lim.Limit != c.limit || lim.Got != c.got {
						t.Errorf("limit %s met by %d, want %s by %d", lim.Limit, lim.Got, c.limit, c.got)
					}
					if took > 64<<10 {
						t.Errorf("%d bytes of memory were taken", took)
					}
				})
			}
		}
	}
}

// stalled delivers what it has and then runs into deadlines.
type stalled struct{ b []byte }

func (s *stalled) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, s.b)
	s.b = s.b[n:]
	return n, nil
}

// TestStalledClaims: what a thousand silent peers cost, each after a table that
// claims all that the limits allow.
func TestStalledClaims(t *testing.T) {
	noLeak(t)
	const peers = 1000
	for _, f := range formats[:2] {
		t.Run(f.String(), func(t *testing.T) {
			claim := table(8 << 20)
			if f == framing.Packed {
				claim = packed.Append(nil, claim)
			}
			decoders := make([]*framing.Decoder, peers)
			took := allocatedBy(func() {
				for i := range decoders {
					decoders[i] = framing.NewDecoder(&stalled{claim}, framing.DecoderOptions{Format: f})
					if _, err := decoders[i].Decode(); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatal(err)
					}
				}
			})
			if took > 64<<20 {
				t.Errorf("%d peers with 8 bytes each took %d bytes", peers, took)
			}
			t.Logf("%d bytes a peer", took/peers)
			for _, d := range decoders {
				abandon(t, d)
			}
		})
	}
}

// abandon makes a stalled decoder give its memory back.
func abandon(t *testing.T, d *framing.Decoder) {
	t.Helper()
	framing.EndReader(d)
	if _, err := d.Decode(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}

// TestGrowthFollowsDelivery: a peer that delivers a part of a large claim holds
// about twice of what it delivered.
func TestGrowthFollowsDelivery(t *testing.T) {
	for _, delivered := range []int{8, 4 << 10, 100 << 10, 1 << 20, 5 << 20} {
		t.Run(fmt.Sprint(delivered), func(t *testing.T) {
			noLeak(t)
			stream := append(table(8<<20), make([]byte, delivered-8)...)
			d := framing.NewDecoder(&stalled{stream}, framing.DecoderOptions{})
			if _, err := d.Decode(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			// A class of buffers is up to a quarter larger than what was asked for.
			if held, most := d.Held(), (2*delivered+framing.Unproven)*5/4; held > most {
				t.Errorf("%d bytes are held for %d delivered, want at most %d", held, delivered, most)
			}
			abandon(t, d)
		})
	}
}

// TestPackedBomb: two packed bytes are 2,048 unpacked ones.
func TestPackedBomb(t *testing.T) {
	bomb := bytes.Repeat([]byte{0, 255}, 1<<20) // 2 GiB
	for _, f := range []framing.Format{framing.Packed, framing.FlatPacked} {
		stream := bomb
		if f == framing.Packed {
			stream = append(packed.Append(nil, table(1<<28)), bomb...)
		}
		for _, r := range readings[:4] {
			t.Run(fmt.Sprintf("%v/%s", f, r.name), func(t *testing.T) {
				noLeak(t)
				lim := segment.Limits{MessageBytes: 1 << 20}
				var err error
				took := allocatedBy(func() {
					_, err = r.open(t, stream, framing.DecoderOptions{Format: f, Limits: lim}).Decode()
				})
				if !errors.Is(err, segment.ErrLimit) {
					t.Fatalf("%v, want a limit", err)
				}
				if most := uint64(4 << 20); f == framing.FlatPacked && took > most || f == framing.Packed && took > 128<<10 {
					if r.name != "file" {
						t.Errorf("%d bytes of memory were taken", took)
					}
				}
			})
		}
	}
}

// TestPackedRunsAcrossPieces is the rule that runs end with the first word of
// the table, with the table, and with the content, and need not with a segment.
func TestPackedRunsAcrossPieces(t *testing.T) {
	cases := []struct {
		name   string
		stream string
		end    string
	}{
		{"from the table into the content, apart", "\x11\x02\x01\x00\x00\x00\x00", "EOF"},
		{"from the table into the content, merged", "\x11\x02\x01\x00\x01", "malformed"},
		{"from the first word of the table on", "\x00\x01\x00\x00", "malformed"},
		{"an empty message", "\x00\x00", "malformed"},
		{"zero content of two words", "\x10\x02\x00\x01", "EOF"},
		{"zero content of two words, apart", "\x10\x02\x00\x00\x00\x00", "EOF"},
		{"across two segments", "\x11\x01\x01\x01\x01\x00\x01", "EOF"},
		{"raw, across two segments", "\x11\x01\x01\x01\x01\xff\xfc\xff\xff\xff\xff\xff\xff\xff\x01\x01\x02\x03\x04\x05\x06\x07\x08", "EOF"},
		{"past the content", "\x10\x02\x00\x02", "malformed"},
		{"raw, past the content", "\x10\x01\xff12345678\x01", "malformed"},
		{"count of the last word missing", "\x10\x01\x00", "unexpected EOF"},
		{"count of the last raw word missing", "\x10\x01\xff\x00\x00\x00\x00\x00\x00\x00\x01", "unexpected EOF"},
	}
	for _, c := range cases {
		for _, r := range readings {
			t.Run(c.name+"/"+r.name, func(t *testing.T) {
				noLeak(t)
				d := r.open(t, []byte(c.stream), framing.DecoderOptions{Format: framing.Packed})
				if _, err := drained(t, d); endsAs(err) != c.end {
					t.Errorf("ends with %v, want %s", err, c.end)
				}
			})
		}
	}
}
