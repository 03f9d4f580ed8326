package mem

// release is an ordinary store: this processor keeps stores in their order, and
// behind the loads before them.
func (w *Word) release(v uint64) { w.v = v }
