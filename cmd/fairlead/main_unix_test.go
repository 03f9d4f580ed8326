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
		name      string
		transport string
		sig       syscall.Signal
		group     bool // to all processes, as a terminal does
		code      int
	}{
		{"ctrl-c", "unix", syscall.SIGINT, true, exitInterrupted},
		{"interrupt", "unix", syscall.SIGINT, false, exitInterrupted},
		{"terminate", "unix", syscall.SIGTERM, false, exitInterrupted},
		{"the terminal goes away", "unix", syscall.SIGHUP, true, exitInterrupted},
		{"kill", "unix", syscall.SIGKILL, false, -1},
		{"ctrl-c over ZeroMQ", "zmq+ipc", syscall.SIGINT, true, exitInterrupted},
		{"kill over ZeroMQ", "zmq+ipc", syscall.SIGKILL, false, -1},
		{"ctrl-c with two workers", "zmq+fan", syscall.SIGINT, true, exitInterrupted},
		{"terminate with two workers", "zmq+fan", syscall.SIGTERM, false, exitInterrupted},
		{"kill with two workers", "zmq+fan", syscall.SIGKILL, false, -1},
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
			cmd := exec.Command(self, asProgram, "demo", "--transport", tc.transport, root)
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			cmd.Stdout, cmd.Stderr = &out, &out
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for i := 0; len(glob(t, tmp+"/*/*.sock")) == 0; i++ {
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

// TestInterruptedConvert ends a conversion that waits for input, which must leave
// nothing behind.
func TestInterruptedConvert(t *testing.T) {
	if signal.Ignored(syscall.SIGINT) {
		t.Skip("SKIPPED: this process was started to ignore SIGINT, and so is every child")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := files(t, map[string]string{"point.capnp": pointSchema, "out": "before"})
	var say bytes.Buffer
	cmd := exec.Command(self, asProgram, "encode", "-o", filepath.Join(dir, "out"), filepath.Join(dir, "point.capnp"), "Point")
	cmd.Stderr = &say
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("(x = 1) ")); err != nil {
		t.Fatal(err)
	}
	written := func() bool {
		for _, name := range glob(t, filepath.Join(dir, ".fairlead-*")) {
			if info, err := os.Stat(name); err == nil && info.Size() > 0 {
				return true
			}
		}
		return false
	}
	for i := 0; !written(); i++ { // the first message leaves before the second arrives
		if i == 30_000 {
			_ = cmd.Process.Kill()
			t.Fatal("nothing was written")
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || say.String() != "fairlead: interrupted\n" {
		t.Errorf("exit status %d, %q", code, say.String())
	}
	if got := read(t, filepath.Join(dir, "out")); got != "before" {
		t.Errorf("the file has %q", got)
	}
	if left := glob(t, filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestWriteToPipe writes to what is no regular file as it comes.
func TestWriteToPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, err := os.ReadFile(name)
		if err != nil {
			b = []byte(err.Error())
		}
		got <- string(b)
	}()
	if err := writeFile(nil, name, writes("through", nil)); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "through" {
		t.Errorf("read %q", s)
	}
	if err := writeFile(nil, "/dev/null", writes("away", nil)); err != nil {
		t.Error(err)
	}
	// A link stays a link.
	dir := files(t, map[string]string{"target": "before"})
	link := filepath.Join(dir, "link")
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(nil, link, writes("after", nil)); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "target" || read(t, filepath.Join(dir, "target")) != "after" {
		t.Errorf("%v, a link to %q", err, to)
	}
}

// TestHostileNames escapes what a schema's faults and types are called.
func TestHostileNames(t *testing.T) {
	dir := files(t, map[string]string{"a\x1b[31m.capnp": "struct \x1b[31m {"})
	out, err := execute("", "compile", filepath.Join(dir, "a\x1b[31m.capnp"))
	if err == nil || strings.Contains(out, "\x1b") {
		t.Errorf("%v, %q", err, out)
	}
	var said bytes.Buffer
	_, err = execute("", "decode", "testdata/config.capnp", "Server\x1b[31m")
	report(&said, err, false)
	if err == nil || strings.Contains(said.String(), "\x1b") {
		t.Errorf("%q", said.String())
	}
}
