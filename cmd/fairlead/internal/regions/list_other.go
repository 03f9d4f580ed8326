//go:build !linux

package regions

import (
	"errors"
	"fmt"
)

// List finds nothing where there is no shared memory.
func List() ([]Region, error) {
	return nil, fmt.Errorf("regions: shared memory: %w on this system", errors.ErrUnsupported)
}
