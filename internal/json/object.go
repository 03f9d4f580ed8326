package json

import (
	"fmt"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// object reads the object at pos into b. Members whose meaning depends on a tag
// that was not read yet are read once it was.
func (d *decoder) object(p *plan, b segment.StructBuilder) error {
	if d.data[d.pos] != '{' {
		return fmt.Errorf("%w: %s for an object", ErrValue, d.kind())
	}
	o := object{d: d}
	err := d.members(func(name []byte) error {
		pos, next := d.pos, d.next
		done, err := o.member(p, name, b)
		if err != nil || done {
			return err
		}
		o.waiting = append(o.waiting, waiting{string(name), pos, next})
		d.skip()
		return nil
	})
	if err != nil {
		return err
	}
	end, endNext := d.pos, d.next
	for n := 0; len(o.waiting) != n && err == nil; {
		n = len(o.waiting)
		again := o.waiting
		o.waiting = nil
		for _, w := range again {
			d.pos, d.next = w.pos, w.next
			var done bool
			if done, err = o.member(p, []byte(w.name), b); err != nil {
				return err
			} else if !done {
				o.waiting = append(o.waiting, w)
			}
		}
	}
	d.pos, d.next = end, endNext
	return nil
}

// object is an object that is being read.
type object struct {
	d       *decoder
	tagged  []instance
	waiting []waiting
}

// instance is a union whose tag was read: that of a struct, or of a group in it.
type instance struct {
	b   segment.StructBuilder
	tag uint32
}

// waiting is a member that can't be read yet.
type waiting struct {
	name      string
	pos, next int // of its value
}

func (o *object) knows(p *plan, b segment.StructBuilder) bool {
	for _, i := range o.tagged {
		if i == (instance{b, p.Tag}) {
			return true
		}
	}
	return false
}

// member reads the value at pos, which belongs to the member called name of b. It
// reports false if that has to wait for a tag.
func (o *object) member(p *plan, name []byte, b segment.StructBuilder) (done bool, err error) {
	d := o.d
	m, ok := p.names[string(name)]
	if !ok {
		if d.strict {
			return false, fmt.Errorf("%w: there is no %q", ErrValue, name)
		}
		d.skip()
		return true, nil
	}
	switch m.kind {
	case isField:
		return true, d.field(&p.fields[m.index], b)
	case isFlat:
		f := &p.fields[m.index]
		inner, err := d.inner(f, b)
		if err != nil {
			return true, err
		}
		return o.member(f.flat, name[len(f.prefix):], inner)
	case isTag:
		if d.data[d.pos] != '"' {
			return true, fmt.Errorf("%w: %s for the name of the union's member", ErrValue, d.kind())
		}
		if f := p.values[string(d.text())]; f != nil {
			clear1(f, b)
			o.tagged = append(o.tagged, instance{b, p.Tag})
		}
		return true, nil
	}
	if !o.knows(p, b) {
		return false, nil
	}
	f := p.active(b.Reader())
	if f == nil {
		return true, fmt.Errorf("%w: the union's member is unknown", ErrValue)
	}
	if m.kind == isUnionValue {
		return true, d.field(f, b)
	}
	if f.flat == nil || len(name) < len(f.prefix) || string(name[:len(f.prefix)]) != f.prefix {
		return true, fmt.Errorf("%w: %q does not belong to the union's member %s", ErrValue, name, f.value)
	}
	inner, err := d.inner(f, b)
	if err != nil {
		return true, err
	}
	return o.member(f.flat, name[len(f.prefix):], inner)
}

// inner gives the struct or group that f refers to, to be filled.
func (d *decoder) inner(f *fieldPlan, b segment.StructBuilder) (segment.StructBuilder, error) {
	if f.IsGroup() {
		return b, nil
	}
	p := b.Ptr(uint16(f.At))
	if !p.IsNull() {
		return p.Struct(f.flat.Size), nil
	}
	need := int64(f.flat.Size.Words()) * 8
	def := f.Default.Ptr.Struct()
	if !f.Default.Ptr.IsNull() {
		words, err := f.Default.Ptr.TotalWords()
		if err != nil {
			return segment.StructBuilder{}, err
		}
		need += words * 8
	}
	if err := d.charge(need); err != nil {
		return segment.StructBuilder{}, err
	}
	if f.Default.Ptr.IsNull() {
		return p.NewStruct(f.flat.Size), nil
	}
	return p.StructOr(f.flat.Size, def), nil
}

// field reads the value at pos into field f of b.
func (d *decoder) field(f *fieldPlan, b segment.StructBuilder) error {
	d.path = append(d.path, step{name: f.Name})
	switch {
	case f.IsGroup():
		if d.data[d.pos] != '{' {
			return d.wrong(f.Type)
		}
		clear1(f, b)
		if err := d.object(f.group, b); err != nil {
			return err
		}
	case f.Type.Kind.IsPointer():
		f.activate(b)
		if err := d.pointer(f.Type, f.form, b.Ptr(uint16(f.At))); err != nil {
			return err
		}
	default:
		bits, err := d.bits(f.Type)
		if err != nil {
			return err
		}
		f.activate(b)
		f.SetBits(b, bits)
	}
	d.path = d.path[:len(d.path)-1]
	return nil
}

// activate selects f where it is the member of a union.
func (f *fieldPlan) activate(b segment.StructBuilder) {
	if f.InUnion() {
		b.SetUint16(f.owner.Tag, f.Discriminant)
	}
}

// clear1 selects f and sets it to its default. Of a union in a group the first
// member is selected.
func clear1(f *fieldPlan, b segment.StructBuilder) {
	f.activate(b)
	switch {
	case f.IsGroup():
		for _, inner := range f.group.plain {
			clear1(inner, b)
		}
		if u := f.group.union; len(u) > 0 && u[0] != nil {
			clear1(u[0], b)
		}
	case f.Type.Kind.IsPointer():
		b.Ptr(uint16(f.At)).Clear()
	case f.Type.Kind != schema.Void:
		f.SetBits(b, f.Default.Bits)
	}
}
