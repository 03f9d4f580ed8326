package oracle

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

//go:embed testdata/layout.txt
var layoutText string

// A Struct is the layout of one struct or group of test.capnp.
type Struct struct {
	Name         string
	DataWords    int
	Pointers     int
	Discriminant int // offset in units of 16 bits, or -1
	Fields       []Field
}

// A Field is one field of a struct, in the schema's order.
type Field struct {
	Name string
	// When is the discriminant that selects the field, or -1.
	When int
	// Type is nil for a group.
	Type  *FieldType
	Group *Struct
	// Offset counts units of the scalar's size (bits for a Bool), or pointers.
	Offset int
	// Bits is a scalar's default, to be XORed.
	Bits uint64
	// Default is a pointer's default: a segment whose first word points at it.
	// It is nil where there is none.
	Default []byte
}

// TypeKind is what sort of type a FieldType is.
type TypeKind uint8

// The kinds of types, in the schema language's order. An enum is a U16 to those
// who read it, but prints under its own name in a layout.
const (
	KindVoid TypeKind = iota
	KindBool
	KindI8
	KindI16
	KindI32
	KindI64
	KindU8
	KindU16
	KindU32
	KindU64
	KindF32
	KindF64
	KindEnum
	KindText
	KindData
	KindAny
	KindStruct
	KindList
)

var kindsByName = map[string]TypeKind{
	"void": KindVoid, "bool": KindBool, "i8": KindI8, "i16": KindI16, "i32": KindI32, "i64": KindI64,
	"u8": KindU8, "u16": KindU16, "u32": KindU32, "u64": KindU64, "f32": KindF32, "f64": KindF64,
	"enum": KindEnum, "text": KindText, "data": KindData, "any": KindAny,
}

// A FieldType is the type of a field or of a list's elements.
type FieldType struct {
	Kind   TypeKind
	Elem   *FieldType // of a list
	Struct *Struct    // of a struct
}

// IsPointer reports whether values of the type lie behind a pointer.
func (t *FieldType) IsPointer() bool {
	return t.Kind >= KindText
}

// Layout returns the structs of test.capnp by name, as libcapnp lays them out.
// A group has its parent's name before its own, with a dot.
func Layout() (map[string]*Struct, error) { return parseLayout(layoutText) }

func parseLayout(text string) (map[string]*Struct, error) {
	all := make(map[string]*Struct)
	named := func(name string) *Struct {
		s := all[name]
		if s == nil {
			s = &Struct{Name: name, Discriminant: -1, DataWords: -1}
			all[name] = s
		}
		return s
	}
	var cur *Struct
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var err error
		words := strings.Split(line, " ")
		switch {
		case words[0] == "struct" && len(words) == 5:
			cur = named(words[1])
			cur.DataWords, err = number(words[2], err)
			cur.Pointers, err = number(words[3], err)
			cur.Discriminant, err = number(words[4], err)
		case words[0] == "group" && len(words) == 4 && cur != nil:
			f := Field{Name: words[1], Group: named(words[3])}
			f.When, err = number(words[2], err)
			cur.Fields = append(cur.Fields, f)
		case words[0] == "field" && len(words) == 6 && cur != nil:
			f := Field{Name: words[1]}
			f.When, err = number(words[2], err)
			f.Offset, err = number(words[4], err)
			if err == nil {
				f.Type, err = parseType(words[3], named)
			}
			if err == nil && words[5] != "-" {
				if f.Type.IsPointer() {
					f.Default, err = hex.DecodeString(words[5])
				} else {
					f.Bits, err = strconv.ParseUint(words[5], 10, 64)
				}
			}
			cur.Fields = append(cur.Fields, f)
		default:
			err = fmt.Errorf("%q is no line of a layout", line)
		}
		if err != nil {
			return nil, fmt.Errorf("oracle: layout line %d: %w", i+1, err)
		}
	}
	for name, s := range all {
		if s.DataWords < 0 {
			return nil, fmt.Errorf("oracle: layout: struct %s is named and not described", name)
		}
	}
	return all, nil
}

// number parses a count, or "-" as −1, unless an earlier one failed.
func number(s string, earlier error) (int, error) {
	if earlier != nil || s == "-" {
		return -1, earlier
	}
	return strconv.Atoi(s)
}

func parseType(s string, named func(string) *Struct) (*FieldType, error) {
	if inner, ok := strings.CutPrefix(s, "list("); ok {
		inner, ok = strings.CutSuffix(inner, ")")
		if !ok {
			return nil, fmt.Errorf("list type %q is not closed", s)
		}
		elem, err := parseType(inner, named)
		return &FieldType{Kind: KindList, Elem: elem}, err
	}
	if name, ok := strings.CutPrefix(s, "struct:"); ok {
		return &FieldType{Kind: KindStruct, Struct: named(name)}, nil
	}
	if kind, ok := kindsByName[s]; ok {
		return &FieldType{Kind: kind}, nil
	}
	return nil, fmt.Errorf("unknown type %q", s)
}
