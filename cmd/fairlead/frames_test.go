package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, tc := range []struct {
		name   string
		frames []string
		line   string
	}{
		{"one", []string{"hello world"}, "hello world"},
		{"empty", []string{""}, ""},
		{"three, two of them empty", []string{"", "a", ""}, "\ta\t"},
		{"white space", []string{"a\tb\nc\rd"}, `a\tb\nc\rd`},
		{"backslash", []string{`\x00 \`}, `\\x00 \\`},
		{"bytes", []string{"\x00\x7f\xff\x1b[31m"}, `\x00\x7f\xff\x1b[31m`},
		{"text of all the world", []string{"Grüße, 世界"}, "Grüße, 世界"},
		{"a replacement character that is one", []string{"\ufffd"}, "\ufffd"},
		{"a space that cannot be told from others", []string{"\u00a0"}, `\xc2\xa0`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var frames [][]byte
			for _, f := range tc.frames {
				frames = append(frames, []byte(f))
			}
			if got := string(appendFrames(nil, frames)); got != tc.line {
				t.Errorf("appendFrames = %q; want %q", got, tc.line)
			}
			got, err := parseFrames(tc.line)
			if err != nil || !equalFrames(got, frames) {
				t.Errorf("parseFrames = %q, %v; want %q", got, err, frames)
			}
		})
	}
	for line, want := range map[string]string{
		`a\q`:          "frame 1",
		`\`:            "frame 1",
		"a\tb\\x1":     "frame 2",
		"a\tb\tc\\xg0": "frame 3",
		`\"`:           `want \\, \t`,
	} {
		if got, err := parseFrames(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseFrames(%q) = %q, %v; want %q in the error", line, got, err, want)
		}
	}
}

func equalFrames(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestRawReader(t *testing.T) {
	long := strings.Repeat("x", 200<<10) // more than the reader's buffer
	r := newRawReader(strings.NewReader("a\tb\n\n" + long + "\nlast"))
	for _, want := range [][]string{{"a", "b"}, {""}, {long}, {"last"}} {
		frames, err := r.next()
		if err != nil || len(frames) != len(want) {
			t.Fatalf("%.50q, %v; want %.50q", frames, err, want)
		}
		for i, f := range frames {
			if string(f) != want[i] {
				t.Errorf("frame %d is %.50q; want %.50q", i, f, want[i])
			}
		}
	}
	if frames, err := r.next(); err != io.EOF {
		t.Errorf("%q, %v; want the end", frames, err)
	}
	r = newRawReader(strings.NewReader("fine\nnot \\fine\n"))
	_, first := r.next()
	_, second := r.next()
	if first != nil || second == nil || !strings.HasPrefix(second.Error(), "line 2, frame 1: ") {
		t.Errorf("%v, %v; want an error of line 2", first, second)
	}
	cause := errors.New("gone")
	r = newRawReader(io.MultiReader(strings.NewReader("half"), errorReader{cause}))
	if _, err := r.next(); !errors.Is(err, cause) {
		t.Errorf("%v; want the input's own error", err)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// FuzzFrames reads back what is written, and what can be read is written so that
// it reads the same, in one line that shows all there is.
func FuzzFrames(f *testing.F) {
	f.Add("hello\tworld", true)
	f.Add("\x00\xff\\", false)
	f.Add(`a\x0ab\\`, true)
	f.Fuzz(func(t *testing.T, text string, isLine bool) {
		frames := [][]byte{[]byte(text), nil}
		if isLine {
			var err error
			if frames, err = parseFrames(text); err != nil {
				return
			}
		}
		line := appendFrames(nil, frames)
		if strings.ContainsAny(string(line), "\n\r\x00\x1b") {
			t.Fatalf("%q is no line of text", line)
		}
		back, err := parseFrames(string(line))
		if err != nil || !equalFrames(back, frames) {
			t.Fatalf("%q gives %q, %v; want %q", line, back, err, frames)
		}
	})
}
