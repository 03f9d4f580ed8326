//go:build !linux || purego

package mem

func folderUnit(string) (int, error) { return 0, errUnsupported("memory of a folder") }
