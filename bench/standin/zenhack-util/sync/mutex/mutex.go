// Package mutex has a mutex that holds the value that it guards, so that the
// value can be reached only under the lock.
package mutex

import "sync"

// A Mutex guards a value of type T. Its zero value is unlocked and guards a
// zero T. It must not be copied after first use.
type Mutex[T any] struct {
	mu    sync.Mutex
	value T
}

// New returns an unlocked mutex that guards value.
func New[T any](value T) Mutex[T] {
	return Mutex[T]{value: value}
}

// Lock locks the mutex and returns the way to its value.
func (m *Mutex[T]) Lock() *Locked[T] {
	m.mu.Lock()
	return &Locked[T]{m: m}
}

// Locked is a held lock.
type Locked[T any] struct {
	m *Mutex[T]
}

// Value returns the guarded value. It must not be used after Unlock.
func (l *Locked[T]) Value() *T {
	return &l.m.value
}

// Unlock gives the lock back; l is useless afterwards.
func (l *Locked[T]) Unlock() {
	m := l.m
	l.m = nil
	m.mu.Unlock()
}

// With calls f under the lock.
func (m *Mutex[T]) With(f func(*T)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.value)
}

// With1 calls f under the lock and returns its result.
func With1[T, A any](m *Mutex[T], f func(*T) A) A {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(&m.value)
}

// With2 calls f under the lock and returns its results.
func With2[T, A, B any](m *Mutex[T], f func(*T) (A, B)) (A, B) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(&m.value)
}

// With3 calls f under the lock and returns its results.
func With3[T, A, B, C any](m *Mutex[T], f func(*T) (A, B, C)) (A, B, C) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(&m.value)
}

// With4 calls f under the lock and returns its results.
func With4[T, A, B, C, D any](m *Mutex[T], f func(*T) (A, B, C, D)) (A, B, C, D) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(&m.value)
}
