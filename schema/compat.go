package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Breaks is the set of those whom a change breaks.
type Breaks uint8

// Whom a change can break.
const (
	// BreaksOldData: programs with the new schema misread what was written with
	// the old one, or lose some of it.
	BreaksOldData Breaks = 1 << iota
	// BreaksOldReaders: programs with the old schema misread what is written with
	// the new one.
	BreaksOldReaders
	// BreaksPeers: calls between programs with the old and the new schema fail.
	BreaksPeers
	// BreaksSource: programs that use the names have to be changed.
	BreaksSource

	breaksWire = BreaksOldData | BreaksOldReaders
)

// String lists who breaks, such as "old data, source".
func (b Breaks) String() string {
	var who []string
	for i, name := range []string{"old data", "old readers", "peers", "source"} {
		if b&(1<<i) != 0 {
			who = append(who, name)
		}
	}
	if len(who) == 0 {
		return "nobody"
	}
	return strings.Join(who, ", ")
}

// Change is a difference between two versions of a schema.
type Change struct {
	// Node is the declaration, in the old version where it is there.
	Node ID
	// Path names the declaration and the member, such as
	// "addressbook.capnp:Person.employment.school".
	Path string
	// What says what changed.
	What   string
	Breaks Breaks
}

// String gives the change in a line.
func (c Change) String() string {
	return c.Path + ": " + c.What + " (breaks " + c.Breaks.String() + ")"
}

// Compatible compares two versions of a schema and tells how they differ and
// whom each change breaks. Nodes are matched by their ids: those that are in the
// files with the ids given, or all if none is given. The changes are ordered as
// the declarations are in those files, without files by their display names, and
// in a struct by ordinals; what is new comes last. Annotations, doc comments and
// the values of constants are not compared.
//
// Fields are matched by their ordinals, wherever in the groups of a struct they
// stand. What the format has in store for evolution breaks nobody: new fields,
// enumerants, methods and superclasses at the end; a field that becomes the
// first member of a new union, or of a group; a list of T that becomes a list of
// structs whose first field is a T.
func Compatible(old, new *Registry, files ...ID) []Change {
	c := comparison{old: old, new: new, pairs: map[[2]ID]Breaks{}, work: maxPairs}
	for _, n := range declared(old, files) {
		if m, ok := new.Node(n.ID); ok {
			c.nodes(n, m)
		} else {
			c.add(n, "", BreaksSource|ifInterface(n), "the %v was removed", n.Kind)
		}
	}
	for _, n := range declared(new, files) {
		if _, ok := old.Node(n.ID); !ok {
			c.add(n, "", 0, "the %v is new", n.Kind)
		}
	}
	return c.changes
}

func ifInterface(n *Node) Breaks {
	if n.Kind == KindInterface {
		return BreaksPeers
	}
	return 0
}

// declared lists the nodes of files in the order of their declarations. Groups
// and the structs of methods are not among them; they are compared as a part of
// what they belong to.
func declared(r *Registry, files []ID) []*Node {
	if len(files) == 0 {
		var all []*Node
		for n := range r.Nodes() {
			if n.named() {
				all = append(all, n)
			}
		}
		slices.SortStableFunc(all, func(a, b *Node) int { return cmp.Compare(a.DisplayName, b.DisplayName) })
		return all
	}
	var all []*Node
	seen := map[ID]bool{}
	var walk func(id ID)
	walk = func(id ID) {
		n, ok := r.Node(id)
		if !ok || seen[id] {
			return
		}
		seen[id] = true
		all = append(all, n)
		for _, c := range n.Nested {
			walk(c.ID)
		}
	}
	for _, id := range files {
		walk(id)
	}
	return all
}

// comparison collects the changes between two versions.
type comparison struct {
	old, new *Registry
	changes  []Change
	// pairs tells whom it breaks that a field's type changed from one struct to
	// another.
	pairs map[[2]ID]Breaks
	// While that is found out, within holds the pairs that were looked at, also
	// inside each other, found is the result so far, and nothing is added to
	// changes. work is how many pairs may still be looked at.
	within map[[2]ID]bool
	found  Breaks
	work   int
}

// maxPairs bounds the work for schemas in which everything refers to everything.
const maxPairs = 10_000

func (c *comparison) add(n *Node, member string, b Breaks, format string, args ...any) {
	c.found |= b
	if c.within != nil {
		return
	}
	path := n.DisplayName
	if member != "" {
		path += "." + member
	}
	c.changes = append(c.changes, Change{Node: n.ID, Path: path, What: fmt.Sprintf(format, args...), Breaks: b})
}

func (c *comparison) nodes(a, b *Node) {
	if a.Kind != b.Kind {
		c.add(a, "", breaksWire|BreaksPeers|BreaksSource, "kind %v became %v", a.Kind, b.Kind)
		return
	}
	if was, is := a.Path(), b.Path(); was != is && a.Kind != KindFile {
		c.add(a, "", BreaksSource, "renamed to %s", is)
	}
	if was, is := strings.Join(a.Params, ", "), strings.Join(b.Params, ", "); len(a.Params) != len(b.Params) {
		c.add(a, "", BreaksSource, "the generic parameters (%s) became (%s)", was, is)
	}
	switch a.Kind {
	case KindStruct:
		c.structs(a, b)
	case KindEnum:
		c.enums(a, b)
	case KindInterface:
		c.interfaces(a, b)
	case KindConst:
		if r := relate(&a.Const.Type, &b.Const.Type); r != typeSame {
			c.add(a, "", BreaksSource, "the type changed from %s to %s", c.old.TypeName(a.Const.Type), c.new.TypeName(b.Const.Type))
		}
	case KindAnnotation:
		if r := relate(&a.Declared.Type, &b.Declared.Type); r != typeSame {
			c.add(a, "", BreaksSource, "the type changed from %s to %s", c.old.TypeName(a.Declared.Type), c.new.TypeName(b.Declared.Type))
		}
		if gone := a.Declared.Targets &^ b.Declared.Targets; gone != 0 {
			c.add(a, "", BreaksSource, "may no longer be put on all that it could")
		}
	}
}

// slot is a slot of a struct, in whichever of its groups it stands.
type slot struct {
	*Field
	path   string
	chosen []choice // in the unions around it, the outermost first
}

// choice is what the discriminant of a union has to be for a slot to be there.
type choice struct {
	offset uint32
	value  uint16
}

// slots lists the slots of a struct by their ordinals.
func slots(r *Registry, n *Node) []slot {
	all := appendSlots(nil, r, n, "", nil, 0)
	slices.SortStableFunc(all, func(a, b slot) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	return all
}

func appendSlots(all []slot, r *Registry, n *Node, prefix string, chosen []choice, depth int) []slot {
	for i := range n.Struct.Fields {
		f := &n.Struct.Fields[i]
		at := slices.Clip(chosen)
		if f.InUnion() {
			at = append(at, choice{n.Struct.DiscriminantOffset, f.Discriminant})
		}
		path := prefix + f.Name
		if !f.IsGroup() {
			all = append(all, slot{f, path, at})
		} else if g, ok := r.Node(f.Group); ok && g.Struct != nil && depth < MaxDepth {
			all = appendSlots(all, r, g, path+".", at, depth+1)
		}
	}
	return all
}

// structs compares the slots of two structs.
func (c *comparison) structs(a, b *Node) {
	was, is := slots(c.old, a), slots(c.new, b)
	names := make(map[string]uint16, len(is))
	for i := range is {
		names[is[i].path] = is[i].Ordinal
	}
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].Ordinal < is[0].Ordinal:
			c.add(a, was[0].path, BreaksOldData|BreaksSource, "field @%d was removed", was[0].Ordinal)
			was = was[1:]
		case len(was) == 0 || is[0].Ordinal < was[0].Ordinal:
			c.add(a, is[0].path, 0, "field @%d is new", is[0].Ordinal)
			is = is[1:]
		default:
			moved, ok := names[was[0].path]
			c.slots(a, &was[0], &is[0], ok && moved != was[0].Ordinal, moved)
			was, is = was[1:], is[1:]
		}
	}
}

func (c *comparison) slots(n *Node, a, b *slot, moved bool, to uint16) {
	path := a.path
	switch {
	case moved:
		c.add(n, path, breaksWire|BreaksSource, "the ordinal changed from @%d to @%d", a.Ordinal, to)
	case a.path != b.path:
		c.add(n, path, BreaksSource, "renamed to %s", b.path)
	}
	c.types(n, path, &a.Type, &b.Type)
	if a.Type.Kind == b.Type.Kind || a.Type.Kind.IsPointer() && b.Type.Kind.IsPointer() {
		if a.Offset != b.Offset {
			c.add(n, path, breaksWire, "the offset changed from %d to %d", a.Offset, b.Offset)
		}
		if !sameValue(a.Default, b.Default) {
			c.add(n, path, breaksWire, "the default changed")
		}
	}
	c.unions(n, path, a.chosen, b.chosen)
}

// unions compares the unions that a slot is in.
func (c *comparison) unions(n *Node, path string, was, is []choice) {
	for _, ch := range was {
		if !slices.Contains(is, ch) {
			c.add(n, path, breaksWire, "no longer the member %d of the union with the discriminant at %d × 16 bits", ch.value, ch.offset)
		}
	}
	for _, ch := range is {
		switch {
		case slices.Contains(was, ch):
		case ch.value == 0:
			c.add(n, path, 0, "became the first member of a union")
		case len(was) == len(is):
			// It is the same union changed, which was told.
		default:
			c.add(n, path, breaksWire, "became the member %d of a union; only the first may have been outside", ch.value)
		}
	}
}

// sameValue compares values of one kind, or pointers.
func sameValue(a, b Value) bool {
	if a.Bits != b.Bits {
		return false
	}
	if a.Ptr.IsNull() || b.Ptr.IsNull() {
		return a.Ptr.IsNull() == b.Ptr.IsNull()
	}
	x, errX := canonicalPtr(a.Ptr)
	y, errY := canonicalPtr(b.Ptr)
	return errX == nil && errY == nil && string(x) == string(y)
}

// types compares the types of a field.
func (c *comparison) types(n *Node, path string, a, b *Type) {
	brk, ok := c.typeBreaks(a, b)
	if ok {
		c.add(n, path, brk, "the type changed from %s to %s", c.old.TypeName(*a), c.new.TypeName(*b))
	}
}

// typeBreaks tells whom a change of type breaks, and whether there is one.
func (c *comparison) typeBreaks(a, b *Type) (Breaks, bool) {
	if a.Kind == ListType && b.Kind == ListType {
		return c.elemBreaks(a.Elem, b.Elem)
	}
	switch relate(a, b) {
	case typeWider:
		return BreaksOldReaders | BreaksSource, true
	case typeNarrower:
		return BreaksOldData | BreaksSource, true
	case typeOther:
		return breaksWire | BreaksSource, true
	case typeOtherNode:
		if a.Kind != StructType {
			return c.otherNode(a), true
		}
		return c.pair(a.ID, b.ID) | BreaksSource, true
	}
	if a.Kind == AnyPointer && (a.Any != b.Any || a.Scope != b.Scope || a.Index != b.Index) {
		return BreaksSource, true
	}
	return c.brandBreaks(a.Brand, b.Brand)
}

// otherNode tells whom it breaks that a type became another enum or interface.
func (c *comparison) otherNode(a *Type) Breaks {
	if a.Kind == InterfaceType {
		return BreaksPeers | BreaksSource
	}
	return breaksWire | BreaksSource
}

func (c *comparison) brandBreaks(a, b Brand) (brk Breaks, changed bool) {
	unbound := Type{Kind: AnyPointer}
	arg := func(s *BrandScope, i int) *Type {
		if s == nil || i >= len(s.Bind) || s.Bind[i] == nil {
			return &unbound
		}
		return s.Bind[i]
	}
	one := func(x, y *BrandScope) {
		if x != nil && y != nil && x.Inherit != y.Inherit {
			brk, changed = brk|BreaksSource, true
			return
		}
		n := 0
		for _, s := range []*BrandScope{x, y} {
			if s != nil {
				n = max(n, len(s.Bind))
			}
		}
		for i := range n {
			if more, ok := c.typeBreaks(arg(x, i), arg(y, i)); ok {
				brk, changed = brk|more, true
			}
		}
	}
	for i := range a {
		one(&a[i], b.Scope(a[i].Scope))
	}
	for i := range b {
		if a.Scope(b[i].Scope) == nil {
			one(nil, &b[i])
		}
	}
	return brk, changed
}

// elemBreaks is typeBreaks for the elements of a list.
func (c *comparison) elemBreaks(a, b *Type) (Breaks, bool) {
	if a.Kind == b.Kind {
		return c.typeBreaks(a, b)
	}
	switch relateElems(a, b) {
	case typeWider:
		if b.Kind == StructType {
			return c.upgrade(a, c.new, b.ID), true
		}
		return BreaksOldReaders | BreaksSource, true
	case typeNarrower:
		if a.Kind == StructType {
			return c.upgrade(b, c.old, a.ID), true
		}
		return BreaksOldData | BreaksSource, true
	}
	return breaksWire | BreaksSource, true
}

// upgrade tells whom it breaks that the elements of a list become structs, or
// structs become what their first field was.
func (c *comparison) upgrade(elem *Type, r *Registry, id ID) Breaks {
	n, ok := r.Node(id)
	if !ok || n.Struct == nil {
		return breaksWire | BreaksSource
	}
	all := slots(r, n)
	if len(all) == 0 {
		return breaksWire | BreaksSource
	}
	f := all[0]
	if f.Ordinal != 0 || f.Offset != 0 || relate(elem, &f.Type) != typeSame || f.Default.Bits != 0 || !f.Default.Ptr.IsNull() {
		return breaksWire | BreaksSource // elements have no default
	}
	return BreaksSource
}

// pair tells whom it breaks that the struct b took the place of the struct a.
// Past the limit of work it is taken to break everybody.
func (c *comparison) pair(a, b ID) Breaks {
	key := [2]ID{a, b}
	if brk, ok := c.pairs[key]; ok {
		return brk
	}
	if c.within[key] {
		return 0 // that a struct holds itself breaks nobody in addition
	}
	was, ok1 := c.old.Node(a)
	is, ok2 := c.new.Node(b)
	if !ok1 || !ok2 || was.Struct == nil || is.Struct == nil || c.work == 0 {
		return breaksWire
	}
	c.work--
	if c.within != nil {
		c.within[key] = true
		c.structs(was, is)
		return 0 // it is in found
	}
	c.within, c.found = map[[2]ID]bool{key: true}, 0
	c.structs(was, is)
	brk := c.found & breaksWire
	c.within = nil
	c.pairs[key] = brk
	return brk
}

func (c *comparison) enums(a, b *Node) {
	was, is := a.Enum.Enumerants, b.Enum.Enumerants
	for i := range was {
		name := was[i].Name
		to, moved := b.Enum.Enumerant(name)
		switch {
		case moved && int(to) != i:
			c.add(a, name, breaksWire|BreaksSource, "the number changed from @%d to @%d", i, to)
		case i >= len(is):
			c.add(a, name, BreaksOldData|BreaksSource, "enumerant @%d was removed", i)
		case !moved:
			c.add(a, name, BreaksSource, "renamed to %s", is[i].Name)
		}
	}
	for i := len(was); i < len(is); i++ {
		if _, moved := a.Enum.Enumerant(is[i].Name); !moved {
			c.add(a, is[i].Name, 0, "enumerant @%d is new", i)
		}
	}
}

func (c *comparison) interfaces(a, b *Node) {
	was, is := a.Interface.Methods, b.Interface.Methods
	for i := range was {
		m := &was[i]
		to, moved := b.Interface.Method(m.Name)
		switch {
		case moved && int(to) != i:
			c.add(a, m.Name, BreaksPeers|BreaksSource, "the number changed from @%d to @%d", i, to)
			continue
		case i >= len(is):
			c.add(a, m.Name, BreaksPeers|BreaksSource, "method @%d was removed", i)
			continue
		case !moved:
			c.add(a, m.Name, BreaksSource, "renamed to %s", is[i].Name)
		}
		if was, is := m.ImplicitParams, is[i].ImplicitParams; len(was) != len(is) {
			c.add(a, m.Name, BreaksSource, "the generic parameters [%s] became [%s]", strings.Join(was, ", "), strings.Join(is, ", "))
		}
		c.part(a, m.Name, "parameters", structOf(m.Params, m.ParamBrand), structOf(is[i].Params, is[i].ParamBrand))
		c.part(a, m.Name, "results", structOf(m.Results, m.ResultBrand), structOf(is[i].Results, is[i].ResultBrand))
	}
	for i := len(was); i < len(is); i++ {
		if _, moved := a.Interface.Method(is[i].Name); !moved {
			c.add(a, is[i].Name, 0, "method @%d is new", i)
		}
	}
	c.superclasses(a, b)
}

func (c *comparison) superclasses(a, b *Node) {
	find := func(in *Node, id ID) (t Type, ok bool) {
		for _, s := range in.Interface.Extends {
			if s.ID == id {
				return Type{Kind: InterfaceType, ID: s.ID, Brand: s.Brand}, true
			}
		}
		return t, false
	}
	for _, s := range a.Interface.Extends {
		was, _ := find(a, s.ID)
		is, ok := find(b, s.ID)
		if !ok {
			c.add(a, "", BreaksPeers|BreaksSource, "no longer extends %s", c.old.TypeName(was))
		} else if brk, ok := c.brandBreaks(was.Brand, is.Brand); ok {
			c.add(a, "", inCalls(brk), "extends %s, no longer %s", c.new.TypeName(is), c.old.TypeName(was))
		}
	}
	for _, s := range b.Interface.Extends {
		if _, ok := find(a, s.ID); !ok {
			is, _ := find(b, s.ID)
			c.add(a, "", 0, "extends %s now", c.new.TypeName(is))
		}
	}
}

func structOf(id ID, brand Brand) Type { return Type{Kind: StructType, ID: id, Brand: brand} }

// inCalls tells whom it breaks that the contents of calls change so.
func inCalls(b Breaks) Breaks {
	if b&breaksWire != 0 {
		b = b&^breaksWire | BreaksPeers
	}
	return b
}

// part compares the parameters or the results of a method. Where a list of them
// was written, the struct has the same id in both versions, and nothing else
// looks at it.
func (c *comparison) part(n *Node, method, what string, a, b Type) {
	was, ok1 := c.old.Node(a.ID)
	is, ok2 := c.new.Node(b.ID)
	switch {
	case !ok1 || !ok2 || was.Struct == nil || is.Struct == nil:
		if a.ID != b.ID {
			c.add(n, method, BreaksPeers|BreaksSource, "the %s changed from %v to %v", what, a.ID, b.ID)
		}
	case a.ID == b.ID:
		if brk, ok := c.brandBreaks(a.Brand, b.Brand); ok {
			c.add(n, method, inCalls(brk), "the %s changed from %s to %s", what, c.old.TypeName(a), c.new.TypeName(b))
		}
		if was.named() {
			return
		}
		before := len(c.changes)
		c.structs(was, is)
		for i := range c.changes[before:] {
			ch := &c.changes[before+i]
			ch.Breaks = inCalls(ch.Breaks)
		}
	default:
		brk := BreaksSource
		if c.pair(a.ID, b.ID) != 0 {
			brk |= BreaksPeers
		}
		c.add(n, method, brk, "the %s changed from %s to %s", what, was.Path(), is.Path())
	}
}
