//go:build !unix && !windows

package mem

// IsNoSpace reports whether err says that the disk, or the user's share of it, is
// full. It knows no error numbers here: a full disk is still an error, only not
// one that says so.
func IsNoSpace(error) bool { return false }

// SyncFolder makes the names in the folder as lasting as the files, where a
// system can do that.
func SyncFolder(string) error { return nil }
