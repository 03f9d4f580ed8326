//go:build !linux || purego

package mem

import "os"

func lock(*os.File) error { return errUnsupported("flock") }

func newWatch(*os.File) (*Watch, error) { return nil, errUnsupported("inotify") }
