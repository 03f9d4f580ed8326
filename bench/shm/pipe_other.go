//go:build !unix

package shmbench

const pipeMissing = "child processes inherit no pipes here"
