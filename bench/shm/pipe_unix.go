//go:build unix

package shmbench

const pipeMissing = ""
