package rpc

import (
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// What calls and their answers are made of is built no larger than what is set in
// it, as of every struct the rest is zero to who reads it: small messages take
// less time on their whole way.
var (
	// callSize has no place for what only calls with third parties set, or those that
	// are made for their pipelines alone.
	callSize = segment.Size{DataWords: 2, Ptrs: 2}
	// importSize is that of a target which is a capability, and no promised answer.
	importSize = segment.Size{DataWords: 1}
	// returnSize has no place for the number of another question.
	returnSize = segment.Size{DataWords: 1, Ptrs: 1}
	// takeFromSize has.
	takeFromSize = segment.Size{DataWords: 2, Ptrs: 1}
)

// newRoot starts a message of the given kind, and in it what is of that kind.
func newRoot(m *segment.Message, kind wire.MessageWhich, sz segment.Size) segment.StructBuilder {
	root := m.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetUint16(0, uint16(kind))
	return root.NewStruct(0, sz)
}

// newContent gives the place for the content of a new payload, which pointer i of s
// refers to. There can be capabilities in it only if it has pointers.
func newContent(s segment.StructBuilder, i uint16, hasPtrs bool) segment.PtrBuilder {
	sz := segment.Size{Ptrs: 1}
	if hasPtrs {
		sz.Ptrs = 2
	}
	return s.NewStruct(i, sz).Ptr(0)
}

func (c *Conn) newReturn(id uint32, sz segment.Size) (*segment.Message, wire.ReturnBuilder) {
	m := c.t.NewMessage(0)
	ret := wire.ReturnBuilder(newRoot(m, wire.MessageReturn, sz))
	ret.SetAnswerID(id)
	return m, ret
}
