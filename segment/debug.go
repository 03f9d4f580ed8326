package segment

import (
	"fmt"
	"log/slog"
)

// debugLog is where debug mode reports to.
func debugLog(msg string, args ...any) { slog.Default().Warn(msg, args...) }

func misuse(what string) error { return fmt.Errorf("%w: %s", ErrMisuse, what) }
