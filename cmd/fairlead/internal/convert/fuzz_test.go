package convert_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/segment"
)

// FuzzConvert reads any bytes as any format: the end is an error or output that
// can be read again, and that is bounded.
func FuzzConvert(f *testing.F) {
	with := converter(f)
	for i, from := range convert.Formats {
		in, err := run("(name = \"a\", number = -1, children = [(bits = [true]), ()], data = \"\\xff\")", with(convert.Text, from.Format))
		if err != nil {
			f.Fatal(err)
		}
		for k := range convert.Formats {
			f.Add([]byte(in), uint8(i), uint8(k), uint16(k*i))
		}
	}
	f.Add(append([]byte{0, 0, 0, 0, 0xef, 0, 0, 0}, amplifier(3, 12)...), uint8(0), uint8(0), uint16(0))
	f.Fuzz(func(t *testing.T, in []byte, from, to uint8, words uint16) {
		n := uint8(len(convert.Formats))
		source, target := convert.Formats[from%n].Format, convert.Formats[to%n].Format
		o := with(source, target)
		o.SegmentWords = int(words)
		o.Quiet = words%2 == 0
		out := &bounded{left: 1 << 30}
		err := convert.Run(out, bytes.NewReader(in), o)
		if errors.Is(err, errTooMuch) {
			t.Fatalf("%d bytes of %s became more than %d of %s", len(in), source, 1<<30, target)
		}
		var at *convert.Error
		if errors.As(err, &at) && (at.Offset < 0 || at.Offset > int64(len(in)) || at.Message < 1) {
			t.Errorf("message %d at byte %d of %d", at.Message, at.Offset, len(in))
		}
		if target.NeedsType() || len(out.b) > 1<<20 {
			return // text may name what is not known, or be cut by a limit
		}
		if target == convert.Canonical {
			target = convert.Flat // several messages together are not canonical
		}
		if err := convert.Run(io.Discard, bytes.NewReader(out.b), convert.Options{From: target, To: convert.Binary, Quiet: true}); err != nil && !errors.Is(err, segment.ErrLimit) {
			t.Errorf("%s: what was written can't be read: %v", target, err)
		}
	})
}

var errTooMuch = errors.New("too much output")

// bounded keeps what is written, as long as it is not too much.
type bounded struct {
	b    []byte
	left int
}

func (w *bounded) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errTooMuch
	}
	w.b = append(w.b, b...)
	return len(b), nil
}
