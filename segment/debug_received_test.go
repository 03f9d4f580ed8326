package segment_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Debug mode knew only messages that are built, and said nothing of a second
// Release.
func TestDebugOfReceivedMessages(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)

	good := []uint64{structPtr(0, 1, 1), 5, listPtr(0, Byte, 4), textWord("abc")}
	bad := []uint64{structPtr(0, 1, 1), 5, 7}
	for _, c := range []struct {
		name            string
		make            func(o *owner) *Message
		again, reported bool
	}{
		{"read", func(o *owner) *Message { return opened(t, good, o) }, true, false},
		{"read, with a fault", func(o *owner) *Message {
			m := opened(t, bad, o)
			m.Root().Struct().Struct(0)
			return m
		}, true, true},
		{"read, with a fault that was looked at", func(o *owner) *Message {
			m := opened(t, bad, o)
			m.Root().Struct().Struct(0)
			wantErr(t, m, ErrMalformed, "")
			return m
		}, true, false},
		{"built", func(o *owner) *Message {
			o.released++
			m := New(&debugArena{})
			m.NewRoot(Size{DataWords: 1, Ptrs: 1}).SetText(0, "abc")
			return m
		}, true, false},
		{"released once", func(o *owner) *Message { return opened(t, good, o) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.Reset()
			o := &owner{}
			m := c.make(o)
			s := m.Root().Struct()
			m.Retain().Release()
			want(t, "logged while held", log.String(), "")
			m.Release()
			want(t, "fault reported", strings.Contains(log.String(), "not looked at"), c.reported)
			log.Reset()
			if c.again {
				m.Release()
				m.Release()
			}
			lines := strings.Count(log.String(), "released before")
			want(t, "second Releases reported", lines, map[bool]int{true: 2, false: 0}[c.again])
			want(t, "with where they are", strings.Count(log.String(), "debug_received_test.go") >= lines, true)
			want(t, "owner released", o.released, 1)

			// The message is not in use again, so every use is told.
			next := opened(t, good, &owner{})
			want(t, "used again", next == m, false)
			for name, use := range map[string]func() error{
				"Err":        m.Err,
				"Root":       func() error { want(t, "Root", m.Root(), Ptr{}); return m.Err() },
				"Text":       func() error { want(t, "Text", s.Text(0), ""); return m.Err() },
				"Verify":     m.Verify,
				"ToSegments": func() error { _, err := m.ToSegments(); return err },
				"Snapshot":   func() error { _, err := m.Snapshot(); return err },
			} {
				if err := use(); !errors.Is(err, ErrReleased) {
					t.Errorf("%s: %v, want ErrReleased", name, err)
				}
			}
			want(t, "the next message", next.Root().Struct().Text(0), "abc")
			next.Release()
		})
	}
}

// opened reads a message in debug mode, which the caller releases.
func opened(t *testing.T, words []uint64, o *owner) *Message {
	t.Helper()
	m, err := Open(segsOf(words), Options{Debug: true, Owner: o})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
