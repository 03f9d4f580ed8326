package syntax

import "github.com/fairlead-go/fairlead/schema"

// declaration reads a statement up to its ; or {. What could be read is in d
// even if it fails.
func (p *parser) declaration(l level, d *Decl) bool {
	if p.tok.kind != tokIdent {
		if l == fileLevel {
			switch {
			case p.startsOp(p.tok, '@'):
				return p.nakedID(d)
			case p.startsOp(p.tok, '$'):
				d.Kind = nakedAnnotation
				a, ok := p.annotation()
				d.Annotations = []Annotation{a}
				return ok
			}
		}
		return p.fail(starts[l])
	}
	numbered := p.startsOp(p.after, '@')
	switch l {
	case enumLevel:
		return p.enumerant(d)
	case structLevel:
		if numbered || p.startsOp(p.after, ':') {
			return p.member(d)
		}
	case interfaceLevel:
		if numbered {
			return p.method(d)
		}
	}
	word := p.text(p.tok)
	switch word {
	case "using":
		p.advance()
		return p.using(d)
	case "const":
		p.advance()
		return p.constant(d)
	case "enum":
		p.advance()
		return p.named(d, Enum, "the enum's name") && p.annotations(d)
	case "struct":
		p.advance()
		return p.named(d, Struct, "the struct's name") && p.generic(d) && p.annotations(d)
	case "interface":
		p.advance()
		return p.named(d, Interface, "the interface's name") && p.generic(d) && p.extends(d) && p.annotations(d)
	case "annotation":
		p.advance()
		return p.annotationDecl(d)
	case "union":
		if l == structLevel {
			d.Kind, d.Name.Span = Union, p.tok.span()
			p.advance()
			if p.tok.kind != tokSemi && p.tok.kind != tokLBrace {
				return p.fail("'{'")
			}
			return true
		}
	}
	// A word that starts no declaration is most likely the name of something
	// whose rest is wrong.
	if l == fileLevel {
		return p.fail(starts[l])
	}
	p.advance()
	return p.fail(afterName[l])
}

// starts says what a statement of each level may start with.
var starts = [...]string{
	fileLevel:      "a declaration (using, const, enum, struct, interface, annotation, an @id or a $annotation)",
	enumLevel:      "the name of an enumerant",
	structLevel:    "the name of a field, group or union, or a declaration",
	interfaceLevel: "the name of a method, or a declaration",
}

// afterName says what follows a member's name.
var afterName = [...]string{
	structLevel:    "'@' and the field's number, or ':' and group or union",
	interfaceLevel: "'@' and the method's number",
}

func (p *parser) nakedID(d *Decl) bool {
	// Even if it fails, the file has an id of some kind.
	d.Kind, d.ID.Span = nakedID, p.tok.span()
	return p.id(d)
}

// id reads @ and an id.
func (p *parser) id(d *Decl) bool {
	if !p.want("@") {
		return false
	}
	n, ok := p.integer("the id: a number such as 0x and 16 hexadecimal digits")
	if !ok {
		return false
	}
	d.ID = n
	if n.Value < 1<<63 {
		p.report(n.Span, "Invalid ID.  Please generate a new one with 'fairlead id'.")
	}
	return true
}

// ordinal reads @ and an ordinal.
func (p *parser) ordinal(d *Decl) bool {
	if !p.want("@") {
		return false
	}
	n, ok := p.integer("a number after '@'")
	if !ok {
		return false
	}
	d.Ordinal = n
	if n.Value > 65535 {
		p.report(n.Span, "Ordinals cannot be greater than 65535.")
	}
	return true
}

// named reads a name and perhaps an id.
func (p *parser) named(d *Decl, kind DeclKind, what string) (ok bool) {
	d.Kind = kind
	if d.Name, ok = p.name(what); !ok {
		return false
	}
	if p.startsOp(p.tok, '@') {
		return p.id(d)
	}
	return true
}

// generic reads generic parameters, if there are any.
func (p *parser) generic(d *Decl) bool {
	if p.tok.kind != tokLParen {
		return true
	}
	return p.paramNames(d)
}

func (p *parser) paramNames(d *Decl) bool {
	mark := len(p.names)
	_, ok := p.list(listNames)
	d.Params = pop(&p.names, mark)
	return ok
}

// annotations reads the annotations that end a statement.
func (p *parser) annotations(d *Decl) (ok bool) {
	d.Annotations, ok = p.annotationList()
	return ok
}

func (p *parser) annotationList() (list []Annotation, ok bool) {
	for p.startsOp(p.tok, '$') {
		a, ok := p.annotation()
		if !ok {
			return list, false
		}
		list = append(list, a)
	}
	return list, true
}

// annotation reads $ and what follows it.
func (p *parser) annotation() (a Annotation, ok bool) {
	start := p.tok.start
	if !p.want("$") {
		return a, false
	}
	e, ok := p.expr("the annotation's name")
	if !ok {
		return a, false
	}
	a = Annotation{Span: Span{start, p.prevEnd}, Name: e}
	if e.Kind == Apply {
		a.Name = e.Base
		if len(e.Args) == 1 && e.Args[0].Name.Text == "" {
			a.Value = e.Args[0].Value
		} else {
			a.Value = p.newExpr(Tuple, e.Span)
			a.Value.Args = e.Args
		}
	}
	return a, true
}

func (p *parser) using(d *Decl) (ok bool) {
	d.Kind = Using
	if p.tok.kind == tokIdent && p.startsOp(p.after, '=') {
		d.Name, _ = p.name("")
		if !p.want("=") {
			return false
		}
		d.Type, ok = p.expr("what the name stands for")
		return ok
	}
	if d.Type, ok = p.expr("a name"); !ok {
		return false
	}
	switch d.Type.Kind {
	case Member:
		d.Name = Name{d.Type.Text, d.Type.TextSpan}
	case Bad:
		d.Kind = 0
	default:
		p.report(d.Type.Span, "'using' declaration without '=' must specify a named declaration from a different scope.")
		d.Kind = 0
	}
	return true
}

func (p *parser) constant(d *Decl) (ok bool) {
	if !p.named(d, Const, "the constant's name") || !p.want(":") {
		return false
	}
	if d.Type, ok = p.expr("the constant's type"); !ok || !p.want("=") {
		return false
	}
	if d.Value, ok = p.expr("the constant's value"); !ok {
		return false
	}
	return p.annotations(d)
}

func (p *parser) enumerant(d *Decl) (ok bool) {
	d.Kind = Enumerant
	if d.Name, ok = p.name("a name"); !ok {
		return false
	}
	return p.ordinal(d) && p.annotations(d)
}

// member reads a field, a group or a named union.
func (p *parser) member(d *Decl) (ok bool) {
	d.Kind = Field
	d.Name, _ = p.name("")
	if !p.startsOp(p.tok, '@') {
		if !p.want(":") {
			return false
		}
		switch {
		case p.isWord("union"):
			d.Kind = Union
		case p.isWord("group"):
			d.Kind = Group
		default:
			return p.fail("group or union, or before the ':' a field's number such as @0")
		}
		p.advance()
		return p.annotations(d)
	}
	if !p.ordinal(d) {
		return false
	}
	bang := p.isOp("!")
	if bang {
		p.advance()
	}
	colon := p.isOp(":")
	if colon {
		p.advance()
	}
	if p.isWord("union") {
		d.Kind = Union
		p.advance()
		if !bang {
			p.report(d.Ordinal.Span, oldUnionNumber)
		}
		if !colon {
			p.report(d.Ordinal.Span, oldUnionColon)
		}
		return p.annotations(d)
	}
	if bang {
		return p.fail("':union', as only a union has a '!' behind its number")
	}
	if !colon {
		return p.failOp(":")
	}
	if p.isWord("group") && p.after.kind == tokLBrace {
		d.Kind = Group
		return p.failWith(d.Ordinal.Span, "Parse error: a group has no number.")
	}
	if d.Type, ok = p.expr("the field's type"); !ok {
		return false
	}
	if d.Value, ok = p.defaultValue(); !ok {
		return false
	}
	return p.annotations(d)
}

// The texts of the capnp tool for unions of the oldest version of the language.
const (
	oldUnionNumber = "As of Cap'n Proto v0.3, it is no longer necessary to assign numbers to unions. However, " +
		"removing the number will break binary compatibility. If this is an old protocol and you need to retain " +
		"compatibility, please add an exclamation point after the number to indicate that it is really needed, " +
		"e.g. `foo @1! :union {`. If this is a new protocol or compatibility doesn't matter, just remove the @n " +
		"entirely. Sorry for the inconvenience, and thanks for being an early adopter!  :)"
	oldUnionColon = "As of Cap'n Proto v0.3, the 'union' keyword should be prefixed with a colon for named unions, " +
		"e.g. `foo :union {`."
)

// defaultValue reads = and a value, if there is one.
func (p *parser) defaultValue() (*Expr, bool) {
	if !p.startsOp(p.tok, '=') {
		return nil, true
	}
	if !p.want("=") {
		return nil, false
	}
	return p.expr("the default value")
}

func (p *parser) extends(d *Decl) bool {
	if !p.isWord("extends") {
		return true
	}
	p.advance()
	if p.tok.kind != tokLParen {
		return p.fail("'(' and the interfaces that it extends")
	}
	mark := len(p.args)
	_, ok := p.list(listValues)
	for _, a := range pop(&p.args, mark) {
		d.Extends = append(d.Extends, a.Value)
	}
	return ok
}

func (p *parser) method(d *Decl) (ok bool) {
	d.Kind = Method
	d.Name, _ = p.name("")
	if !p.ordinal(d) {
		return false
	}
	if p.tok.kind == tokLBracket && !p.paramNames(d) {
		return false
	}
	if d.Args, ok = p.paramList("the parameters"); !ok {
		return false
	}
	if d.Args.Stream {
		p.report(d.Args.Span, "'stream' can only appear after '->', not before.")
		d.Args.Stream, d.Args.Type = false, p.bad(d.Args.Span)
	}
	if p.startsOp(p.tok, '-') {
		if !p.want("->") {
			return false
		}
		if d.Results, ok = p.paramList("the results"); !ok {
			return false
		}
	}
	return p.annotations(d)
}

// paramList reads the parameters or results of a method.
func (p *parser) paramList(what string) (list *ParamList, ok bool) {
	list = &ParamList{Span: p.tok.span()}
	switch {
	case p.tok.kind == tokLParen:
		mark := len(p.params)
		list.Span, ok = p.list(listParams)
		list.Params = pop(&p.params, mark)
		if !ok {
			return nil, false
		}
	case p.isWord("stream"):
		list.Stream = true
		p.advance()
	default:
		if list.Type, ok = p.expr(what); !ok {
			return nil, false
		}
		list.Span = list.Type.Span
	}
	return list, true
}

// param reads one parameter.
func (p *parser) param() (ok bool) {
	var a Param
	if a.Name, ok = p.name("the parameter's name"); !ok || !p.want(":") {
		return false
	}
	if a.Type, ok = p.expr("the parameter's type"); !ok {
		return false
	}
	if a.Value, ok = p.defaultValue(); !ok {
		return false
	}
	if a.Annotations, ok = p.annotationList(); !ok {
		return false
	}
	a.Span = Span{a.Name.Span.Start, p.prevEnd}
	p.params = append(p.params, a)
	return true
}

func (p *parser) annotationDecl(d *Decl) (ok bool) {
	if !p.named(d, AnnotationDecl, "the annotation's name") {
		return false
	}
	if p.tok.kind != tokLParen {
		return p.fail("'(' and what the annotation is for")
	}
	mark := len(p.names)
	_, ok = p.list(listTargets)
	p.setTargets(d, p.names[mark:])
	pop(&p.names, mark)
	if !ok || !p.want(":") {
		return false
	}
	if d.Type, ok = p.expr("the annotation's type"); !ok {
		return false
	}
	return p.annotations(d)
}

// targets has the bit of each word that says what an annotation is for.
var targets = map[string]schema.Target{
	"file": schema.TargetFile, "const": schema.TargetConst, "enum": schema.TargetEnum,
	"enumerant": schema.TargetEnumerant, "struct": schema.TargetStruct, "field": schema.TargetField,
	"union": schema.TargetUnion, "group": schema.TargetGroup, "interface": schema.TargetInterface,
	"method": schema.TargetMethod, "param": schema.TargetParam, "annotation": schema.TargetAnnotation,
}

func (p *parser) setTargets(d *Decl, names []Name) {
	for _, n := range names {
		bit := targets[n.Text]
		switch {
		case n.Text == "*":
			if len(names) > 1 {
				p.report(n.Span, "Wildcard should not be specified together with other targets.")
			}
			bit = schema.TargetAny
		case bit == 0:
			p.report(n.Span, "Not a valid annotation target.")
		case d.Targets&bit != 0:
			p.report(n.Span, "Duplicate target specification.")
		}
		d.Targets |= bit
	}
}
