// Package cpp holds the sources of the C++ contestants and compiles them
// against the installed libcapnp.
package cpp

import (
	"context"
	"crypto/sha256"
	_ "embed" // the sources are compiled at run time, wherever the program is run
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/schema"
)

//go:embed encoding.c++
var encodingSource []byte

// ErrMissing is the error of a machine that lacks what a C++ contestant needs.
var ErrMissing = errors.New("bench: C++ contestant cannot be built")

// lacking are the complaints of compiler and linker that say so. Any other is
// a fault of the sources.
var lacking = []string{"No such file or directory", "cannot find -l", "Version mismatch between generated code and library headers"}

// links are the ways to link against libcapnp, the fastest first: of the same
// library, linked statically, calls need no table.
var links = [][]string{
	{"-l:libcapnp.a", "-l:libkj.a", "-lpthread"},
	{"-lcapnp", "-lkj", "-lpthread"},
}

// flags are the compiler's. In the encoding suite -O3 was no faster than -O2 in
// any case.
var flags = []string{"-std=c++17", "-O2", "-DNDEBUG"}

// Program is a C++ program of one source file.
type Program struct {
	Name    string // what it is called in the cache
	Source  []byte
	Schemas map[string][]byte // by file name, such as bench.capnp, which the source includes as bench.capnp.h
	Flags   []string          // the compiler's, after those of all programs
	Links   [][]string        // the ways to link, the best first; nil for libcapnp alone
}

// Encoding compiles the encoding suite's program. See [Program.Build].
func Encoding(ctx context.Context) (string, error) {
	return Program{Name: "encoding", Source: encodingSource, Schemas: map[string][]byte{"bench.capnp": schema.Capnp}}.Build(ctx)
}

// Build compiles the program, unless one of the same sources and tools is at
// hand, and returns its path. If a tool or the library is missing the error
// matches [ErrMissing] and says which.
func (p Program) Build(ctx context.Context) (string, error) {
	if p.Links == nil {
		p.Links = links
	}
	key := sha256.New()
	key.Write(p.Source)
	for _, name := range p.schemaNames() {
		fmt.Fprintln(key, name)
		key.Write(p.Schemas[name])
	}
	fmt.Fprintln(key, flags, p.Flags, p.Links)
	for _, tool := range [][]string{{"g++", "-dumpfullversion"}, {"capnp", "--version"}} {
		path, err := exec.LookPath(tool[0])
		if err != nil {
			return "", fmt.Errorf("%w: %s is not installed", ErrMissing, tool[0])
		}
		version, err := exec.CommandContext(ctx, path, tool[1:]...).Output()
		if err != nil {
			return "", fmt.Errorf("%w: %s %s: %w", ErrMissing, tool[0], tool[1], err)
		}
		key.Write(version)
	}
	if _, err := exec.LookPath("capnpc-c++"); err != nil {
		return "", fmt.Errorf("%w: capnpc-c++ is not installed", ErrMissing)
	}
	cache, err := harness.CacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, fmt.Sprintf("%s-cpp-%.16x", p.Name, key.Sum(nil)))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	return program, p.compile(ctx, cache, program)
}

func (p Program) schemaNames() []string { return slices.Sorted(maps.Keys(p.Schemas)) }

// compile makes the program beside its final place and renames it, so that a
// run that is cut short leaves no half of it.
func (p Program) compile(ctx context.Context, cache, program string) error {
	dir, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	source := p.Name + ".c++"
	files := maps.Clone(p.Schemas)
	files[source] = p.Source
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	run := func(name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		for _, l := range lacking {
			if strings.Contains(string(out), l) {
				return fmt.Errorf("%w: %s: %w: %s", ErrMissing, name, err, complaint(string(out)))
			}
		}
		return fmt.Errorf("bench: %s: %w: %s", name, err, complaint(string(out)))
	}
	schemas := p.schemaNames()
	if err := run("capnp", append([]string{"compile", "-oc++"}, schemas...)...); err != nil {
		return err
	}
	inputs := slices.Concat(flags, p.Flags, []string{"-I.", "-o", "program", source})
	for _, name := range schemas {
		inputs = append(inputs, name+".c++")
	}
	for _, link := range p.Links {
		args := slices.Clone(inputs)
		if err = run("g++", append(args, link...)...); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "program"), program); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// complaint returns the line of a compiler's output that says what is wrong.
func complaint(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines {
		if strings.Contains(line, "error") || strings.Contains(line, "cannot find") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[0])
}
