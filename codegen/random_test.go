package codegen_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/codegen"
	"github.com/fairlead-go/fairlead/schema"
)

var (
	randomSchemas   = flag.Int("schemas", 40, "how many random schemas to generate code for")
	mutatedRequests = flag.Int("mutants", 300, "how many mutated requests to generate code for")
	vetSchemas      = flag.Int("vetted", 0, "how many random schemas to run go vet and staticcheck on the code of")
)

// words are what random names are made of: those that mean something in Go, in
// the generated code or to go vet, so that collisions are common.
var words = []string{
	"a", "b", "id", "url", "text", "which", "reader", "builder", "has", "set", "new", "root", "bytes", "at", "type", "func", "range", "string",
	"error", "len", "nil", "segment", "math", "strconv", "slices", "context", "rpc", "schema", "values", "names", "parse", "client", "server",
	"future", "call", "params", "results", "wait", "release", "retain", "group", "external", "readByte", "marshalJSON", "unwrap", "is", "format",
}

// source writes a random schema.
type source struct {
	*rand.Rand
	b     strings.Builder
	types []string // structs, enums and interfaces that are declared by their full names
	enums []string
	ifs   []string
}

// name gives a name that is not used yet, of up to two words.
func (s *source) name(used map[string]bool, upper bool) string {
	for {
		n := words[s.IntN(len(words))]
		if s.IntN(3) == 0 {
			w := words[s.IntN(len(words))]
			n += strings.ToUpper(w[:1]) + w[1:]
		}
		if upper {
			n = strings.ToUpper(n[:1]) + n[1:]
		}
		if !used[n] && n != "Text" { // which would hide the type
			used[n] = true
			return n
		}
	}
}

var plainTypes = []string{
	"Void", "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Text", "Data", "AnyPointer", "AnyStruct", "AnyList", "Capability",
}

// typ gives a random type and, sometimes, a default for it.
func (s *source) typ(depth int) (typ, def string) {
	switch k := s.IntN(10); {
	case k == 0 && depth < 3:
		t, _ := s.typ(depth + 1)
		if t == "AnyPointer" || t == "AnyStruct" {
			t = "Text"
		}
		if t == "Bool" && s.IntN(2) == 0 {
			return "List(Bool)", "[true, false]"
		}
		return "List(" + t + ")", ""
	case k == 1 && len(s.types) > 0:
		return s.types[s.IntN(len(s.types))], "()"
	case k == 2 && len(s.enums) > 0:
		return s.enums[s.IntN(len(s.enums))], "zero"
	case k == 3 && len(s.ifs) > 0:
		return s.ifs[s.IntN(len(s.ifs))], ""
	}
	t := plainTypes[s.IntN(len(plainTypes))]
	switch {
	case strings.HasPrefix(t, "Int"):
		return t, fmt.Sprint(s.IntN(256) - 128)
	case strings.HasPrefix(t, "UInt"):
		return t, fmt.Sprint(s.IntN(256))
	case strings.HasPrefix(t, "Float"):
		return t, []string{"1.5", "-inf", "nan", "-0.0", "1e10"}[s.IntN(5)]
	case t == "Bool":
		return t, "true"
	case t == "Text":
		return t, `"\"%s\n"`
	case t == "Data":
		return t, `0x"00 ff"`
	}
	return t, ""
}

func (s *source) field(used map[string]bool, ordinal *int) {
	typ, def := s.typ(0)
	if def != "" && s.IntN(2) == 0 {
		def = " = " + def
	} else {
		def = ""
	}
	fmt.Fprintf(&s.b, "%s @%d : %s%s;\n", s.name(used, false), *ordinal, typ, def)
	*ordinal++
}

// members writes the fields of a struct, a group or a union.
func (s *source) members(used map[string]bool, ordinal *int, depth, least int, union bool) {
	unnamed := union
	for range least + s.IntN(5) {
		switch k := s.IntN(8); {
		case k == 0 && depth < 3:
			fmt.Fprintf(&s.b, "%s :group {\n", s.name(used, false))
			s.members(map[string]bool{}, ordinal, depth+1, 1, false)
			s.b.WriteString("}\n")
		case k == 1 && depth < 3:
			fmt.Fprintf(&s.b, "%s :union {\n", s.name(used, false))
			s.members(map[string]bool{}, ordinal, depth+1, 2, true)
			s.b.WriteString("}\n")
		case k == 2 && depth < 3 && !unnamed:
			unnamed = true
			s.b.WriteString("union {\n")
			s.members(used, ordinal, depth+1, 2, true)
			s.b.WriteString("}\n")
		default:
			s.field(used, ordinal)
		}
	}
}

// declarations writes structs, enums, interfaces and constants.
func (s *source) declarations(scope string, used map[string]bool, depth int) {
	for range 1 + s.IntN(4) {
		name := s.name(used, true)
		full := scope + name // scope starts with the dot that means the file
		switch s.IntN(4) {
		case 0:
			s.enums = append(s.enums, full)
			fmt.Fprintf(&s.b, "enum %s { zero @0;", name)
			members := map[string]bool{"zero": true}
			for i := range s.IntN(5) {
				fmt.Fprintf(&s.b, " %s @%d;", s.name(members, false), i+1)
			}
			s.b.WriteString(" }\n")
		case 1:
			extends := ""
			if len(s.ifs) > 1 && s.IntN(2) == 0 {
				extends = " extends(" + s.ifs[s.IntN(len(s.ifs))] + ", " + s.ifs[s.IntN(len(s.ifs))] + ")"
			}
			s.ifs = append(s.ifs, full)
			fmt.Fprintf(&s.b, "interface %s%s {\n", name, extends)
			methods := map[string]bool{}
			for i := range s.IntN(4) {
				params, _ := s.typ(0)
				results, _ := s.typ(0)
				answer := "(" + s.name(map[string]bool{}, false) + " : " + results + ")"
				if s.IntN(4) == 0 {
					answer = "stream"
				}
				fmt.Fprintf(&s.b, "%s @%d (%s : %s) -> %s;\n", s.name(methods, false), i, s.name(map[string]bool{}, false), params, answer)
			}
			s.b.WriteString("}\n")
		case 2:
			if typ, def := s.typ(0); def != "" {
				fmt.Fprintf(&s.b, "const %s : %s = %s;\n", s.name(used, false), typ, def)
			}
		default:
			s.types = append(s.types, full)
			fmt.Fprintf(&s.b, "struct %s {\n# Doc of %s.\n", name, full)
			inside, ordinal := map[string]bool{}, 0
			s.members(inside, &ordinal, 0, 0, false)
			if depth < 2 {
				s.declarations(full+".", inside, depth+1)
			}
			s.b.WriteString("}\n")
		}
	}
}

// randomSchema gives the text of a schema without its id.
func randomSchema(seed uint64) string {
	s := &source{Rand: rand.New(rand.NewPCG(seed, 0))}
	s.declarations(".", map[string]bool{}, 0)
	return s.b.String()
}

// checker finds type errors in generated code.
type checker struct {
	files *token.FileSet
	from  types.Importer
}

// theChecker knows the packages that generated code imports, as the go command
// has compiled them.
func theChecker(t *testing.T) *checker {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("SKIPPED: there is no go command to ask for compiled packages")
	}
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}",
		"github.com/fairlead-go/fairlead/rpc", "context", "math", "slices", "strconv").Output()
	if err != nil {
		t.Fatal("go list:", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	fset := token.NewFileSet()
	return &checker{fset, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
}

func (c *checker) check(src string) error {
	f, err := parser.ParseFile(c.files, "generated.go", src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	conf := types.Config{Importer: c.from}
	_, err = conf.Check("generated", c.files, []*ast.File{f}, nil)
	return err
}

// The code of random schemas compiles and is formatted.
func TestRandomSchemas(t *testing.T) {
	c := theChecker(t)
	for seed := range uint64(*randomSchemas) {
		text := randomSchema(seed)
		src := generated(t, parsed(t, text), codegen.Options{})
		parse(t, src)
		if err := c.check(src); err != nil {
			t.Fatalf("schema %d: %v\n%s", seed, err, text)
		}
	}
}

// A request that is changed at random gives an error, or code that compiles.
func TestMutatedRequests(t *testing.T) {
	c := theChecker(t)
	good := 0
	for seed := range uint64(*mutatedRequests) {
		r := rand.New(rand.NewPCG(seed, 1))
		req := parsed(t, sample)
		for range 1 + r.IntN(3) {
			mutate(r, req)
		}
		src, err := codegen.Generate(req, req.Files[0].ID, codegen.Options{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "codegen: ") || strings.Contains(err.Error(), "does not parse") {
				t.Fatalf("mutant %d: %v", seed, err)
			}
			continue
		}
		good++
		if err := c.check(string(src)); err != nil {
			t.Fatalf("mutant %d: %v\n%s", seed, err, src)
		}
	}
	t.Logf("%d of %d mutants gave code", good, *mutatedRequests)
	if good == 0 || good == *mutatedRequests {
		t.Error("the mutants don't try both outcomes")
	}
}

// mutate changes something of a request.
func mutate(r *rand.Rand, req *schema.Request) {
	n := req.Nodes[r.IntN(len(req.Nodes))]
	other := req.Nodes[r.IntN(len(req.Nodes))]
	name := words[r.IntN(len(words))]
	kind := schema.TypeKind(r.IntN(20))
	switch {
	case r.IntN(6) == 0:
		n.Kind = schema.Kind(r.IntN(6))
	case r.IntN(6) == 0:
		n.ID = other.ID + schema.ID(r.IntN(2))
	case r.IntN(6) == 0:
		n.Scope = other.ID
	case r.IntN(4) == 0 && len(n.Nested) > 0:
		n.Nested[r.IntN(len(n.Nested))] = schema.Nested{Name: name, ID: other.ID}
	case n.Struct != nil && r.IntN(4) == 0:
		n.Struct.DataWords, n.Struct.Ptrs = uint16(r.IntN(4)), uint16(r.IntN(4))
	case n.Struct != nil && r.IntN(4) == 0:
		n.Struct.Discriminants, n.Struct.DiscriminantOffset = uint16(r.IntN(4)), uint32(r.IntN(4))
	case n.Struct != nil && len(n.Struct.Fields) > 0:
		f := &n.Struct.Fields[r.IntN(len(n.Struct.Fields))]
		switch r.IntN(8) {
		case 0:
			f.Name = name
		case 1:
			f.Group = other.ID
		case 2:
			f.Group = 0
		case 3:
			f.Type = schema.Type{Kind: kind, ID: other.ID, Elem: &schema.Type{Kind: schema.TypeKind(r.IntN(20)), ID: other.ID}}
		case 4:
			f.Offset = uint32(r.IntN(70))
		case 5:
			f.Discriminant = uint16(r.IntN(4))
		case 6:
			f.HasDefault = !f.HasDefault
		case 7:
			f.Default.Kind, f.Default.Bits, f.HasDefault = kind, r.Uint64(), true
		}
	case n.Enum != nil && len(n.Enum.Enumerants) > 0:
		n.Enum.Enumerants[r.IntN(len(n.Enum.Enumerants))].Name = name
	case n.Interface != nil:
		m := &n.Interface.Methods[0]
		switch r.IntN(4) {
		case 0:
			m.Name = name
		case 1:
			m.Params = other.ID
		case 2:
			m.Results = other.ID
		case 3:
			n.Interface.Extends = append(n.Interface.Extends, schema.Superclass{ID: other.ID})
		}
	case n.Const != nil:
		n.Const.Type.Kind, n.Const.Value.Kind = kind, kind
	}
}

// The code of random schemas passes go vet and staticcheck.
func TestVet(t *testing.T) {
	if *vetSchemas == 0 {
		t.Skip("see the flag -vetted")
	}
	if err := os.MkdirAll("testdata", 0o777); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("testdata", "vet")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var packages []string
	for seed := range uint64(*vetSchemas) {
		pkg := filepath.Join(dir, fmt.Sprintf("p%d", seed))
		if err := os.Mkdir(pkg, 0o777); err != nil {
			t.Fatal(err)
		}
		src := generated(t, parsed(t, randomSchema(seed)), codegen.Options{})
		if err := os.WriteFile(filepath.Join(pkg, "generated.go"), []byte(src), 0o666); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, "./"+filepath.ToSlash(pkg))
	}
	for _, tool := range [][]string{{"vet"}, {"tool", "-modfile=../tools/go.mod", "staticcheck"}} {
		if out, err := exec.Command("go", append(tool, packages...)...).CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", tool, err, out)
		}
	}
}
