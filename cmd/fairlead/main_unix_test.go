//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals ends a demo in its middle, which must leave nothing behind. The
// second process holds standard error too, so Wait is also the wait for its end.
func TestSignals(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	// Long to hash and quick to make.
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := errors.Join(os.WriteFile(filepath.Join(root, name), nil, 0o600), os.Truncate(filepath.Join(root, name), 64<<20)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name  string
		sig   syscall.Signal
		group bool // to both processes, as a terminal does
		code  int
	}{
		{"ctrl-c", syscall.SIGINT, true, exitInterrupted},
		{"interrupt", syscall.SIGINT, false, exitInterrupted},
		{"terminate", syscall.SIGTERM, false, exitInterrupted},
		{"the terminal goes away", syscall.SIGHUP, true, exitInterrupted},
		{"kill", syscall.SIGKILL, false, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if signal.Ignored(tc.sig) {
				t.Skipf("SKIPPED: this process was started to ignore %v, and so is every child", tc.sig)
			}
			tmp, err := os.MkdirTemp("", "") // short, for the socket in it
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(tmp)
			var out bytes.Buffer
			cmd := exec.Command(self, asProgram, "demo", "--transport", "unix", root)
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			cmd.Stdout, cmd.Stderr = &out, &out
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for i := 0; len(glob(t, tmp+"/*/demo.sock")) == 0; i++ {
				if i == 30_000 {
					_ = cmd.Process.Kill()
					t.Fatalf("no second process; output:\n%s", &out)
				}
				time.Sleep(time.Millisecond)
			}
			target := cmd.Process.Pid
			if tc.group {
				target = -target
			}
			if err := syscall.Kill(target, tc.sig); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != tc.code {
				t.Errorf("exit status %d; want %d; output:\n%s", code, tc.code, &out)
			}
			if tc.code == exitInterrupted && out.String() != "fairlead: interrupted\n" {
				t.Errorf("output %q; want only that it was interrupted", out.String())
			}
			// A first process that was killed cannot wait for the second.
			left := glob(t, tmp+"/*")
			for i := 0; tc.sig == syscall.SIGKILL && len(left) > 0 && i < 10_000; i++ {
				time.Sleep(time.Millisecond)
				left = glob(t, tmp+"/*")
			}
			if len(left) > 0 {
				t.Errorf("left behind: %s", strings.Join(left, ", "))
			}
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
