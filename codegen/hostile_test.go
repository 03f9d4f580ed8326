package codegen_test

import (
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

const sample = `
struct S {
  a @0 :Text;
  g :group { b @1 :Int8 = 1; }
  union { c @2 :S; d @3 :E; h :group { f @4 :Data; k @5 :List(Int8); } }
  struct N { x @0 :Bool; }
}
enum E { one @0; two @1; }
interface I { call @0 (s :S) -> (i :I); }
const text :Text = "t";
const list :List(S) = [(a = "in a list")];
`

// node finds a node of a request by the end of its display name.
func node(t *testing.T, req *schema.Request, name string) *schema.Node {
	t.Helper()
	for _, n := range req.Nodes {
		if strings.HasSuffix(n.DisplayName, name) {
			return n
		}
	}
	t.Fatalf("no node %s", name)
	return nil
}

// What a request says and no compiler would is an error.
func TestHostileRequests(t *testing.T) {
	fields := func(t *testing.T, req *schema.Request) []schema.Field { return node(t, req, ":S").Struct.Fields }
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, req *schema.Request)
		want  string
	}{
		{"field name", func(t *testing.T, req *schema.Request) { fields(t, req)[0].Name = "a() {}; func init" }, "is not an identifier"},
		{"empty field name", func(t *testing.T, req *schema.Request) { fields(t, req)[0].Name = "" }, "is not an identifier"},
		{"long field name", func(t *testing.T, req *schema.Request) { fields(t, req)[0].Name = strings.Repeat("a", 300) }, "at most 255"},
		{"name outside ASCII", func(t *testing.T, req *schema.Request) { fields(t, req)[0].Name = "ä" }, "is not an identifier"},
		{"type name", func(t *testing.T, req *schema.Request) { node(t, req, "test.capnp").Nested[0].Name = "S\n" }, "is not an identifier"},
		{"enumerant name", func(t *testing.T, req *schema.Request) { node(t, req, ":E").Enum.Enumerants[0].Name = "one = 5" }, "is not an identifier"},
		{"method name", func(t *testing.T, req *schema.Request) { node(t, req, ":I").Interface.Methods[0].Name = "a-b" }, "is not an identifier"},
		{"offset", func(t *testing.T, req *schema.Request) { node(t, req, "S.g").Struct.Fields[0].Offset = 1 << 31 }, "is beyond"},
		{"pointer", func(t *testing.T, req *schema.Request) { fields(t, req)[0].Offset = 9 }, "is pointer 9 of"},
		{"discriminant offset", func(t *testing.T, req *schema.Request) { node(t, req, ":S").Struct.DiscriminantOffset = 1 << 31 }, "is beyond"},
		{"discriminant twice", func(t *testing.T, req *schema.Request) {
			for i := range fields(t, req) {
				if f := &fields(t, req)[i]; f.InUnion() {
					f.Discriminant = 0
				}
			}
		}, "twice or too large"},
		{"member missing", func(t *testing.T, req *schema.Request) { node(t, req, ":S").Struct.Discriminants = 4 }, "a union of 4 members has 3"},
		{"group is no group", func(t *testing.T, req *schema.Request) { fields(t, req)[1].Group = node(t, req, ":E").ID }, "which is none"},
		{"group of groups", func(t *testing.T, req *schema.Request) { fields(t, req)[1].Group = node(t, req, "S.h").ID }, "is declared twice"},
		{"group of itself", func(t *testing.T, req *schema.Request) {
			h := node(t, req, "S.h")
			h.Struct.Fields[0] = schema.Field{Name: "h", Group: h.ID, Discriminant: schema.NoDiscriminant}
		}, "is declared twice"},
		{"group missing", func(t *testing.T, req *schema.Request) { fields(t, req)[1].Group = 1 }, "which the request lacks"},
		{"type missing", func(t *testing.T, req *schema.Request) { node(t, req, "call$Params").Struct.Fields[0].Type.ID = 1 }, "the request has no struct @0x0000000000000001"},
		{"type of another kind", func(t *testing.T, req *schema.Request) {
			node(t, req, "call$Params").Struct.Fields[0].Type.ID = node(t, req, ":E").ID
		}, "the request has no struct"},
		{"unknown type", func(t *testing.T, req *schema.Request) { fields(t, req)[0].Type.Kind = 99 }, "has the unknown type 99"},
		{"list of nothing", func(t *testing.T, req *schema.Request) {
			fields(t, req)[0].Type = schema.Type{Kind: schema.ListType}
			fields(t, req)[0].HasDefault = false
		}, "a list without a type"},
		{"default of another type", func(t *testing.T, req *schema.Request) {
			f := &node(t, req, "S.g").Struct.Fields[0]
			f.Default.Kind = schema.Text
		}, "and its default of Text"},
		{"constant of another type", func(t *testing.T, req *schema.Request) { node(t, req, ":text").Const.Type.Kind = schema.Int8 }, "has a value of Text"},
		{"node inside itself", func(t *testing.T, req *schema.Request) {
			n := node(t, req, "S.N")
			n.Nested, n.Scope = append(n.Nested, schema.Nested{Name: "N", ID: n.ID}), n.ID
		}, "which it is not declared in"},
		{"node listed elsewhere", func(t *testing.T, req *schema.Request) {
			n := node(t, req, ":E")
			node(t, req, ":S").Nested = append(node(t, req, ":S").Nested, schema.Nested{Name: "E", ID: n.ID})
		}, "which it is not declared in"},
		{"node twice", func(t *testing.T, req *schema.Request) { req.Nodes = append(req.Nodes, req.Nodes[0]) }, "two nodes of the request"},
		{"half a node", func(t *testing.T, req *schema.Request) { node(t, req, ":S").Struct = nil }, "is not a whole struct"},
		{"results missing", func(t *testing.T, req *schema.Request) { node(t, req, ":I").Interface.Methods[0].Results = 5 }, "the request has no struct"},
		{"superclass missing", func(t *testing.T, req *schema.Request) {
			node(t, req, ":I").Interface.Extends = []schema.Superclass{{ID: 7}}
		}, "the request has no interface"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := parsed(t, sample)
			file := req.Files[0].ID
			if _, err := codegen.Generate(req, file, codegen.Options{}); err != nil {
				t.Fatal(err)
			}
			tc.spoil(t, req)
			src, err := codegen.Generate(req, file, codegen.Options{})
			if err == nil {
				t.Fatalf("no error, but\n%s", src)
			}
			if !strings.HasPrefix(err.Error(), "codegen: ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %q, want one with %q", err, tc.want)
			}
		})
	}
}

// Text from a schema stays in comments and strings, whatever it is.
func TestInjection(t *testing.T) {
	const evil = "*/ func init() { panic(1) }\n/*\r//go:embed x\n\x00\u2028`\"\\ \xff\n//line x:1"
	req := parsed(t, sample)
	for _, n := range req.Nodes {
		n.Doc = evil
		n.DisplayName += evil
		n.PrefixLen = 0
		if n.Struct != nil {
			for i := range n.Struct.Fields {
				n.Struct.Fields[i].Doc = evil
			}
		}
		if n.Enum != nil {
			for i := range n.Enum.Enumerants {
				n.Enum.Enumerants[i].Doc = evil
			}
		}
		if n.Interface != nil {
			n.Interface.Methods[0].Doc = evil
		}
		if n.Const != nil && n.Const.Type.Kind == schema.Text {
			v, err := schema.NewValue(schema.Text, func(p segment.PtrBuilder) { p.SetText(evil) })
			if err != nil {
				t.Fatal(err)
			}
			n.Const.Value = v
		}
	}
	src := generated(t, req, codegen.Options{})
	parse(t, src)
	for _, decl := range parse(t, src).Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "init" {
			t.Error("a comment became code")
		}
	}
	for line := range strings.Lines(src) {
		if strings.HasPrefix(line, "//go:") || strings.HasPrefix(line, "//line") {
			t.Errorf("a comment became the directive %q", line)
		}
	}
}

// parse parses generated code, which must be formatted and free of names
// declared twice.
func parse(t testing.TB, src string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "generated.go", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	if formatted, err := format.Source([]byte(src)); err != nil || string(formatted) != src {
		t.Fatalf("the code is not formatted: %v\n%s", err, src)
	}
	if err := declaredTwice(f); err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return f
}

// declaredTwice finds a name that a package or a type has twice.
func declaredTwice(f *ast.File) error {
	seen := map[string]bool{}
	add := func(name string) error {
		if seen[name] && name != "_" {
			return errors.New(name + " is declared twice")
		}
		seen[name] = true
		return nil
	}
	for _, imp := range f.Imports {
		if imp.Name != nil {
			if err := add(imp.Name.Name); err != nil {
				return err
			}
		}
	}
	for _, decl := range f.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			name := decl.Name.Name
			if decl.Recv != nil {
				name = decl.Recv.List[0].Type.(*ast.Ident).Name + "." + name
			}
			if err := add(name); err != nil {
				return err
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				var names []*ast.Ident
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = []*ast.Ident{spec.Name}
				case *ast.ValueSpec:
					names = spec.Names
				}
				for _, n := range names {
					if err := add(n.Name); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// Packages that can't be imported are errors, and what an annotation says is
// not written as it is.
func TestPackages(t *testing.T) {
	text := "using Go = import \"/go.capnp\";\n$Go.package(%q); $Go.import(%q);\nstruct S {}\n"
	for _, tc := range []struct {
		name, pkg, path string
		opt             codegen.Options
		want            string // the package's name, or what is in the error
	}{
		{"annotated", "some", "example.com/a/b", codegen.Options{}, "some"},
		{"by options", "some", "example.com/a/b", codegen.Options{Package: codegen.Package{Name: "other"}}, "other"},
		{"hostile name", "x; import \"os\"", "example.com/a", codegen.Options{}, "is not a name for a package"},
		{"keyword", "func", "example.com/a", codegen.Options{}, "is not a name for a package"},
		{"blank", "_", "example.com/a", codegen.Options{}, "is not a name for a package"},
		{"hostile path", "some", "a\"; import \"os", codegen.Options{}, "is not an import path"},
		{"path upward", "some", "a/../b", codegen.Options{}, "is not an import path"},
		{"cgo", "some", "C", codegen.Options{}, "is not an import path"},
		{"path with a space", "some", "a b", codegen.Options{}, "is not an import path"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := parsed(t, strings.Replace(strings.Replace(text, "%q", quoted(tc.pkg), 1), "%q", quoted(tc.path), 1))
			src, err := codegen.Generate(req, req.Files[0].ID, tc.opt)
			switch {
			case err != nil && !strings.Contains(err.Error(), tc.want):
				t.Errorf("the error is %q, want one with %q", err, tc.want)
			case err == nil && parse(t, string(src)).Name.Name != tc.want:
				t.Errorf("no error, but\n%s", src)
			}
		})
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// The names that clients can't use are those that they have from rpc.Client.
func TestClientMethods(t *testing.T) {
	typ := reflect.TypeFor[rpc.Client]()
	var text strings.Builder
	text.WriteString("interface I {\n")
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		text.WriteString(strings.ToLower(name[:1]) + name[1:] + " @" + string(rune('0'+i)) + " ();\n")
	}
	src := generated(t, parsed(t, text.String()+"}"), codegen.Options{})
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		if !strings.Contains(src, "func (c I) "+name+"_(") {
			t.Errorf("a method called %s hides that of rpc.Client", name)
		}
	}
}

// Whatever is read as a request gives an error, or code that parses.
func FuzzGenerate(f *testing.F) {
	for _, name := range schemas {
		packed, err := compiled(f, name).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(packed))
	}
	packed, err := func() (string, error) { return parsed(f, sample).Pack() }()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(packed))
	f.Fuzz(func(t *testing.T, packed []byte) {
		msg, err := framing.NewSliceDecoder(packed, framing.DecoderOptions{Format: framing.Packed}).Decode()
		if err != nil {
			return
		}
		defer msg.Release()
		req, err := schema.ReadRequest(msg)
		if err != nil {
			return
		}
		for _, file := range req.Files {
			src, err := codegen.Generate(req, file.ID, codegen.Options{})
			if err != nil {
				if !strings.HasPrefix(err.Error(), "codegen: ") || strings.Contains(err.Error(), "does not parse") {
					t.Fatal(err)
				}
				continue
			}
			parse(t, string(src))
		}
	})
}
