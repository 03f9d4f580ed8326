package dynamic

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Growing is a list that is built before its length is known. Its elements are
// gathered beside the message, and [Growing.Finish] puts them into it as one
// list, with no room lost.
type Growing struct {
	root   *root
	to     AnyBuilder
	typ    *Type
	msg    *segment.Message // where the elements are until they are put in
	places segment.StructBuilder
	parts  []ListBuilder // each twice as long as the one before, so that none moves
	used   int           // elements of the last part
	n      int
	list   ListBuilder // the finished one
}

const (
	firstPart = 8
	maxParts  = 28
)

// Grow starts a list in a field whose length is not known yet. The field is as
// it was until [Growing.Finish].
func (b StructBuilder) Grow(path string) *Growing {
	g := &Growing{root: b.root}
	to, f := b.find(path, true)
	if f == nil {
		return g
	}
	t := f.Type()
	if err := t.wants(schema.ListType, "Grow"); err != nil {
		b.fail(b.typ, path, err)
		return g
	}
	f.choose(to)
	g.typ, g.to = t, AnyBuilder{b.root, t, to.Ptr(uint16(f.off))}
	g.msg = segment.New(keepers{})
	g.places = g.msg.NewRoot(segment.Size{Ptrs: maxParts})
	return g
}

// next makes room for one more element and gives its list and index.
func (g *Growing) next() (ListBuilder, int, bool) {
	if g.typ == nil {
		return ListBuilder{}, 0, false
	}
	if g.msg == nil {
		g.root.fail(&Error{Path: g.typ.String(), Kind: ErrType, Detail: "the list is finished and cannot grow any more"})
		return ListBuilder{}, 0, false
	}
	last := len(g.parts) - 1
	if last < 0 || g.used == g.parts[last].n {
		last++
		if last == maxParts {
			g.root.fail(&Error{Path: g.typ.String(), Kind: ErrRange, Detail: "the list is too long"})
			return ListBuilder{}, 0, false
		}
		g.parts = append(g.parts, newList(g.root, g.typ, g.places.Ptr(uint16(last)), firstPart<<last))
		g.used = 0
	}
	g.used++
	g.n++
	return g.parts[last], g.used - 1, true
}

// Add adds a struct, all defaults, to a list of structs. It may be built in
// until Finish.
func (g *Growing) Add() StructBuilder {
	if g.typ != nil && g.typ.elem.kind != schema.StructType {
		g.root.fail(errAccess(g.typ.elem.kind, "Add makes structs; use Append").in(g.typ.String()))
		return StructBuilder{root: g.root}
	}
	l, i, ok := g.next()
	if !ok {
		return StructBuilder{root: g.root}
	}
	return l.structAt(i)
}

// Append adds an element that is set to v. See [StructBuilder.Set].
func (g *Growing) Append(v any) {
	if l, i, ok := g.next(); ok {
		if err := l.set(i, v); err != nil {
			failElem(g.root, g.typ, g.n-1, err)
		}
	}
}

// Len is the number of elements so far.
func (g *Growing) Len() int { return g.n }

// Finish puts the list into its field and gives it. Calling it again gives the
// same list. The structs that Add gave are no longer valid.
func (g *Growing) Finish() ListBuilder {
	if g.typ == nil {
		return ListBuilder{root: g.root}
	}
	if g.msg == nil {
		return g.list
	}
	g.list = newList(g.root, g.typ, g.to.p, g.n)
	i := 0
	for _, part := range g.parts {
		src := part.reader()
		if src.typ == nil {
			break // there was no memory, or the elements are Void
		}
		for j := 0; j < part.n && i < g.n; j++ {
			g.list.copyElem(i, src, j)
			i++
		}
	}
	if err := g.msg.Err(); err != nil {
		spoil(g.root.msg, err)
	}
	g.msg.Release()
	g.msg, g.parts = nil, nil
	return g.list
}

// copyElem copies element j of a list of the same type.
func (l ListBuilder) copyElem(i int, src List, j int) {
	switch t := l.typ.elem; {
	case t.kind == schema.StructType:
		l.structAt(i).b.CopyFrom(src.Struct(j).s)
	case t.kind == schema.Bool:
		segment.BoolsBuilder(l.l).Set(i, src.bits(j) != 0)
	case t.kind.IsPointer():
		l.l.At(i).Set(src.l.At(j))
	default:
		l.store(i, src.bits(j))
	}
}
