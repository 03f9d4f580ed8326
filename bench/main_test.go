package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string // part of the error; empty for success
	}{
		{"no suite", "", "none of encoding"},
		{"unknown suite", "--suite nonsense", `"nonsense"`},
		{"bad regexp", "--suite encoding --case (", "--case"},
		{"nothing selected", "--suite encoding --case nosuchcase --who floor", "no case"},
		{"child of no case", "child-reference nonsense 1", `"nonsense"`},
		{"child of no rival", "child-zmq nonsense pull 64 1 null tcp://127.0.0.1:0", `"nonsense"`},
		{"child of no contestant", "child-rpc nobody client tcp/add/seq . 127.0.0.1:0", `"nobody"`},
		{"stray argument", "--suite encoding now", `"now"`},
		{"negative rounds", "--suite encoding --rounds -1", "-1"},
		{"negative round", "--suite encoding --round -1s", "-1s"},
		{"table", "--suite encoding --quick --case ^A/ --who floor --round 1us", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), strings.Fields(tt.args), nil, &out)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			case err == nil && !strings.Contains(out.String(), "A/build"):
				t.Errorf("the table lacks a case:\n%s", out.String())
			}
		})
	}
}

func TestJSONAndCharts(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	args := []string{"--suite", "encoding", "--json", "--case", "^A/", "--who", "floor,protobuf", "--rounds", "5", "--round", "1us", "--svg", dir}
	if err := run(t.Context(), args, nil, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 6 {
		t.Errorf("%d lines, want 3 cases × 2 contestants:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		var row struct {
			Suite, Case, Who string
			NsOp             float64 `json:"ns_op"`
			Rounds           int
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if row.Suite != "encoding" || row.NsOp <= 0 || row.Rounds != 5 {
			t.Errorf("row %+v of %q", row, line)
		}
	}
	charts, err := filepath.Glob(filepath.Join(dir, "encoding-A-*.svg"))
	if err != nil || len(charts) != 3 {
		t.Errorf("charts = %v, %v", charts, err)
	}
}

func TestChildServes(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"child-encoding"}, strings.NewReader("version\nrun nobody A/build 1\n"), &out)
	lines := strings.Split(out.String(), "\n")
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], "ok go") || !strings.HasPrefix(lines[1], "no ") {
		t.Errorf("answers %q, %v", out.String(), err)
	}
}
