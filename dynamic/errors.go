package dynamic

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// The kinds of faults. Match them with [errors.Is]; [errors.As] with an
// [*Error] tells the path too.
var (
	// ErrName: there is no type, field, enumerant or constant of that name.
	ErrName = errors.New("dynamic: unknown name")
	// ErrType: a value or an access of a kind that the field does not have.
	ErrType = errors.New("dynamic: wrong type")
	// ErrRange: a number that the field cannot hold exactly.
	ErrRange = errors.New("dynamic: out of range")
	// ErrUnion: a member of a union that is not the one that is set.
	ErrUnion = errors.New("dynamic: not the member that is set")
	// ErrOrphan: an orphan that was adopted or discarded before, or that lies in
	// another message.
	ErrOrphan = errors.New("dynamic: unusable orphan")
	// ErrSchema: the schema lacks a node or contradicts itself.
	ErrSchema = errors.New("dynamic: unusable schema")
)

// Error is a fault of this package at a place in a value.
type Error struct {
	// Path leads to the place, from the type on which the access was made, such
	// as "Person.phones[1].type".
	Path string
	// Kind is one of the errors of this package.
	Kind error
	// Detail says what is wrong and what is allowed.
	Detail string
}

func (e *Error) Error() string {
	switch {
	case e.Path == "":
		return "dynamic: " + e.Detail
	case len(e.Path) > shownPath:
		return "dynamic: " + e.Path[:shownPath] + "…: " + e.Detail
	}
	return "dynamic: " + e.Path + ": " + e.Detail
}

// Unwrap gives the kind of the fault.
func (e *Error) Unwrap() error { return e.Kind }

// fail makes e the fault of a message that has none. One that was released may
// be somebody else's by now.
func fail(msg *segment.Message, e *Error) {
	if e != nil && msg != nil && msg.Err() == nil {
		msg.Fail(e)
	}
}

// errOf is the first fault of a message; that of none is nil.
func errOf(msg *segment.Message) error {
	if msg == nil {
		return nil
	}
	return msg.Err()
}

// in puts the name of a field, or an index in brackets, in front of the path. The
// fault of a type is shared by all who meet it, and stays as it is.
func (e *Error) in(step string) *Error {
	switch {
	case e == nil || e.Kind == ErrSchema:
		return e
	case step == "":
		return e.in(`""`)
	case e.Path == "":
		e.Path = step
	case e.Path[0] == '[':
		e.Path = step + e.Path
	default:
		e.Path = step + "." + e.Path
	}
	return e
}

func (e *Error) at(i int) *Error {
	if e == nil {
		return nil
	}
	return e.in("[" + strconv.Itoa(i) + "]")
}

// orNil keeps a nil *Error from becoming an error that is not nil.
func (e *Error) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

func errKind(want, got string) *Error {
	return &Error{Kind: ErrType, Detail: "takes " + want + ", not " + got}
}

func errSchema(detail string) *Error { return &Error{Kind: ErrSchema, Detail: detail} }

// errNoName says that there is no such thing (a field, an enumerant), and which
// there are: those that look alike, or else the first ones.
func errNoName(thing, name string, known []string) *Error {
	d := "no " + thing
	switch near := nearNames(name, known); {
	case len(near) > 0:
		d += "; did you mean " + strings.Join(near, ", ") + "?"
	case len(known) == 0:
		d += "; there is none"
	case len(known) > shownNames:
		d += "; there are " + strings.Join(known[:shownNames], ", ") + " and " + strconv.Itoa(len(known)-shownNames) + " more"
	default:
		d += "; there are " + strings.Join(known, ", ")
	}
	return &Error{Kind: ErrName, Detail: d}
}

const (
	shownNames = 12
	shownBytes = 64
	shownPath  = 256
)

// clip quotes text that came from outside, at most shownBytes of it.
func clip(s string) string {
	if len(s) > shownBytes {
		return strconv.Quote(s[:shownBytes]) + "…"
	}
	return strconv.Quote(s)
}

// nearNames gives up to three names that name may have been meant to be.
func nearNames(name string, known []string) []string {
	if name == "" || len(name) > shownBytes {
		return nil
	}
	type near struct {
		name string
		d    int
	}
	var found []near
	limit := max(1, (len(name)+1)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k), limit); d <= limit {
			found = append(found, near{k, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.d - b.d })
	var names []string
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

// distance is how many letters of a have to be changed, left out, put in or
// swapped with their neighbour to make b, or more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := last[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// describe names a kind of type as a user thinks of its values.
func describe(k schema.TypeKind) string {
	switch k {
	case schema.ListType:
		return "a list"
	case schema.EnumType:
		return "an enumerant"
	case schema.StructType:
		return "a struct"
	case schema.InterfaceType:
		return "a capability"
	case schema.Int8, schema.Int16, schema.Int32, schema.Int64, schema.AnyPointer:
		return "an " + k.String()
	}
	return "a " + k.String()
}
