// Package company runs the processes of a contestant that sends messages from
// one to another: workers that the bench program starts as its children, and
// tells when to begin. A suite's worker is this program again, with
// [ServeWorker], or a program in another language that speaks the same.
//
// A worker is told what to do on its standard input, a word or two a line, and
// answers on its standard output:
//
//	                      open ENDPOINT VERSION      at its start
//	run N, or check N     ready
//	go                    done BEGIN END P50 P99 HASH
//	end                   ok ALLOCS ALLOCBYTES       since go; -1 -1 where not counted
//	another word          ok                         as the suite has agreed with its workers
//
// BEGIN and END are readings of [Clock], and P50 and P99 latencies, all in
// nanoseconds. The constant messages of a run are not hashed, and HASH is 0. A
// worker leaves at the end of its input, whatever it is doing.
package company

import (
	"bufio"
	"bytes"
	"errors"
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

// Process is a worker as the bench program sees it. One goroutine uses it at a
// time.
type Process struct {
	// Name says which of the company it is, for errors.
	Name string

	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string // closed at the end of its output
	ended  chan error
	stderr bytes.Buffer
}

// Start starts a worker, which inherits files from descriptor 3 on. The files
// are closed here, whatever the outcome. [Process.Close] ends it.
func Start(name string, cmd *exec.Cmd, files []*os.File) (*Process, error) {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	p := &Process{Name: name, cmd: cmd, lines: make(chan string, 4), ended: make(chan error, 1)}
	cmd.ExtraFiles = files
	cmd.Stderr = &p.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("company: %s: %w", name, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("company: %s: %w", name, err)
	}
	p.in = in
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("company: %s: %w", name, err)
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

// PID is the worker's process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Tell gives the worker a command.
func (p *Process) Tell(command string) error {
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		return fmt.Errorf("company: %s: %q: %w", p.Name, command, p.fault(err))
	}
	return nil
}

// Expect waits for an answer of this word, and gives what follows it.
func (p *Process) Expect(word string) (string, error) {
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", fmt.Errorf("company: %s: no %q: %w", p.Name, word, p.fault(io.ErrUnexpectedEOF))
		}
		rest, ok := strings.CutPrefix(line, word)
		if !ok {
			return "", fmt.Errorf("company: %s: answer %q, want %q", p.Name, line, word)
		}
		return strings.TrimSpace(rest), nil
	case <-limit.C:
		return "", fmt.Errorf("company: %s: no %q within %v", p.Name, word, waitLimit)
	}
}

// fault adds to err what the worker said before it ended, if it has.
func (p *Process) fault(err error) error {
	select {
	case end := <-p.ended:
		p.ended <- end
		if text := strings.TrimSpace(p.stderr.String()); text != "" {
			return fmt.Errorf("%w: %s", err, text)
		}
		if end == nil {
			end = errors.New("without an error")
		}
		return fmt.Errorf("%w: it ended: %w", err, end)
	case <-time.After(time.Second):
		return err
	}
}

// Dismiss lets the worker leave, without waiting for it.
func (p *Process) Dismiss() { _ = p.in.Close() }

// Close lets the worker leave, and waits for it.
func (p *Process) Close() {
	p.Dismiss()
	kill := time.AfterFunc(closeGrace, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.lines { // so that it is not kept from leaving
		continue
	}
	p.ended <- <-p.ended
}
