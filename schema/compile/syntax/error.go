package syntax

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Error is a fault of a source and where it is.
type Error struct {
	File string
	// Line and Col count from 1; Col and EndCol count bytes. EndCol is the column
	// after the last byte, equal to Col where the fault is at one point or goes on
	// into further lines.
	Line, Col, EndCol int
	Msg               string
}

// Error gives file:line:col-col2: error: message, as the capnp tool does.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(e.Line))
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(e.Col))
	if e.EndCol > e.Col {
		b.WriteByte('-')
		b.WriteString(strconv.Itoa(e.EndCol))
	}
	b.WriteString(": error: ")
	b.WriteString(e.Msg)
	return b.String()
}

// Errors are the faults of one or more files. As an error, it has a line for
// each.
type Errors []*Error

// Error joins the errors' lines.
func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Err gives the list as an error, nil if it is empty.
func (l Errors) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Sort orders the errors by line and column within each file, leaving the files
// in the order in which they first appear, and drops repetitions.
func (l *Errors) Sort() {
	rank := make(map[string]int)
	for _, e := range *l {
		if _, ok := rank[e.File]; !ok {
			rank[e.File] = len(rank)
		}
	}
	slices.SortStableFunc(*l, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(rank[a.File], rank[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	*l = slices.CompactFunc(*l, func(a, b *Error) bool { return *a == *b })
}

// lineTable has the offset at which each line starts, but for the first.
type lineTable []uint32

func newLineTable(text string) lineTable {
	t := make(lineTable, 0, strings.Count(text, "\n"))
	for i := 0; i < len(text); i++ {
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			break
		}
		i += n
		t = append(t, uint32(i+1))
	}
	return t
}

// position gives the line and the column, both from 1, of a byte.
func (t lineTable) position(offset uint32) (line, col int) {
	line = sort.Search(len(t), func(i int) bool { return t[i] > offset })
	if line == 0 {
		return 1, int(offset) + 1
	}
	return line + 1, int(offset-t[line-1]) + 1
}

// Position gives the line and the column, both from 1, of a byte of the file.
// Columns count bytes.
func (f *File) Position(offset uint32) (line, col int) { return f.lines.position(offset) }

// Error makes an error about a part of the file.
func (f *File) Error(span Span, msg string) *Error {
	e := &Error{File: f.Name, Msg: msg}
	e.Line, e.Col = f.lines.position(span.Start)
	e.EndCol = e.Col
	if line, col := f.lines.position(span.End); line == e.Line {
		e.EndCol = max(col, e.Col)
	}
	return e
}
