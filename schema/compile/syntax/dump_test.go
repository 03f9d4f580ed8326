package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// dumpExpr writes an expression in a form without ambiguity.
func dumpExpr(e *Expr) string {
	if e == nil {
		return "none"
	}
	args := func() string {
		var items []string
		for _, a := range e.Args {
			s := dumpExpr(a.Value)
			if a.Name.Text != "" {
				s = a.Name.Text + "=" + s
			}
			items = append(items, s)
		}
		return strings.Join(items, " ")
	}
	switch e.Kind {
	case Bad:
		return "bad"
	case Int:
		if e.Neg {
			return "-" + strconv.FormatUint(e.Bits, 10)
		}
		return strconv.FormatUint(e.Bits, 10)
	case Float:
		return "f" + strconv.FormatFloat(e.Float(), 'g', -1, 64)
	case String:
		return strconv.Quote(e.Text)
	case Data:
		return fmt.Sprintf("x%x", e.Text)
	case RelName:
		return e.Text
	case AbsName:
		return "." + e.Text
	case Member:
		return "member(" + dumpExpr(e.Base) + " " + e.Text + ")"
	case Apply:
		return "apply(" + dumpExpr(e.Base) + ": " + args() + ")"
	case List:
		return "[" + args() + "]"
	case Tuple:
		return "(" + args() + ")"
	case Import:
		return "import " + strconv.Quote(e.Text)
	case Embed:
		return "embed " + strconv.Quote(e.Text)
	}
	return fmt.Sprintf("kind %d", e.Kind)
}

var kindNames = map[DeclKind]string{
	Using: "using", Const: "const", Enum: "enum", Enumerant: "enumerant", Struct: "struct", Field: "field",
	Union: "union", Group: "group", Interface: "interface", Method: "method", AnnotationDecl: "annotation",
}

func dumpAnnotations(list []Annotation) string {
	s := ""
	for _, a := range list {
		s += " $" + dumpExpr(a.Name)
		if a.Value != nil {
			s += ":" + dumpExpr(a.Value)
		}
	}
	return s
}

func dumpParams(l *ParamList) string {
	switch {
	case l.Stream:
		return "stream"
	case l.Type != nil:
		return dumpExpr(l.Type)
	}
	var items []string
	for _, a := range l.Params {
		s := a.Name.Text + ":" + dumpExpr(a.Type)
		if a.Value != nil {
			s += "=" + dumpExpr(a.Value)
		}
		items = append(items, s+dumpAnnotations(a.Annotations))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

// dumpDecl writes a declaration on a line, with its members indented below.
func dumpDecl(b *strings.Builder, d *Decl, indent string) {
	b.WriteString(indent + kindNames[d.Kind])
	if d.Name.Text != "" {
		b.WriteString(" " + d.Name.Text)
	}
	if d.ID.IsSet() {
		fmt.Fprintf(b, " id=%x", d.ID.Value)
	}
	if d.Ordinal.IsSet() {
		fmt.Fprintf(b, " @%d", d.Ordinal.Value)
	}
	for _, n := range d.Params {
		b.WriteString(" <" + n.Text + ">")
	}
	if d.Targets != 0 {
		fmt.Fprintf(b, " targets=%x", d.Targets)
	}
	for _, e := range d.Extends {
		b.WriteString(" extends " + dumpExpr(e))
	}
	if d.Type != nil {
		b.WriteString(" :" + dumpExpr(d.Type))
	}
	if d.Value != nil {
		b.WriteString(" = " + dumpExpr(d.Value))
	}
	if d.Args != nil {
		b.WriteString(" " + dumpParams(d.Args))
	}
	if d.Results != nil {
		b.WriteString(" -> " + dumpParams(d.Results))
	}
	b.WriteString(dumpAnnotations(d.Annotations))
	if d.Doc != "" {
		b.WriteString(" doc=" + strconv.Quote(d.Doc))
	}
	b.WriteByte('\n')
	for _, m := range d.Members {
		dumpDecl(b, m, indent+"  ")
	}
}

// dump writes a file's declarations.
func dump(f *File) string {
	var b strings.Builder
	if f.ID.IsSet() {
		fmt.Fprintf(&b, "id=%x", f.ID.Value)
		if f.Doc != "" {
			b.WriteString(" doc=" + strconv.Quote(f.Doc))
		}
		b.WriteByte('\n')
	}
	if len(f.Annotations) > 0 {
		b.WriteString(strings.TrimPrefix(dumpAnnotations(f.Annotations), " ") + "\n")
	}
	for _, d := range f.Decls {
		dumpDecl(&b, d, "")
	}
	return b.String()
}
