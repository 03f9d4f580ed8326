package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
)

// files writes files into a new folder.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const pointSchema = `@0xe1f2a3b4c5d6e7f8;
struct Point { x @0 :Int32; y @1 :Int32; label @2 :Text = "here"; }
const origin :Point = (x = 0, y = 0);
`

func TestGen(t *testing.T) {
	dir := files(t, map[string]string{
		"point.capnp": pointSchema,
		"line.capnp":  "@0xe1f2a3b4c5d6e7f9; using P = import \"point.capnp\"; struct Line { from @0 :P.Point; to @1 :P.Point; }",
		"into/x":      "",
	})
	point, line := filepath.Join(dir, "point.capnp"), filepath.Join(dir, "line.capnp")
	out, err := execute("", "gen", "--package", "geometry", "--import", "point.capnp=example.com/point", point, line)
	if err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	if src := read(t, point+".go"); !strings.Contains(src, "\npackage geometry\n") || !strings.Contains(src, "func (s PointBuilder) SetX(") {
		t.Errorf("generated:\n%s", src)
	}
	if src := read(t, line+".go"); !strings.Contains(src, `"example.com/point"`) {
		t.Errorf("generated:\n%s", src)
	}
	want := read(t, point+".go")
	for _, tc := range []struct{ name, output, file string }{
		{"a folder", filepath.Join(dir, "into"), filepath.Join(dir, "into", "point.capnp.go")},
		{"a file", filepath.Join(dir, "other.go"), filepath.Join(dir, "other.go")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if out, err := execute("", "gen", "--package", "geometry", "-o", tc.output, point); err != nil || out != "" {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := read(t, tc.file); got != want {
				t.Errorf("generated:\n%s", got)
			}
		})
	}
	t.Run("standard output", func(t *testing.T) {
		if got, err := execute("", "gen", "--package", "geometry", "-o", "-", point); err != nil || got != want {
			t.Errorf("%v, generated:\n%s", err, got)
		}
	})
	t.Run("one of two is broken", func(t *testing.T) {
		dir := files(t, map[string]string{"a.capnp": pointSchema, "b.capnp": "@0xe1f2a3b4c5d6e7fa; struct B { x @0 :Missing; }"})
		out, err := execute("", "gen", filepath.Join(dir, "a.capnp"), filepath.Join(dir, "b.capnp"))
		if err == nil || !strings.Contains(out, "b.capnp:1:") || !strings.Contains(err.Error(), "1 error") {
			t.Errorf("%v\n%s", err, out)
		}
		if names := glob(t, filepath.Join(dir, "*")); len(names) != 2 {
			t.Errorf("left behind: %v", names)
		}
	})
}

func TestCompile(t *testing.T) {
	dir := files(t, map[string]string{"sub/point.capnp": pointSchema})
	out, err := execute("", "compile", "-o-", "--src-prefix="+filepath.Join(dir, "sub"), filepath.Join(dir, "sub", "point.capnp"))
	if err != nil {
		t.Fatal(err)
	}
	msg, _, err := framing.Unmarshal([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	if len(req.Files) != 1 || req.Files[0].Name != "point.capnp" || req.Version == [3]uint16{} {
		t.Errorf("files %+v, version %v", req.Files, req.Version)
	}
	if out, err := execute("", "compile", filepath.Join(dir, "sub", "point.capnp")); err != nil || out != "" {
		t.Errorf("a check: %v, %q", err, out)
	}
}

func TestSplitOutput(t *testing.T) {
	for _, tc := range [][3]string{
		{"go", "go", ""},
		{"c++:out", "c++", "out"},
		{"./plugin:/tmp/x", "./plugin", "/tmp/x"},
		{"c:/tools/plugin.exe:out", "c:/tools/plugin.exe", "out"},
		{`c:\tools\plugin.exe:d`, `c:\tools\plugin.exe`, "d"},
		{"-", "-", ""},
	} {
		if lang, dir := splitOutput(tc[0]); lang != tc[1] || dir != tc[2] {
			t.Errorf("splitOutput(%q) = %q, %q", tc[0], lang, dir)
		}
	}
}

func TestID(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		out, err := execute("", "id")
		if err != nil || !regexp.MustCompile(`^@0x[89a-f][0-9a-f]{15}\n$`).MatchString(out) || seen[out] {
			t.Fatalf("%v, %q", err, out)
		}
		seen[out] = true
	}
}

func TestFmt(t *testing.T) {
	const untidy = "@0xe1f2a3b4c5d6e7f8;struct A{x@0:Int32;}"
	tidy, err := execute(untidy, "fmt")
	if err != nil || tidy == untidy || !strings.Contains(tidy, "x @0 :Int32;") {
		t.Fatalf("%v, %q", err, tidy)
	}
	dir := files(t, map[string]string{"a.capnp": untidy, "b.capnp": tidy, "c.capnp": "struct {"})
	a, b, c := filepath.Join(dir, "a.capnp"), filepath.Join(dir, "b.capnp"), filepath.Join(dir, "c.capnp")
	if out, err := execute("", "fmt", a, b); err != nil || out != tidy+tidy {
		t.Errorf("%v, %q", err, out)
	}
	if out, err := execute("", "fmt", "-l", a, b); err != nil || out != a+"\n" {
		t.Errorf("-l: %v, %q", err, out)
	}
	out, err := execute("", "fmt", "-w", a, c, b)
	if err == nil || !strings.Contains(out, c+":1:") {
		t.Errorf("-w of what is broken: %v, %q", err, out)
	}
	if read(t, a) != tidy || read(t, b) != tidy || read(t, c) != "struct {" {
		t.Errorf("-w left %q, %q, %q", read(t, a), read(t, b), read(t, c))
	}
	if out, err := execute("struct {", "fmt"); err == nil || !strings.Contains(out, "<stdin>:1:") {
		t.Errorf("%v, %q", err, out)
	}
	if out, err := execute(strings.Repeat("#", maxSource+100), "fmt"); err == nil {
		t.Errorf("a schema that is too large: %d bytes", len(out))
	}
}

func TestCompat(t *testing.T) {
	dir := files(t, map[string]string{
		"old.capnp":     pointSchema,
		"same.capnp":    "# a comment\n" + pointSchema,
		"more.capnp":    strings.Replace(pointSchema, "}", "z @3 :Int32; }", 1),
		"renamed.capnp": strings.ReplaceAll(strings.Replace(pointSchema, "y @1", "why @1", 1), ", y =", ", why ="),
		"broken.capnp":  strings.Replace(pointSchema, "x @0 :Int32", "x @0 :Float64", 1),
		"other.capnp":   strings.Replace(pointSchema, "f8;", "f9;", 1),
	})
	for _, tc := range []struct {
		after string
		args  []string
		fails bool
		want  string
	}{
		{"same", nil, false, "^$"},
		{"more", nil, false, ""},
		{"more", []string{"--all"}, false, "z"},
		{"renamed", nil, false, "why"},
		{"broken", nil, true, "x"},
		{"other", nil, true, ""},
		{"missing", nil, true, ""},
	} {
		t.Run(tc.after, func(t *testing.T) {
			args := append([]string{"compat", filepath.Join(dir, "old.capnp"), filepath.Join(dir, tc.after+".capnp")}, tc.args...)
			out, err := execute("", args...)
			if (err != nil) != tc.fails || !regexp.MustCompile(tc.want).MatchString(out) {
				t.Errorf("error %v; want one: %v; %q in:\n%s", err, tc.fails, tc.want, out)
			}
		})
	}
}

func TestEval(t *testing.T) {
	// No id: this is a file of settings.
	dir := files(t, map[string]string{"settings.capnp": strings.SplitN(pointSchema, "\n", 2)[1] + "const there :Point = (x = 1);\n"})
	file := filepath.Join(dir, "settings.capnp")
	for _, tc := range []struct {
		args string
		want string
	}{
		{"there", "(x = 1, y = 0)\n"},
		{"there.x", "1\n"},
		{"there.label", "\"here\"\n"},
		{"Point.label", "\"here\"\n"},
		{"there -ojson --short", "{\"x\":1,\"y\":0}\n"},
		{"there.x -o json", "1\n"},
	} {
		args := append([]string{"eval", file}, strings.Fields(tc.args)...)
		if out, err := execute("", args...); err != nil || out != tc.want {
			t.Errorf("%s: %v, %q; want %q", tc.args, err, out, tc.want)
		}
	}
	framed, err := execute("", "eval", "-b", file, "there")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := execute("", "eval", "-p", file, "there")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := execute(packed, "convert", "packed:binary"); err != nil || out != framed {
		t.Errorf("%v, %q; want %q", err, out, framed)
	}
	// A field in a union has its default value, whichever member comes first.
	dir = files(t, map[string]string{"u.capnp": "struct U { union { a @0 :Int8; b @1 :Text = \"b\"; g :group { c @2 :Int16 = 9; } } }"})
	for path, want := range map[string]string{"U.b": "\"b\"\n", "U.g.c": "9\n", "U.g": "(c = 9)\n"} {
		if out, err := execute("", "eval", filepath.Join(dir, "u.capnp"), path); err != nil || out != want {
			t.Errorf("%s: %v, %q; want %q", path, err, out, want)
		}
	}
}

func TestConvertFiles(t *testing.T) {
	dir := files(t, map[string]string{"point.capnp": pointSchema, "out": "before"})
	file, out := filepath.Join(dir, "point.capnp"), filepath.Join(dir, "out")
	if said, err := execute("(x = 1) (x = 2)", "encode", "-o", out, file, "Point"); err != nil || said != "" {
		t.Fatalf("%v, %q", err, said)
	}
	encoded := read(t, out)
	if text, err := execute(encoded, "decode", "--short", file, "Point"); err != nil || text != "(x = 1, y = 0)\n(x = 2, y = 0)\n" {
		t.Errorf("%v, %q", err, text)
	}
	// A failure leaves the file alone, and nothing beside it.
	_, err := execute("(x = 3) (z = 4)", "encode", "-o", out, file, "Point")
	var at *convert.Error
	if !errors.As(err, &at) || at.Offset != 8 {
		t.Errorf("error %v; want one at byte 8", err)
	}
	if read(t, out) != encoded {
		t.Error("a failure changed the file")
	}
	if names := glob(t, filepath.Join(dir, "*")); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
	// Without -o what came before is written.
	if got, err := execute("(x = 1) (x = 2) (z = 3)", "encode", file, "Point"); err == nil || got != encoded {
		t.Errorf("%v, %q; want %q", err, got, encoded)
	}
}

func TestConvertWarns(t *testing.T) {
	// A root of more than 2048 words is possible, but hardly meant.
	const size = 2100
	words := make([]byte, 8*(2+size)) // a table and a root pointer before it
	binary.LittleEndian.PutUint32(words[4:], 1+size)
	binary.LittleEndian.PutUint16(words[12:], size)
	var out, say bytes.Buffer
	cmd := newCommand()
	cmd.SetArgs([]string{"convert", "binary:binary"})
	cmd.SetIn(bytes.NewReader(words))
	cmd.SetOut(&out)
	cmd.SetErr(&say)
	if err := cmd.Execute(); err != nil || out.Len() < len(words) || !strings.Contains(say.String(), "warning") {
		t.Errorf("%v, %d bytes, %q; want at least %d bytes, and a warning", err, out.Len(), say.String(), len(words))
	}
}

func TestCompletion(t *testing.T) {
	dir := files(t, map[string]string{"point.capnp": pointSchema + "enum E { a @0; } struct Outer { struct Inner {} }"})
	file := filepath.Join(dir, "point.capnp")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"decode", ""}, "capnp\n:8\n"},
		{[]string{"gen", ""}, "capnp\n:8\n"},
		{[]string{"decode", file, ""}, "Outer\nOuter.Inner\nPoint\n:4\n"},
		{[]string{"encode", file, "P"}, "Outer\nOuter.Inner\nPoint\n:4\n"},
		{[]string{"convert", "text:json", file, ""}, "Outer\nOuter.Inner\nPoint\n:4\n"},
		{[]string{"convert", "binary:te"}, "binary:binary\nbinary:packed\nbinary:flat\nbinary:flat-packed\nbinary:canonical\nbinary:text\nbinary:json\n:4\n"},
		{[]string{"convert", "bin"}, "binary:\npacked:\nflat:\nflat-packed:\ncanonical:\ntext:\njson:\n:6\n"},
		{[]string{"eval", file, ""}, "origin\n:4\n"},
		{[]string{"eval", "-o", ""}, "binary\npacked\nflat\nflat-packed\ncanonical\ntext\njson\n:4\n"},
		{[]string{"decode", filepath.Join(dir, "missing.capnp"), ""}, ":4\n"},
		{[]string{"decode", file, "Point", ""}, ":4\n"},
		{[]string{"recv", "zmq+tcp://127.0.0.1:1", ""}, "capnp\n:8\n"},
		{[]string{"send", "zmq+tcp://127.0.0.1:1", file, ""}, "Outer\nOuter.Inner\nPoint\n:4\n"},
		{[]string{"send", "--raw", "zmq+tcp://127.0.0.1:1", ""}, ":4\n"},
		{[]string{"recv", "-t", ""}, "pull\nsub\nrep\ndealer\nrouter\npair\nxsub\nxpub\n:4\n"},
		{[]string{"proxy", ""}, "xsub:xpub\nrouter:dealer\npull:push\n:4\n"},
	} {
		t.Run(strings.Join(tc.args[:1], " "), func(t *testing.T) {
			var out bytes.Buffer
			cmd := newCommand()
			cmd.SetArgs(append([]string{"__complete"}, tc.args...))
			cmd.SetOut(&out)
			cmd.SetErr(new(bytes.Buffer))
			if err := cmd.Execute(); err != nil || out.String() != tc.want {
				t.Errorf("%v: %v, %q; want %q", tc.args, err, out.String(), tc.want)
			}
		})
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, err := execute("", "completion", shell); err != nil || !strings.Contains(out, "fairlead") {
			t.Errorf("%s: %v, %d bytes", shell, err, len(out))
		}
	}
}

func TestVerbsMisused(t *testing.T) {
	dir := files(t, map[string]string{"point.capnp": pointSchema})
	file := filepath.Join(dir, "point.capnp")
	for _, args := range [][]string{
		{"gen"},
		{"gen", "--import", "x", file},
		{"gen", "-o", file, file, file},
		{"compile"},
		{"compile", "-o", "c++:" + file, file},
		{"compile", "-I", filepath.Join(dir, "missing"), file},
		{"id", "x"},
		{"fmt", "-w"},
		{"compat", file},
		{"convert"},
		{"convert", "binary"},
		{"convert", "binary:xml"},
		{"convert", "binary:text"},
		{"convert", "binary:text", file},
		{"convert", "binary:packed", "--segment-size=-1"},
		{"decode", file},
		{"encode", "--short", file, "Point"},
		{"eval", file},
		{"eval", "-oxml", file, "origin"},
		{"eval", "-b", "-p", file, "origin"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			_, err := execute("", args...)
			if code := report(new(bytes.Buffer), err, false); code != exitUsage {
				t.Errorf("exit status %d of %v; want %d", code, err, exitUsage)
			}
		})
	}
}
