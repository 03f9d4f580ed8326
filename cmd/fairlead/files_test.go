package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var errWrite = errors.New("it broke")

func writes(text string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return err
	}
}

func TestWriteFile(t *testing.T) {
	dir := files(t, map[string]string{"there": "before", "private": "before"})
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Chmod(at("there"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		err  error
		want string // "" for no file
	}{
		{"new", nil, "after"},
		{"there", nil, "after"},
		{"private", nil, "after"},
		{"there", errWrite, "after"},
		{"newer", errWrite, ""},
	} {
		mode := os.FileMode(0)
		if info, err := os.Stat(at(tc.name)); err == nil {
			mode = info.Mode()
		}
		text := "after"
		if tc.err != nil {
			text = "half"
		}
		if err := writeFile(nil, at(tc.name), writes(text, tc.err)); !errors.Is(err, tc.err) {
			t.Errorf("%s: error %v; want %v", tc.name, err, tc.err)
		}
		info, err := os.Stat(at(tc.name))
		switch {
		case tc.want == "":
			if err == nil {
				t.Errorf("%s: left behind", tc.name)
			}
		case err != nil || read(t, at(tc.name)) != tc.want:
			t.Errorf("%s: %v, %q; want %q", tc.name, err, read(t, at(tc.name)), tc.want)
		case mode != 0 && info.Mode() != mode:
			t.Errorf("%s: mode %v; want %v as before", tc.name, info.Mode(), mode)
		}
	}
	if names := glob(t, at("*")); len(names) != 3 {
		t.Errorf("left behind: %v", names)
	}
	if names := glob(t, at(".*")); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	if err := writeFile(nil, filepath.Join(dir, "missing", "x"), writes("x", nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	if err := writeFile(nil, dir, writes("x", nil)); err == nil {
		t.Error("over a folder: no error")
	}
}

func TestWriteToStandardOutput(t *testing.T) {
	var out bytes.Buffer
	if err := writeFile(&out, "-", writes("x", nil)); err != nil || out.String() != "x" {
		t.Errorf("%v, %q", err, out.String())
	}
	// A name that leads to where standard output goes already.
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.WriteString("first\n"); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(log, log.Name(), writes("second\n", nil)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, log.Name()); got != "first\nsecond\n" {
		t.Errorf("%q", got)
	}
}

func TestInterruptible(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		text := bytes.Repeat([]byte("0123456789"), 100_000)
		in, stop := interruptible(context.Background(), bytes.NewReader(text))
		defer stop()
		if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%v, %d bytes", err, len(got))
		}
	})
	t.Run("an error", func(t *testing.T) {
		r, w := io.Pipe()
		w.CloseWithError(errWrite)
		in, stop := interruptible(context.Background(), r)
		defer stop()
		if _, err := io.ReadAll(in); !errors.Is(err, errWrite) {
			t.Errorf("error %v; want %v", err, errWrite)
		}
	})
	t.Run("waiting", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		r, w := io.Pipe()
		defer w.Close()
		in, stop := interruptible(ctx, r)
		defer stop()
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(in); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v; want %v", err, context.Canceled)
		}
	})
	t.Run("stopped early", func(t *testing.T) {
		in, stop := interruptible(context.Background(), bytes.NewReader(make([]byte, 1<<20)))
		if _, err := in.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		stop() // goleak tells whether the goroutine ends
	})
}
