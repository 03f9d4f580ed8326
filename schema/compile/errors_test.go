package compile_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/schema/compile"
)

var update = flag.Bool("update", false, "write what comes out to testdata/errors.txt")

// badSchema is a case of testdata/errors.txt: a schema, what we say of it and,
// where that is something else, what the capnp tool says.
type badSchema struct {
	name, source string
	ours, tool   []string
	same         bool // the file does not have what the tool says
}

const errorsFile = "testdata/errors.txt"

func readBadSchemas(t *testing.T) (out []badSchema) {
	t.Helper()
	text, err := os.ReadFile(errorsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Split("\n"+string(text), "\n== ")[1:] {
		name, rest, _ := strings.Cut(s, "\n")
		source, said, _ := strings.Cut(rest, "\n-- ours\n")
		ours, tool, differs := strings.Cut(said, "\n-- tool\n")
		out = append(out, badSchema{name, strings.TrimSuffix(source, "\n") + "\n", lines(ours), lines(tool), !differs})
	}
	return out
}

func lines(s string) []string {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// randomID is the id that an error about a missing one proposes.
var randomID = regexp.MustCompile(`file: @0x[0-9a-f]{16};`)

// toolErrors gives what the tool says of a schema, without what it says of itself.
func toolErrors(t *testing.T, dir string) (out []string) {
	t.Helper()
	cmd := exec.Command(tool(t), "compile", "-o-", "bad.capnp")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	_ = cmd.Run() // an error is what is asked for
	for _, l := range lines(errs.String()) {
		if strings.HasPrefix(l, "stack:") {
			continue
		}
		out = append(out, randomID.ReplaceAllString(l, "file: @0x…;"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestErrors(t *testing.T) {
	cases := readBadSchemas(t)
	if len(cases) < 80 {
		t.Fatalf("%d bad schemas, want at least 80", len(cases))
	}
	_, err := exec.LookPath("capnp")
	haveTool := err == nil
	if !haveTool && os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatal("no capnp tool on this machine")
	}
	dir := t.TempDir()
	for i := range cases {
		c := &cases[i]
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "bad.capnp"), []byte(c.source), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := compile.Files([]string{"bad.capnp"}, compile.Options{FS: os.DirFS(dir)})
			var ours []string
			if err != nil {
				ours = lines(randomID.ReplaceAllString(err.Error(), "file: @0x…;"))
			}
			if *update {
				c.ours = ours
			}
			if !slices.Equal(ours, c.ours) {
				t.Errorf("we say\n\t%s\nwant\n\t%s", strings.Join(ours, "\n\t"), strings.Join(c.ours, "\n\t"))
			}
			if !haveTool {
				return
			}
			theirs := toolErrors(t, dir)
			if *update {
				c.tool = theirs
			}
			want := c.tool
			if c.same && !*update {
				want = slices.Sorted(slices.Values(c.ours))
			}
			if !slices.Equal(theirs, want) {
				t.Errorf("the tool says\n\t%s\nwant\n\t%s", strings.Join(theirs, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
	if *update && haveTool {
		writeBadSchemas(t, cases)
	}
}

const errorsHead = `Schemas with faults, and what is said of them: by us and, where that is not the
same, by capnp 0.9.2. Where they differ, ours says what was expected and found in
place of "Parse error.", reports a fault once and not again at each use of what is
broken, or finds one that the tool crashes on or does not notice. Two things are
no faults for us: an annotation that is put on itself, and a constant of its own
struct as a field's default.

`

func writeBadSchemas(t *testing.T, cases []badSchema) {
	var b strings.Builder
	b.WriteString(errorsHead)
	for _, c := range cases {
		b.WriteString("== " + c.name + "\n" + c.source + "\n-- ours\n" + strings.Join(c.ours, "\n") + "\n")
		if !slices.Equal(slices.Sorted(slices.Values(c.ours)), c.tool) {
			b.WriteString("\n-- tool\n" + strings.Join(c.tool, "\n") + "\n")
		}
	}
	if err := os.WriteFile(errorsFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
