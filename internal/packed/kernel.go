package packed

// kernel names one of the implementations.
type kernel uint8

const (
	kernelSafe kernel = iota
	kernelUnsafe
	kernelBMI2
)

// active is the implementation in use. Tests set it to try each of them on one
// machine; nothing else may write it.
var active = bestKernel()

// wide lets the assembly unpack with AVX-512. Tests turn it off; nothing else may
// write it.
var wide = haveWide

func bestKernel() kernel {
	switch {
	case haveBMI2:
		return kernelBMI2
	case haveUnsafe:
		return kernelUnsafe
	default:
		return kernelSafe
	}
}

// asmChunk is how many bytes one assembly call packs from or unpacks to, give
// or take a run. The scheduler cannot interrupt assembly, so this bounds the
// delay: some tens of microseconds.
const asmChunk = 64 << 10

// pack packs all of src, at least one word, into dst, which has MaxLen bytes.
// It returns the packed size.
func pack(dst, src []byte) int {
	switch active {
	case kernelBMI2:
		return packAsm(dst, src)
	case kernelUnsafe:
		return packUnsafe(dst, src)
	default:
		return packSafe(dst, src)
	}
}

// unpackWords is the loop of [Unpacker.Unpack] while it has room; see
// unpackSafe for what it does. It may stop early, but not before the first
// word.
func unpackWords(dst, src []byte) (nd, ns, run int) {
	switch active {
	case kernelBMI2:
		return unpackAsm(dst, src, wide)
	case kernelUnsafe:
		return unpackUnsafe(dst, src)
	default:
		return unpackSafe(dst, src)
	}
}
