//go:build !linux || purego

package mem

func newDoorbell() (*Doorbell, int, error) { return nil, -1, errUnsupported("doorbell") }

func (d *Doorbell) connect(int) error { return errUnsupported("doorbell") }
