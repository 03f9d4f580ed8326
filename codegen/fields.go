package codegen

import (
	"fmt"

	"github.com/fairlead-go/fairlead/schema"
)

// field writes the methods that read and build a field, under one comment.
func (t *structGen) field(f *fieldGen) {
	if f.Type.Kind == schema.Void && !f.IsGroup() {
		// There is nothing to read, and to write only which member it is.
		if f.InUnion() {
			t.doc("Set"+f.base+" selects the "+f.label()+".", f.Doc, f.Annotations)
			t.setter("Set"+f.base, "", "", t.target(f))
			t.printf("\n")
		}
		return
	}
	t.doc(f.base+" is the "+f.label()+".", f.Doc, f.Annotations)
	switch {
	case f.IsGroup():
		t.groupField(f)
	case f.Type.Kind.IsPointer():
		t.pointerField(f)
	default:
		t.scalarField(f)
	}
	t.printf("\n")
}

// getter writes a method of the reader.
func (t *structGen) getter(name, params, result, expr string) {
	t.printf("func (s %s) %s(%s) %s { return %s }\n", t.decl.name, name, params, result, expr)
}

// setter writes a method of the builder.
func (t *structGen) setter(name, params, result, body string) {
	if result != "" {
		body = "return " + body
	}
	t.printf("func (s %s) %s(%s) %s { %s }\n", t.decl.builder, name, params, result, body)
}

// source is the struct that the methods of the reader read.
func (t *structGen) source() string { return t.seg("Struct") + "(s)" }

// target is the struct that a method of the builder sets a field of: in a union
// the method selects the member before.
func (t *structGen) target(f *fieldGen) string {
	if f.InUnion() {
		return fmt.Sprintf("s.pick(%d)", f.Discriminant)
	}
	return t.seg("StructBuilder") + "(s)"
}

// editable is the pointer that a method of the builder edits in place. In a
// union it is null at first, unless the member is selected already.
func (t *structGen) editable(f *fieldGen) string {
	if f.InUnion() {
		return fmt.Sprintf("s.edit(%d, %d)", f.Discriminant, f.Offset)
	}
	return fmt.Sprintf("%s(s).Ptr(%d)", t.seg("StructBuilder"), f.Offset)
}

// groupField writes the methods of a group. As a member of a union it is
// cleared when it is selected, since its fields lie where others did.
func (t *structGen) groupField(f *fieldGen) {
	reader, builder := t.structNames(f.Group)
	t.getter(f.base, "", reader, reader+"(s)")
	if !f.InUnion() {
		t.setter(f.base, "", builder, builder+"(s)")
		return
	}
	t.printf("func (s %s) %s() %s {\nif s.Which() != %s {\nreturn s.New%s()\n}\nreturn %s(s)\n}\n", t.decl.builder, f.base, builder, f.member, f.base, builder)
	t.printf("func (s %s) New%s() %s {\nb := %s\n%sreturn %s(b)\n}\n", t.decl.builder, f.base, builder, t.target(f), t.clear(t.byID[f.Group]), builder)
}

// pointerField writes the methods of a field in the pointer section.
func (t *structGen) pointerField(f *fieldGen) {
	def := ""
	if f.HasDefault && !f.Default.Ptr.IsNull() {
		def = t.value(f.Default)
	}
	switch f.Type.Kind {
	case schema.Text:
		t.textField(f, def)
	case schema.Data:
		t.dataField(f, def)
	case schema.StructType:
		t.structField(f, def)
	case schema.ListType:
		t.listField(f, def)
	default:
		if isCapability(&f.Type) && def == "" {
			t.capabilityField(f)
			break
		}
		if def != "" {
			t.fail(fmt.Errorf("codegen: %s: field %.80q is of %v and has a default", t.decl.node.DisplayName, f.Name, f.Type.Kind))
		}
		t.getter(f.base, "", t.seg("Ptr"), fmt.Sprintf("%s.Ptr(%d)", t.source(), f.Offset))
		t.setter(f.base, "", t.seg("PtrBuilder"), t.editable(f))
	}
	has := fmt.Sprintf("%s.Has(%d)", t.source(), f.Offset)
	if f.InUnion() {
		has = fmt.Sprintf("s.Which() == %d && %s", f.Discriminant, has)
	}
	t.getter("Has"+f.base, "", "bool", has)
}

func (t *structGen) capabilityField(f *fieldGen) {
	goType, wrap := t.capability(&f.Type)
	client := "v.Client"
	if wrap == "%s" {
		client = "v"
	}
	t.getter(f.base, "", goType, fmt.Sprintf(wrap, fmt.Sprintf("%s(%s.Ptr(%d))", t.rpc("ReadClient"), t.source(), f.Offset)))
	t.setter("Set"+f.base, "v "+goType, "", fmt.Sprintf("%s(%s.Ptr(%d), %s)", t.rpc("SetClient"), t.target(f), f.Offset, client))
}

func (t *structGen) textField(f *fieldGen, def string) {
	s := t.source()
	if def == "" {
		t.getter(f.base, "", "string", fmt.Sprintf("%s.Text(%d)", s, f.Offset))
		t.getter(f.base+"Bytes", "", "[]byte", fmt.Sprintf("%s.TextBytes(%d)", s, f.Offset))
	} else {
		t.getter(f.base, "", "string", fmt.Sprintf("%s.Ptr(%d).TextOr(%s)", s, f.Offset, quote(f.Default.Ptr.Text())))
		t.printf("func (s %s) %sBytes() []byte {\nif b := %s.TextBytes(%d); b != nil {\nreturn b\n}\nreturn %s.TextBytes()\n}\n", t.decl.name, f.base, s, f.Offset, def)
	}
	t.setter("Set"+f.base, "v string", "", fmt.Sprintf("%s.SetText(%d, v)", t.target(f), f.Offset))
	t.setter("New"+f.base, "n int", "[]byte", fmt.Sprintf("%s.Ptr(%d).NewText(n)", t.target(f), f.Offset))
}

func (t *structGen) dataField(f *fieldGen, def string) {
	if def == "" {
		t.getter(f.base, "", "[]byte", fmt.Sprintf("%s.Data(%d)", t.source(), f.Offset))
	} else {
		t.getter(f.base, "", "[]byte", fmt.Sprintf("%s.Ptr(%d).DataOr(%s.Data())", t.source(), f.Offset, def))
	}
	b := t.target(f)
	t.setter("Set"+f.base, "v []byte", "", fmt.Sprintf("%s.SetData(%d, v)", b, f.Offset))
	t.setter("New"+f.base, "n int", "[]byte", fmt.Sprintf("%s.NewData(%d, n)", b, f.Offset))
	t.setter("SetExternal"+f.base, "v []byte, release func()", "(uncopied bool)", fmt.Sprintf("%s.SetExternalData(%d, v, release)", b, f.Offset))
}

func (t *structGen) structField(f *fieldGen, def string) {
	reader, builder := t.structNames(f.Type.ID)
	if t.err != nil {
		return
	}
	size := t.size(t.byID[f.Type.ID])
	read, edit := fmt.Sprintf("%s.Struct(%d)", t.source(), f.Offset), t.editable(f)+".Struct("+size+")"
	if def != "" {
		read = fmt.Sprintf("%s.Ptr(%d).StructOr(%s.Struct())", t.source(), f.Offset, def)
		edit = t.editable(f) + ".StructOr(" + size + ", " + def + ".Struct())"
	}
	t.getter(f.base, "", reader, reader+"("+read+")")
	t.setter(f.base, "", builder, builder+"("+edit+")")
	t.setter("New"+f.base, "", builder, fmt.Sprintf("%s(%s.NewStruct(%d, %s))", builder, t.target(f), f.Offset, size))
	t.setter("Set"+f.base, "v "+reader, "", fmt.Sprintf("%s.Ptr(%d).SetStruct(%s(v))", t.target(f), f.Offset, t.seg("Struct")))
}

func (t *structGen) listField(f *fieldGen, def string) {
	form := t.listForm(f.Type.Elem)
	if t.err != nil {
		return
	}
	read, edit := fmt.Sprintf("%s.Ptr(%d)", t.source(), f.Offset), t.editable(f)
	if def != "" {
		t.hasListDefault = true
		read = t.listOrName + "(" + read + ", " + def + ")"
		edit = t.editOrName + "(" + edit + ", " + def + ")"
	}
	place := fmt.Sprintf("%s.Ptr(%d)", t.target(f), f.Offset)
	t.getter(f.base, "", form.reader, fmt.Sprintf(form.read, read))
	t.setter(f.base, "", form.builder, fmt.Sprintf(form.edit, edit))
	if form.makeIn != "" {
		t.setter("New"+f.base, "n int", form.builder, fmt.Sprintf(form.makeIn, t.target(f), f.Offset))
	} else {
		t.setter("New"+f.base, "n int", form.builder, fmt.Sprintf(form.make, place))
	}
	if form.list != "" {
		t.setter("Set"+f.base, "v "+form.reader, "", place+".SetList("+form.list+")")
	}
	if f.Type.Elem.Kind != schema.ListType {
		return
	}
	inner := t.listForm(f.Type.Elem.Elem)
	if t.err != nil {
		return
	}
	at := "s." + f.base + "().At(i)"
	t.getter(f.base+"At", "i int", inner.reader, fmt.Sprintf(inner.read, at))
	t.setter(f.base+"At", "i int", inner.builder, fmt.Sprintf(inner.edit, at))
	t.setter("New"+f.base+"At", "i, n int", inner.builder, fmt.Sprintf(inner.make, at))
}

// place gives where a scalar lies as segment's methods want it.
func (f *fieldGen) place() uint32 {
	if f.Type.Kind == schema.Bool {
		return f.Offset
	}
	return f.Offset * (f.Type.Kind.Bits() / 8)
}

// scalarField writes the methods of a field in the data section. What is stored
// is the value XOR the default, so that zero bytes mean the default.
func (t *structGen) scalarField(f *fieldGen) {
	k, bits := f.Type.Kind, f.Default.Bits
	if !f.HasDefault {
		bits = 0
	}
	read := func(as string) string { return fmt.Sprintf("%s.%s(%d)", t.source(), as, f.place()) }
	write := func(as, v string) string { return fmt.Sprintf("%s.Set%s(%d, %s)", t.target(f), as, f.place(), v) }
	xor := ""
	if bits != 0 {
		xor = " ^ " + integer(k, bits)
	}
	goType := scalars[k].goType
	var get, set string
	switch {
	case k == schema.EnumType:
		goType = t.typeName(f.Type.ID, schema.KindEnum)
		get, set = goType+"("+read("Uint16")+xor+")", write("Uint16", "uint16(v)"+xor)
	case k == schema.Bool && bits != 0:
		get, set = "!"+read("Bool"), write("Bool", "!v")
	case k == schema.Float32 && bits != 0:
		math := t.std("math")
		get, set = math+".Float32frombits("+read("Uint32")+xor+")", write("Uint32", math+".Float32bits(v)"+xor)
	case k == schema.Float64 && bits != 0:
		math := t.std("math")
		get, set = math+".Float64frombits("+read("Uint64")+xor+")", write("Uint64", math+".Float64bits(v)"+xor)
	default:
		get, set = read(scalars[k].method)+xor, write(scalars[k].method, "v"+xor)
	}
	t.getter(f.base, "", goType, get)
	t.setter("Set"+f.base, "v "+goType, "", set)
}

// integer writes a number of an integer type, or the bits of another one.
func integer(k schema.TypeKind, bits uint64) string {
	switch k {
	case schema.Int8:
		return fmt.Sprint(int8(bits))
	case schema.Int16:
		return fmt.Sprint(int16(bits))
	case schema.Int32:
		return fmt.Sprint(int32(bits))
	case schema.Int64:
		return fmt.Sprint(int64(bits))
	case schema.Uint8:
		return fmt.Sprint(uint8(bits))
	case schema.Uint16, schema.EnumType:
		return fmt.Sprint(uint16(bits))
	case schema.Uint32:
		return fmt.Sprint(uint32(bits))
	case schema.Float32:
		return fmt.Sprintf("0x%x", uint32(bits))
	case schema.Float64:
		return fmt.Sprintf("0x%x", bits)
	}
	return fmt.Sprint(bits)
}
