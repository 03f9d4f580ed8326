//go:build windows

package mem

import (
	"errors"

	"golang.org/x/sys/windows"
)

// IsNoSpace reports whether err says that the disk, or the user's share of it, is
// full.
func IsNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// SyncFolder makes the names in the folder as lasting as the files. NTFS keeps
// its own journal of names and lets nobody sync a folder, so it does nothing.
func SyncFolder(string) error { return nil }
