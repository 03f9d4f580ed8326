package company

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// ErrMissing is the error of a machine that lacks what a program needs.
var ErrMissing = errors.New("company: program cannot be built")

// lacking are the complaints of compiler and linker that say so. Any other is a
// fault of the source.
var lacking = []string{"No such file or directory", "cannot find -l"}

// Program is a worker of one source file in C or C++.
type Program struct {
	File     string // the name of the source, such as peer.c
	Source   []byte
	Compiler string   // gcc or g++
	Args     []string // the compiler's, before the source
	Libs     []string // and behind it
}

// Build compiles the program, unless one of the same source and compiler is at
// hand, and returns its path. If the compiler or a library is missing the error
// matches [ErrMissing].
func (p Program) Build(ctx context.Context) (string, error) {
	compiler, err := exec.LookPath(p.Compiler)
	if err != nil {
		return "", fmt.Errorf("%w: %s is not installed", ErrMissing, p.Compiler)
	}
	version, err := exec.CommandContext(ctx, compiler, "-dumpfullversion").Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s -dumpfullversion: %w", ErrMissing, p.Compiler, err)
	}
	args := append([]string{"-o", "program"}, p.Args...)
	args = append(append(args, p.File), p.Libs...)
	key := sha256.New()
	key.Write(p.Source)
	fmt.Fprintln(key, args, string(version))
	cache, err := harness.CacheDir()
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(p.File, ".")
	program := filepath.Join(cache, fmt.Sprintf("%s-%.16x", name, key.Sum(nil)))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	// Beside its final place, and renamed, so that a run that is cut short
	// leaves no half of it.
	dir, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", fmt.Errorf("company: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, p.File), p.Source, 0o600); err != nil {
		return "", fmt.Errorf("company: %w", err)
	}
	cmd := exec.CommandContext(ctx, compiler, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		line := complaint(string(out))
		for _, l := range lacking {
			if strings.Contains(string(out), l) {
				return "", fmt.Errorf("%w: %s: %w: %s", ErrMissing, p.Compiler, err, line)
			}
		}
		return "", fmt.Errorf("company: %s: %w: %s", p.Compiler, err, line)
	}
	if err := os.Rename(filepath.Join(dir, "program"), program); err != nil {
		return "", fmt.Errorf("company: %w", err)
	}
	return program, nil
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
