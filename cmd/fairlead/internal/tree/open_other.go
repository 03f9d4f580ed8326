//go:build !unix

package tree

import (
	"io/fs"
	"os"
)

// openNoWait opens a file for reading. Opening waits for nothing here: what
// corresponds to a fifo has no place in a folder.
func openNoWait(path string) (*os.File, error) { return os.Open(path) }

func isLink(error) bool { return false }

// gone reports that no name leads to the open file any more; this system does
// not tell, and mostly refuses to remove an open file.
func gone(fs.FileInfo) bool { return false }
