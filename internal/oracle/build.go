package oracle

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed peer testdata/test.capnp
var sources embed.FS

const buildTimeout = 5 * time.Minute

// errNoPeer marks a machine without the peer, as opposed to a peer that does
// not build.
var errNoPeer = errors.New("oracle: no peer on this machine")

// CapnpTool returns the path of the capnp tool, or an error that says what is
// missing.
func CapnpTool() (string, error) {
	path, err := exec.LookPath("capnp")
	if err != nil {
		return "", fmt.Errorf("%w: the capnp tool: %w", errNoPeer, err)
	}
	return path, nil
}

// compiler returns the C++ compiler: $CXX, else g++.
func compiler() (string, error) {
	name := os.Getenv("CXX")
	if name == "" {
		name = "g++"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: the C++ compiler: %w", errNoPeer, err)
	}
	return path, nil
}

// helper returns the path of the compiled peer and compiles it if need be.
// fallback is a folder to build in where the user has no cache.
func helper(fallback string) (path, version string, err error) {
	capnp, err := CapnpTool()
	if err != nil {
		return "", "", err
	}
	cxx, err := compiler()
	if err != nil {
		return "", "", err
	}
	if _, err := exec.LookPath("capnpc-c++"); err != nil {
		return "", "", fmt.Errorf("%w: the C++ plug-in of the capnp tool: %w", errNoPeer, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	probe := exec.CommandContext(ctx, cxx, "-std=c++17", "-E", "-x", "c++", "-")
	probe.Stdin = strings.NewReader("#include <capnp/message.h>\n")
	if err := probe.Run(); err != nil {
		return "", "", fmt.Errorf("%w: libcapnp's headers: %w", errNoPeer, err)
	}
	version, err = output(ctx, capnp, "--version")
	if err != nil {
		return "", "", err
	}
	cxxVersion, err := output(ctx, cxx, "--version")
	if err != nil {
		return "", "", err
	}

	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", version, cxxVersion)
	err = fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := sources.ReadFile(name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(body), body)
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("oracle: embedded source: %w", err)
	}
	key := hex.EncodeToString(sum.Sum(nil))[:24]

	root := fallback
	if cache, err := os.UserCacheDir(); err == nil {
		own := filepath.Join(cache, "fairlead-oracle")
		if os.MkdirAll(own, 0o700) == nil {
			root = own
		}
	}
	path = filepath.Join(root, key, "helper")
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, version, nil
	}
	if err := compile(ctx, capnp, cxx, root, filepath.Join(root, key)); err != nil {
		return "", "", err
	}
	return path, version, nil
}

// compile builds the peer beside dir and renames it into place, so that of two
// tests that start at once neither runs half a file.
func compile(ctx context.Context, capnp, cxx, root, dir string) error {
	work, err := os.MkdirTemp(root, "build-")
	if err != nil {
		return fmt.Errorf("oracle: %w", err)
	}
	defer os.RemoveAll(work)
	for _, name := range []string{
		"peer/helper.c++", "peer/dump.h", "peer/layout.h", "peer/recorder.h", "testdata/test.capnp",
	} {
		body, err := sources.ReadFile(name)
		if err != nil {
			return fmt.Errorf("oracle: embedded source: %w", err)
		}
		if err := os.WriteFile(filepath.Join(work, filepath.Base(name)), body, 0o600); err != nil {
			return fmt.Errorf("oracle: %w", err)
		}
	}
	steps := [][]string{
		{capnp, "compile", "-oc++:.", "test.capnp"},
		{cxx, "-std=c++17", "-O2", "-I.", "helper.c++", "test.capnp.c++", "-o", "helper", "-lcapnp-rpc", "-lcapnp", "-lkj-async", "-lkj"},
	}
	for _, step := range steps {
		cmd := exec.CommandContext(ctx, step[0], step[1:]...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("oracle: %s: %w\n%s", strings.Join(step, " "), err, out)
		}
	}
	if err := os.Rename(work, dir); err != nil {
		if _, other := os.Stat(filepath.Join(dir, "helper")); other == nil {
			return nil // another test was first
		}
		return fmt.Errorf("oracle: %w", err)
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("oracle: %s %s: %w", name, strings.Join(args, " "), err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first), nil
}
