package oracle

import (
	"encoding/binary"
	"testing"
)

// looseSegments takes a framed message apart as far as it goes; what is missing
// at the end is cut off. It is for fuzzers, whose interest is in the segments.
func looseSegments(b []byte) [][]byte {
	if len(b) < 8 {
		return nil
	}
	n := int(binary.LittleEndian.Uint32(b)%16) + 1
	at := (4 + 4*n + 7) &^ 7
	if at > len(b) {
		return nil
	}
	segs := make([][]byte, n)
	for i := range segs {
		size := min(8*int(binary.LittleEndian.Uint32(b[4+4*i:])%4096), (len(b)-at)&^7)
		segs[i] = b[at : at+size : at+size]
		at += size
	}
	return segs
}

// FuzzDifferential looks for messages that the two sides judge differently.
func FuzzDifferential(f *testing.F) {
	d := NewDiffer(f)
	goldens, err := Goldens()
	if err != nil {
		f.Fatal(err)
	}
	for i, g := range goldens {
		for _, n := range SegmentSizes {
			f.Add(g.Segmented[n], uint8(g.Root), uint16(20000), uint8(64), uint8(i))
		}
		f.Add(g.Binary, uint8(g.Root), uint16(20000), uint8(64), uint8(0))
		f.Add(oneSegment(g.Canonical), uint8(AnyRoot), uint16(100), uint8(4), uint8(1))
		f.Add(doubleFar(f, g.Segmented[8]), uint8(g.Root), uint16(3), uint8(2), uint8(9))
	}
	f.Fuzz(func(t *testing.T, msg []byte, root uint8, limit uint16, nesting, copyWords uint8) {
		segs := looseSegments(msg)
		if segs == nil {
			return
		}
		c := Case{
			Segments:  segs,
			Root:      Type(root % uint8(AnyRoot+1)),
			Limit:     rootCharge + 1 + uint64(limit)%20000,
			Nesting:   1 + uint32(nesting)%DefaultNesting,
			CopyWords: uint32(copyWords),
			Upgrade:   true,
			Other:     segs,
		}
		for _, diff := range d.On(t).Compare([]Case{c}) {
			t.Errorf("unexplained difference: %v", diff)
		}
	})
}
