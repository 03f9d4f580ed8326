package zmqbench

import (
	"context"
	"crypto/sha256"
	_ "embed" // the C program is compiled at run time
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairlead-go/fairlead/bench/harness"
)

//go:embed libzmq/libzmq.c
var libzmqSource []byte

// errMissing is the error of a machine that lacks what the C program needs.
var errMissing = errors.New("zmqbench: libzmq's program cannot be built")

// lacking are the complaints of compiler and linker that say so. Any other is a
// fault of the source.
var lacking = []string{"No such file or directory", "cannot find -l"}

var libzmqArgs = []string{"-std=gnu11", "-O2", "-Wall", "-o", "program", "libzmq.c", "-lzmq", "-lpthread"}

// buildLibzmq compiles the worker on libzmq, unless one of the same source and
// compiler is at hand, and returns its path. If the compiler or the library is
// missing the error matches [errMissing].
func buildLibzmq(ctx context.Context) (string, error) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return "", fmt.Errorf("%w: gcc is not installed", errMissing)
	}
	version, err := exec.CommandContext(ctx, gcc, "-dumpfullversion").Output()
	if err != nil {
		return "", fmt.Errorf("%w: gcc -dumpfullversion: %w", errMissing, err)
	}
	key := sha256.New()
	key.Write(libzmqSource)
	fmt.Fprintln(key, libzmqArgs, string(version))
	cache, err := harness.CacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, fmt.Sprintf("libzmq-%.16x", key.Sum(nil)))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	// Beside its final place, and renamed, so that a run that is cut short
	// leaves no half of it.
	dir, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", fmt.Errorf("zmqbench: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "libzmq.c"), libzmqSource, 0o600); err != nil {
		return "", fmt.Errorf("zmqbench: %w", err)
	}
	cmd := exec.CommandContext(ctx, gcc, libzmqArgs...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		for _, l := range lacking {
			if strings.Contains(string(out), l) {
				return "", fmt.Errorf("%w: gcc: %w: %s", errMissing, err, first)
			}
		}
		return "", fmt.Errorf("zmqbench: gcc: %w: %s", err, first)
	}
	if err := os.Rename(filepath.Join(dir, "program"), program); err != nil {
		return "", fmt.Errorf("zmqbench: %w", err)
	}
	return program, nil
}
