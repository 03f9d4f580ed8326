package interop_test

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var patience = flag.Duration("patience", 30*time.Second, "how long to wait for what is expected to happen soon")

func TestMain(m *testing.M) {
	flag.Parse()
	if dir := os.Getenv("TMPDIR"); len(dir) > 40 {
		// The path of a unix socket has at most 107 bytes.
		_ = os.Setenv("TMPDIR", "/tmp")
	}
	goleak.VerifyTestMain(m)
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	t.Cleanup(cancel)
	return ctx
}
