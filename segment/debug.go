package segment

import (
	"fmt"
	"log/slog"
)

// debugLog is where debug mode reports to.
func debugLog(msg string, args ...any) { slog.Default().Warn(msg, args...) }

func misuse(what string) error { return fmt.Errorf("%w: %s", ErrMisuse, what) }

// reportUnread tells, in debug mode, of a message that is released with a
// fault that nobody looked at.
func (m *Message) reportUnread() {
	if f := m.fault.Load(); f != nil && !m.looked.Load() {
		debugLog("segment: released a message whose fault was not looked at", "fault", fmt.Sprint(*f))
	}
}
