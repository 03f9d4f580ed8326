// Package mem is the thin layer between Fairlead and the operating system's
// memory. Package arena builds in what it hands out, package framing reads
// mapped files through it; nothing above this package makes a system call about
// memory.
//
//	Region   address space set aside, committed from the front as it is needed
//	Mapping  a whole file mapped for reading
//	FileMap  an empty file that is mapped for building and lengthened in place
//	Guard    turns a fault in mapped memory into an error
//	Shared   memory that another process sees too, and Words to look at it
//	Doorbell wakes a process that waits, without holding a thread
//	Process  tells when another process ends
//	Watch    tells when somebody writes to a file
//
// Each has a twin in plain Go, for systems without mapped memory and for the
// build tag purego, that passes the same tests: Region takes heap memory,
// Mapping reads the file, and FileMap writes its memory to the file when it is
// flushed. Windows maps files for reading, but cannot shorten a file that is
// mapped, so that FileMap is the written twin there too. What is for two
// processes is Linux's alone, and says so elsewhere ([SharedSupported]).
//
// The types of this package do no locking, except where they say so: their
// owners do.
package mem

import (
	"errors"
	"os"
)

// ErrFault is matched by the errors of [Guard].
var ErrFault = errors.New("mem: fault in mapped memory")

var pageSize = os.Getpagesize()

// PageSize returns the size of a page of memory in bytes, a power of two.
func PageSize() int { return pageSize }

// RoundUp rounds n up to a multiple of [PageSize]. n is at least 0 and at most
// a page below the largest int.
func RoundUp(n int) int { return (n + pageSize - 1) &^ (pageSize - 1) }

// writeZeros gives the range of f from offset from to offset to storage by
// writing zeros into it, where the system has no better way.
func writeZeros(f *os.File, from, to int64) error {
	var zeros [64 << 10]byte
	for from < to {
		n, err := f.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
