//go:build purego || !amd64

package packed

const haveBMI2 = false

func packAsm(dst, src []byte) int                 { return packSafe(dst, src) }
func unpackAsm(dst, src []byte) (nd, ns, run int) { return unpackSafe(dst, src) }
