package dynamic

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Growing is a list that is built before its length is known. Its elements are
// gathered beside the message, and [Growing.Finish] puts them into it as one
// list, with no room lost.
type Growing struct {
	msg    *segment.Message
	to     AnyBuilder
	typ    *Type
	own    *segment.Message // where the elements are until they are put in
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
	g := &Growing{msg: b.msg}
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
	g.typ, g.to = t, AnyBuilder{b.msg, t, to.Ptr(uint16(f.off))}
	g.own = segment.New(keepers{})
	g.places = g.own.NewRoot(segment.Size{Ptrs: maxParts})
	return g
}

// next makes room for one more element and gives its list and index.
func (g *Growing) next() (ListBuilder, int, bool) {
	if g.typ == nil {
		return ListBuilder{}, 0, false
	}
	if g.own == nil {
		fail(g.msg, &Error{Path: g.typ.String(), Kind: ErrType, Detail: "the list is finished and cannot grow any more"})
		return ListBuilder{}, 0, false
	}
	last := len(g.parts) - 1
	if last < 0 || g.used == g.parts[last].n {
		last++
		if last == maxParts {
			fail(g.msg, &Error{Path: g.typ.String(), Kind: ErrRange, Detail: "the list is too long"})
			return ListBuilder{}, 0, false
		}
		p, n := g.places.Ptr(uint16(last)), firstPart<<last
		g.parts = append(g.parts, ListBuilder{g.msg, g.typ, n, g.typ.elem.newList(p, n), p})
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
		fail(g.msg, errAccess(g.typ.elem.kind, "Add makes structs; use Append").in(g.typ.String()))
		return StructBuilder{msg: g.msg}
	}
	l, i, ok := g.next()
	if !ok {
		return StructBuilder{msg: g.msg}
	}
	return l.structAt(i)
}

// Append adds an element that is set to v. See [StructBuilder.Set].
func (g *Growing) Append(v any) {
	if l, i, ok := g.next(); ok {
		if err := g.typ.elem.setElem(l.l, i, v); err != nil {
			failElem(g.msg, g.typ, g.n-1, err)
		}
	}
}

// Len is the number of elements so far.
func (g *Growing) Len() int { return g.n }

// Finish puts the list into its field and gives it. Calling it again gives the
// same list. The structs that Add gave are no longer valid.
func (g *Growing) Finish() ListBuilder {
	if g.typ == nil {
		return ListBuilder{msg: g.msg}
	}
	if g.own == nil {
		return g.list
	}
	g.list = ListBuilder{g.msg, g.typ, g.n, g.typ.elem.newList(g.to.p, g.n), g.to.p}
	i := 0
	for _, part := range g.parts {
		src := part.reader()
		if src.typ == nil {
			break // there was no memory
		}
		for j := 0; j < part.n && i < g.n; j++ {
			g.list.copyElem(i, src, j)
			i++
		}
	}
	g.msg.Fail(g.own.Err())
	g.own.Release()
	g.own, g.parts = nil, nil
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
		t.storeElem(l.l, i, src.bits(j))
	}
}
