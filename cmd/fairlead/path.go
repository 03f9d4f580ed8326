package main

import (
	"fmt"
	"strconv"
	"strings"
)

// step is one step of a path: .name, or [index] where index is not negative.
type step struct {
	name  string
	index int
}

// parsePath reads a path such as A.b[1][2].c.
func parsePath(path string) ([]step, error) {
	var steps []step
	for rest := path; rest != ""; {
		if rest[0] == '[' {
			digits, after, ok := strings.Cut(rest[1:], "]")
			n, err := strconv.ParseUint(digits, 0, 31)
			if !ok || err != nil || len(steps) == 0 {
				return nil, fmt.Errorf("%q in %q, want a number in brackets behind a name", rest, path)
			}
			steps = append(steps, step{index: int(n)})
			rest = after
			continue
		}
		if len(steps) > 0 {
			if rest[0] != '.' {
				return nil, fmt.Errorf("%q in %q, want a dot and a name", rest, path)
			}
			rest = rest[1:]
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, fmt.Errorf("a name is missing in %q", path)
		}
		steps = append(steps, step{name: rest[:end], index: -1})
		rest = rest[end:]
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%q is no name", path)
	}
	return steps, nil
}
