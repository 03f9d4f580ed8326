package compile_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/schema/compile"
)

var (
	numSchemas = flag.Int("schemas", 60, "how many random schemas are compared with the tool's")
	schemaSeed = flag.Uint64("schemaseed", 0, "the seed of the random schemas; 0 takes a new one")
)

func TestSameAsToolOnRandomSchemas(t *testing.T) {
	tool(t)
	seed := *schemaSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	const batch = 40 // files for one run of the tool
	for first := 0; first < *numSchemas; first += batch {
		randomBatch(t, seed+uint64(first), min(batch, *numSchemas-first))
		if t.Failed() {
			t.Fatalf("with -schemaseed=%d -schemas=%d", seed+uint64(first), batch)
		}
	}
}

func randomBatch(t *testing.T, seed uint64, n int) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 1))
	var names []string
	sources := make(map[string]string)
	var others []*genFile
	for i := range n {
		name := fmt.Sprintf("f%d.capnp", i)
		f := newGenFile(r, name, others)
		others = append(others, f)
		names = append(names, name)
		sources[name] = f.String()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(sources[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	theirs, err := toolRequest(t, dir, names...)
	if err != nil {
		t.Errorf("the tool refuses a random schema: %v\n%s", err, sources[mentioned(err, names)])
		return
	}
	defer theirs.Release()
	req, err := compile.Files(names, compile.Options{FS: os.DirFS(dir)})
	if err != nil {
		t.Errorf("we refuse a random schema: %v\n%s", err, sources[mentioned(err, names)])
		return
	}
	ours := built(t, req)
	defer ours.Release()
	for i, d := range differences(t, theirs, ours) {
		if i == 0 {
			t.Log(sources[mentioned(fmt.Errorf("%s", d), names)])
		}
		t.Error(d)
	}
}

// mentioned gives the first of the files that an error speaks of.
func mentioned(err error, names []string) string {
	best, at := "", math.MaxInt
	for _, n := range names {
		if i := strings.Index(err.Error(), n+":"); i >= 0 && i < at {
			best, at = n, i
		}
	}
	return best
}

// genFile is a random schema.
type genFile struct {
	r      *rand.Rand
	name   string
	root   *genDecl
	others []*genFile
	serial int
	b      strings.Builder
}

// genDecl is a declaration with a scope: the file, a struct, an enum or an
// interface.
type genDecl struct {
	file     *genFile
	kind     string // file, struct, enum, interface
	name     string
	parent   *genDecl
	params   []string
	children []*genDecl
	members  []*genMember // of a struct
	values   []string     // of an enum
	aliases  []genAlias
	consts   []genConst
	notes    []genNote
}

type genMember struct {
	kind    string // field, group, union
	name    string // empty for an unnamed union
	typ     genType
	ordinal int // -1: none
	members []*genMember
	value   string
}

// genType is a type, as text and as far as values of it have to know.
type genType struct {
	text string
	kind string // as in the language, or enum, struct, interface, param, other
	elem *genType
	decl *genDecl
	env  map[string]genType // what the parameters of decl are bound to
}

type genAlias struct {
	name string
	typ  genType
}

type genConst struct {
	name  string
	typ   genType
	value string
}

type genNote struct {
	name string
	typ  genType
}

func newGenFile(r *rand.Rand, name string, others []*genFile) *genFile {
	f := &genFile{r: r, name: name, others: others}
	f.root = &genDecl{file: f, kind: "file"}
	for range 2 + r.IntN(5) {
		f.declare(f.root, 0)
	}
	f.each(f.root, f.types)
	f.each(f.root, f.fill)
	f.print()
	return f
}

func (f *genFile) String() string { return f.b.String() }

func (f *genFile) chance(n int) bool { return f.r.IntN(n) == 0 }

func (f *genFile) fresh(prefix string) string {
	f.serial++
	return prefix + strconv.Itoa(f.serial)
}

// each calls do for d and all that is declared in it.
func (f *genFile) each(d *genDecl, do func(*genDecl)) {
	do(d)
	for _, c := range d.children {
		f.each(c, do)
	}
}

// declare adds a declaration to d, with more in it.
func (f *genFile) declare(d *genDecl, depth int) {
	c := &genDecl{file: f, parent: d, kind: []string{"struct", "struct", "struct", "enum", "interface"}[f.r.IntN(5)]}
	c.name = f.fresh(map[string]string{"struct": "S", "enum": "E", "interface": "I"}[c.kind])
	d.children = append(d.children, c)
	if c.kind == "enum" {
		for range 1 + f.r.IntN(6) {
			c.values = append(c.values, f.fresh("v"))
		}
		return
	}
	for range []int{0, 0, 0, 1, 2, 3}[f.r.IntN(6)] {
		c.params = append(c.params, f.fresh("P"))
	}
	if depth < 3 {
		for range f.r.IntN(3) {
			f.declare(c, depth+1)
		}
	}
}

// types adds aliases, which types may use, to d.
func (f *genFile) types(d *genDecl) {
	if d.kind == "enum" {
		return
	}
	for range f.r.IntN(3) {
		if f.chance(3) {
			d.aliases = append(d.aliases, genAlias{f.fresh("Alias"), f.ref(d, f.pick(), 2)})
		}
	}
	for range f.r.IntN(2) {
		t := f.typ(d, 2)
		if t.kind != "param" {
			d.notes = append(d.notes, genNote{f.fresh("note"), t})
		}
	}
}

// fill adds fields and constants to d.
func (f *genFile) fill(d *genDecl) {
	switch d.kind {
	case "enum", "interface":
		return
	case "struct":
		d.members = f.fields(d, 0, 7)
		f.number(d)
	}
	for range f.r.IntN(3) {
		t := f.typ(d, 2)
		if v, ok := f.value(t, 3); ok {
			d.consts = append(d.consts, genConst{f.fresh("c"), t, v})
		}
	}
}

// fields makes members of a struct, a group or a union.
func (f *genFile) fields(d *genDecl, depth, most int) []*genMember {
	var out []*genMember
	unnamed := false
	for range f.r.IntN(most + 1) {
		m := &genMember{kind: "field", name: f.fresh("f"), ordinal: -1}
		switch {
		case depth < 4 && f.chance(6):
			m.kind, m.members = "group", f.atLeast(d, depth, 1)
		case depth < 4 && f.chance(5):
			m.kind, m.members = "union", f.atLeast(d, depth, 2)
			if depth >= 0 && !unnamed && f.chance(2) {
				m.name, unnamed = "", true
			}
		default:
			m.typ = f.typ(d, 3)
		}
		out = append(out, m)
	}
	return out
}

func (f *genFile) atLeast(d *genDecl, depth, n int) []*genMember {
	for {
		out := f.fields(d, depth+1, 5)
		if n == 2 { // a union has no unnamed one directly in it
			for _, m := range out {
				if m.name == "" {
					m.name = f.fresh("f")
				}
			}
		}
		if len(out) >= n {
			return out
		}
	}
}

// number gives the fields of a struct their ordinals.
func (f *genFile) number(d *genDecl) {
	var all []*genMember
	var walk func(list []*genMember)
	walk = func(list []*genMember) {
		for _, m := range list {
			if m.kind == "field" || m.kind == "union" && m.name != "" && f.chance(6) {
				m.ordinal = 0
				all = append(all, m)
			}
			walk(m.members)
		}
	}
	walk(d.members)
	order := f.r.Perm(len(all))
	if f.chance(3) {
		for i := range order {
			order[i] = i
		}
	}
	for i, m := range all {
		m.ordinal = order[i]
	}
	// A union's number comes before those of its members.
	var lowest func(m *genMember) *genMember
	lowest = func(m *genMember) *genMember {
		best := m
		for _, c := range m.members {
			if l := lowest(c); l.ordinal >= 0 && (best.ordinal < 0 || l.ordinal < best.ordinal) {
				best = l
			}
		}
		return best
	}
	for _, m := range all {
		if m.kind == "union" {
			l := lowest(m)
			m.ordinal, l.ordinal = l.ordinal, m.ordinal
		}
	}
	f.defaults(d.members)
}

func (f *genFile) defaults(list []*genMember) {
	for _, m := range list {
		if m.kind == "field" && f.chance(3) {
			m.value, _ = f.value(m.typ, 3)
		}
		f.defaults(m.members)
	}
}

var genPrimitives = []string{
	"Void", "Bool", "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Text", "Data",
}

// typ makes a type to be used in d.
func (f *genFile) typ(d *genDecl, depth int) genType {
	switch n := f.r.IntN(20); {
	case n < 11:
		k := genPrimitives[f.r.IntN(len(genPrimitives))]
		return genType{text: k, kind: k}
	case n == 11:
		k := []string{"AnyPointer", "AnyStruct", "AnyList", "Capability"}[f.r.IntN(4)]
		return genType{text: k, kind: "other"}
	case n < 15 && depth > 0:
		e := f.typ(d, depth-1)
		for e.kind == "param" || e.text == "AnyPointer" || e.text == "AnyStruct" {
			e = f.typ(d, depth-1)
		}
		return genType{text: "List(" + e.text + ")", kind: "List", elem: &e}
	case n == 15:
		for s := d; s != nil; s = s.parent {
			if len(s.params) > 0 && f.chance(2) {
				p := s.params[f.r.IntN(len(s.params))]
				return genType{text: p, kind: "param"}
			}
		}
	case n == 16:
		for s := d; s != nil; s = s.parent {
			if len(s.aliases) > 0 {
				a := s.aliases[f.r.IntN(len(s.aliases))]
				t := a.typ
				t.text = a.name
				if t.decl != nil && t.decl.kind != "enum" {
					t.kind = "other" // what it is bound to depends on where it is used
				}
				return t
			}
		}
	}
	return f.ref(d, f.pick(), depth)
}

// pick chooses a declaration of this file, sometimes of another one.
func (f *genFile) pick() *genDecl {
	from := f
	if len(f.others) > 0 && f.chance(8) {
		from = f.others[f.r.IntN(len(f.others))]
	}
	var all []*genDecl
	from.each(from.root, func(d *genDecl) {
		if d.kind != "file" {
			all = append(all, d)
		}
	})
	return all[f.r.IntN(len(all))]
}

// ref names target for use in d.
func (f *genFile) ref(d, target *genDecl, depth int) genType {
	t := genType{kind: target.kind, decl: target, env: make(map[string]genType)}
	var path []*genDecl
	for p := target; p.kind != "file"; p = p.parent {
		path = append([]*genDecl{p}, path...)
	}
	if target.file != f {
		t.text = "import \"" + target.file.name + "\"."
		if f.chance(2) {
			t.text = "import \"./x/../" + target.file.name + "\"."
		}
	} else if f.chance(3) {
		t.text = " ." // ":." would be one operator
	} else {
		// From the innermost scope that has both.
		for s := d; s != nil && s.kind != "file"; s = s.parent {
			if i := indexOf(path, s); i >= 0 && i < len(path)-1 && f.chance(2) {
				path = path[i+1:]
				break
			}
		}
	}
	bind := depth > 0 && !f.chance(3)
	for i, p := range path {
		if i > 0 {
			t.text += "."
		}
		t.text += p.name
		if len(p.params) == 0 || !bind {
			continue
		}
		args := make([]string, len(p.params))
		for j := range args {
			a := f.ptrType(d, depth-1)
			args[j] = a.text
			t.env[p.params[j]] = a
		}
		t.text += "(" + strings.Join(args, ", ") + ")"
	}
	return t
}

func indexOf(list []*genDecl, d *genDecl) int {
	for i, x := range list {
		if x == d {
			return i
		}
	}
	return -1
}

// ptrType makes a type that may be the argument of a generic.
func (f *genFile) ptrType(d *genDecl, depth int) genType {
	for {
		t := f.typ(d, depth)
		switch t.kind {
		case "List":
			// The tool forgets which kind of AnyPointer an argument is a list of.
			if bottom(t).kind != "other" {
				return t
			}
		case "Text", "Data", "struct", "interface", "param":
			return t
		}
		if f.chance(10) {
			return genType{text: "AnyPointer", kind: "other"}
		}
	}
}

// value makes a value of a type; ok is false if there is none to write.
func (f *genFile) value(t genType, depth int) (v string, ok bool) {
	integer := func(bits uint, signed bool) string {
		n := f.r.Uint64() >> (64 - 1 - f.r.UintN(bits))
		if signed {
			n >>= 1
		}
		text := strconv.FormatUint(n, 10)
		switch f.r.IntN(4) {
		case 0:
			text = "0x" + strconv.FormatUint(n, 16)
		case 1:
			text = "0" + strconv.FormatUint(n, 8)
		}
		if signed && f.chance(2) {
			text = "-" + text
		}
		return text
	}
	float := func() string {
		switch f.r.IntN(8) {
		case 0:
			return "inf"
		case 1:
			return "-inf"
		case 2:
			return "nan"
		case 3:
			return integer(64, true)
		}
		return strconv.FormatFloat(f.r.NormFloat64()*math.Pow(10, float64(f.r.IntN(40)-20)), 'e', -1, 64)
	}
	switch t.kind {
	case "Void":
		return "void", true
	case "Bool":
		return []string{"true", "false"}[f.r.IntN(2)], true
	case "Int8", "Int16", "Int32", "Int64":
		bits, _ := strconv.Atoi(t.kind[3:])
		return integer(uint(bits), true), true
	case "UInt8", "UInt16", "UInt32", "UInt64":
		bits, _ := strconv.Atoi(t.kind[4:])
		return integer(uint(bits), false), true
	case "Float32", "Float64":
		return float(), true
	case "Text":
		return []string{`""`, `"text"`, `"esc\n\x7f\"\\"`, `"öß" "joined"`}[f.r.IntN(4)], true
	case "Data":
		return []string{`""`, `"text"`, `0x"00 01 ff"`}[f.r.IntN(3)], true
	case "enum":
		return t.decl.values[f.r.IntN(len(t.decl.values))], true
	case "List":
		if bottom(t).kind == "other" {
			return "", false // the tool crashes
		}
		if depth == 0 {
			return "[]", true
		}
		var items []string
		for range f.r.IntN(4) {
			item, ok := f.value(*t.elem, depth-1)
			if !ok {
				return "", false
			}
			items = append(items, item)
		}
		return "[" + strings.Join(items, ", ") + "]", true
	case "struct":
		if depth == 0 {
			return "()", true
		}
		return "(" + strings.Join(f.tuple(t.decl.members, t.env, depth, false), ", ") + ")", true
	}
	return "", false
}

// tuple makes values for some of the members of a struct, or for one of a
// union's.
func (f *genFile) tuple(members []*genMember, env map[string]genType, depth int, one bool) []string {
	var out []string
	for _, m := range members {
		if !f.chance(3) {
			continue
		}
		switch {
		case m.kind == "field":
			t := m.typ
			if t.kind == "param" {
				t = env[t.text]
			} else if dependsOnParams(t) {
				continue
			}
			if v, ok := f.value(t, depth-1); ok {
				out = append(out, m.name+" = "+v)
			}
		case m.name == "":
			out = append(out, f.tuple(m.members, env, depth, true)...)
		default:
			if inner := f.tuple(m.members, env, depth, m.kind == "union"); len(inner) > 0 {
				out = append(out, m.name+" = ("+strings.Join(inner, ", ")+")")
			}
		}
		if one && len(out) > 0 {
			break
		}
	}
	return out
}

// bottom gives the type of the elements of a list, or of the lists in it.
func bottom(t genType) genType {
	for t.elem != nil {
		t = *t.elem
	}
	return t
}

// dependsOnParams tells whether a type is bound to parameters of where it
// stands, whose values are not followed here.
func dependsOnParams(t genType) bool {
	if t.elem != nil {
		return dependsOnParams(*t.elem)
	}
	for _, a := range t.env {
		if a.kind == "param" || dependsOnParams(a) {
			return true
		}
	}
	return false
}
