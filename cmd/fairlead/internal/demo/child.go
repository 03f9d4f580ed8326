package demo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// killAfter is how long the worker may take to end once it was told to.
const killAfter = 5 * time.Second

// A child is a worker's process.
type child struct {
	addr   string
	token  []byte
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer
	dir    string
}

// children are the workers of one transport, which share a token.
type children []*child

// startChildren starts as many workers as the transport has. The caller stops
// them.
func startChildren(ctx context.Context, t Transport, command []string) (children, error) {
	token := make([]byte, 16)
	_, _ = rand.Read(token) // never fails
	var all children
	for range max(t.Workers, 1) {
		c, err := startChild(ctx, t, command, token)
		if err != nil {
			return nil, errors.Join(err, all.stop())
		}
		all = append(all, c)
	}
	return all, nil
}

// addrs are the addresses of all, as Transport.Dial takes them.
func (all children) addrs() string {
	var s []string
	for _, c := range all {
		s = append(s, c.addr)
	}
	return strings.Join(s, addrSeparator)
}

// stop ends all of them.
func (all children) stop() error {
	var err error
	for _, c := range all {
		err = errors.Join(err, c.stop())
	}
	return err
}

// startChild starts a worker and waits for the address that it listens on. The
// caller stops it.
func startChild(ctx context.Context, t Transport, command []string, token []byte) (_ *child, err error) {
	c := &child{token: token}
	// The worker makes the folder and removes it. Should the worker be killed, it
	// is removed here.
	c.dir = filepath.Join(os.TempDir(), "fairlead"+rand.Text()[:10])
	defer func() {
		if err != nil {
			_ = os.RemoveAll(c.dir)
		}
	}()
	args := append(command[1:len(command):len(command)], t.Name, c.dir)
	c.cmd = exec.CommandContext(ctx, command[0], args...)
	c.cmd.Stderr = &c.stderr
	c.cmd.WaitDelay = killAfter
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("demo: start the worker: %w", err)
	}
	_, err = fmt.Fprintln(stdin, hex.EncodeToString(c.token))
	line := ""
	if err == nil {
		line, err = bufio.NewReader(stdout).ReadString('\n')
	}
	c.addr = strings.TrimSuffix(line, "\n")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: the worker told no address: %w", err), c.wait())
	}
	return c, nil
}

// wait closes the worker's standard input, which ends it, and waits for it.
func (c *child) wait() error {
	_ = c.stdin.Close()
	timer := time.AfterFunc(killAfter, func() { _ = c.cmd.Process.Kill() })
	defer timer.Stop()
	if err := c.cmd.Wait(); err != nil {
		err = fmt.Errorf("the worker: %w", err)
		if said := strings.TrimSpace(c.stderr.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return err
	}
	return nil
}

// stop ends the worker and removes its folder if it could not.
func (c *child) stop() error {
	err := c.wait()
	if rmErr := os.RemoveAll(c.dir); rmErr != nil {
		err = errors.Join(err, rmErr)
	}
	return err
}
