package randval

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Tool runs the capnp tool on the schemas of this package or others.
type Tool struct {
	path string
	dir  string
}

// NewTool finds the capnp tool. Without it the test is skipped, or fails if the
// environment has FAIRLEAD_REQUIRE_PEERS=1.
func NewTool(tb testing.TB) *Tool {
	tb.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			tb.Fatalf("the capnp tool is required: %v", err)
		}
		tb.Skipf("SKIPPED, NOTHING WAS COMPARED: %v (FAIRLEAD_REQUIRE_PEERS=1 makes this a failure)", err)
	}
	return &Tool{path: path, dir: tb.TempDir()}
}

// Schema writes the text of a schema to a file for the tool and gives its path.
func (t *Tool) Schema(tb testing.TB, name string, text []byte) string {
	tb.Helper()
	path := filepath.Join(t.dir, name+".capnp")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Run runs the tool with in as its input and gives its output. An error has what
// the tool says.
func (t *Tool) Run(in []byte, args ...string) ([]byte, error) {
	cmd := exec.Command(t.path, args...)
	cmd.Stdin = bytes.NewReader(in)
	var out, say bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &say
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("capnp %v: %w: %s", args, err, say.Bytes())
	}
	if say.Len() > 0 {
		return out.Bytes(), fmt.Errorf("capnp %v: %w: %s", args, errSaid, say.Bytes())
	}
	return out.Bytes(), nil
}

var errSaid = errors.New("it complained")

// Stream appends the messages in the standard format.
func Stream(tb testing.TB, msgs []*segment.Message) []byte {
	tb.Helper()
	var b []byte
	for _, m := range msgs {
		var err error
		if b, err = framing.Append(b, m, framing.Binary); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

// Compile compiles the schema in a file. It gives nil for the few schemas whose
// unions the tool refuses because old versions of it laid them out wrongly.
func (t *Tool) Compile(tb testing.TB, file string) *schema.Request {
	tb.Helper()
	out, err := t.Run(nil, "compile", "-o-", file)
	if err != nil && strings.Contains(err.Error(), "contained a bug which would cause this schema to be compiled incorrectly") {
		return nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	msg, _, err := framing.Unmarshal(out)
	if err != nil {
		tb.Fatal(err)
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		tb.Fatal(err)
	}
	return req
}
