//go:build purego || !amd64

package packed

const (
	haveBMI2 = false
	haveWide = false
)

func packAsm(dst, src []byte) int                         { return packSafe(dst, src) }
func unpackAsm(dst, src []byte, _ bool) (nd, ns, run int) { return unpackSafe(dst, src) }
