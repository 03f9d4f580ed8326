package compile

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
	"github.com/fairlead-go/fairlead/segment"
)

// Value reads the text of one value of type t, such as (name = "x", ids = [1, 2]),
// as a schema would have it. It knows the nodes of reg alone: names of constants
// and embedded files are errors. The name stands for the text in errors, which
// are of type [Errors].
func Value(name string, text []byte, t schema.Type, reg *schema.Registry) (schema.Value, error) {
	r := newTextReader(name, text, reg)
	out := schema.Value{Kind: t.Kind}
	switch {
	case r.file.Value == nil:
	case t.Kind.IsPointer():
		var err error
		out, err = schema.NewValue(t.Kind, func(p segment.PtrBuilder) { r.put(r.file.Value, t, ptrSlot{p: p}) })
		if err != nil && len(r.errs) == 0 {
			return schema.Value{}, err
		}
	default:
		r.put(r.file.Value, t, bitsSlot{to: &out.Bits})
	}
	return out, r.errs.Err()
}

// BuildValue reads the text of one value of type t, which is a pointer, and
// builds it under p. After an error what is under p is incomplete. See [Value].
func BuildValue(name string, text []byte, t schema.Type, reg *schema.Registry, p segment.PtrBuilder) error {
	r := newTextReader(name, text, reg)
	if r.file.Value != nil {
		r.put(r.file.Value, t, ptrSlot{p: p})
	}
	return r.errs.Err()
}

// BuildStruct reads the text of one value of the struct type t and sets the
// fields that it has in s, which must be as large as the type. See [Value].
func BuildStruct(name string, text []byte, t schema.Type, reg *schema.Registry, s segment.StructBuilder) error {
	r := newTextReader(name, text, reg)
	if r.file.Value != nil {
		r.put(r.file.Value, t, structSlot{s: s})
	}
	return r.errs.Err()
}

// textReader is a valuer for a text outside of a schema.
type textReader struct {
	valuer
	file *syntax.File
	errs Errors
	left int64
}

func newTextReader(name string, text []byte, reg *schema.Registry) *textReader {
	// Text that is all strings takes as many bytes as it has.
	r := &textReader{left: maxValueWords + int64(len(text))/8}
	r.file, r.errs = syntax.ParseValue(name, text)
	r.valuer = valuer{
		node: func(id schema.ID) *schema.Node {
			n, _ := reg.Node(id)
			return n
		},
		fail: func(at syntax.Span, msg string) {
			if len(r.errs) < syntax.MaxErrors {
				r.errs = append(r.errs, r.file.Error(at, msg))
			}
		},
		constant: func(e *syntax.Expr, _ schema.Type) (t schema.Type, v schema.Value, ok bool) {
			r.failf(e, "External constants not allowed.")
			return t, v, false
		},
		embed: func(e *syntax.Expr) ([]byte, bool) {
			r.failf(e, "External embeds not allowed.")
			return nil, false
		},
		words: &r.left,
		limit: r.left,
	}
	return r
}
