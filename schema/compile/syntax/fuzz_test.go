package syntax

import (
	"os"
	"path/filepath"
	"testing"
)

// seed adds the sources of the other tests to a fuzz target.
func seed(f *testing.F) {
	for _, tt := range brokenSchemas {
		f.Add([]byte(tt.src))
	}
	files, err := filepath.Glob("testdata/format/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, "testdata/language.capnp") {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
}

// FuzzParse: no text makes Parse or ParseValue panic, and every place that they
// give lies in the text.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		file, errs := Parse("t.capnp", src)
		checkErrors(t, file, errs)
		for _, d := range file.Decls {
			checkDecl(t, file, d)
		}
		value, errs := ParseValue("v", src)
		checkErrors(t, value, errs)
		if (value.Value == nil) != (len(errs) > 0) {
			t.Fatalf("value %v, errors %v", value.Value, errs)
		}
		if value.Value != nil {
			checkExpr(t, value, value.Value, false)
		}
	})
}

func checkErrors(t *testing.T, f *File, errs Errors) {
	lines := len(f.lines) + 1
	for i, e := range errs {
		if e.Line < 1 || e.Line > lines || e.Col < 1 || e.Col > len(f.Text)+1 || e.EndCol < e.Col || e.Msg == "" {
			t.Fatalf("error %+v", e)
		}
		if i > 0 && (e.Line < errs[i-1].Line || e.Line == errs[i-1].Line && e.Col < errs[i-1].Col) {
			t.Fatalf("error %v after %v", e, errs[i-1])
		}
	}
}

func checkSpan(t *testing.T, f *File, s Span) {
	if s.Start > s.End || int(s.End) > len(f.Text) {
		t.Fatalf("span %v of %d bytes", s, len(f.Text))
	}
}

func checkName(t *testing.T, f *File, n Name) {
	checkSpan(t, f, n.Span)
	if n.Text != "" && f.Text[n.Span.Start:n.Span.End] != n.Text {
		t.Fatalf("name %q is not at %v", n.Text, n.Span)
	}
}

func checkExpr(t *testing.T, f *File, e *Expr, mayBeBad bool) {
	checkSpan(t, f, e.Span)
	switch e.Kind {
	case Bad:
		if !mayBeBad {
			t.Fatalf("a bad expression at %v without an error", e.Span)
		}
	case RelName, AbsName, Member:
		checkName(t, f, Name{e.Text, e.TextSpan})
	}
	if (e.Base != nil) != (e.Kind == Member || e.Kind == Apply) {
		t.Fatalf("expression of kind %d with base %v", e.Kind, e.Base)
	}
	if e.Base != nil {
		checkExpr(t, f, e.Base, mayBeBad)
	}
	for _, a := range e.Args {
		checkName(t, f, a.Name)
		checkExpr(t, f, a.Value, mayBeBad)
	}
}

func checkDecl(t *testing.T, f *File, d *Decl) {
	checkSpan(t, f, d.Span)
	if d.Name.Text == "" && d.Kind != Union {
		t.Fatalf("declaration of kind %d without a name", d.Kind)
	}
	checkName(t, f, d.Name)
	var exprs []*Expr
	add := func(list ...*Expr) {
		for _, e := range list {
			if e != nil {
				exprs = append(exprs, e)
			}
		}
	}
	annotations := func(list []Annotation) {
		for _, a := range list {
			add(a.Name, a.Value)
		}
	}
	add(d.Type, d.Value)
	add(d.Extends...)
	annotations(d.Annotations)
	switch d.Kind {
	case Using, Field, AnnotationDecl:
		if d.Type == nil {
			t.Fatalf("%s has no type", d.Name.Text)
		}
	case Const:
		if d.Type == nil || d.Value == nil {
			t.Fatalf("%s has no type or no value", d.Name.Text)
		}
	case Method:
		if d.Args == nil {
			t.Fatalf("%s has no parameters", d.Name.Text)
		}
	}
	for _, l := range []*ParamList{d.Args, d.Results} {
		if l == nil {
			continue
		}
		checkSpan(t, f, l.Span)
		add(l.Type)
		for _, a := range l.Params {
			checkSpan(t, f, a.Span)
			checkName(t, f, a.Name)
			add(a.Type, a.Value)
			annotations(a.Annotations)
		}
	}
	for _, e := range exprs {
		checkExpr(t, f, e, true)
	}
	for _, m := range d.Members {
		checkDecl(t, f, m)
	}
}

// FuzzFormat: what parses is formatted to the same tokens, comments and doc
// comments, and formatting it again changes nothing.
func FuzzFormat(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, src []byte) { checkFormat(t, src) })
}
