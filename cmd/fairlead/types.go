package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/internal/json"
	"github.com/fairlead-go/fairlead/internal/text"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// loadedSchema is a schema file, compiled.
type loadedSchema struct {
	reg  *schema.Registry
	file *schema.Node
}

func loadSchema(cmd *cobra.Command, name string, o compile.Options) (*loadedSchema, error) {
	req, err := compileFiles(cmd, []string{name}, o)
	if err != nil {
		return nil, err
	}
	return newLoadedSchema(req)
}

func newLoadedSchema(req *schema.Request) (*loadedSchema, error) {
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		return nil, err
	}
	file, ok := reg.Node(req.Files[0].ID)
	if !ok {
		return nil, fmt.Errorf("schema: the node of %s is missing", req.Files[0].Name)
	}
	return &loadedSchema{reg, file}, nil
}

// loadedType is a struct type of a schema.
type loadedType struct {
	*loadedSchema
	typ  schema.Type
	size segment.Size
}

// loadType compiles a schema and finds a type by what a field's type could be
// in it: Person, Map(Text, Person).Entry, import "other.capnp".Thing.
func loadType(cmd *cobra.Command, file, name string, o compile.Options) (*loadedType, error) {
	if err := checkImportFlags(cmd, o); err != nil {
		return nil, err
	}
	req, typ, err := compile.FileType(file, name, o)
	if err != nil {
		return nil, tellFaults(cmd, err)
	}
	s, err := newLoadedSchema(req)
	if err != nil {
		return nil, err
	}
	if typ.Kind != schema.StructType {
		return nil, fmt.Errorf("%s: %s is no struct but %s", cmd.Name(), name, s.reg.TypeName(typ))
	}
	n, _ := s.reg.Node(typ.ID)
	return &loadedType{s, typ, segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs}}, nil
}

// codec gives the conversion of the type to and from a format of text.
func (t *loadedType) codec(f convert.Format, short bool) convert.Codec {
	if f == convert.JSON {
		c := json.New(t.reg)
		return convert.Codec{
			Append: func(dst []byte, s segment.Struct) ([]byte, error) {
				return c.AppendStruct(dst, t.typ, s, json.Options{Short: short, MaxBytes: maxText(s)})
			},
			Parse: t.parse(func(text []byte, root segment.StructBuilder) error {
				return c.DecodeStruct(text, t.typ, root, json.DecodeOptions{})
			}),
		}
	}
	p := text.New(t.reg)
	return convert.Codec{
		Append: func(dst []byte, s segment.Struct) ([]byte, error) {
			return p.AppendStruct(dst, t.typ, s, text.Options{Short: short, MaxBytes: maxText(s)})
		},
		Parse: t.parse(func(text []byte, root segment.StructBuilder) error {
			return compile.BuildStruct("value", text, t.typ, t.reg, root)
		}),
	}
}

// maxText is how long the text of a message may be: longer than what any
// program would write on purpose, and too short to fill the memory with lists
// of nothing.
func maxText(s segment.Struct) int {
	const least, most, times = 64 << 20, 1 << 30, 64
	if m := s.Message(); m != nil {
		return int(min(least+times*m.SizeBytes(), most))
	}
	return least
}

// parse makes a message whose root build fills from text.
func (t *loadedType) parse(build func([]byte, segment.StructBuilder) error) func([]byte) (*segment.Message, error) {
	return func(text []byte) (*segment.Message, error) {
		msg := segment.New(arena.Pool())
		err := build(text, msg.NewRoot(t.size))
		if err == nil {
			err = msg.Err()
		}
		if err != nil {
			msg.Release()
			return nil, err
		}
		return msg, nil
	}
}

// namesIn gives the names of all declarations of a kind in a schema, for
// completion; none if it has faults.
func namesIn(file string, o compile.Options, kind schema.Kind) []string {
	o.RandomIDs = true
	req, err := compile.Files([]string{file}, o)
	if err != nil {
		return nil
	}
	s, err := newLoadedSchema(req)
	if err != nil {
		return nil
	}
	var names []string
	var visit func(n *schema.Node, prefix string)
	visit = func(n *schema.Node, prefix string) {
		for _, c := range n.Nested {
			if child, ok := s.reg.Node(c.ID); ok {
				if child.Kind == kind {
					names = append(names, prefix+c.Name)
				}
				visit(child, prefix+c.Name+".")
			}
		}
	}
	visit(s.file, "")
	slices.Sort(names)
	return names
}
