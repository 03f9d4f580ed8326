package syntax

import "fmt"

// level tells which declarations may stand in a scope.
type level uint8

const (
	fileLevel level = iota
	enumLevel
	structLevel
	interfaceLevel
)

// Statements of a file that declare nothing; they never leave the parser.
const (
	nakedID DeclKind = 100 + iota
	nakedAnnotation
)

// bodyLevel gives what may stand in the braces of a declaration; ok is false if
// it has none.
func bodyLevel(kind DeclKind) (l level, ok bool) {
	switch kind {
	case Enum:
		return enumLevel, true
	case Struct, Union, Group:
		return structLevel, true
	case Interface:
		return interfaceLevel, true
	}
	return 0, false
}

// topLevel reads the whole file.
func (p *parser) topLevel() {
	for {
		p.statements(fileLevel)
		if p.tok.kind == tokEOF {
			break
		}
		p.report(p.tok.span(), "Parse error: '}' closes nothing.")
		p.advance()
	}
	p.file.Decls = pop(&p.members, 0)
}

// statements reads statements up to a closing brace or the end, and leaves what
// they declare on p.members.
func (p *parser) statements(l level) {
	for p.tok.kind != tokRBrace && p.tok.kind != tokEOF {
		d := p.newDecl()
		p.statement(l, d)
		switch d.Kind {
		case 0:
		case nakedID:
			if p.file.ID.IsSet() {
				p.report(d.Span, "File can only have one ID.")
				continue
			}
			p.file.ID, p.file.Doc = d.ID, d.Doc
		case nakedAnnotation:
			p.file.Annotations = append(p.file.Annotations, d.Annotations...)
		default:
			p.members = append(p.members, d)
		}
	}
}

func (p *parser) newDecl() *Decl {
	if p.numDecls++; p.numDecls == maxDecls {
		p.stop(p.tok.span(), "Too many declarations in one file.")
	}
	if len(p.decls) == 0 {
		p.decls = make([]Decl, min(max(p.numDecls, 4), 256))
	}
	d := &p.decls[0]
	p.decls = p.decls[1:]
	return d
}

// statement reads one statement, with the statements in its braces, into d,
// which has Kind 0 then if there is nothing to keep.
func (p *parser) statement(l level, d *Decl) {
	start := p.tok.start
	p.start, p.depth, p.brackets = start, 0, 0
	ok := p.declaration(l, d)
	if ok && p.tok.kind != tokSemi && p.tok.kind != tokLBrace {
		what := "';'"
		if _, body := bodyLevel(d.Kind); body {
			what = "'{'"
		}
		ok = p.fail(what)
		if d.Kind != 0 && what == "';'" && p.startsLine() {
			// The semicolon alone is missing: the next statement is whole.
			p.report(Span{p.prevEnd, p.prevEnd}, p.failMsg)
			d.Span = Span{start, p.prevEnd}
			return
		}
	}
	if !ok {
		p.report(p.failSpan, p.failMsg)
		for !p.endsStatement() {
			p.advance()
		}
		p.mend(d)
	}
	end := p.tok
	body, hasBody := bodyLevel(d.Kind)
	switch end.kind {
	case tokSemi:
		p.advance()
		d.Span = Span{start, end.end}
		d.Doc = docComment(p.lex.src, int(end.end))
		if ok && hasBody {
			p.report(d.Span, "This statement should end with a block, not a semicolon.")
		}
	case tokLBrace:
		mark := len(p.members)
		closeEnd := p.block(body, hasBody)
		d.Members = pop(&p.members, mark)
		d.Span = Span{start, closeEnd}
		if d.Doc = docComment(p.lex.src, int(end.end)); d.Doc == "" {
			d.Doc = docComment(p.lex.src, int(closeEnd))
		}
		if ok && !hasBody {
			p.report(d.Span, "This statement should end with a semicolon, not a block.")
		}
	default:
		// The end is missing, which has been reported.
		d.Span = Span{start, p.prevEnd}
	}
	if hasBody && d.Kind != Union && d.Name.Text == "" {
		d.Kind = 0
	}
}

// startsLine tells whether the token is a word on another line than the one
// before it.
func (p *parser) startsLine() bool {
	if p.tok.kind != tokIdent {
		return false
	}
	before, _ := p.file.Position(p.prevEnd)
	line, _ := p.file.Position(p.tok.start)
	return before != line
}

// block reads a block with its braces, leaving its declarations on p.members,
// and tells where it ends. Without read it only skips the block.
func (p *parser) block(l level, read bool) (end uint32) {
	open := p.tok
	p.advance()
	if p.blocks >= MaxDepth {
		p.report(open.span(), fmt.Sprintf("Parse error: blocks nested deeper than %d levels.", MaxDepth))
		read = false
	}
	if read {
		p.blocks++
		p.statements(l)
		p.blocks--
	} else {
		for nested := 0; p.tok.kind != tokEOF; p.advance() {
			if p.tok.kind == tokLBrace {
				nested++
			} else if p.tok.kind == tokRBrace {
				if nested == 0 {
					break
				}
				nested--
			}
		}
	}
	if p.tok.kind == tokEOF {
		// One error is enough for all that is open.
		p.fail("'}'")
		p.stop(p.failSpan, p.failMsg+p.openedAt(open))
		return p.tok.end
	}
	p.advance()
	return p.prevEnd
}

// mend makes what is left of a declaration with an error in it fit to be looked
// at, or makes it disappear.
func (p *parser) mend(d *Decl) {
	switch d.Kind {
	case Enumerant, Field, Method:
		if !d.Ordinal.IsSet() {
			d.Kind = 0
		}
	case nakedAnnotation:
		d.Kind = 0
	}
	if d.Kind == 0 || d.Kind != nakedID && d.Kind != Union && d.Name.Text == "" {
		// The block of a declaration without a name is still looked at.
		if _, body := bodyLevel(d.Kind); !body {
			d.Kind = 0
		}
		return
	}
	span := p.failSpan
	switch d.Kind {
	case Using, Field, AnnotationDecl, Const:
		if d.Type == nil {
			d.Type = p.bad(span)
		}
		if d.Kind == Const && d.Value == nil {
			d.Value = p.bad(span)
		}
	case Method:
		if d.Args == nil {
			d.Args = &ParamList{Span: span, Type: p.bad(span)}
		}
	}
}
