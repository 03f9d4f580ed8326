//go:build !amd64

package mem

func (w *Word) release(v uint64) { w.Store(v) }
