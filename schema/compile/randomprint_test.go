package compile_test

import (
	"fmt"
	"strconv"
	"strings"
)

// print writes the schema down.
func (f *genFile) print() {
	fmt.Fprintf(&f.b, "@0x%016x;\n", f.r.Uint64()|1<<63)
	f.doc(0)
	f.body(f.root, 0)
}

func (f *genFile) line(depth int, format string, args ...any) {
	f.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&f.b, format, args...)
	f.b.WriteByte('\n')
}

// doc writes a comment, which documents what stands before it unless there is an
// empty line.
func (f *genFile) doc(depth int) {
	if !f.chance(4) {
		return
	}
	if f.chance(4) {
		f.b.WriteByte('\n')
	}
	for range 1 + f.r.IntN(3) {
		f.line(depth, "%s", []string{"# A comment.", "#without a space", "#   with more", "#", "# öß"}[f.r.IntN(5)])
	}
}

// annotations gives annotations of d and what is around it.
func (f *genFile) annotations(d *genDecl) string {
	return f.annotationsFor(d, false)
}

// annotationsFor leaves enums out of what is put on an enum: the tool takes an
// enum's value on itself for a recursion.
func (f *genFile) annotationsFor(d *genDecl, onEnum bool) string {
	var out string
	for s := d; s != nil; s = s.parent {
		for _, n := range s.notes {
			if !f.chance(4) || onEnum && n.typ.kind == "enum" {
				continue
			}
			if n.typ.kind == "Void" && f.chance(2) {
				out += " $" + n.name
			} else if v, ok := f.value(n.typ, 2); ok && !dependsOnParams(n.typ) {
				if !strings.HasPrefix(v, "(") {
					v = "(" + v + ")"
				}
				out += " $" + n.name + v
			}
		}
	}
	return out
}

func (f *genFile) body(d *genDecl, depth int) {
	var parts []func()
	for _, c := range d.children {
		parts = append(parts, func() { f.decl(c, depth) })
	}
	for _, a := range d.aliases {
		parts = append(parts, func() { f.line(depth, "using %s = %s;", a.name, a.typ.text) })
	}
	for _, c := range d.consts {
		parts = append(parts, func() {
			f.line(depth, "const %s :%s = %s%s;", c.name, c.typ.text, c.value, f.annotations(d))
			f.doc(depth)
		})
	}
	for _, n := range d.notes {
		parts = append(parts, func() {
			f.line(depth, "annotation %s(*) :%s;", n.name, n.typ.text)
			f.doc(depth)
		})
	}
	for _, m := range d.members {
		parts = append(parts, func() { f.member(d, m, depth) })
	}
	if d.kind == "interface" {
		methods := f.r.IntN(4)
		for i, ordinal := range f.r.Perm(methods) {
			parts = append(parts, func() { f.method(d, i, ordinal, depth) })
		}
	}
	f.r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, p := range parts {
		p()
	}
}

func (f *genFile) decl(d *genDecl, depth int) {
	head := d.kind + " " + d.name
	if f.chance(8) {
		head += fmt.Sprintf(" @0x%016x", f.r.Uint64()|1<<63)
	}
	if len(d.params) > 0 {
		head += " (" + strings.Join(d.params, ", ") + ")"
	}
	if d.kind == "interface" && f.chance(2) {
		var supers []string
		f.each(f.root, func(o *genDecl) {
			// Those that come later, so that none extends itself.
			if o.kind == "interface" && number(o.name) > number(d.name) && f.chance(3) {
				supers = append(supers, f.ref(d.parent, o, 1).text)
			}
		})
		if len(supers) > 0 {
			head += " extends(" + strings.Join(supers, ", ") + ")"
		}
	}
	f.line(depth, "%s%s {", head, f.annotationsFor(d.parent, d.kind == "enum"))
	f.doc(depth + 1)
	if d.kind == "enum" {
		for i, ordinal := range f.r.Perm(len(d.values)) {
			f.line(depth+1, "%s @%d%s;", d.values[i], ordinal, f.annotationsFor(d.parent, true))
			f.doc(depth + 1)
		}
	} else {
		f.body(d, depth+1)
	}
	f.line(depth, "}")
	if f.chance(2) {
		f.doc(depth)
	}
}

func number(name string) int {
	n, _ := strconv.Atoi(name[1:])
	return n
}

func (f *genFile) member(d *genDecl, m *genMember, depth int) {
	head := m.name
	if m.ordinal >= 0 {
		head += " @" + strconv.Itoa(m.ordinal)
	}
	if m.kind == "field" {
		if m.value != "" {
			f.line(depth, "%s :%s = %s%s;", head, m.typ.text, m.value, f.annotations(d))
		} else {
			f.line(depth, "%s :%s%s;", head, m.typ.text, f.annotations(d))
		}
		f.doc(depth)
		return
	}
	switch {
	case m.name == "":
		f.line(depth, "union {")
	case m.ordinal >= 0:
		f.line(depth, "%s! :%s%s {", head, m.kind, f.annotations(d))
	default:
		f.line(depth, "%s :%s%s {", head, m.kind, f.annotations(d))
	}
	f.doc(depth + 1)
	for _, c := range m.members {
		f.member(d, c, depth+1)
	}
	f.line(depth, "}")
}

func (f *genFile) method(d *genDecl, serial, ordinal, depth int) {
	head := fmt.Sprintf("m%d @%d", serial, ordinal)
	var implicit []string
	for range f.r.IntN(3) {
		if f.chance(2) {
			implicit = append(implicit, f.fresh("Q"))
		}
	}
	if len(implicit) > 0 {
		head += " [" + strings.Join(implicit, ", ") + "]"
	}
	head += " " + f.paramList(d, implicit)
	switch f.r.IntN(4) {
	case 0:
		head += " -> stream"
	case 1, 2:
		head += " -> " + f.paramList(d, implicit)
	}
	f.line(depth, "%s%s;", head, f.annotations(d))
	f.doc(depth)
}

func (f *genFile) paramList(d *genDecl, implicit []string) string {
	if f.chance(4) {
		for range 20 {
			if target := f.pick(); target.kind == "struct" {
				return f.ref(d, target, 2).text
			}
		}
	}
	var params []string
	for range f.r.IntN(5) {
		t := f.typ(d, 2)
		if len(implicit) > 0 && f.chance(3) {
			t = genType{text: implicit[f.r.IntN(len(implicit))], kind: "param"}
		}
		p := f.fresh("p") + " :" + t.text
		if f.chance(3) {
			if v, ok := f.value(t, 2); ok {
				p += " = " + v
			}
		}
		params = append(params, p+f.annotations(d))
	}
	return "(" + strings.Join(params, ", ") + ")"
}
