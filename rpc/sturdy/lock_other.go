//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sturdy

// lockFile does nothing: here the program sees to it that one process has the
// file.
func lockFile(string) (unlock func(), err error) { return func() {}, nil }
