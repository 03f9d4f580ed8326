package interop_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// errNoPeer marks a machine that can't build the peers.
var errNoPeer = errors.New("no C++ peer on this machine")

const buildTimeout = 5 * time.Minute

// programs is the folder with the compiled peers, once for the process.
var programs = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	cxx := os.Getenv("CXX")
	if cxx == "" {
		cxx = "g++"
	}
	sum := sha256.New()
	for _, tool := range [][]string{{"capnp", "--version"}, {cxx, "--version"}} {
		out, err := exec.CommandContext(ctx, tool[0], tool[1:]...).Output()
		if err != nil {
			return "", fmt.Errorf("%w: %s: %w", errNoPeer, tool[0], err)
		}
		sum.Write(out)
	}
	if _, err := exec.LookPath("capnpc-c++"); err != nil {
		return "", fmt.Errorf("%w: the C++ plug-in of the capnp tool: %w", errNoPeer, err)
	}
	probe := exec.CommandContext(ctx, cxx, "-std=c++17", "-E", "-x", "c++", "-")
	probe.Stdin = strings.NewReader("#include <capnp/rpc-twoparty.h>\n")
	if err := probe.Run(); err != nil {
		return "", fmt.Errorf("%w: the headers of libcapnp-rpc: %w", errNoPeer, err)
	}
	sources := []string{
		"testdata/interop.capnp", "testdata/lab.h", "testdata/server.c++", "testdata/client.c++",
		"testdata/named.capnp", "testdata/named.c++", "../sturdy/restorer.capnp",
		"testdata/files.c++",
	}
	for _, name := range sources {
		body, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(body), body)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	root := filepath.Join(cache, "fairlead-rpc-interop")
	dir := filepath.Join(root, hex.EncodeToString(sum.Sum(nil))[:24])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	// Built beside its place and renamed, so that of two tests that start at once
	// neither runs half a file.
	work, err := os.MkdirTemp(root, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	for _, name := range sources {
		body, err := os.ReadFile(filepath.FromSlash(name))
		if err == nil {
			err = os.WriteFile(filepath.Join(work, filepath.Base(name)), body, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	steps := [][]string{{"capnp", "compile", "-oc++:.", "interop.capnp", "restorer.capnp", "named.capnp"}}
	for _, p := range [][]string{
		{"server", "interop.capnp.c++"},
		{"client", "interop.capnp.c++"},
		{"named", "interop.capnp.c++", "restorer.capnp.c++", "named.capnp.c++"},
		{"files", "interop.capnp.c++"},
	} {
		step := append([]string{cxx, "-std=c++17", "-O2", "-I.", p[0] + ".c++"}, p[1:]...)
		steps = append(steps, append(step, "-o", p[0], "-lcapnp-rpc", "-lcapnp", "-lkj-async", "-lkj", "-lpthread"))
	}
	for _, step := range steps {
		cmd := exec.CommandContext(ctx, step[0], step[1:]...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(step, " "), err, out)
		}
	}
	if err := os.Rename(work, dir); err != nil {
		if _, other := os.Stat(dir); other != nil {
			return "", err
		}
	}
	return dir, nil
})

// peer gives the path of a C++ program, or skips the test.
func peer(t testing.TB, name string) string {
	t.Helper()
	dir, err := programs()
	if errors.Is(err, errNoPeer) && os.Getenv("FAIRLEAD_REQUIRE_PEERS") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// networks are those over which the peers meet.
var networks = []string{"unix", "tcp"}

// cppServer starts the C++ server, which ends with the test, and gives its address
// for net.Dial and a function that kills it.
func cppServer(t testing.TB, network string) (address string, kill func()) {
	t.Helper()
	return cppProgram(t, network, "server")
}

// cppProgram starts a C++ program that takes the address to serve at after its
// other arguments. See cppServer.
func cppProgram(t testing.TB, network, name string, args ...string) (address string, kill func()) {
	t.Helper()
	program := peer(t, name)
	address = "127.0.0.1:0"
	arg := address
	if network == "unix" {
		address = socket(t)
		arg = "unix:" + address
	}
	cmd := exec.Command(program, append(args, arg)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
	})
	t.Cleanup(end)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server says nothing: %v", err)
	}
	if network == "tcp" {
		address = net.JoinHostPort("127.0.0.1", strings.TrimSpace(line))
	}
	return address, end
}

// cppClient runs one scenario of the C++ client.
func cppClient(t testing.TB, network, address, name string) {
	t.Helper()
	if network == "unix" {
		address = "unix:" + address
	}
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, peer(t, "client"), address, name)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "ok "+name+"\n" {
		t.Errorf("the C++ client: %v\n%s", err, out)
	}
}

func socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fairlead")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}
