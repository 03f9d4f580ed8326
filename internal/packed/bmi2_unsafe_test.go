//go:build amd64 && !purego

package packed

import (
	"bytes"
	"testing"
	"unsafe"
)

func TestSlowPEXT(t *testing.T) {
	for _, c := range []struct {
		name, vendor string
		signature    uint32
		slow         bool
	}{
		{"Haswell", "GenuineIntel", 0x000306c3, false},
		{"Sapphire Rapids", "GenuineIntel", 0x000806f8, false},
		{"Excavator", "AuthenticAMD", 0x00660f01, true},
		{"Zen 1", "AuthenticAMD", 0x00800f11, true},
		{"Zen 2", "AuthenticAMD", 0x00870f10, true},
		{"Zen 3", "AuthenticAMD", 0x00a20f10, false},
		{"Zen 5", "AuthenticAMD", 0x00b40f40, false},
		{"Dhyana", "HygonGenuine", 0x00900f01, true},
	} {
		if got := slowPEXT(c.vendor, c.signature); got != c.slow {
			t.Errorf("%s: slowPEXT(%q, %#x) = %v", c.name, c.vendor, c.signature, got)
		}
	}
}

func TestVendorName(t *testing.T) {
	if got := vendorName(0x756e6547, 0x49656e69, 0x6c65746e); got != "GenuineIntel" {
		t.Errorf("got %q", got)
	}
}

// One call ends soon behind its soft limit, even inside runs, and a message
// packed by many calls keeps its runs.
func TestAssemblyWorksInChunks(t *testing.T) {
	if !haveBMI2 {
		t.Skip("no fast BMI2 here")
	}
	use(t, kernelBMI2)
	for _, fill := range []byte{0, 0x55} {
		src := bytes.Repeat([]byte{fill}, 8*10_000)
		dst := make([]byte, MaxLen(len(src)))
		const soft = 800
		// SAFETY: the pointers and the length are those of the slices.
		_, ns := packBMI2(unsafe.SliceData(dst), unsafe.SliceData(src), len(src), soft)
		if ns < soft || ns > soft+8*(1+maxRun) {
			t.Errorf("%#02x: a call asked to stop at %d stopped at %d", fill, soft, ns)
		}
		packed := Append(nil, src)
		if nd, _, _ := unpackAsm(dst, packed, haveWide); nd > asmChunk {
			t.Errorf("%#02x: a call unpacked %d bytes", fill, nd)
		}
	}
}
