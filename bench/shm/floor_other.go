//go:build !linux

package shmbench

import (
	"errors"
	"os"
)

const floorMissing = "memory without a name is shared on Linux only"

var errFloor = errors.New(floorMissing)

func openFloor(setup) (end, string, error) { return nil, "", errFloor }

func inheritFloor(workload) (func(int) ([]*os.File, error), func(), error) {
	return nil, nil, errFloor
}
