package dynrpc_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
)

func TestServerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	named, err := load(t).Type("Named")
	if err != nil {
		t.Fatal(err)
	}
	down := make(chan struct{})
	c, err := dynrpc.Serve(dynrpc.Server{Type: named, File: f, Shutdown: func() { _ = f.Close(); close(down) }})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.AttachedFile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	<-down
	b, err := io.ReadAll(got)
	if err != nil || string(b) != "a file" {
		t.Errorf("it says %q, %v", b, err)
	}
	_ = got.Close()

	none, err := dynrpc.Serve(dynrpc.Server{Type: named})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Release()
	if _, err := none.AttachedFile(t.Context()); !errors.Is(err, rpc.ErrNoFile) {
		t.Errorf("%v, want none", err)
	}
}
