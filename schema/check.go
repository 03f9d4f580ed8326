package schema

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/segment"
)

// check finds the first fault of a node that shows without other nodes.
func (n *Node) check() error {
	if err := checkID(n.ID); err != nil {
		return err
	}
	if n.Scope != 0 {
		if err := checkID(n.Scope); err != nil {
			return fmt.Errorf("scope: %w", err)
		}
	}
	switch {
	case !utf8.ValidString(n.DisplayName) || strings.ContainsFunc(n.DisplayName, isControl):
		return fmt.Errorf("display name is not printable")
	case n.PrefixLen < 0 || n.PrefixLen > len(n.DisplayName):
		return fmt.Errorf("display name prefix of %d bytes in a name of %d", n.PrefixLen, len(n.DisplayName))
	case len(n.Params) > 0 && !n.Generic:
		return fmt.Errorf("generic parameters on a node that is not generic")
	}
	if err := checkNames("generic parameter", n.Params, func(p *string) string { return *p }); err != nil {
		return err
	}
	if err := checkNames("nested node", n.Nested, func(c *Nested) string { return c.Name }); err != nil {
		return err
	}
	for _, c := range n.Nested {
		if err := checkID(c.ID); err != nil {
			return fmt.Errorf("nested node %s: %w", c.Name, err)
		}
	}
	if err := checkAnnotations(n.Annotations); err != nil {
		return err
	}
	return n.checkBody()
}

func isControl(r rune) bool {
	return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085'
}

func checkID(id ID) error {
	if id&validBit == 0 {
		return fmt.Errorf("the id %v does not have its highest bit set", id)
	}
	return nil
}

func (n *Node) checkBody() error {
	bodies := 0
	for _, there := range []bool{n.Struct != nil, n.Enum != nil, n.Interface != nil, n.Const != nil, n.Declared != nil} {
		if there {
			bodies++
		}
	}
	switch {
	case n.Kind == KindFile && bodies == 0:
		return nil
	case n.Kind == KindStruct && n.Struct != nil && bodies == 1:
		return n.checkStruct()
	case n.Kind == KindEnum && n.Enum != nil && bodies == 1:
		return n.Enum.check()
	case n.Kind == KindInterface && n.Interface != nil && bodies == 1:
		return n.Interface.check()
	case n.Kind == KindConst && n.Const != nil && bodies == 1:
		return checkTyped(&n.Const.Type, n.Const.Value)
	case n.Kind == KindAnnotation && n.Declared != nil && bodies == 1:
		if n.Declared.Targets&^TargetAny != 0 {
			return fmt.Errorf("unknown annotation targets %#x", uint16(n.Declared.Targets))
		}
		return n.Declared.Type.check(0)
	}
	return fmt.Errorf("kind %v does not go with what the node declares", n.Kind)
}

// checkNames checks names of one scope: identifiers, each once.
func checkNames[T any](what string, of []T, name func(*T) string) error {
	if len(of) > math.MaxUint16 {
		return fmt.Errorf("%d times %s, which is more than %d", len(of), what, math.MaxUint16)
	}
	seen := make(map[string]bool, len(of))
	for i := range of {
		s := name(&of[i])
		switch {
		case !isIdentifier(s):
			return fmt.Errorf("%s %q: not an identifier", what, s)
		case seen[s]:
			return fmt.Errorf("%s %q: there twice", what, s)
		}
		seen[s] = true
	}
	return nil
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// once collects numbers that are each to be below a limit and there once.
type once []bool

func (o once) add(what string, i uint16) error {
	switch {
	case int(i) >= len(o):
		return fmt.Errorf("%s %d, of %d", what, i, len(o))
	case o[i]:
		return fmt.Errorf("%s %d: there twice", what, i)
	}
	o[i] = true
	return nil
}

// listSizes gives the size of a struct by its list encoding, but for that of the
// last, inline composite.
var listSizes = [...]struct {
	dataWords uint16
	bits      uint64
	ptrs      uint16
}{{0, 0, 0}, {1, 1, 0}, {1, 8, 0}, {1, 16, 0}, {1, 32, 0}, {1, 64, 0}, {0, 0, 1}}

func (n *Node) checkStruct() error {
	s := n.Struct
	bits := uint64(s.DataWords) * 64
	if enc := s.ListEncoding; enc > uint16(segment.Composite) {
		return fmt.Errorf("unknown list encoding %d", enc)
	} else if enc < uint16(segment.Composite) {
		if z := listSizes[enc]; z.dataWords != s.DataWords || z.ptrs != s.Ptrs {
			return fmt.Errorf("list encoding %d of a struct of %d data words and %d pointers", enc, s.DataWords, s.Ptrs)
		}
		bits = listSizes[enc].bits
	}
	switch {
	case s.IsGroup && n.Scope == 0:
		return fmt.Errorf("a group without a scope")
	case s.Discriminants == 1:
		return fmt.Errorf("a union of one member")
	case int(s.Discriminants) > len(s.Fields):
		return fmt.Errorf("a union of %d members in a struct of %d fields", s.Discriminants, len(s.Fields))
	case s.Discriminants > 0 && (uint64(s.DiscriminantOffset)+1)*16 > bits:
		return fmt.Errorf("discriminant at %d × 16 bits, in a data section of %d bits", s.DiscriminantOffset, bits)
	}
	if err := checkNames("field", s.Fields, func(f *Field) string { return f.Name }); err != nil {
		return err
	}
	order, members := make(once, len(s.Fields)), make(once, s.Discriminants)
	groups := map[ID]bool{}
	next, inUnion := 0, 0
	for i := range s.Fields {
		f := &s.Fields[i]
		err := order.add("code order", f.CodeOrder)
		if err == nil && f.InUnion() {
			inUnion++
			err = members.add("discriminant", f.Discriminant)
		}
		if err == nil && f.HasOrdinal {
			if int(f.Ordinal) < next {
				err = fmt.Errorf("ordinal %d after %d", f.Ordinal, next-1)
			}
			next = int(f.Ordinal) + 1
		}
		if err == nil && f.IsGroup() {
			if groups[f.Group] || f.Group == n.ID {
				err = fmt.Errorf("group %v is used twice", f.Group)
			}
			groups[f.Group] = true
		}
		if err == nil {
			err = f.check(bits, uint64(s.Ptrs))
		}
		if err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
	}
	if inUnion != int(s.Discriminants) {
		return fmt.Errorf("%d fields in a union of %d members", inUnion, s.Discriminants)
	}
	return nil
}

func (f *Field) check(bits, ptrs uint64) error {
	if err := checkAnnotations(f.Annotations); err != nil {
		return err
	}
	if f.IsGroup() {
		return checkID(f.Group)
	}
	if err := checkTyped(&f.Type, f.Default); err != nil {
		return err
	}
	end := uint64(f.Offset) + 1
	switch {
	case f.Type.Kind.IsPointer() && end > ptrs:
		return fmt.Errorf("pointer %d, of %d", f.Offset, ptrs)
	case end*uint64(f.Type.Kind.Bits()) > bits:
		return fmt.Errorf("offset %d × %d bits, in a data section of %d bits", f.Offset, f.Type.Kind.Bits(), bits)
	}
	return nil
}

func (e *Enum) check() error {
	if err := checkNames("enumerant", e.Enumerants, func(m *Enumerant) string { return m.Name }); err != nil {
		return err
	}
	order := make(once, len(e.Enumerants))
	for i := range e.Enumerants {
		m := &e.Enumerants[i]
		err := order.add("code order", m.CodeOrder)
		if err == nil {
			err = checkAnnotations(m.Annotations)
		}
		if err != nil {
			return fmt.Errorf("enumerant %q: %w", m.Name, err)
		}
	}
	return nil
}

func (f *Interface) check() error {
	if err := checkNames("method", f.Methods, func(m *Method) string { return m.Name }); err != nil {
		return err
	}
	for i := range f.Extends {
		s := &f.Extends[i]
		err := checkID(s.ID)
		if err == nil {
			err = s.Brand.check(0)
		}
		if err != nil {
			return fmt.Errorf("superclass %v: %w", s.ID, err)
		}
	}
	order := make(once, len(f.Methods))
	for i := range f.Methods {
		m := &f.Methods[i]
		err := order.add("code order", m.CodeOrder)
		if err == nil {
			err = m.check()
		}
		if err != nil {
			return fmt.Errorf("method %q: %w", m.Name, err)
		}
	}
	return nil
}

func (m *Method) check() error {
	if err := checkNames("implicit parameter", m.ImplicitParams, func(p *string) string { return *p }); err != nil {
		return err
	}
	for _, part := range []struct {
		name  string
		id    ID
		brand Brand
	}{{"parameters", m.Params, m.ParamBrand}, {"results", m.Results, m.ResultBrand}} {
		err := checkID(part.id)
		if err == nil {
			err = part.brand.check(0)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return checkAnnotations(m.Annotations)
}

func checkAnnotations(list []Annotation) error {
	for i := range list {
		a := &list[i]
		err := checkID(a.ID)
		if err == nil {
			err = a.Brand.check(0)
		}
		if err == nil {
			err = a.Value.check()
		}
		if err != nil {
			return fmt.Errorf("annotation %v: %w", a.ID, err)
		}
	}
	return nil
}

func (t *Type) check(depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("types nest deeper than %d", MaxDepth)
	}
	if t.Elem != nil && t.Kind != ListType || t.Any > AnyMethodParam || t.Kind != AnyPointer && t.Any != AnyAny {
		return fmt.Errorf("type %v with what only other types have", t.Kind)
	}
	switch {
	case t.Kind > AnyPointer:
		return fmt.Errorf("unknown type %d", t.Kind)
	case t.Kind == ListType && t.Elem == nil:
		return fmt.Errorf("a list without a type of its elements")
	case t.Kind == ListType:
		return t.Elem.check(depth + 1)
	case t.Kind == EnumType || t.Kind == StructType || t.Kind == InterfaceType:
		if err := checkID(t.ID); err != nil {
			return fmt.Errorf("%v type: %w", t.Kind, err)
		}
		return t.Brand.check(depth)
	case t.Any == AnyParam:
		if err := checkID(t.Scope); err != nil {
			return fmt.Errorf("generic parameter: %w", err)
		}
	}
	return nil
}

func (b Brand) check(depth int) error {
	for i := range b {
		if err := checkID(b[i].Scope); err != nil {
			return fmt.Errorf("brand: %w", err)
		}
		for _, t := range b[i].Bind {
			if t == nil {
				continue
			}
			if !t.Kind.IsPointer() {
				return fmt.Errorf("generic argument %v, which is not a pointer", t.Kind)
			}
			if err := t.check(depth + 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTyped checks a type and a value of it.
func checkTyped(t *Type, v Value) error {
	if err := t.check(0); err != nil {
		return err
	}
	if v.Kind != t.Kind {
		return fmt.Errorf("a value of %v for the type %v", v.Kind, t.Kind)
	}
	if err := v.check(); err != nil {
		return err
	}
	if t.Kind == ListType && !v.Ptr.IsNull() {
		return checkList(t.Elem, v.Ptr)
	}
	return nil
}

func (v Value) check() error {
	if v.Kind > AnyPointer {
		return fmt.Errorf("value of unknown type %d", v.Kind)
	}
	if v.Kind.IsPointer() {
		if v.Bits != 0 || !v.Ptr.IsNull() && !fits(v.Kind, v.Ptr) {
			return fmt.Errorf("a %v does not hold %v", v.Ptr.Kind(), v.Kind)
		}
		return nil
	}
	ok := v.Ptr.IsNull()
	switch v.Kind {
	case Int8:
		ok = ok && uint64(int8(v.Bits)) == v.Bits
	case Int16:
		ok = ok && uint64(int16(v.Bits)) == v.Bits
	case Int32:
		ok = ok && uint64(int32(v.Bits)) == v.Bits
	default:
		bits := v.Kind.Bits()
		ok = ok && (bits == 64 || v.Bits>>bits == 0)
	}
	if !ok {
		return fmt.Errorf("%#x is no value of %v", v.Bits, v.Kind)
	}
	return nil
}

// checkList checks that the list p can be read as one of elem, as far as that
// can be told without other nodes.
func checkList(elem *Type, p segment.Ptr) error {
	l := p.List()
	size := l.ElemSize()
	want := elem.Kind.elemSize()
	ok := size == want || size == segment.Composite && want != segment.Bit || want == segment.Composite && size != segment.Bit
	if !ok {
		return fmt.Errorf("a list of %v elements for List(%v)", size, elem.Kind)
	}
	if !elem.Kind.IsPointer() || elem.Kind == StructType {
		return nil
	}
	for e := range l.Ptrs().All() {
		if e.IsNull() {
			continue
		}
		if !fits(elem.Kind, e) {
			return fmt.Errorf("a %v in a list of %v", e.Kind(), elem.Kind)
		}
		if elem.Kind == ListType {
			if err := checkList(elem.Elem, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// elemSize gives the size of the elements of a list of k.
func (k TypeKind) elemSize() segment.ElemSize {
	switch {
	case k == StructType:
		return segment.Composite
	case k.IsPointer():
		return segment.Pointer
	}
	switch k.Bits() {
	case 1:
		return segment.Bit
	case 8:
		return segment.Byte
	case 16:
		return segment.TwoBytes
	case 32:
		return segment.FourBytes
	case 64:
		return segment.EightBytes
	}
	return segment.Void
}

// references calls f with every id that n refers to as a type, a superclass or
// an annotation, the kind that it has to be of, and where it stands.
func (n *Node) references(f func(id ID, kind Kind, what string)) {
	annotations := func(list []Annotation, what string) {
		for i := range list {
			f(list[i].ID, KindAnnotation, what)
			list[i].Brand.references(what, f)
		}
	}
	annotations(n.Annotations, "annotation")
	switch {
	case n.Struct != nil:
		for i := range n.Struct.Fields {
			m := &n.Struct.Fields[i]
			what := "field " + m.Name
			annotations(m.Annotations, what)
			m.Type.references(what, f)
		}
	case n.Enum != nil:
		for i := range n.Enum.Enumerants {
			m := &n.Enum.Enumerants[i]
			annotations(m.Annotations, "enumerant "+m.Name)
		}
	case n.Interface != nil:
		for i := range n.Interface.Extends {
			f(n.Interface.Extends[i].ID, KindInterface, "superclass")
			n.Interface.Extends[i].Brand.references("superclass", f)
		}
		for i := range n.Interface.Methods {
			m := &n.Interface.Methods[i]
			what := "method " + m.Name
			annotations(m.Annotations, what)
			f(m.Params, KindStruct, what)
			m.ParamBrand.references(what, f)
			f(m.Results, KindStruct, what)
			m.ResultBrand.references(what, f)
		}
	case n.Const != nil:
		n.Const.Type.references("type", f)
	case n.Declared != nil:
		n.Declared.Type.references("type", f)
	}
}

func (t *Type) references(what string, f func(ID, Kind, string)) {
	switch t.Kind {
	case ListType:
		t.Elem.references(what, f)
		return
	case EnumType:
		f(t.ID, KindEnum, what)
	case StructType:
		f(t.ID, KindStruct, what)
	case InterfaceType:
		f(t.ID, KindInterface, what)
	}
	t.Brand.references(what, f)
}

func (b Brand) references(what string, f func(ID, Kind, string)) {
	for i := range b {
		for _, t := range b[i].Bind {
			if t != nil {
				t.references(what, f)
			}
		}
	}
}
