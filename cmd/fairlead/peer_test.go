package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// What is left out of the comparison with the capnp tool, and why. Wherever else
// an output or the class of an exit status differs, a test fails.
//
//   - Strings with parentheses, braces, # or / in the text that is read: the tool
//     cuts its input at them as if they stood outside of strings.
//   - \u escapes with letters in JSON that is read: the tool misreads them.
//   - Capabilities, and List(AnyPointer): the tool ends with an exception.
//   - The tool goes on after a broken message, having written what it made of it.
//     Here nothing of it is written, and the exit status is the same.
//   - Messages that amplify beyond the limits, or are deeper than 1024: the tool
//     has no limits and goes on until it is killed.
//   - "eval S.f" of a field in a union that is not its first: the tool ends with
//     an exception; here it is the default value of the field.
//   - "eval -ojson" of what is no struct: the tool refuses it. And it leaves out
//     annotations, those of json.capnp too, which "convert" follows.
//   - Schemas with faults in parts that are not needed: the tool does not look at
//     those for convert and eval.
//   - "eval" of a schema without an id: the tool in its version 0.9.2 prints the
//     value and fails nevertheless, later ones don't.
//   - A flat message that ends within a word: the tool leaves out the rest, which
//     hides that something was cut.
//   - Empty input without --quiet, and text that is only comments: the tool ends
//     with an exception; here it is no message.
//   - "compile" without -o: the tool refuses it; here it checks the schemas.

var (
	values = flag.Int("values", 150, "how many random values to compare with the capnp tool")
	seed   = flag.Uint64("seed", 1, "seed of the random values")
)

// result is what a command printed to standard output, and whether it failed.
type result struct {
	out    []byte
	failed bool
	say    string
}

func ours(in []byte, args ...string) result {
	var out, say bytes.Buffer
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetIn(bytes.NewReader(in))
	cmd.SetOut(&out)
	cmd.SetErr(&say)
	err := cmd.ExecuteContext(context.Background())
	if err != nil {
		fmt.Fprintln(&say, err)
	}
	return result{out.Bytes(), err != nil, say.String()}
}

func theirs(t *testing.T, in []byte, args ...string) result {
	t.Helper()
	cmd := exec.Command("capnp", args...)
	cmd.Stdin = bytes.NewReader(in)
	var out, say bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &say
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.Bytes(), err != nil, say.String()}
}

// same runs both and reports where they differ. It gives the output.
func same(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	want, got := theirs(t, in, args...), ours(in, args...)
	if want.failed || got.failed || !bytes.Equal(want.out, got.out) {
		input := filepath.Join(os.TempDir(), "fairlead-difference")
		_ = os.WriteFile(input, in, 0o600)
		t.Fatalf("%v < %s\nfailed: we %v, the tool %v\nwe say %s\nthe tool says %s\n%s", args, input, got.failed, want.failed, cut(got.say), cut(want.say),
			difference(got.out, want.out))
	}
	return got.out
}

func cut(s string) string { return s[:min(len(s), 600)] }

// difference shows where got and want part.
func difference(got, want []byte) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-100)
	return fmt.Sprintf("at byte %d\n--- we\n%q\n--- the tool\n%q", i, got[from:min(len(got), i+100)], want[from:min(len(want), i+100)])
}

// A corpus is messages of one type.
type corpus struct {
	file, root string
	args       []string // more arguments
	msgs       []*segment.Message
	binary     []byte
	exact, any bool // see randval.Options
	noJSON     bool // a type that the tool can't make JSON of
}

func (c *corpus) release() {
	for _, m := range c.msgs {
		m.Release()
	}
}

// corpora makes random messages of the types of known and random schemas, in
// batches, until there are n.
func corpora(t *testing.T, n int, use func(*testing.T, *corpus)) {
	tool := randval.NewTool(t)
	r := rand.New(rand.NewPCG(*seed, 7))
	const batch = 50
	for left := n; left > 0; {
		name := []string{"kinds", "annotated", "random"}[r.IntN(3)]
		annotated := r.IntN(2) == 0
		text := randval.Schema(r, annotated)
		if name != "random" {
			var err error
			if text, err = randval.Source(name); err != nil {
				t.Fatal(err)
			}
			// A value of an enum without enumerants has no text that can be read.
			text = bytes.Replace(text, []byte("enum Empty {}"), []byte("enum Empty { none @0; }"), 1)
		}
		file := tool.Schema(t, name, text)
		req := tool.Compile(t, file)
		if req == nil {
			continue
		}
		reg := schema.NewRegistry()
		if err := reg.Add(req.Nodes...); err != nil {
			t.Fatal(err)
		}
		var roots []*schema.Node
		for _, n := range req.Nodes {
			if n.Scope == req.Files[0].ID && n.Kind == schema.KindStruct && !n.Generic && n.Struct.DataWords+n.Struct.Ptrs > 0 {
				roots = append(roots, n)
			}
		}
		root := roots[r.IntN(len(roots))]
		c := &corpus{file: file, root: root.Name(), args: []string{"--quiet"}}
		// The tool's JSON does not survive a generic type without end, and has none
		// of AnyPointer.
		c.noJSON = name == "random" && !annotated || opaque(root.Name())
		switch r.IntN(3) {
		case 0:
			c.any, c.noJSON = true, true
		case 1:
			c.exact = true
		}
		if r.IntN(2) == 0 {
			c.args = append(c.args, "--short")
		}
		if r.IntN(2) == 0 {
			c.args = append(c.args, fmt.Sprintf("--segment-size=%d", []int{7, 12, 30, 200, 3000}[r.IntN(5)]))
		}
		fill := randval.New(reg, r, randval.Options{Exact: c.exact, Any: c.any})
		for len(c.msgs) < min(left, batch) {
			m, err := fill.Message(root.ID)
			if err != nil {
				t.Fatal(err)
			}
			if hasCapability(m.Root()) {
				m.Release()
				continue
			}
			c.msgs = append(c.msgs, m)
		}
		c.binary = randval.Stream(t, c.msgs)
		left -= len(c.msgs)
		use(t, c)
		if t.Failed() {
			t.Logf("schema:\n%s", text)
		}
		c.release()
	}
}

func hasCapability(p segment.Ptr) bool {
	switch p.Kind() {
	case segment.KindCapability:
		return true
	case segment.KindStruct:
		s := p.Struct()
		for i := range s.Size().Ptrs {
			if hasCapability(s.Ptr(i)) {
				return true
			}
		}
	case segment.KindList:
		l := p.List()
		for i := range l.Len() {
			switch l.ElemSize() {
			case segment.Pointer:
				if hasCapability(l.Ptrs().At(i)) {
					return true
				}
			case segment.Composite:
				s := l.Structs().At(i)
				for k := range s.Size().Ptrs {
					if hasCapability(s.Ptr(k)) {
						return true
					}
				}
			}
		}
	}
	return false
}

// opaque tells of roots whose values have no text that can be read, or no JSON.
func opaque(root string) bool { return root == "Opaque" || root == "Values" || root == "All" }

// TestConvertLikeTool compares all pairs of formats.
func TestConvertLikeTool(t *testing.T) {
	compared := map[string]int{}
	turn := 0
	corpora(t, *values, func(t *testing.T, c *corpus) {
		for _, from := range convert.Formats {
			readable := c.exact && !opaque(c.root)
			if from.Format.NeedsType() && !readable || from.Format == convert.JSON && c.noJSON {
				continue
			}
			inputs := c.inputs(t, from.Format, turn)
			for _, to := range convert.Formats {
				if to.Format == convert.JSON && c.noJSON {
					continue
				}
				pair := string(from.Format) + ":" + string(to.Format)
				for _, in := range inputs {
					same(t, in, append([]string{"convert", pair, c.file, c.root}, c.args...)...)
				}
				compared[pair]++
			}
		}
		turn++
	})
	if pairs := len(convert.Formats) * len(convert.Formats); len(compared) != pairs {
		t.Errorf("%d pairs were compared, not %d: %v", len(compared), pairs, compared)
	}
}

// TestSegmentsLikeTool compares messages of more than a first segment, in
// segments of every size.
func TestSegmentsLikeTool(t *testing.T) {
	randval.NewTool(t)
	for _, n := range []int{1, 100, 9000, 40_000} {
		var in bytes.Buffer
		fmt.Fprintf(&in, `(fallback = (host = "%s"), servers = [`, strings.Repeat("x", n))
		for i := range 40 {
			fmt.Fprintf(&in, `(host = "%s", tls = (names = ["%s"]), weights = [[1, 2, 3], []]),`, strings.Repeat("y", i*n/40), strings.Repeat("z", i))
		}
		in.WriteString("])")
		for _, size := range []int{0, 1, 2, 3, 20, 100, 1000, 1025, 5000} {
			same(t, in.Bytes(), "encode", "testdata/config.capnp", "Config", fmt.Sprintf("--segment-size=%d", size))
		}
	}
}

// inputs gives the corpus in a format: a stream, or a few inputs of one message.
func (c *corpus) inputs(t *testing.T, f convert.Format, turn int) [][]byte {
	t.Helper()
	to := func(in []byte) []byte {
		r := theirs(t, in, "convert", "--quiet", "binary:"+string(f), c.file, c.root)
		if r.failed {
			t.Fatal(cut(r.say))
		}
		return r.out
	}
	switch f {
	case convert.Flat, convert.FlatPacked, convert.Canonical:
		one := turn % len(c.msgs)
		return [][]byte{to(randval.Stream(t, c.msgs[one:one+1]))}
	case convert.Text:
		return [][]byte{respell(to(c.binary), "()[]#")}
	case convert.JSON:
		return [][]byte{respell(to(c.binary), "{}[]#/")}
	}
	return [][]byte{to(c.binary)}
}

// respell changes strings of text or JSON to what the tool can read. See above.
func respell(text []byte, unreadable string) []byte {
	var b []byte
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inside = !inside
			b = append(b, c)
		case inside && c == '\\' && text[i+1] == 'u':
			b = append(b, "7777"...)
			i += 5
		case inside && c == '\\':
			b = append(b, c, text[i+1])
			i++
		case inside && strings.IndexByte(unreadable, c) >= 0:
			b = append(b, '7')
		default:
			b = append(b, c)
		}
	}
	return b
}

// TestEncodeDecodeLikeTool compares the verbs that convert stands for.
func TestEncodeDecodeLikeTool(t *testing.T) {
	corpora(t, *values, func(t *testing.T, c *corpus) {
		var segments, short []string
		for _, a := range c.args[1:] {
			if a == "--short" {
				short = []string{a}
			} else {
				segments = []string{a}
			}
		}
		for _, form := range [][]string{nil, {"-p"}} {
			args := append([]string{"decode", c.file, c.root}, append(short, form...)...)
			in := c.binary
			if form != nil {
				in = pack(t, c.msgs)
			}
			text := same(t, in, append(args, "--quiet")...)
			if !c.exact || opaque(c.root) {
				continue
			}
			encoded := same(t, respell(text, "()[]#"), append(append([]string{"encode", c.file, c.root}, segments...), form...)...)
			same(t, encoded, append(args, "--quiet")...)
		}
		flat := same(t, randval.Stream(t, c.msgs[:1]), "convert", "binary:flat", "--quiet")
		same(t, flat, "decode", "--quiet", "--flat", c.file, c.root)
		flat = same(t, randval.Stream(t, c.msgs[:1]), "convert", "binary:flat-packed", "--quiet")
		same(t, flat, "decode", "--quiet", "--flat", "--packed", c.file, c.root)
	})
}

func pack(t *testing.T, msgs []*segment.Message) (b []byte) {
	t.Helper()
	for _, m := range msgs {
		var err error
		if b, err = framing.Append(b, m, framing.Packed); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestEvalLikeTool compares all constants and default values of schemas, the
// parts that they have, and the elements of lists.
func TestEvalLikeTool(t *testing.T) {
	tool := randval.NewTool(t)
	var files []string
	for _, name := range []string{"kinds", "annotated"} {
		src, err := randval.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, tool.Schema(t, name, src))
	}
	more, err := filepath.Glob("../../schema/compile/testdata/same/*.capnp")
	if err != nil || len(more) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	files = append(files, "testdata/config.capnp")
	for _, file := range more {
		if tool.Compile(t, file) != nil { // else the tool refuses it
			files = append(files, file)
		}
	}
	n := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cmd := newCommand()
			cmd.SetErr(io.Discard)
			s, err := loadSchema(cmd, file, compile.Options{RandomIDs: true})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(*seed, 3))
			paths := valuePaths(s)
			r.Shuffle(len(paths), func(i, k int) { paths[i], paths[k] = paths[k], paths[i] })
			for _, p := range paths[:min(len(paths), *values/4)] {
				n++
				compareEval(t, r, s, file, p)
			}
		})
	}
	if n < 100 {
		t.Errorf("only %d values", n)
	}
}

func compareEval(t *testing.T, r *rand.Rand, s *loadedSchema, file, path string) {
	t.Helper()
	v, err := s.eval(path)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"eval", file, path}
	if r.IntN(2) == 0 {
		args = append(args, "--short")
	}
	if v.typ.Kind == schema.StructType && !strings.Contains(file, "annotated") {
		f := convert.Formats[r.IntN(len(convert.Formats))].Format
		if f != convert.JSON || jsonable(s.reg, v.typ, 3) {
			args = append(args, "-o"+string(f))
		}
	}
	same(t, nil, args...)
}

// readable tells whether the tool can read a value of a type.
func readable(t schema.Type) bool {
	if t.Kind == schema.ListType {
		return t.Elem.Kind != schema.AnyPointer && readable(*t.Elem)
	}
	return t.Kind != schema.InterfaceType
}

// jsonable tells whether a type has neither AnyPointers nor capabilities.
func jsonable(reg *schema.Registry, t schema.Type, depth int) bool {
	switch t.Kind {
	case schema.AnyPointer, schema.InterfaceType:
		return false
	case schema.ListType:
		return jsonable(reg, *t.Elem, depth)
	case schema.StructType:
		n, ok := reg.Node(t.ID)
		if !ok || depth == 0 {
			return false
		}
		for _, f := range n.Struct.Fields {
			if !f.IsGroup() && !jsonable(reg, f.Type.Bind(t.Brand), depth-1) {
				return false
			}
		}
	}
	return true
}

// valuePaths gives the paths of all values of a schema, to some depth.
func valuePaths(s *loadedSchema) (paths []string) {
	var inside func(path string, v *evaluation, depth int)
	inside = func(path string, v *evaluation, depth int) {
		if !readable(v.typ) {
			return
		}
		paths = append(paths, path)
		if depth == 0 {
			return
		}
		switch v.typ.Kind {
		case schema.ListType:
			for i := range min(3, v.value.Ptr.List().Len()) {
				p := fmt.Sprintf("%s[%d]", path, i)
				if e, err := s.eval(p); err == nil {
					inside(p, e, depth-1)
				}
			}
		case schema.StructType:
			n, _ := s.reg.Node(v.typ.ID)
			for _, f := range n.Struct.Fields {
				p := path + "." + f.Name
				if e, err := s.eval(p); err == nil && !(v.ofType && f.InUnion() && f.Discriminant > 0) {
					inside(p, e, depth-1)
				}
			}
		}
	}
	var visit func(n *schema.Node, prefix string)
	visit = func(n *schema.Node, prefix string) {
		if n.Struct != nil {
			for _, f := range n.Struct.Fields {
				p := prefix + f.Name
				if e, err := s.eval(p); err == nil && !(f.InUnion() && f.Discriminant > 0) {
					inside(p, e, 2)
				}
			}
		}
		for _, c := range n.Nested {
			child, ok := s.reg.Node(c.ID)
			switch {
			case !ok:
			case child.Const != nil:
				if e, err := s.eval(prefix + c.Name); err == nil {
					inside(prefix+c.Name, e, 3)
				}
			default:
				visit(child, prefix+c.Name+".")
			}
		}
	}
	visit(s.file, "")
	slices.Sort(paths)
	return slices.Compact(paths)
}

// TestFaultsLikeTool compares the classes of exit statuses of what makes no sense.
func TestFaultsLikeTool(t *testing.T) {
	randval.NewTool(t)
	const file = "testdata/config.capnp"
	whole := theirs(t, []byte(`(host = "a")(host = "b")`), "encode", file, "Server").out
	for _, tc := range []struct {
		name string
		in   []byte
		args []string
	}{
		{"no pair", nil, []string{"convert", "binary"}},
		{"no format", nil, []string{"convert", "binary:xml"}},
		{"no type", nil, []string{"convert", "binary:text"}},
		{"an unknown type", nil, []string{"decode", file, "Nothing"}},
		{"an enum", nil, []string{"decode", file, "Level"}},
		{"a list", nil, []string{"decode", file, "List(Server)"}},
		{"no file", nil, []string{"decode", "testdata/missing.capnp", "Server"}},
		{"cut", whole[:len(whole)-3], []string{"decode", file, "Server"}},
		{"cut in the table", whole[:3], []string{"decode", file, "Server"}},
		{"another format", []byte(`{"host": "a"}`), []string{"decode", file, "Server"}},
		{"not packed", whole, []string{"decode", "-p", file, "Server"}},
		{"packed", append([]byte{0x10, 1, 0x50}, 2, 2, 0, 0), []string{"decode", file, "Server"}},
		{"not canonical", whole[8 : len(whole)/2], []string{"convert", "canonical:binary"}},
		{"an unknown field", []byte(`(hots = "a")`), []string{"encode", file, "Server"}},
		{"a wrong type", []byte(`(host = 1)`), []string{"encode", file, "Server"}},
		{"out of range", []byte(`(port = 65536)`), []string{"encode", file, "Server"}},
		{"an open bracket", []byte(`(port = 1`), []string{"encode", file, "Server"}},
		{"a constant", []byte(`(port = .port)`), []string{"encode", file, "Server"}},
		{"JSON of a wrong type", []byte(`{"host": [1]}`), []string{"convert", "json:binary", file, "Server"}},
		{"an unknown name", nil, []string{"eval", file, "nothing"}},
		{"an index too large", nil, []string{"eval", file, "main.servers[9]"}},
		{"an element of a struct", nil, []string{"eval", file, "main[0]"}},
		{"a part of a number", nil, []string{"eval", file, "port.x"}},
		{"a struct type", nil, []string{"eval", file, "Server"}},
		{"binary of a number", nil, []string{"eval", "-b", file, "port"}},
		{"a union's other member", nil, []string{"eval", file, "main.servers[0].plain"}},
		{"a broken path", nil, []string{"eval", file, "main..x"}},
		{"the end of a path", nil, []string{"eval", file, "main."}},
		{"an open index", nil, []string{"eval", file, "main.servers[0"}},
		{"flags that exclude each other", nil, []string{"eval", "-b", "-p", file, "main"}},
		{"no plugin", nil, []string{"compile", "-o", "nothing-of-the-kind", file}},
		{"no folder", nil, []string{"compile", "-o-:testdata/missing", file}},
		{"no folder of imports", nil, []string{"compile", "-I", "testdata/missing", "-o-", file}},
		{"nothing", nil, []string{"convert", "--quiet", "binary:packed"}},
		{"comments", []byte("# before\n(port = 1)\n# after\n"), []string{"encode", file, "Server"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want, got := theirs(t, tc.in, tc.args...), ours(tc.in, tc.args...)
			if want.failed != got.failed {
				t.Errorf("failed: we %v, the tool %v\n%s\n%s", got.failed, want.failed, got.say, want.say)
			}
			if !bytes.HasPrefix(want.out, got.out) {
				t.Error(difference(got.out, want.out))
			}
		})
	}
}
