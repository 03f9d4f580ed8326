//go:build !unix

package company

// Pause does nothing where processes cannot be stopped.
func (p *Process) Pause() {}

// Resume does nothing.
func (p *Process) Resume() {}
