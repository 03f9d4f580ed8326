package zmqbench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// waitLimit is how long a worker may take for an answer.
	waitLimit = time.Minute
	// closeGrace is how long it may take to leave.
	closeGrace = 5 * time.Second
)

// process is a worker as the harness sees it.
type process struct {
	role   role
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string // closed at the end of its output
	ended  chan error
	stderr bytes.Buffer
}

func startProcess(cmd *exec.Cmd, r role, pipes []*os.File) (*process, error) {
	p := &process{role: r, cmd: cmd, lines: make(chan string, 4), ended: make(chan error, 1)}
	cmd.ExtraFiles = pipes
	cmd.Stderr = &p.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("zmqbench: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("zmqbench: %w", err)
	}
	p.in = in
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("zmqbench: %w", err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.lines <- lines.Text()
		}
		close(p.lines)
		p.ended <- cmd.Wait()
	}()
	return p, nil
}

func (p *process) tell(command string) error {
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		return fmt.Errorf("zmqbench: %s: %q: %w", p.role, command, p.fault(err))
	}
	return nil
}

// expect waits for an answer of this word, and gives what follows it.
func (p *process) expect(word string) (string, error) {
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", fmt.Errorf("zmqbench: %s: no %q: %w", p.role, word, p.fault(io.ErrUnexpectedEOF))
		}
		rest, ok := strings.CutPrefix(line, word)
		if !ok {
			return "", fmt.Errorf("zmqbench: %s: answer %q, want %q", p.role, line, word)
		}
		return strings.TrimSpace(rest), nil
	case <-limit.C:
		return "", fmt.Errorf("zmqbench: %s: no %q within %v", p.role, word, waitLimit)
	}
}

// fault adds to err what the worker said before it ended, if it has.
func (p *process) fault(err error) error {
	select {
	case end := <-p.ended:
		p.ended <- end
		if text := strings.TrimSpace(p.stderr.String()); text != "" {
			return fmt.Errorf("%w: %s", err, text)
		}
		return fmt.Errorf("%w: it ended: %v", err, end)
	case <-time.After(time.Second):
		return err
	}
}

// close lets the worker leave, and waits for it.
func (p *process) close() {
	_ = p.in.Close()
	kill := time.AfterFunc(closeGrace, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.lines { // so that it is not kept from leaving
		continue
	}
	p.ended <- <-p.ended
}
