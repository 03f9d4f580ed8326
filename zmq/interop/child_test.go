package interop_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// childVariable has this program, started by a test, run a PULL socket that
// connects to the endpoint that the variable has, and print what it receives.
const childVariable = "FAIRLEAD_INTEROP_CHILD"

func child() int {
	s := zmq.NewPull(zmq.Options{
		ReconnectInterval: 10 * time.Millisecond, ReconnectMax: 50 * time.Millisecond,
		HeartbeatInterval: 100 * time.Millisecond, HeartbeatTTL: time.Second,
	})
	defer s.Close()
	if err := s.Connect(os.Getenv(childVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		frames, err := s.Recv(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(strings.Join(toldAll(frames), " "))
	}
}

// startChild starts a process of ours. What it receives arrives as lines.
func startChild(t *testing.T, endpoint string) (cmd *exec.Cmd, lines <-chan string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"="+endpoint)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	received := make(chan string, 10_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for in := bufio.NewScanner(out); in.Scan(); {
			received <- in.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	return cmd, received
}
