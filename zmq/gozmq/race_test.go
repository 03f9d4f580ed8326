//go:build race

package gozmq_test

const raceEnabled = true
