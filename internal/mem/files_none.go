//go:build !(darwin || dragonfly || freebsd || linux || netbsd || windows)

package mem

import "os"

func duplicateFile(*os.File) (*os.File, error) { return nil, errUnsupported("duplicating a file") }
