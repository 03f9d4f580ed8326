//go:build !linux

package shmbench

// fairleadMissing is why package shm takes no part.
const fairleadMissing = "package shm is for Linux"
