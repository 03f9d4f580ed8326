package compile_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// The indexes of what is compared in schema.capnp's CodeGeneratorRequest and
// its parts.
const (
	requestNodes   = 0
	requestFiles   = 1
	requestSources = 3
	sourceRange    = 8 // start and end byte in Node, at byte 40
)

// tool gives the path of the capnp tool, or skips the test.
func tool(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal("no capnp tool on this machine")
		}
		t.Skip("SKIPPED: no capnp tool on this machine to compare with")
	}
	return path
}

// toolRequest compiles files with the tool.
func toolRequest(t testing.TB, dir string, args ...string) (*segment.Message, error) {
	t.Helper()
	cmd := exec.Command(tool(t), append([]string{"compile", "-o-"}, args...)...)
	cmd.Dir = dir
	// Schemas that a compiler of 2015 would have laid out differently are an error
	// for the tool unless it is told to go on.
	cmd.Env = append(os.Environ(), "CAPNP_IGNORE_ISSUE_344=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, errs.Bytes())
	}
	msg, err := framing.Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	msg.ResetLimits(segment.Limits{TraversalWords: segment.Unlimited})
	return msg, nil
}

// built gives a request as the message that plugins get.
func built(t testing.TB, req *schema.Request) *segment.Message {
	t.Helper()
	msg := segment.New(arena.Pool())
	req.Build(msg)
	if err := msg.Err(); err != nil {
		t.Fatal(err)
	}
	segs, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	read, err := segment.Open(segs, segment.Options{Owner: msg, Limits: segment.Limits{TraversalWords: segment.Unlimited}})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// part is something that is compared, by what identifies it.
type part struct {
	name string
	s    segment.Struct
}

// parts splits a request into what is compared.
func parts(msg *segment.Message) map[string]part {
	out := make(map[string]part)
	root := msg.Root().Struct()
	names := make(map[uint64]string)
	for s := range root.Ptr(requestNodes).Structs().All() {
		names[s.Uint64(0)] = s.Text(0)
		out[fmt.Sprintf("node %x", s.Uint64(0))] = part{s.Text(0), s}
	}
	for s := range root.Ptr(requestSources).Structs().All() {
		if s.Uint64(0) == 0 {
			continue // of a method's parameters: the tool forgets to give it an id
		}
		out[fmt.Sprintf("source %x", s.Uint64(0))] = part{names[s.Uint64(0)], s}
	}
	for i, s := range root.Ptr(requestFiles).Structs().Indexed() {
		out[fmt.Sprintf("file %d", i)] = part{s.Text(0), s}
	}
	return out
}

// canonical gives a struct's canonical bytes.
func canonical(t testing.TB, s segment.Struct) []byte {
	t.Helper()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	msg.RootBuilder().SetStruct(s)
	if sz := s.Size(); sz.DataWords > 5 { // a node
		msg.RootBuilder().Struct(sz).SetUint64(5*sourceRange, 0)
	}
	b, err := msg.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text shows canonical bytes of a type of schema.capnp.
func text(t testing.TB, kind string, b []byte) string {
	t.Helper()
	msg, err := segment.FromSegments([][]byte{b})
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	if err := framing.Write(&in, msg); err != nil {
		t.Fatal(err)
	}
	schemas, err := os.ReadFile("std/capnp/schema.capnp")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schema.capnp")
	if err := os.WriteFile(file, schemas, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t), "decode", "--short", file, kind)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		return fmt.Sprintf("%x", b)
	}
	return string(out)
}

// differences compares two requests, and describes at most ten differences.
func differences(t testing.TB, theirs, ours *segment.Message) (out []string) {
	t.Helper()
	a, b := parts(theirs), parts(ours)
	for key, p := range a {
		q, ok := b[key]
		if !ok {
			out = append(out, fmt.Sprintf("%s (%s): only the tool has it", key, p.name))
			continue
		}
		if x, y := canonical(t, p.s), canonical(t, q.s); !bytes.Equal(x, y) && len(out) < 10 {
			kind := map[byte]string{'n': "Node", 's': "Node.SourceInfo", 'f': "CodeGeneratorRequest.RequestedFile"}[key[0]]
			out = append(out, fmt.Sprintf("%s (%s):\ntool %s\nours %s", key, p.name, text(t, kind, x), text(t, kind, y)))
		}
	}
	for key, p := range b {
		if _, ok := a[key]; !ok {
			out = append(out, fmt.Sprintf("%s (%s): only we have it", key, p.name))
		}
	}
	return out
}
