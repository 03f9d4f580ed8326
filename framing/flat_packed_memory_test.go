package framing_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// liveHeap is what is in use after all that can be collected was, pools too.
func liveHeap() int64 {
	var s runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// A flat-packed message took a thousand times its packed size, and kept it.
func TestFlatPackedMessagesHoldWhatTheyNeed(t *testing.T) {
	noLeak(t)
	m := segment.NewSized(heap{}, 20_000)
	defer m.Release()
	data := m.NewRoot(segment.Size{Ptrs: 1}).NewData(0, 10_000)
	for i := range data {
		data[i] = byte(i) | 1
	}
	b, err := framing.Append(nil, m, framing.FlatPacked)
	if err != nil {
		t.Fatal(err)
	}
	o := framing.DecoderOptions{Format: framing.FlatPacked}
	for name, open := range map[string]func() *framing.Decoder{
		"slice":                    func() *framing.Decoder { return framing.NewSliceDecoder(b, o) },
		"reader":                   func() *framing.Decoder { return framing.NewDecoder(io.MultiReader(bytes.NewReader(b)), o) },
		"reader that tells length": func() *framing.Decoder { return framing.NewDecoder(bytes.NewReader(b), o) },
	} {
		t.Run(name, func(t *testing.T) {
			before := liveHeap()
			var msgs []*segment.Message
			var decoders []*framing.Decoder
			for range 10 {
				d := open()
				decoders = append(decoders, d)
				msg, err := d.Decode()
				if err != nil {
					t.Fatal(err)
				}
				msgs = append(msgs, msg)
			}
			if n := liveHeap() - before; n >= 1<<20 {
				t.Errorf("%d messages of %d bytes hold %d", len(msgs), len(b), n)
			}
			for _, msg := range msgs {
				if !bytes.Equal(msg.Root().Struct().Data(0), data) {
					t.Error("a message reads other data")
				}
				msg.Release()
			}
			for _, d := range decoders {
				if _, err := d.Decode(); err != io.EOF {
					t.Errorf("then %v, want io.EOF", err)
				}
			}
		})
	}
}
