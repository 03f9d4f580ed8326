package syntax

import (
	"math"
	"strings"
)

// spend counts something that takes memory, and ends the source where that is
// too much.
func (p *parser) spend(n int) {
	if p.numExprs += n; p.numExprs >= p.maxExprs {
		p.stop(p.tok.span(), "Too many values and names in one text.")
	}
}

// newExpr makes an expression.
func (p *parser) newExpr(kind ExprKind, span Span) *Expr {
	p.spend(1)
	if len(p.exprs) == 0 {
		p.exprs = make([]Expr, min(max(p.numExprs, 8), 512))
	}
	e := &p.exprs[0]
	p.exprs = p.exprs[1:]
	e.Kind, e.Span = kind, span
	return e
}

func (p *parser) bad(span Span) *Expr { return p.newExpr(Bad, span) }

// expr reads an expression: a primary and its suffixes.
func (p *parser) expr(what string) (*Expr, bool) {
	e, ok := p.primary(what)
	if !ok {
		return nil, false
	}
	depth := p.depth
	for {
		base := e
		switch {
		case p.isOp("."):
			p.advance()
			n, ok := p.name("a name after '.'")
			if !ok || !p.enter() {
				p.depth = depth
				return nil, false
			}
			e = p.newExpr(Member, Span{base.Span.Start, n.Span.End})
			e.Text, e.TextSpan = n.Text, n.Span
		case p.tok.kind == tokLParen:
			mark := len(p.args)
			span, ok := p.list(listFields)
			args := pop(&p.args, mark)
			if !ok || !p.enter() {
				p.depth = depth
				return nil, false
			}
			e = p.newExpr(Apply, Span{base.Span.Start, span.End})
			e.Args = args
		default:
			p.depth = depth
			return e, true
		}
		e.Base = base
	}
}

// primary reads an expression without suffixes.
func (p *parser) primary(what string) (*Expr, bool) {
	t := p.tok
	switch t.kind {
	case tokInt, tokFloat:
		return p.number(false)
	case tokString, tokBacktick:
		return p.str(), true
	case tokData:
		p.advance()
		e := p.newExpr(Data, t.span())
		e.Text = unhex(p.text(t))
		return e, true
	case tokLBracket:
		mark := len(p.args)
		span, ok := p.list(listValues)
		args := pop(&p.args, mark)
		if !ok {
			return nil, false
		}
		e := p.newExpr(List, span)
		e.Args = args
		return e, true
	case tokLParen:
		return p.tuple()
	case tokIdent:
		return p.word(), true
	case tokOp:
		switch p.text(t) {
		case "-":
			return p.negative()
		case ".":
			p.advance()
			n, ok := p.name("a name after '.'")
			if !ok {
				return nil, false
			}
			e := p.newExpr(AbsName, Span{t.start, n.Span.End})
			e.Text, e.TextSpan = n.Text, n.Span
			return e, true
		}
	}
	return nil, p.fail(what)
}

// word reads what starts with an identifier: a name, an import or an embed.
func (p *parser) word() *Expr {
	t := p.tok
	text := p.text(t)
	p.advance()
	kind := RelName
	if p.tok.kind == tokString {
		switch text {
		case "import":
			kind = Import
		case "embed":
			kind = Embed
		}
	}
	e := p.newExpr(kind, t.span())
	if kind == RelName {
		e.Text, e.TextSpan = text, t.span()
		return e
	}
	e.Text, e.TextSpan = unquote(p.text(p.tok)), p.tok.span()
	e.Span.End = p.tok.end
	p.advance()
	return e
}

// number reads an integer or a float.
func (p *parser) number(neg bool) (*Expr, bool) {
	t := p.tok
	e := p.newExpr(Int, t.span())
	if t.kind == tokInt {
		v, ok := parseInt(p.text(t))
		if !ok {
			return nil, p.failWith(t.span(), tooLarge)
		}
		e.Bits, e.Neg = v, neg
	} else {
		v := parseFloat(p.text(t))
		if neg {
			v = -v
		}
		e.Kind, e.Bits, e.Neg = Float, math.Float64bits(v), neg
	}
	p.advance()
	return e, true
}

// negative reads a minus and the number after it. As in the capnp tool, the
// minus is not part of the span, but for -inf.
func (p *parser) negative() (*Expr, bool) {
	minus := p.tok
	p.advance()
	switch {
	case p.tok.kind == tokInt, p.tok.kind == tokFloat:
		return p.number(true)
	case p.isWord("inf"):
		e := p.newExpr(Float, Span{minus.start, p.tok.end})
		e.Bits, e.Neg = math.Float64bits(math.Inf(-1)), true
		p.advance()
		return e, true
	}
	return nil, p.fail("a number or inf after '-'")
}

// str reads string literals that follow each other.
func (p *parser) str() *Expr {
	e := p.newExpr(String, p.tok.span())
	piece := func() string {
		text := p.text(p.tok)
		if p.tok.kind == tokBacktick {
			return text[1:] + "\n"
		}
		return unquote(text)
	}
	e.Text = piece()
	p.advance()
	if p.tok.kind == tokString || p.tok.kind == tokBacktick {
		var b strings.Builder
		b.WriteString(e.Text)
		for p.tok.kind == tokString || p.tok.kind == tokBacktick {
			b.WriteString(piece())
			p.advance()
		}
		e.Text = b.String()
		e.Span.End = p.prevEnd
	}
	return e
}

// tuple reads a list in parentheses; with one value that has no name, it is that
// value.
func (p *parser) tuple() (*Expr, bool) {
	mark := len(p.args)
	span, ok := p.list(listFields)
	if ok && len(p.args) == mark+1 && p.args[mark].Name.Text == "" {
		e := p.args[mark].Value
		p.args = p.args[:mark]
		return e, true
	}
	args := pop(&p.args, mark)
	if !ok {
		return nil, false
	}
	e := p.newExpr(Tuple, span)
	e.Args = args
	return e, true
}
