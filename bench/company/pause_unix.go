//go:build unix

package company

import "golang.org/x/sys/unix"

// Pause stops the process until Resume, so that it takes nothing from others that
// are measured.
func (p *Process) Pause() { _ = p.cmd.Process.Signal(unix.SIGSTOP) } // one that has ended needs none

// Resume ends a Pause.
func (p *Process) Resume() { _ = p.cmd.Process.Signal(unix.SIGCONT) }
