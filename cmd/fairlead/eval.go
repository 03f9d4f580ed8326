package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/json"
	"github.com/fairlead-go/fairlead/internal/text"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

func newEvalCommand() *cobra.Command {
	var (
		imports              compile.Options
		output               string
		short                bool
		binary, flat, packed bool
	)
	cmd := &cobra.Command{
		Use:   "eval SCHEMA NAME",
		Short: "Print a constant or a default value of a schema",
		Long: `Print the value of a constant, the default value of a field, or a part of them:

  someConstant   SomeStruct.someField   someConstant.someList[4].someField

As constants can have any type, and use others by their names, this makes a schema
a configuration file. The SCHEMA needs no id.`,
		Args: arguments(cobra.ExactArgs(2)),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return namesIn(args[0], imports, schema.KindConst), cobra.ShellCompDirectiveNoFileComp
			}
			return completeSchemas(cmd, args, to)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if binary || flat || packed {
				output = string(binaryFormat(flat, packed))
			}
			to, err := convert.ParseFormat(output)
			if err != nil {
				return misuse(cmd, fmt.Errorf("eval: --output: %w", err))
			}
			imports.RandomIDs = true
			s, err := loadSchema(cmd, args[0], imports)
			if err != nil {
				return err
			}
			value, err := s.eval(args[1])
			if err != nil {
				return fmt.Errorf("eval: %s: %w", args[1], err)
			}
			return value.print(cmd.OutOrStdout(), to, short)
		},
	}
	addImportFlags(cmd, &imports)
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "text", "the `FORMAT`, as those of convert; all but text and json are for structs")
	f.BoolVarP(&binary, "binary", "b", false, "the same as -obinary")
	f.BoolVar(&flat, "flat", false, "the same as -oflat")
	f.BoolVarP(&packed, "packed", "p", false, "the same as -opacked")
	f.BoolVar(&short, "short", false, "print text and JSON in one line")
	_ = cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return convert.Names(), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that does not exist
	cmd.MarkFlagsMutuallyExclusive("output", "binary", "flat")
	cmd.MarkFlagsMutuallyExclusive("output", "binary", "packed")
	return cmd
}

// eval finds a value by its name in the schema: A.b[1].c.
func (s *loadedSchema) eval(name string) (*evaluation, error) {
	steps, err := parsePath(name)
	if err != nil {
		return nil, err
	}
	v := &evaluation{reg: s.reg, node: s.file}
	for _, step := range steps {
		if err := v.take(step); err != nil {
			return nil, err
		}
	}
	if v.node != nil {
		return nil, fmt.Errorf("this is a %v, which has no value", v.node.Kind)
	}
	return v, nil
}

// print writes the value that was found.
func (e *evaluation) print(w io.Writer, to convert.Format, short bool) error {
	var (
		out []byte
		err error
	)
	switch to {
	case convert.Text:
		out, err = text.New(e.reg).AppendValue(nil, e.typ, e.value, text.Options{Short: short})
	case convert.JSON:
		out, err = json.New(e.reg).AppendValue(nil, e.typ, e.value, json.Options{Short: short})
	default:
		if e.typ.Kind != schema.StructType {
			return fmt.Errorf("eval: a value of type %s can't be written as %s, only a struct can", e.reg.TypeName(e.typ), to)
		}
		msg := segment.New(arena.Pool())
		defer msg.Release()
		if s := e.value.Ptr.Struct(); s.Message() == nil {
			msg.NewRoot(segment.Size{})
		} else {
			expandStruct(e.reg, e.whole, s, msg.RootBuilder().NewStruct)
		}
		b, err := framing.Marshal(msg)
		if err != nil {
			return err
		}
		return convert.RunBytes(w, b, convert.Options{From: convert.Binary, To: to, Quiet: true})
	}
	if err != nil {
		return err
	}
	_, err = w.Write(append(out, '\n'))
	return err
}

// evaluation is a place on the way along a path: in a node, or in a value.
type evaluation struct {
	reg   *schema.Registry
	node  *schema.Node
	typ   schema.Type
	whole schema.Type // that of the struct which value refers to: typ may be a group in it
	value schema.Value
	// ofType is set for the default value of a struct type that a path names, in
	// which every member of a union has its default value.
	ofType bool
}

func (e *evaluation) take(s step) error {
	switch {
	case e.node != nil && s.index >= 0:
		return fmt.Errorf("[%d] of a %v", s.index, e.node.Kind)
	case e.node != nil:
		return e.declared(s.name)
	case s.index >= 0:
		return e.element(s.index)
	}
	return e.member(s.name)
}

// is notes the type of a value that was reached.
func (e *evaluation) is(t schema.Type) { e.typ, e.whole, e.ofType = t, t, false }

// declared goes from a node to what is declared in it.
func (e *evaluation) declared(name string) error {
	if id, ok := e.node.Child(name); ok {
		n, ok := e.reg.Node(id)
		switch {
		case !ok:
			return fmt.Errorf("the node of %q is missing", name)
		case n.Const != nil:
			e.node, e.value = nil, n.Const.Value
			e.is(n.Const.Type)
		default:
			e.node = n
		}
		return nil
	}
	if e.node.Struct == nil {
		return fmt.Errorf("nothing in %s is named %q", e.node.DisplayName, name)
	}
	e.is(schema.Type{Kind: schema.StructType, ID: e.node.ID})
	e.value = schema.Value{Kind: schema.StructType}
	e.node, e.ofType = nil, true
	return e.member(name)
}

// element goes from a list to an element of it.
func (e *evaluation) element(i int) error {
	if e.typ.Kind != schema.ListType {
		return fmt.Errorf("[%d] of a value of type %s, which is no list", i, e.reg.TypeName(e.typ))
	}
	l := e.value.Ptr.List()
	if i >= l.Len() {
		return fmt.Errorf("[%d] of a list of %d elements", i, l.Len())
	}
	e.is(*e.typ.Elem)
	var err error
	switch {
	case e.typ.Kind == schema.StructType:
		e.value, err = schema.NewValue(schema.StructType, func(p segment.PtrBuilder) { p.SetStruct(l.Structs().At(i)) })
	case e.typ.Kind.IsPointer():
		e.value = schema.Value{Kind: e.typ.Kind, Ptr: l.Ptrs().At(i)}
	case e.typ.Kind == schema.Bool:
		e.value = schema.Value{Kind: schema.Bool, Bits: bit(l.Bools().At(i))}
	case e.typ.Kind == schema.Void:
		e.value = schema.Value{Kind: schema.Void}
	default:
		e.value = scalar(l.Structs().At(i), schema.Field{Type: e.typ})
	}
	return err
}

// member goes from a struct to a field of it.
func (e *evaluation) member(name string) error {
	if e.typ.Kind != schema.StructType {
		return fmt.Errorf(".%s of a value of type %s, which is no struct", name, e.reg.TypeName(e.typ))
	}
	n, ok := e.reg.Node(e.typ.ID)
	if !ok {
		return fmt.Errorf("the node of struct %v is missing", e.typ.ID)
	}
	f := n.Field(name)
	if f == nil {
		return fmt.Errorf("%s has no field %q", n.DisplayName, name)
	}
	s := e.value.Ptr.Struct()
	if f.InUnion() && !e.ofType && s.Uint16(2*n.Struct.DiscriminantOffset) != f.Discriminant {
		return fmt.Errorf("%q is not the member of the union that is set", name)
	}
	switch {
	case f.IsGroup():
		e.typ.ID = f.Group // in the same struct
		return nil
	case f.Type.Kind.IsPointer():
		e.value = schema.Value{Kind: f.Type.Kind, Ptr: s.Ptr(uint16(f.Offset))}
		if e.value.Ptr.IsNull() {
			e.value = f.Default
		}
	default:
		e.value = scalar(s, *f)
	}
	e.is(f.Type.Bind(e.typ.Brand))
	return nil
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// scalar reads a field of the data section.
func scalar(s segment.Struct, f schema.Field) schema.Value {
	v := schema.Value{Kind: f.Type.Kind}
	switch f.Type.Kind {
	case schema.Bool:
		v.Bits = bit(s.Bool(f.Offset))
	case schema.Int8:
		v.Bits = uint64(int64(s.Int8(f.Offset)))
	case schema.Uint8:
		v.Bits = uint64(s.Uint8(f.Offset))
	case schema.Int16:
		v.Bits = uint64(int64(s.Int16(2 * f.Offset)))
	case schema.Uint16, schema.EnumType:
		v.Bits = uint64(s.Uint16(2 * f.Offset))
	case schema.Int32:
		v.Bits = uint64(int64(s.Int32(4 * f.Offset)))
	case schema.Uint32, schema.Float32:
		v.Bits = uint64(s.Uint32(4 * f.Offset))
	case schema.Int64, schema.Uint64, schema.Float64:
		v.Bits = s.Uint64(8 * f.Offset)
	}
	v.Bits ^= f.Default.Bits
	return v
}
