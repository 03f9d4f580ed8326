package deps

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// File is one parsed Go file of the tree.
type File struct {
	Path      string // from the root of the module, with slashes
	Package   string // the folder, "." for the root
	Imports   []Import
	Lines     int
	Test      bool // *_test.go
	External  bool // a test in package x_test
	Generated bool

	fset *token.FileSet
	ast  *ast.File
}

// Import is one import of a file.
type Import struct {
	Path string
	Line int
}

// Load parses every Go file of the module at the root of fsys, whatever its
// build tags and platform. It leaves out what the go command leaves out:
// testdata, vendor, folders that start with "." or "_", and modules nested in
// this one.
func Load(fsys fs.FS) ([]*File, error) {
	var files []*File
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (skipped(d.Name()) || exists(fsys, path.Join(name, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasPrefix(d.Name(), "_") || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		f, err := load(fsys, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("deps: load: %w", err)
	}
	return files, nil
}

func skipped(dir string) bool {
	return dir == "testdata" || dir == "vendor" || strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_")
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

func load(fsys fs.FS, name string) (*File, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &File{
		Path:      name,
		Package:   path.Dir(name),
		Lines:     bytes.Count(src, []byte("\n")),
		Test:      strings.HasSuffix(name, "_test.go"),
		External:  strings.HasSuffix(tree.Name.Name, "_test"),
		Generated: ast.IsGenerated(tree),
		fset:      fset,
		ast:       tree,
	}
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		f.Imports = append(f.Imports, Import{Path: p, Line: fset.Position(spec.Pos()).Line})
	}
	return f, nil
}

// requires returns the module paths of a go.mod's require directives, each
// with its line, and the lines of the directives that have no place in the
// root: replace, tool and exclude.
func requires(mod []byte) (modules []Import, unwanted []Import) {
	block := ""
	for i, line := range strings.Split(string(mod), "\n") {
		line, _, _ = strings.Cut(line, "//")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case words[0] == ")":
			block = ""
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		}
		directive, rest := block, words
		if block == "" {
			directive, rest = words[0], words[1:]
		}
		if len(rest) == 0 {
			continue
		}
		at := Import{Path: strings.Trim(rest[0], `"`), Line: i + 1}
		switch directive {
		case "require":
			modules = append(modules, at)
		case "replace", "tool", "exclude":
			at.Path = directive + " " + at.Path
			unwanted = append(unwanted, at)
		}
	}
	return modules, unwanted
}
