//go:build purego || !(386 || amd64 || arm64 || loong64 || ppc64le)

package packed

const haveUnsafe = false

func packUnsafe(dst, src []byte) int                 { return packSafe(dst, src) }
func unpackUnsafe(dst, src []byte) (nd, ns, run int) { return unpackSafe(dst, src) }
