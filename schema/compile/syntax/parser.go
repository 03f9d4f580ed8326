package syntax

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
)

// Limits on a source, so that hostile text costs little. Each is far beyond
// what people write; passing one is an error.
const (
	// MaxSource is the size of a schema's text in bytes.
	MaxSource = 4 << 20
	// MaxDepth is how deep braces, and in a statement the brackets, the members of
	// members and the like, may be nested.
	MaxDepth = 64
	// MaxErrors is how many errors of one source are kept.
	MaxErrors = 1000

	maxDecls = 1 << 18
	maxExprs = 1 << 19
)

// Parse reads the text of a schema. The name is that of the file, for errors.
//
// The File holds whatever could be read: a declaration with an error in it is
// left out, or has expressions of kind [Bad] where the error is. The errors are
// in the order of the source. That the file has no id is not one of them: see
// [File.MissingID].
func Parse(name string, src []byte) (*File, Errors) {
	if len(src) > MaxSource {
		f := &File{Name: name}
		return f, Errors{f.Error(Span{}, fmt.Sprintf("File has %d bytes, more than the limit of %d.", len(src), MaxSource))}
	}
	p := newParser(name, src, maxExprs)
	p.topLevel()
	p.errs.Sort()
	return p.file, p.errs
}

// MissingID makes the error about a file without an id, with a fresh id in it.
func (f *File) MissingID() *Error {
	return f.Error(Span{}, fmt.Sprintf("File does not declare an ID.  I've generated one for you.  Add this line to your file: @0x%016x;", NewID()))
}

// NewID makes a random id for a file or a declaration.
func NewID() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1<<63
}

// parser is a recursive descent over the tokens of one source. A rule that does
// not match calls fail, which notes why, and returns false up to the list item
// or the statement it is in; that reports the error and skips to its end.
type parser struct {
	lex  lexer
	file *File
	errs Errors

	// tok is to be consumed next; after is the one behind it.
	tok, after token
	// prevEnd is the end of the token before tok.
	prevEnd uint32

	// failSpan and failMsg describe the failure that is on its way up.
	failSpan Span
	failMsg  string
	// stopped is set when the rest of the source is not worth looking at.
	stopped bool

	// start is where the statement starts.
	start uint32
	// depth counts open brackets, and chains of suffixes, in the statement;
	// brackets only the brackets. blocks counts open braces.
	depth, brackets, blocks int
	numExprs, maxExprs      int
	numDecls                int

	// Nodes come from the rest of these slices, which are made in larger and
	// larger pieces.
	exprs []Expr
	decls []Decl
	// Stacks for the items of open lists.
	args    []Arg
	names   []Name
	params  []Param
	members []*Decl
}

func newParser(name string, src []byte, maxExprs int) *parser {
	text := string(src)
	p := &parser{lex: lexer{src: text}, maxExprs: maxExprs}
	p.file = &File{Name: name, Text: text, lines: newLineTable(text)}
	p.advance()
	p.advance()
	p.prevEnd = 0
	return p
}

// advance consumes the token.
func (p *parser) advance() {
	p.prevEnd = p.tok.end
	p.tok = p.after
	p.after = p.lex.next()
}

func (p *parser) text(t token) string { return p.lex.src[t.start:t.end] }

// isOp tells whether the token is this operator.
func (p *parser) isOp(op string) bool { return p.tok.kind == tokOp && p.text(p.tok) == op }

// startsOp tells whether t is an operator that begins with c.
func (p *parser) startsOp(t token, c byte) bool { return t.kind == tokOp && p.lex.src[t.start] == c }

// isWord tells whether the token is this identifier.
func (p *parser) isWord(word string) bool {
	return p.tok.kind == tokIdent && p.text(p.tok) == word
}

// endsStatement tells whether the token ends a statement, or should have been
// preceded by the end of one.
func (p *parser) endsStatement() bool {
	switch p.tok.kind {
	case tokSemi, tokLBrace, tokRBrace, tokEOF:
		return true
	}
	return false
}

// report keeps an error. After MaxErrors of them the rest of the source is
// skipped.
func (p *parser) report(span Span, msg string) {
	if p.stopped {
		return
	}
	p.errs = append(p.errs, p.file.Error(span, msg))
	if len(p.errs) == MaxErrors {
		p.stop(span, "Too many errors; what follows was not looked at.")
	}
}

// stop reports a last error and makes the source end behind this token.
func (p *parser) stop(span Span, msg string) {
	if p.stopped {
		return
	}
	p.errs = append(p.errs, p.file.Error(span, msg))
	p.stopped = true
	end := uint32(len(p.lex.src))
	p.lex.pos = len(p.lex.src)
	p.after = token{tokEOF, end, end}
}

// fail notes that the token does not fit, and returns false. What was expected
// is said in words that follow the word expected.
func (p *parser) fail(expected string) bool {
	switch {
	case p.tok.kind == tokBad:
		// Scanned once more, to learn why.
		l := lexer{src: p.lex.src}
		l.scan(int(p.tok.start))
		return p.failWith(l.badSpan, l.badMsg)
	case p.brackets == 0 && p.tok.start != p.start && (p.tok.kind == tokSemi || p.tok.kind == tokLBrace):
		// The statement ended too early: that is where it ends, not where the
		// semicolon happens to stand.
		p.failSpan = Span{p.prevEnd, p.prevEnd}
	default:
		p.failSpan = p.tok.span()
	}
	p.failMsg = "Parse error: expected " + expected + ", found " + p.describe(p.tok) + "."
	return false
}

// failWith notes a failure with a message of its own.
func (p *parser) failWith(span Span, msg string) bool {
	p.failSpan, p.failMsg = span, msg
	return false
}

// describe names a token in an error.
func (p *parser) describe(t token) string {
	switch t.kind {
	case tokEOF:
		return "the end of the file"
	case tokString, tokBacktick:
		return "a string"
	case tokData:
		return "a data literal"
	}
	text := p.text(t)
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return "'" + text + "'"
}

// want consumes an operator.
func (p *parser) want(op string) bool {
	if p.isOp(op) {
		p.advance()
		return true
	}
	return p.failOp(op)
}

// failOp notes that the token is not the operator that it should be.
func (p *parser) failOp(op string) bool {
	if t := p.tok; p.startsOp(t, op[0]) && len(p.text(t)) > len(op) && p.text(t)[:len(op)] == op {
		return p.failWith(t.span(), "Parse error: "+p.describe(t)+" is read as one operator; write a space after '"+op+"'.")
	}
	return p.fail("'" + op + "'")
}

// name consumes an identifier.
func (p *parser) name(what string) (Name, bool) {
	if p.tok.kind != tokIdent {
		return Name{}, p.fail(what)
	}
	n := Name{p.text(p.tok), p.tok.span()}
	p.advance()
	return n, true
}

// integer consumes an integer.
func (p *parser) integer(what string) (Number, bool) {
	if p.tok.kind != tokInt {
		return Number{}, p.fail(what)
	}
	v, ok := parseInt(p.text(p.tok))
	if !ok {
		return Number{}, p.failWith(p.tok.span(), tooLarge)
	}
	n := Number{v, p.tok.span()}
	p.advance()
	return n, true
}

const tooLarge = "Integer value out of range: it takes more than 64 bits."

// listKind tells what the items of a list are.
type listKind uint8

const (
	listValues  listKind = iota // expressions, to p.args
	listFields                  // expressions that may have a name, to p.args
	listNames                   // to p.names
	listTargets                 // what an annotation is for, to p.names
	listParams                  // to p.params
)

// list reads a list with its brackets and gives its span. The items are on the
// stack for their kind; an item with an error is reported and, among
// expressions, stands there as Bad.
func (p *parser) list(kind listKind) (span Span, ok bool) {
	open := p.tok
	closing, closeText := tokRParen, "')'"
	if open.kind == tokLBracket {
		closing, closeText = tokRBracket, "']'"
	}
	if !p.enter() {
		return Span{}, false
	}
	p.brackets++
	p.advance()
	empty := false
	for p.tok.kind != closing {
		if p.tok.kind == tokComma {
			empty = true
			p.advance()
			continue
		}
		start := p.tok.start
		ok := p.item(kind)
		if ok && p.tok.kind != tokComma && p.tok.kind != closing {
			ok = p.fail("',' or " + closeText)
			if !p.itemGoesOn() {
				p.failMsg += p.openedAt(open)
			}
		}
		if !ok {
			if !p.itemGoesOn() && p.tok.kind != closing && p.tok.kind != tokComma {
				// The list itself is broken.
				p.brackets--
				p.depth--
				return Span{}, false
			}
			p.failedItem(start)
			if p.tok.kind != tokComma && p.tok.kind != closing {
				p.fail("',' or " + closeText)
				p.failMsg += p.openedAt(open)
				p.brackets--
				p.depth--
				return Span{}, false
			}
			if kind == listValues || kind == listFields {
				p.args = append(p.args, Arg{Value: p.bad(Span{start, p.prevEnd})})
			}
		}
		if p.tok.kind == tokComma {
			p.advance()
		}
	}
	span = Span{open.start, p.tok.end}
	p.advance()
	p.brackets--
	p.depth--
	if empty {
		p.report(span, "Parse error: Empty list item.")
	}
	return span, true
}

// openedAt tells where a bracket was opened that is not closed.
func (p *parser) openedAt(open token) string {
	line, col := p.file.Position(open.start)
	return " " + p.describe(open) + " was opened at " + strconv.Itoa(line) + ":" + strconv.Itoa(col) + "."
}

// itemGoesOn tells whether the token may be within a list's item.
func (p *parser) itemGoesOn() bool {
	switch p.tok.kind {
	case tokComma, tokRParen, tokRBracket:
		return false
	}
	return !p.endsStatement()
}

// failedItem reports the failure of an item that starts at start, and skips to
// its end.
func (p *parser) failedItem(start uint32) {
	atEnd := !p.itemGoesOn()
	for nested := 0; !p.endsStatement(); p.advance() {
		switch p.tok.kind {
		case tokLParen, tokLBracket:
			nested++
			continue
		case tokComma:
			if nested > 0 {
				continue
			}
		case tokRParen, tokRBracket:
			if nested > 0 {
				nested--
				continue
			}
		default:
			continue
		}
		break
	}
	switch span := p.failSpan; {
	case span.Start == span.End:
		p.report(span, p.failMsg) // a malformed token
	case atEnd:
		p.report(Span{start, p.prevEnd}, p.failMsg)
	default:
		p.report(Span{span.Start, max(span.End, p.prevEnd)}, p.failMsg)
	}
}

// item reads one item of a list.
func (p *parser) item(kind listKind) bool {
	switch kind {
	case listValues, listFields:
		var a Arg
		if kind == listFields && p.tok.kind == tokIdent && p.after.kind == tokOp && p.lex.src[p.after.start] == '=' {
			a.Name, _ = p.name("")
			if !p.want("=") {
				return false
			}
		}
		var ok bool
		if a.Value, ok = p.expr("a value or a type"); ok {
			p.args = append(p.args, a)
		}
		return ok
	case listParams:
		p.spend(2)
		return p.param()
	}
	p.spend(1)
	if kind == listTargets && p.isOp("*") {
		p.names = append(p.names, Name{"*", p.tok.span()})
		p.advance()
		return true
	}
	n, ok := p.name("a name")
	if ok {
		p.names = append(p.names, n)
	}
	return ok
}

// enter notes that something in a statement is nested deeper.
func (p *parser) enter() bool {
	if p.depth >= MaxDepth {
		return p.failWith(p.tok.span(), fmt.Sprintf("Parse error: nested deeper than %d levels.", MaxDepth))
	}
	p.depth++
	return true
}

// pop takes what has been put on a stack since it was n long.
func pop[T any](stack *[]T, n int) []T {
	var items []T
	if len(*stack) > n {
		items = slices.Clone((*stack)[n:])
		clear((*stack)[n:])
		*stack = (*stack)[:n]
	}
	return items
}
