package text

import (
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// FuzzText prints any bytes as messages of several types: it must come to an end
// within its limits.
func FuzzText(f *testing.F) {
	reg, named := load(f, "kinds")
	other, annotated := load(f, "annotated")
	printers := []struct {
		printer *Printer
		root    string
	}{{New(reg), "Everything"}, {New(reg), "Opaque"}, {New(reg), "Defaults"}, {New(other), "All"}}
	named["All"] = annotated["All"]
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00"), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, which byte) {
		words := make([]byte, len(data)&^7)
		copy(words, data)
		if len(words) == 0 {
			return
		}
		p := printers[int(which)%len(printers)]
		const limit = 1 << 20
		var sizes [2]int
		for i, o := range []Options{{MaxBytes: limit}, {MaxBytes: limit, Short: true}} {
			m, err := segment.Open([][]byte{words}, segment.Options{Limits: segment.Limits{TraversalWords: 1 << 13}})
			if err != nil {
				return
			}
			got, err := p.printer.AppendStruct(nil, structType(named[p.root]), m.Root().Struct(), o)
			m.Release()
			if len(got) > limit+1<<12 {
				t.Fatalf("%d bytes in spite of the limit", len(got))
			}
			if err == nil && len(got) == 0 {
				t.Fatal("nothing was printed")
			}
			sizes[i] = len(got)
			if err != nil {
				return
			}
		}
		if sizes[0] < sizes[1] {
			t.Fatalf("the pretty form has %d bytes, the short one %d", sizes[0], sizes[1])
		}
	})
}
