package demo

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
)

const (
	asWorker  = "as-worker"
	asQuitter = "as-quitter"
)

// TestMain is the second process too, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == asWorker || os.Args[1] == asQuitter) {
		if err := second(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// A second process that is built to find races would stay a second longer.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func second(as, transport, dir string) error {
	if as == asQuitter {
		return quit(transport, dir)
	}
	return Worker(context.Background(), transport, dir, os.Stdin, os.Stdout)
}

// quit is a worker that ends as soon as it got something.
func quit(transport, dir string) error {
	t, err := transportNamed(transport)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	ctx := context.Background()
	ln, err := t.Listen(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	if l, ok := ln.(rpcListener); ok {
		return l.ServeRPC(ctx, wire.ServeDoor(quitter{}).Client)
	}
	pipe, err := ln.(interface {
		Accept(ctx context.Context) (Pipe, error)
	}).Accept(ctx)
	if err != nil {
		return err
	}
	_, err = pipe.Recv(ctx)
	return fmt.Errorf("quit after a message: %v", err)
}

type quitter struct{ wire.DoorUnimplemented }

func (quitter) Enter(context.Context, wire.DoorEnterCall) error {
	fmt.Fprintln(os.Stderr, "quit after a message")
	os.Exit(1)
	return nil
}

func secondProcess(t *testing.T, as string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, as}
}
