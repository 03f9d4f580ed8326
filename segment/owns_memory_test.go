package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func TestOwnsMemory(t *testing.T) {
	m := New(fresh{})
	defer m.Release()
	root := m.NewRoot(Size{Ptrs: 1})
	want(t, "built", m.OwnsMemory(), true)
	read := reread(t, m)
	want(t, "read", read.OwnsMemory(), false)
	root.SetExternalData(0, padded(8), nil)
	want(t, "with external data", m.OwnsMemory(), false)
}
