package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/inspect"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// asProgram makes the test the whole program.
const asProgram = "as-program"

// TestMain is the whole program where demo starts it as the second process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asProgram {
		os.Args = append(os.Args[:1], os.Args[2:]...)
		main()
	}
	if len(os.Args) > 1 && os.Args[1] == workerCommand {
		main()
	}
	// A second process that is built to find races would stay a second longer.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// execute runs the command and gives what it prints to standard output.
func execute(stdin string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestDemo(t *testing.T) {
	root := t.TempDir()
	for i := range 20 {
		name := filepath.Join(root, fmt.Sprintf("f%02d", i))
		if err := os.WriteFile(name, []byte(strings.Repeat("x\n", i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := execute("", "demo", root)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"transport", "unix", "tcp", "zmq+ipc", "zmq+tcp", "zmq+fan", "largest folders by lines", "190"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	out, err = execute("", "demo", "--json", "--transport", "unix", root)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.HasPrefix(out, `{"transport":"unix","files":20,"bytes":380,`) || strings.Count(out, "\n") != 1 {
		t.Errorf("demo --json printed %q; want one object", out)
	}
}

func TestInspect(t *testing.T) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	msg.NewRoot(segment.Size{Ptrs: 1}).SetText(0, "hello")
	var framed bytes.Buffer
	if err := framing.Write(&framed, msg); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, framed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	flat := framed.String()[8:]
	for _, tc := range []struct {
		name  string
		stdin string
		args  []string
		want  string
	}{
		{"file", "", []string{file}, `text "hello"`},
		{"standard input", framed.String(), []string{"-"}, `text "hello"`},
		{"forced flat", flat, []string{"--flat", "-"}, `text "hello"`},
		{"depth", framed.String(), []string{"--depth=1", "--framed", "-"}, "deeper than 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := execute(tc.stdin, append([]string{"inspect"}, tc.args...)...)
			if err != nil || !strings.Contains(out, tc.want) {
				t.Errorf("err = %v; want %q in:\n%s", err, tc.want, out)
			}
		})
	}
	t.Run("faults", func(t *testing.T) {
		out, err := execute(framed.String()[:20], "inspect", "--framed", "-")
		if !errors.Is(err, inspect.ErrFaults) || !strings.Contains(out, "at byte 20") {
			t.Errorf("err = %v; want ErrFaults, and the byte in:\n%s", err, out)
		}
	})
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{
		{"demo", "a", "b"},
		{"demo", filepath.Join(t.TempDir(), "missing")},
		{"demo", "--window", "-3", "."},
		{"demo", ""},
		{"demo", "--nonsense"},
		{"inspect", "--depth", "-1", "-"},
		{"inspect", "--max-input-bytes", "0", "-"},
		{"inspect"},
		{"inspect", filepath.Join(t.TempDir(), "missing")},
		{"inspect", "--framed", "--packed", "-"},
		{"nonsense"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if out, err := execute("", args...); err == nil {
				t.Errorf("no error, but:\n%s", out)
			}
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
