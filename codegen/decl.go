package codegen

import (
	"fmt"

	"github.com/fairlead-go/fairlead/schema"
)

// decl is a declaration that Go code has names for. All names of a file's
// declarations are given before any code is made, since the code for a file
// that imports it has to find the same.
type decl struct {
	node   *schema.Node
	parent *decl // nil for one of the file
	name   string
	whole  bool // the name is an annotation's and stands alone
	depth  int
	// member is the field that a group is.
	member *schema.Field
	// method is "Params" or "Results" for the struct of a method's.
	method string

	// The names that are made of the declaration's own; "" where it has none.
	typeID      string
	builder     string // of a struct: the type that builds it
	root        string
	newRoot     string
	under       string // builds it under any pointer; of an interface: makes a client
	which       string // the type that tells the union's member
	parse       string // of an enum
	server      string // of an interface: what is served, and so on
	serve       string
	unimplement string

	fields  []fieldGen  // of a struct
	members []enumerant // of an enum, and of a struct's union
	methods []methodGen // of an interface
}

// fieldGen is a field on its way.
type fieldGen struct {
	*schema.Field
	base   string // of its methods' names
	member string // the constant that tells it in the union
}

// methodGen is a method of an interface on its way.
type methodGen struct {
	*schema.Method
	ordinal      int
	name         string
	future, call string // types
}

// standsAlone tells whether a declaration is a struct that can be a root.
func (d *decl) standsAlone() bool { return d.member == nil && d.method == "" }

// derive gives a declaration all names that are made of its own.
func (d *decl) derive(names scope) error {
	n := d.node
	switch n.Kind {
	case schema.KindStruct:
		d.builder = names.take(d.name + "Builder")
		if d.standsAlone() {
			d.root, d.newRoot, d.under = names.take("Root"+d.name), names.take("NewRoot"+d.name), names.take("New"+d.name)
		}
		if n.Struct.Discriminants > 0 {
			d.which = names.take(d.name + "Which")
		}
		if err := d.deriveFields(names); err != nil {
			return err
		}
	case schema.KindEnum:
		d.parse = names.take("Parse" + d.name)
		if err := d.deriveEnumerants(names); err != nil {
			return err
		}
	case schema.KindInterface:
		d.under, d.serve = names.take("New"+d.name), names.take("Serve"+d.name)
		d.server, d.unimplement = names.take(d.name+"Server"), names.take(d.name+"Unimplemented")
		if err := d.deriveMethods(names); err != nil {
			return err
		}
	}
	if d.standsAlone() && n.Kind != schema.KindConst {
		d.typeID = names.take(d.name + "TypeID")
	}
	return nil
}

// deriveFields names the methods of the fields, older fields first, so that a
// field that is added later never takes the name of one that was there.
func (d *decl) deriveFields(names scope) error {
	s := d.node.Struct
	methods := methodScope("Which", "Reader")
	seen := map[uint16]bool{}
	d.members = make([]enumerant, s.Discriminants)
	for i := range s.Fields {
		f := &s.Fields[i]
		base, _, err := ownName(d.node.DisplayName, f.Name, f.Annotations)
		if err != nil {
			return err
		}
		fg := fieldGen{Field: f, base: methods.takeAll(base, methodForms(f))}
		if f.InUnion() {
			if f.Discriminant >= s.Discriminants || seen[f.Discriminant] {
				return fmt.Errorf("codegen: %s: field %.80q has the discriminant %d, in a union of %d members, twice or too large",
					d.node.DisplayName, f.Name, f.Discriminant, s.Discriminants)
			}
			seen[f.Discriminant] = true
			fg.member = names.take(d.name + fg.base)
			d.members[f.Discriminant] = enumerant{constant: fg.member, text: f.Name}
		}
		d.fields = append(d.fields, fg)
	}
	if len(seen) != int(s.Discriminants) {
		return fmt.Errorf("codegen: %s: a union of %d members has %d", d.node.DisplayName, s.Discriminants, len(seen))
	}
	return nil
}

// methodForms lists the methods that a field may have; % stands for its name.
func methodForms(f *schema.Field) []string {
	if f.IsGroup() {
		return []string{"%", "New%"}
	}
	switch f.Type.Kind {
	case schema.Text:
		return []string{"%", "%Bytes", "Has%", "Set%"}
	case schema.Data:
		return []string{"%", "Has%", "Set%", "New%", "SetExternal%"}
	case schema.ListType:
		return []string{"%", "Has%", "Set%", "New%", "%At", "New%At"}
	case schema.StructType:
		return []string{"%", "Has%", "Set%", "New%"}
	case schema.InterfaceType, schema.AnyPointer:
		return []string{"%", "Has%", "Set%"}
	}
	return []string{"%", "Set%"}
}

func (d *decl) deriveEnumerants(names scope) error {
	n := d.node
	d.members = make([]enumerant, len(n.Enum.Enumerants))
	for i := range n.Enum.Enumerants {
		e := &n.Enum.Enumerants[i]
		own, _, err := ownName(n.DisplayName, e.Name, e.Annotations)
		if err != nil {
			return err
		}
		text := e.Name
		if tag, ok := annotation(e.Annotations, goTagID); ok {
			text = tag
		}
		if _, ok := annotation(e.Annotations, goNotagID); ok {
			text = ""
		}
		d.members[i] = enumerant{names.take(d.name + own), text, e.Doc}
	}
	return nil
}

// clientMethods are the methods of rpc.Client, which clients of an interface
// have beside its own, and the name under which they embed it.
var clientMethods = []string{"AttachedFile", "Client", "IsNull", "NewCall", "Release", "Retain", "WaitResolved", "WaitStreaming"}

func (d *decl) deriveMethods(names scope) error {
	methods := methodScope(clientMethods...)
	for i := range d.node.Interface.Methods {
		m := &d.node.Interface.Methods[i]
		own, _, err := ownName(d.node.DisplayName, m.Name, m.Annotations)
		if err != nil {
			return err
		}
		d.methods = append(d.methods, methodGen{
			Method: m, ordinal: i, name: methods.take(own),
			future: names.take(d.name + own + "Future"), call: names.take(d.name + own + "Call"),
		})
	}
	return nil
}
