// Package docs holds what is written about Fairlead beside its packages. Its
// tests run all Go code of these pages and of the README.
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const prelude = "testdata/prelude.go.txt"

// block is a fenced piece of code.
type block struct {
	lang string // all that stands behind the fence
	line int
	text string
}

func blocks(t *testing.T, page string) (out []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	open := false
	for i, line := range strings.SplitAfter(string(text), "\n") {
		switch lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case fence && !open:
			out, open = append(out, block{lang: lang, line: i + 1}), true
		case fence:
			open = false
		case open:
			out[len(out)-1].text += line
		}
	}
	if open {
		t.Fatalf("%s:%d: the block has no end", page, out[len(out)-1].line)
	}
	return out
}

// TestPages runs the snippets of each page, and compares what they print. A
// block that is marked as go is ours; that of another library has its name
// behind it.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			if page == "shared-memory.md" && runtime.GOOS != "linux" {
				t.Skip("SKIPPED: there is no shared memory here")
			}
			dir := t.TempDir()
			source, err := os.ReadFile(prelude)
			if err != nil {
				t.Fatal(err)
			}
			var code, calls bytes.Buffer
			code.Write(source)
			snippets := 0
			for _, b := range blocks(t, page) {
				switch b.lang {
				case "capnp":
					// The schema of the page, which is compiled by name and into Go.
					schema := filepath.Join(dir, "sensor.capnp")
					if err := os.WriteFile(schema, []byte(b.text), 0o600); err != nil {
						t.Fatal(err)
					}
					goRun(t, "./cmd/fairlead", "gen", "--package", "main", schema)
				case "go":
					// Where a compiler's error is to point.
					fmt.Fprintf(&code, "\n//line %s:%d\n", page, b.line)
					if declarations(b.text) {
						code.WriteString(b.text)
						continue
					}
					snippets++
					fmt.Fprintf(&code, "func snippet%d() error {\n//line %s:%d\n%s\nreturn nil\n}\n", snippets, page, b.line+1, b.text)
					first, _, _ := strings.Cut(b.text, "\n")
					fmt.Fprintf(&calls, "run(%q, snippet%d)\n", first, snippets)
				}
			}
			if snippets == 0 {
				t.Fatal("no snippets")
			}
			fmt.Fprintf(&code, "func main() {\ndir = os.Args[1]\n%s}\n", &calls)
			main := filepath.Join(dir, "main.go")
			if err := os.WriteFile(main, code.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{main}
			if _, err := os.Stat(filepath.Join(dir, "sensor.capnp.go")); err == nil {
				args = append(args, filepath.Join(dir, "sensor.capnp.go"))
			}
			got := strings.ReplaceAll(goRun(t, append(args, dir)...), dir+string(filepath.Separator), "")
			compare(t, filepath.Join("testdata", page+".txt"), got)
		})
	}
}

// TestReadme runs the programs of the README.
func TestReadme(t *testing.T) {
	var out strings.Builder
	for i, b := range blocks(t, "../README.md") {
		if b.lang != "go" {
			continue
		}
		main := filepath.Join(t.TempDir(), fmt.Sprintf("main%d.go", i))
		if err := os.WriteFile(main, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "== program at line %d\n%s", b.line, goRun(t, main))
	}
	compare(t, "testdata/README.md.txt", out.String())
}

var (
	link   = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	fenced = regexp.MustCompile("(?s)\n```.*?\n```\n")
)

// TestLinks looks whether the files are there that the pages link to.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md", "../CHANGELOG.md", "../CONTRIBUTING.md", "../RATIONALE.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(fenced.ReplaceAll(text, nil), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(string(m[1])))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// declarations tells whether a snippet belongs outside of functions.
func declarations(text string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, parser.SkipObjectResolution)
	return err == nil
}

// goRun runs a program in the module's root and gives what it prints.
func goRun(t *testing.T, args ...string) string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("SKIPPED: no go tool to run the snippets with")
	}
	run := exec.Command(tool, append([]string{"run"}, args...)...)
	run.Dir = ".."
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	return stdout.String()
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the snippets print\n%s\nwant\n%s", got, want)
	}
}
