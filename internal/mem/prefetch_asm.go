//go:build (amd64 || arm64) && !purego

package mem

// Prefetch asks for the first and the last cache line of b, which is not empty, to be
// read soon. It waits for nothing and has no effect but on time.
//
//go:noescape
func Prefetch(b []byte)

// PrefetchWrite is Prefetch for what is to be written.
//
//go:noescape
func PrefetchWrite(b []byte)

// PrefetchLine asks for a line to be read soon, PrefetchLineWrite for one to be
// written.
//
//go:noescape
func PrefetchLine(l *Line)

//go:noescape
func PrefetchLineWrite(l *Line)
