package shmbench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the C++ program is compiled at run time
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
)

//go:embed iceoryx/iceoryx.c++
var iceoryxSource []byte

const (
	// daemonReady is what the daemon says when it can be connected to.
	daemonReady = "RouDi is ready for clients"
	// daemonGrace is how long it may take to say so, and to leave.
	daemonGrace = 15 * time.Second
)

// daemon is that of iceoryx, which gives its processes the shared memory. There
// is one on a machine at a time.
type daemon struct {
	dir string
	cmd *exec.Cmd
}

// rival builds the worker on iceoryx and starts the daemon, with pools for the
// sizes of these cases. What is not installed, or cannot be had, is the reason
// why the rival is missing.
func (d *daemon) rival(ctx context.Context, cases []workload) (*rival, error) {
	r := &rival{who: "iceoryx", not: func(w workload) string {
		if w.mode == adaptive && w.sender != pub {
			return "iceoryx either polls or sleeps"
		}
		return ""
	}}
	program, err := company.Program{
		File:     "iceoryx.c++",
		Source:   iceoryxSource,
		Compiler: "g++",
		Args:     []string{"-std=c++17", "-O2", "-DNDEBUG", "-I/usr/include/iceoryx/v2.0.3"},
		Libs:     []string{"-liceoryx_posh", "-liceoryx_hoofs", "-liceoryx_platform", "-lpthread"},
	}.Build(ctx)
	if errors.Is(err, company.ErrMissing) {
		r.missing = err.Error()
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.program = program
	if err := d.start(cases); err != nil {
		r.missing = err.Error()
		return r, nil
	}
	r.note = "C++ against the installed iceoryx; spin polls, sleep waits on a WaitSet, a crowd of subscribers polls and yields"
	return r, nil
}

// queue is how many messages wait for a subscriber at most. The C++ program has
// the same.
func (s shape) queue() int { return min(max(128<<20/s.size, 2), 256) }

// start starts the daemon and waits until it is ready.
func (d *daemon) start(cases []workload) error {
	path, err := exec.LookPath("iox-roudi")
	if err != nil {
		return errors.New("iox-roudi, iceoryx's daemon, is not installed")
	}
	var pools []int
	for _, w := range cases {
		if !slices.Contains(pools, w.size) {
			pools = append(pools, w.size)
		}
	}
	slices.Sort(pools)
	var config bytes.Buffer
	fmt.Fprintf(&config, "[general]\nversion = 1\n\n[[segment]]\n")
	for _, size := range pools {
		// Beside those that wait, one is filled, one looked at, and one kept by
		// the publisher.
		fmt.Fprintf(&config, "\n[[segment.mempool]]\nsize = %d\ncount = %d\n", (size+31)&^31, shape{size}.queue()+6)
	}
	file := filepath.Join(d.dir, "roudi.toml")
	if err := os.WriteFile(file, config.Bytes(), 0o600); err != nil {
		return fmt.Errorf("shmbench: %w", err)
	}
	d.cmd = exec.Command(path, "-c", file, "-l", "error")
	var stderr bytes.Buffer
	d.cmd.Stderr = &stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("shmbench: %w", err)
	}
	if err := d.cmd.Start(); err != nil {
		d.cmd = nil
		return fmt.Errorf("iox-roudi: %w", err)
	}
	late := time.AfterFunc(daemonGrace, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), daemonReady) {
			return nil
		}
	}
	err = d.cmd.Wait()
	d.cmd = nil
	first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	return fmt.Errorf("iox-roudi did not start: %w: %s", err, first)
}

// stop ends the daemon, if it runs.
func (d *daemon) stop() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(daemonGrace, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	_ = d.cmd.Wait()
	d.cmd = nil
}
