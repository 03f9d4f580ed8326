// Package json converts messages to JSON and back, as `capnp convert` does with
// the formats binary and json: its output is byte for byte the tool's.
//
// Structs are objects, lists arrays, Void null, enums the names of their
// enumerants. Integers of 64 bits are strings, as JSON's readers lose digits of
// such numbers; so are infinities and NaN. Data is an array of numbers. Null
// pointers are left out, but a union's member is always there, so that reading
// it back selects it. Capabilities and AnyPointer have no JSON.
//
// The annotations of /capnp/compat/json.capnp are followed: name, flatten,
// discriminator, base64, hex; its struct Value is JSON itself.
//
// Reading ignores members that the schema does not know. It differs from the
// tool where that would lose something in silence: integers of 64 bits that are
// written as numbers keep all digits, \u escapes are right beyond ASCII, an
// enumerant has to be a whole number, and base64 and hex that are broken, or a
// number that is out of range, are errors.
package json

import (
	"fmt"
	"sync"

	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
)

// The ids of json.capnp.
const (
	annName          schema.ID = 0xfa5b1fd61c2e7c3d
	annFlatten       schema.ID = 0x82d3e852af0336bf
	annDiscriminator schema.ID = 0xcfa794e8d19a0162
	annBase64        schema.ID = 0xd7d879450a253e4b
	annHex           schema.ID = 0xf061e22f0ae5c7b5
	valueID          schema.ID = 0xa3fa7845f919dd83
)

// Codec converts values of the types of one registry. What the annotations of a
// type say is worked out once. It is safe for concurrent use, as far as the
// messages are.
type Codec struct {
	types *shape.Table
	mu    sync.Mutex // held while a plan is made
	plans sync.Map   // *shape.Type to *plan or *enumPlan
	pool  sync.Pool  // of *encoder
}

// New returns a codec of the types in reg, each as it is when it is
// first met.
func New(reg *schema.Registry) *Codec {
	return &Codec{types: shape.NewTable(reg)}
}

// plan is how a struct or group looks in JSON.
type plan struct {
	*shape.Struct
	fields []fieldPlan // by their index
	plain  []*fieldPlan
	union  []*fieldPlan // by their discriminant

	// tag is the name of the member that tells which member of the union is set.
	tag    string
	hasTag bool
	// names has the members of the object, those of what is flattened among them,
	// and values the members of the union by what the tag says.
	names  map[string]member
	values map[string]*fieldPlan
}

type fieldPlan struct {
	*shape.Field
	owner *plan
	name  string
	key   string // the name as a JSON string
	value string // of the tag
	form  dataForm
	group *plan // of a group
	// flat is set where the field's members stand in the place of the field, with
	// prefix in front of their names.
	flat   *plan
	prefix string
}

type dataForm uint8

const (
	asArray dataForm = iota
	asBase64
	asHex
)

type member struct {
	kind  memberKind
	index int // of the field, for isField and isFlat
}

type memberKind uint8

const (
	isField      memberKind = iota
	isFlat                  // of a flattened field
	isTag                   // which member of the union is set
	isUnionFlat             // of a flattened member of the union, or of several
	isUnionValue            // the member of the union that the tag tells
)

func (c *Codec) plan(t *shape.Type) (*plan, error) {
	if p, ok := c.plans.Load(t); ok {
		return p.(*plan), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.planLocked(t, nil)
}

// planLocked makes the plan of a struct; flat are the structs that it is
// flattened into.
func (c *Codec) planLocked(t *shape.Type, flat []*shape.Type) (*plan, error) {
	if p, ok := c.plans.Load(t); ok {
		return p.(*plan), nil
	}
	for _, outer := range flat {
		if outer == t {
			return nil, fmt.Errorf("%s is flattened into itself", t.Node.DisplayName)
		}
	}
	p, err := c.build(t, nil, "", append(flat, t))
	if err != nil {
		return nil, err
	}
	c.plans.Store(t, p)
	return p, nil
}

// build makes the plan of a struct, or of a group whose field is annotated with
// disc and is flattened under the name declared.
func (c *Codec) build(t *shape.Type, disc *schema.Annotation, declared string, flat []*shape.Type) (*plan, error) {
	sh, err := t.Struct()
	if err != nil {
		return nil, err
	}
	if len(flat) > maxFlat {
		return nil, fmt.Errorf("%s: more than %d structs and groups flattened into each other", sh.Node.DisplayName, maxFlat)
	}
	p := &plan{
		Struct: sh,
		fields: make([]fieldPlan, len(sh.Fields)),
		union:  make([]*fieldPlan, len(sh.Union)),
		names:  map[string]member{},
		values: map[string]*fieldPlan{},
	}
	if disc == nil {
		disc = find(sh.Node.Annotations, annDiscriminator)
	}
	valueName, hasValueName := "", false
	if disc != nil {
		opts := disc.Value.Ptr.Struct()
		if p.tag, p.hasTag = opts.Text(0), opts.Has(0); !p.hasTag {
			p.tag, p.hasTag = declared, declared != ""
		}
		if p.hasTag {
			p.names[p.tag] = member{kind: isTag}
		}
		if valueName, hasValueName = opts.Text(1), opts.Has(1); hasValueName {
			if err := p.add(valueName, member{kind: isUnionValue}); err != nil {
				return nil, err
			}
		}
	}
	for i := range sh.Fields {
		f := &p.fields[i]
		*f = fieldPlan{Field: &sh.Fields[i], owner: p, name: sh.Fields[i].Name}
		if err := c.annotate(f, flat); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", sh.Node.DisplayName, f.Name, err)
		}
		f.value = f.name
		switch {
		case f.flat != nil:
			err = p.addFlat(f)
		case f.InUnion() && hasValueName:
			f.name = valueName
		default:
			err = p.add(f.name, member{kind: isField, index: i})
		}
		if err != nil {
			return nil, err
		}
		f.key = string(appendString(nil, f.name))
		if f.InUnion() {
			if p.values[f.value] != nil {
				return nil, fmt.Errorf("%s: two members of the union have the name %q", sh.Node.DisplayName, f.value)
			}
			p.values[f.value] = f
			p.union[f.Discriminant] = f
		} else {
			p.plain = append(p.plain, f)
		}
	}
	return p, nil
}

// maxFlat limits how deep structs and groups are flattened into each other.
const maxFlat = 64

// annotate reads the annotations of a field.
func (c *Codec) annotate(f *fieldPlan, flat []*shape.Type) error {
	var disc *schema.Annotation
	flattened := false
	for i := range f.Annotations {
		a := &f.Annotations[i]
		switch a.ID {
		case annName:
			f.name = a.Value.Ptr.Text()
		case annFlatten:
			if f.Type.Kind != schema.StructType {
				return fmt.Errorf("only structs and groups can be flattened, not %v", f.Type.Kind)
			}
			flattened = true
			f.prefix = a.Value.Ptr.Struct().Text(0)
		case annDiscriminator:
			if !f.IsGroup() {
				return fmt.Errorf("only a union can have a discriminator")
			}
			disc = a
		case annBase64, annHex:
			if f.Type.Kind != schema.Data {
				return fmt.Errorf("only Data can be base64 or hex, not %v", f.Type.Kind)
			}
			f.form = asBase64
			if a.ID == annHex {
				f.form = asHex
			}
		}
	}
	var err error
	switch {
	case f.IsGroup():
		declared := ""
		if flattened {
			declared = f.Name
		}
		f.group, err = c.build(f.Type, disc, declared, append(flat, f.Type))
		if flattened {
			f.flat = f.group
		}
	case flattened:
		f.flat, err = c.planLocked(f.Type, flat)
	}
	return err
}

func (p *plan) add(name string, m member) error {
	if _, ok := p.names[name]; ok {
		return p.twice(name)
	}
	p.names[name] = m
	return nil
}

func (p *plan) twice(name string) error {
	return fmt.Errorf("%s: two members have the name %q", p.Node.DisplayName, name)
}

// addFlat adds the members of a flattened field. Those of a union may have the
// same names, for only one of them is set.
func (p *plan) addFlat(f *fieldPlan) error {
	m := member{kind: isFlat, index: f.Index}
	if f.InUnion() {
		m = member{kind: isUnionFlat}
	}
	for name := range f.flat.names {
		name = f.prefix + name
		if known, ok := p.names[name]; ok && (known.kind != isUnionFlat || m.kind != isUnionFlat) {
			return p.twice(name)
		}
		p.names[name] = m
	}
	return nil
}

// enumPlan is how an enum looks in JSON.
type enumPlan struct {
	names  []string // as JSON strings
	values map[string]uint16
}

func (c *Codec) enum(t *shape.Type) (*enumPlan, error) {
	if p, ok := c.plans.Load(t); ok {
		return p.(*enumPlan), nil
	}
	p := &enumPlan{values: map[string]uint16{}}
	for i := range t.Node.Enum.Enumerants {
		e := &t.Node.Enum.Enumerants[i]
		name := e.Name
		if a := find(e.Annotations, annName); a != nil {
			name = a.Value.Ptr.Text()
		}
		if _, ok := p.values[name]; ok {
			return nil, fmt.Errorf("%s: two enumerants have the name %q", t.Node.DisplayName, name)
		}
		p.values[name] = uint16(i)
		p.names = append(p.names, string(appendString(nil, name)))
	}
	c.plans.Store(t, p)
	return p, nil
}

func find(as []schema.Annotation, id schema.ID) *schema.Annotation {
	for i := range as {
		if as[i].ID == id {
			return &as[i]
		}
	}
	return nil
}
