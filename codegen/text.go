package codegen

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/schema"
)

// comment writes text from a schema as lines of a Go comment. Whatever could
// end the comment or change how it looks becomes a space.
func comment(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	if text == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Map(func(r rune) rune {
			switch {
			case r == '\t':
				return r
			case r == utf8.RuneError:
				return '?'
			case !unicode.IsPrint(r):
				return ' '
			}
			return r
		}, line)
		b.WriteString(strings.TrimRight("// "+line, " \t") + "\n")
	}
	return b.String()
}

// paragraphs writes text as further paragraphs of a comment.
func paragraphs(text string) string {
	if c := comment(text); c != "" {
		return "//\n" + c
	}
	return ""
}

// doc writes the comment of a declaration: what it is, and what the schema, or
// an annotation for Go, says of it.
func (g *generator) doc(what string, text string, annotations []schema.Annotation) {
	if given, ok := annotation(annotations, goDocID); ok {
		text = given
	}
	g.body.WriteString(comment(what))
	g.body.WriteString(comment(text))
}

// fileLabel gives the base name of a file for a comment.
func fileLabel(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(comment(path.Base(strings.ReplaceAll(name, "\n", " "))), "// "), "\n")
}

// quote writes a string as Go source, ASCII alone.
func quote(s string) string { return strconv.QuoteToASCII(s) }

// schemaName tells a declaration in a comment as the schema does, such as
// Person.PhoneNumber.
func schemaName(n *schema.Node) string {
	name := n.DisplayName
	if _, after, ok := strings.Cut(name, ":"); ok {
		name = after
	}
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '.' || r == '$' || r == '_' || isUpper(byte(r)) || isLower(byte(r)) || isDigit(byte(r))) {
			return r
		}
		return '?'
	}, name)
	return name[:min(len(name), maxName)]
}
