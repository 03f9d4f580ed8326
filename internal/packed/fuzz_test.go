package packed

import (
	"bytes"
	"testing"
)

// FuzzUnpack unpacks any bytes with every kernel, whole and in parts, and
// compares with the model.
func FuzzUnpack(f *testing.F) {
	f.Fuzz(func(t *testing.T, packed []byte, inBytes, outWords uint8) {
		size, sizeErr := UnpackedLen(packed)
		if size > 1<<20 {
			return
		}
		want, err := simpleUnpack(packed)
		if len(want) > 1<<20 {
			return
		}
		if (err == nil) != (sizeErr == nil) || err == nil && size != int64(len(want)) {
			t.Fatalf("UnpackedLen = %d, %v; the model says %d, %v", size, sizeErr, len(want), err)
		}
		for name, k := range kernels() {
			use(t, k)
			for _, spare := range []int{0, 8, 512} {
				got, whole := unpackAll(packed, len(want)+spare)
				if !bytes.Equal(got, want) || err == nil && !whole || err != nil && whole {
					t.Errorf("%s, %d bytes too much room: boundary %v, got %x\nmodel: %v, %x", name, spare, whole, got, err, want)
				}
			}
			var u Unpacker
			got := feed(t, &u, packed, 1+int(outWords), 1+int(inBytes))
			if !bytes.Equal(got, want) || u.AtBoundary() != (err == nil) {
				t.Errorf("%s in parts: boundary %v, got %x\nmodel: %v, %x", name, u.AtBoundary(), got, err, want)
			}
		}
	})
}

// FuzzRoundTrip packs any words with every kernel, compares with the model,
// and unpacks them again.
func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(func(t *testing.T, src []byte) {
		src = append(src, make([]byte, -len(src)&7)...)
		for _, k := range kernels() {
			use(t, k)
			checkRoundTrip(t, src)
		}
	})
}
