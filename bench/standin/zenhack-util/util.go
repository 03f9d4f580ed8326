// Package util stands in for zenhack.net/go/util, a dependency of go-capnp
// whose home no longer serves it. It has only what go-capnp calls, written
// anew from those calls; nothing of it lies on a path that is measured (the
// mutex guards capabilities, which no benchmark message has).
package util

import "sync"

// Chkfatal panics with err if it is not nil.
func Chkfatal(err error) {
	if err != nil {
		panic(err)
	}
}

// Must returns value, or panics with err if that is not nil.
func Must[T any](value T, err error) T {
	Chkfatal(err)
	return value
}

// Idempotent returns a function of which only the first call calls f.
func Idempotent(f func()) func() {
	var once sync.Once
	return func() { once.Do(f) }
}
