package syntax

import "strings"

// How schemas are laid out.
const (
	indentWidth = 2
	// contIndent is by how much a statement's further lines are indented.
	contIndent = 4
	// lineWidth is how long a line may be that could be broken.
	lineWidth = 100
	// maxAlign is the last column to which what is in brackets is aligned.
	maxAlign = 60
)

// Format gives the source of a schema in the canonical layout, which is that of
// the standard schemas: two spaces a level, one space or none between tokens,
// at most one blank line, each statement on a line of its own. Lines stay
// broken where their author broke them at a place fit for it, and are broken
// further only beyond 100 columns; a block that was on one line remains so.
// Comments stay where they are, less the white space at the end of their lines.
//
// What the schema says does not change, and formatting the result again changes
// nothing. A source with errors is not formatted: the error is then an [Errors].
func Format(name string, src []byte) ([]byte, error) {
	f, errs := Parse(name, src)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	p := &printer{src: f.Text, out: make([]byte, 0, len(src)+len(src)/16)}
	p.items = splitItems(f.Text)
	p.statements(0)
	if len(p.out) > 0 {
		p.out = append(p.out, '\n')
	}
	return p.out, nil
}

// item is a token or a comment, and how it stands behind the one before.
type item struct {
	token
	comment bool
	// newlines counts the ends of lines before it, up to 2.
	newlines uint8
	// spaces is how many there are right before it on its line.
	spaces uint16
}

// splitItems cuts a source without errors into its tokens and comments. The
// last item is a tokEOF.
func splitItems(src string) []item {
	l := &lexer{src: src}
	items := make([]item, 0, len(src)/5+1)
	var it item
	for i := 0; ; {
		switch c := l.at(i); {
		case i >= len(src):
			it.token = token{tokEOF, uint32(i), uint32(i)}
			return append(items, it)
		case c == '\n' || c == '\r':
			if c == '\r' && l.at(i+1) == '\n' {
				i++
			}
			i++
			it.newlines = min(it.newlines+1, 2)
			it.spaces = 0
			continue
		case classes[c]&classSpace != 0:
			i++
			it.spaces = min(it.spaces+1, lineWidth)
			if c != ' ' {
				it.spaces = 2
			}
			continue
		case c == bom[0]:
			// It goes, but a comment behind it is no doc comment and must not become
			// one.
			i += len(bom)
			it.newlines = 2
			continue
		case c == '#':
			it.comment = true
			end := lineEnd(src, i)
			text := strings.TrimRight(src[i:end], " \t\r\f\v")
			it.token = token{tokEOF, uint32(i), uint32(i + len(text))}
			i = end
		default:
			kind, end := l.scan(i)
			it.token = token{kind, uint32(i), uint32(end)}
			i = end
		}
		items = append(items, it)
		it = item{}
	}
}

// printer writes items in the canonical layout.
type printer struct {
	src   string
	items []item
	next  int // the index of the item to be written
	out   []byte
	// lineStart is where in out the line starts that is being written, and
	// lineIndent by how much it is indented.
	lineStart, lineIndent int
	brackets              []bracket
}

// bracket is an open bracket of a statement.
type bracket struct {
	// hanging is set if a new line follows the bracket.
	hanging bool
	// indent is that of the lines within, closing that of the line with the
	// bracket's other half.
	indent, closing int
}

func (p *printer) text(t token) string { return p.src[t.start:t.end] }

func (p *printer) column() int { return len(p.out) - p.lineStart }

// newline starts a line, with a blank one before it if asked for. The very first
// line needs nothing.
func (p *printer) newline(blank bool, indent int) {
	if len(p.out) > 0 {
		p.out = append(p.out, '\n')
		if blank {
			p.out = append(p.out, '\n')
		}
	}
	p.lineStart, p.lineIndent = len(p.out), indent
	p.spaces(indent)
}

func (p *printer) spaces(n int) {
	for range n {
		p.out = append(p.out, ' ')
	}
}

func (p *printer) write(t token) {
	text := p.text(t)
	p.out = append(p.out, text...)
	// A data literal may go over several lines.
	if n := strings.LastIndexByte(text, '\n'); n >= 0 && t.kind == tokData {
		p.lineStart = len(p.out) - (len(text) - n - 1)
	}
}

// trailing writes a comment behind something on the same line.
func (p *printer) trailing(it item) {
	n := int(it.spaces)
	if n == 0 {
		n = 2
	}
	p.spaces(n)
	p.write(it.token)
}

// statements writes statements up to the closing brace, which it leaves, or the
// end.
func (p *printer) statements(indent int) {
	for first := true; ; first = false {
		it := p.items[p.next]
		switch {
		case it.comment:
			if it.newlines == 0 && len(p.out) > 0 {
				p.trailing(it)
			} else {
				// Even at the start of a block: a blank line tells a comment on what
				// follows from one on the block.
				p.newline(it.newlines > 1, indent)
				p.write(it.token)
			}
			p.next++
		case it.kind == tokEOF, it.kind == tokRBrace:
			return
		default:
			p.newline(it.newlines > 1 && !first, indent)
			p.statement(indent)
		}
	}
}

// statement writes a statement, from where the line has been indented for it.
func (p *printer) statement(indent int) {
	p.brackets = p.brackets[:0]
	first := p.next
	for ; ; p.next++ {
		it := p.items[p.next]
		if it.comment {
			if it.newlines == 0 {
				p.trailing(it)
			} else {
				p.newline(it.newlines > 1, p.indentFor(it, indent))
				p.write(it.token)
			}
			continue
		}
		if p.next > first {
			p.gap(it, first, indent)
		}
		switch it.kind {
		case tokLParen, tokLBracket:
			p.open(it)
		case tokRParen, tokRBracket:
			p.brackets = p.brackets[:len(p.brackets)-1]
		}
		p.write(it.token)
		switch it.kind {
		case tokSemi:
			p.next++
			return
		case tokLBrace:
			p.next++
			p.block(indent)
			return
		}
	}
}

// open notes a bracket that is about to be written.
func (p *printer) open(it item) {
	after := p.items[p.next+1]
	b := bracket{hanging: after.comment || after.newlines > 0, closing: p.lineIndent}
	switch col := p.column() + 1; {
	case b.hanging:
		b.indent = p.lineIndent + indentWidth
	case col <= maxAlign:
		b.indent, b.closing = col, col
	default:
		b.indent = p.lineIndent + contIndent
	}
	p.brackets = append(p.brackets, b)
}

// indentFor gives the indentation of a line within a statement that starts with
// this item.
func (p *printer) indentFor(it item, indent int) int {
	if len(p.brackets) == 0 {
		return indent + contIndent
	}
	b := p.brackets[len(p.brackets)-1]
	if !it.comment && (it.kind == tokRParen || it.kind == tokRBracket) {
		return b.closing
	}
	return b.indent
}

// gap writes what stands between two items of a statement: nothing, a space, or
// a new line.
func (p *printer) gap(it item, first, indent int) {
	prev := p.items[p.next-1]
	forced := prev.comment || prev.kind == tokBacktick
	broken := it.newlines > 0 && p.mayBreak(prev.token, it.token, p.hanging(len(p.brackets)-1))
	target := p.indentFor(it, indent)
	space := 0
	if !forced && p.spaced(prev.token, it.token, p.next-1 == first) {
		space = 1
	}
	if !forced && !broken && p.shouldBreak(prev.token, it.token, len(p.brackets) > 0) && target < p.column() {
		// A value that is too long for one line is broken inside, not before it.
		value := p.isOp(prev.token, "=")
		width := p.unit(value)
		broken = p.column()+space+width > lineWidth && (!value || target+width <= lineWidth)
	}
	if forced || broken {
		blank := it.newlines > 1 && len(p.brackets) > 0 && it.kind != tokRParen && it.kind != tokRBracket &&
			prev.kind != tokLParen && prev.kind != tokLBracket
		p.newline(blank, target)
		return
	}
	p.spaces(space)
}

// hanging tells whether the open bracket i, if there is one, is hanging.
func (p *printer) hanging(i int) bool { return i >= 0 && p.brackets[i].hanging }

// isOp tells whether t is an operator that starts with one of these characters.
func (p *printer) isOp(t token, chars string) bool {
	return t.kind == tokOp && strings.IndexByte(chars, p.src[t.start]) >= 0
}

func isString(t token) bool { return t.kind == tokString || t.kind == tokBacktick }

// mayBreak tells whether an author's new line between two tokens is kept, where
// hanging is about the bracket that they are in.
func (p *printer) mayBreak(prev, t token, hanging bool) bool {
	switch {
	case t.kind == tokRParen, t.kind == tokRBracket:
		return hanging
	case t.kind == tokComma, t.kind == tokSemi, t.kind == tokLBrace:
		return false
	case prev.kind == tokComma, prev.kind == tokLParen, prev.kind == tokLBracket:
		return true
	case p.isOp(t, "=$"), p.isOp(prev, "="):
		return true
	case t.kind == tokOp && p.text(t) == "->":
		return true
	case t.kind == tokIdent && p.text(t) == "extends":
		return true
	}
	return isString(prev) && isString(t)
}

// shouldBreak tells whether a line that is too long is broken between two
// tokens. It must be a place where mayBreak allows it.
func (p *printer) shouldBreak(prev, t token, inBrackets bool) bool {
	switch {
	case prev.kind == tokComma:
		return t.kind != tokRParen && t.kind != tokRBracket
	case p.isOp(t, "$"), p.isOp(prev, "=") && !inBrackets:
		return true
	case t.kind == tokOp && p.text(t) == "->":
		return true
	}
	return isString(prev) && isString(t)
}

// unit gives the width of what starts with the next item, which does not start
// the statement, and goes up to where its line ends or might be broken, other
// than within a bracket that belongs to it; whole leaves aside where it is
// broken now.
func (p *printer) unit(whole bool) int {
	width := 0
	outer := len(p.brackets) - 1 // the innermost bracket that was open before
	inner := 0                   // how many were opened since
	closed := false              // whether the innermost one was closed
	for i := p.next; ; i++ {
		it := p.items[i]
		if it.comment {
			if whole {
				return lineWidth + 1
			}
			return width
		}
		if i > p.next {
			prev := p.items[i-1].token
			if (inner == 0 || closed) && p.shouldBreak(prev, it.token, inner > 0 || outer >= 0) {
				return width
			}
			// A bracket opened on the way does not hang, or its line would end there.
			if !whole && (prev.kind == tokBacktick ||
				it.newlines > 0 && p.mayBreak(prev, it.token, inner == 0 && p.hanging(outer))) {
				return width
			}
			if p.spaced(prev, it.token, false) {
				width++
			}
		}
		width += int(it.end - it.start)
		if width > lineWidth {
			return width
		}
		switch it.kind {
		case tokSemi, tokLBrace, tokEOF:
			return width
		case tokLParen, tokLBracket:
			inner++
		case tokRParen, tokRBracket:
			if inner > 0 {
				inner--
			} else {
				outer--
				closed = true
			}
		}
	}
}

// spaced tells whether there is a space between two tokens on a line; first is
// set if prev starts the statement.
func (p *printer) spaced(prev, t token, first bool) bool {
	switch t.kind {
	case tokSemi, tokComma, tokRParen, tokRBracket:
		return false
	}
	switch prev.kind {
	case tokLParen, tokLBracket:
		return false
	case tokComma:
		return true
	case tokOp:
		if t.kind == tokOp {
			return true // else they would become one
		}
		switch p.text(prev) {
		case "@", ":", "$", ".", "-":
			return false
		}
		return true
	}
	switch t.kind {
	case tokOp:
		switch p.text(t) {
		case ".":
			return first || prev.kind == tokInt || prev.kind == tokFloat
		case "!":
			return false
		}
	case tokLParen:
		return prev.kind == tokInt || prev.kind == tokFloat || prev.kind == tokRBracket
	}
	return true
}

// block writes what follows an opening brace, up to the closing one.
func (p *printer) block(indent int) {
	if it := p.items[p.next]; it.kind == tokRBrace && !it.comment {
		p.write(it.token)
		p.next++
		return
	}
	if p.fitsLine() {
		p.oneLine()
		return
	}
	p.statements(indent + indentWidth)
	p.newline(false, indent)
	p.write(p.items[p.next].token)
	p.next++
}

// fitsLine tells whether the block that has been opened is on one line in the
// source, and short enough to remain there.
func (p *printer) fitsLine() bool {
	width := p.column()
	depth := 1
	for i := p.next; depth > 0; i++ {
		it := p.items[i]
		if it.comment || it.newlines > 0 || it.kind == tokBacktick {
			return false
		}
		if p.spacedInLine(i) {
			width++
		}
		width += int(it.end - it.start)
		if width > lineWidth {
			return false
		}
		switch it.kind {
		case tokLBrace:
			depth++
		case tokRBrace:
			depth--
		}
	}
	return true
}

// oneLine writes the rest of a block on the line it was opened in.
func (p *printer) oneLine() {
	for depth := 1; depth > 0; p.next++ {
		it := p.items[p.next]
		if p.spacedInLine(p.next) {
			p.spaces(1)
		}
		p.write(it.token)
		switch it.kind {
		case tokLBrace:
			depth++
		case tokRBrace:
			depth--
		}
	}
}

// spacedInLine tells whether there is a space before item i of a block on one
// line.
func (p *printer) spacedInLine(i int) bool {
	prev, t := p.items[i-1].token, p.items[i].token
	switch prev.kind {
	case tokSemi, tokRBrace:
		return true
	case tokLBrace:
		return t.kind != tokRBrace
	}
	first := false
	switch p.items[i-2].kind {
	case tokSemi, tokLBrace, tokRBrace:
		first = true
	}
	return t.kind == tokLBrace || p.spaced(prev, t, first)
}
