package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, tc := range []struct {
		name        string
		err         error
		interrupted bool
		code        int
		want        string
	}{
		{"success", nil, false, 0, ""},
		{"failure", errors.New("demo: no"), false, exitFailure, "fairlead: demo: no\n"},
		{"interrupted", errors.New("broken pipe"), true, exitInterrupted, "fairlead: interrupted\n"},
		{"ended in time", nil, true, 0, ""},
		{"misuse", fmt.Errorf("x: %w", &usageError{errors.New("no"), "fairlead demo"}), false, exitUsage, "fairlead: x: no\nsee 'fairlead demo --help'\n"},
		{
			"control bytes", errors.New("open a\x1b[31m\xff\u009b\u202e: no\nand more ü\ufffd"), false, exitFailure,
			"fairlead: open a\\x1b[31m\\xff\\u009b\\u202e: no\nand more ü\ufffd\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := report(&out, tc.err, tc.interrupted); code != tc.code || out.String() != tc.want {
				t.Errorf("report = %d, %q; want %d, %q", code, out.String(), tc.code, tc.want)
			}
		})
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range []string{"nonsense", "demo a b", "demo --nonsense", "inspect", "inspect --depth -1 -", "inspect --pointers 0 -", "inspect --framed --flat -"} {
		t.Run(args, func(t *testing.T) {
			_, err := execute("", strings.Fields(args)...)
			if code := report(io.Discard, err, false); code != exitUsage {
				t.Errorf("exit status %d of %v; want %d", code, err, exitUsage)
			}
		})
	}
	_, err := execute("", "demo", t.TempDir()+"/missing")
	if code := report(io.Discard, err, false); code != exitFailure {
		t.Errorf("exit status %d of %v; want %d", code, err, exitFailure)
	}
}

func TestVersion(t *testing.T) {
	out, err := execute("", "--version")
	if err != nil || !strings.HasPrefix(out, "fairlead version ") {
		t.Errorf("%q, %v; want a version", out, err)
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestInspectToAFullDisk loses what is printed of faults, which is the worse news.
func TestInspectToAFullDisk(t *testing.T) {
	cmd := newCommand()
	cmd.SetArgs([]string{"inspect", "--framed", "-"})
	cmd.SetIn(strings.NewReader("cut"))
	cmd.SetOut(fullDisk{})
	if err := cmd.Execute(); !errors.Is(err, errFull) {
		t.Errorf("err = %v; want %v", err, errFull)
	}
}
