//go:build !purego

package encoding

import (
	_ "unsafe" // for go:linkname

	"github.com/fairlead-go/fairlead/bench/harness"
)

// packedKernel is the choice among the packed codec's implementations, which
// is nobody's business but the codec's tests' and that of this comparison.
//
// SAFETY: it has the type and the meaning of the variable that it stands for,
// and is written only between two runs of the codec, by the one goroutine that
// runs contestants.
//
//go:linkname packedKernel github.com/fairlead-go/fairlead/internal/packed.active
var packedKernel uint8

// The values of packedKernel.
const (
	kernelUnsafe = 1
	kernelBMI2   = 2
)

// fairleadNoasmWorks is pack and unpack of fairlead with the assembly off, if
// this machine uses it.
func fairleadNoasmWorks(s shape, framed []byte) works {
	if packedKernel != kernelBMI2 {
		return nil
	}
	all := make(works)
	fairleadPacking(all, s.model, framed)
	for action, w := range all {
		off := w
		all[action] = work{func() (harness.Answer, error) {
			defer func(was uint8) { packedKernel = was }(packedKernel)
			packedKernel = kernelUnsafe
			return off.check()
		}, func(n int) {
			defer func(was uint8) { packedKernel = was }(packedKernel)
			packedKernel = kernelUnsafe
			off.run(n)
		}}
	}
	return all
}
