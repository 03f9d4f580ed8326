//go:build unix

package arena

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	crashPathEnv = "FAIRLEAD_ARENA_CRASH_PATH"
	crashStepEnv = "FAIRLEAD_ARENA_CRASH_STEP"
	crashBytes   = 300_000
)

func init() {
	children["crash"] = crashChild
	children["rewrite"] = rewriteChild
}

// version is the content of the nth file: every word tells it.
func version(n uint64) []byte {
	out := make([]byte, crashBytes)
	for i := 0; i < len(out); i += 8 {
		binary.LittleEndian.PutUint64(out[i:], n)
	}
	return out
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// writeVersion builds and commits the nth file as a message would.
func writeVersion(path string, n uint64) {
	a, err := CreateFile(path, FileOptions{})
	must(err)
	content := version(n)
	seg, err := a.Allocate(8)
	must(err)
	for off := 0; off < len(content); {
		if off == len(seg) {
			seg, err = a.Grow(seg, off+8)
			must(err)
		}
		off += copy(seg[off:], content[off:])
	}
	must(a.Commit(message{segments: [][]byte{seg[:len(content)]}}))
	a.Free(seg, len(content))
	must(a.Close())
}

// crashChild dies in the nth step of replacing a file, and says which it was.
func crashChild() {
	last, err := strconv.Atoi(os.Getenv(crashStepEnv))
	must(err)
	step := 0
	atFileStep = func(name string) {
		fmt.Println(name)
		if step == last {
			must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {}
		}
		step++
	}
	writeVersion(os.Getenv(crashPathEnv), 2)
	fmt.Println("done")
}

// A process killed in any step leaves the complete old file or the complete new
// one, and nothing that hinders the next.
func TestFileCrashAtEveryStep(t *testing.T) {
	older, newer := framed(version(1)), framed(version(2))
	seen := map[string]bool{}
	for step := 0; ; step++ {
		if step > 50 {
			t.Fatal("50 steps and no end")
		}
		path := filepath.Join(t.TempDir(), "f.capnp")
		if err := os.WriteFile(path, older, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), quickExit, childEnv+"=crash", crashPathEnv+"="+path, crashStepEnv+"="+strconv.Itoa(step))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		steps := strings.Fields(string(out))
		at := steps[len(steps)-1]
		if at == "done" {
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, path, newer)
			break
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("the child did not die of SIGKILL at %q: %v", at, err)
		}
		seen[at] = true
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("killed at %q: %v", at, err)
		}
		want := older
		if at == "renamed" || at == "folder" {
			want = newer
		}
		if !bytes.Equal(got, want) {
			t.Errorf("killed at %q: the file has %d bytes, or others than it should", at, len(got))
		}
		for _, name := range names(t, path) {
			if name != "f.capnp" && (!strings.HasPrefix(name, ".f.capnp.") || !strings.HasSuffix(name, TempSuffix)) {
				t.Errorf("killed at %q: %q is left behind", at, name)
			}
		}
		writeVersion(path, 3)
		wantFile(t, path, framed(version(3)))
	}
	for _, name := range []string{
		"created", "extended", "table", "flushed", "detached", "truncated", "synced", "renamed", "folder",
	} {
		if !seen[name] {
			t.Errorf("no child died at %q", name)
		}
	}
}

// rewriteChild replaces the file again and again, and says which version is done.
func rewriteChild() {
	for n := uint64(2); ; n++ {
		writeVersion(os.Getenv(crashPathEnv), n)
		fmt.Println(n)
	}
}

// The same at instants that nobody chose: what was acknowledged is there, or
// something newer that is complete.
func TestFileCrashAnyTime(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 6 {
		path := filepath.Join(t.TempDir(), "f.capnp")
		if err := os.WriteFile(path, framed(version(1)), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), quickExit, childEnv+"=rewrite", crashPathEnv+"="+path)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		var acknowledged uint64
		for range 1 + round%3 {
			if !lines.Scan() {
				t.Fatalf("the child ended: %v", cmd.Wait())
			}
			if acknowledged, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		for range rnd.IntN(200_000) { // somewhere into the next one
			_ = rnd.Uint64()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died counts too
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				acknowledged = n
			}
		}
		_ = cmd.Wait() // killed, as it should be
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		candidates := [][]byte{framed(version(acknowledged)), framed(version(acknowledged + 1))}
		if !slices.ContainsFunc(candidates, func(c []byte) bool { return bytes.Equal(c, got) }) {
			t.Errorf("after version %d the file has %d bytes, or others than it or the next", acknowledged, len(got))
		}
	}
}
