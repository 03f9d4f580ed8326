//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSocketSignals interrupts commands that wait for others, which must leave
// nothing behind.
func TestSocketSignals(t *testing.T) {
	if signal.Ignored(syscall.SIGINT) {
		t.Skip("SKIPPED: this process was started to ignore SIGINT, and so is every child")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, stdin string
		args        []string
		ready       string // in standard error or output
		out         string
	}{
		{"recv", "", []string{"recv", "--raw", "--bind", anyPort}, "listening", ""},
		{"recv of a file", "", []string{"recv", "--raw", "--bind", "zmq+ipc://SOCKET", anyPort}, "listening", ""},
		{"send without a peer", "x\n", []string{"send", "--raw", "zmq+ipc://SOCKET"}, "connect delayed", ""},
		{"send without input", "", []string{"send", "--raw", "--bind", anyPort}, "listening", ""},
		{"send that waits", "x\n", []string{"send", "--raw", "--wait", "1", "--bind", anyPort}, "listening", ""},
		{"proxy", "", []string{"proxy", "pull:push", anyPort, "zmq+ipc://SOCKET"}, "listening", "in 0 messages, 0 bytes; back 0 messages, 0 bytes; 0 dropped, 0 waiting\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			socket := strings.TrimPrefix(ipc(t), "zmq+ipc://")
			args := []string{asProgram}
			for _, a := range tc.args {
				args = append(args, strings.ReplaceAll(a, "SOCKET", socket))
			}
			var out bytes.Buffer
			var say lockedBuffer
			cmd := exec.Command(self, args...)
			cmd.Stdout, cmd.Stderr = &out, &say
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(stdin, tc.stdin); err != nil {
				t.Error(err)
			}
			until(t, tc.ready, func() bool { return strings.Contains(say.String(), tc.ready) })
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.HasSuffix(say.String(), "fairlead: interrupted\n") {
				t.Errorf("exit status %d, %q", code, say.String())
			}
			if out.String() != tc.out {
				t.Errorf("printed %q; want %q", out.String(), tc.out)
			}
			if left := glob(t, filepath.Dir(socket)+"/*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
