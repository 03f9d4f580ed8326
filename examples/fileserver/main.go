// Fileserver serves a folder by capabilities: a client is handed objects, open
// files and folders, and what it has not been handed it can't name.
//
//	fileserver serve URL FOLDER
//	fileserver list URL [PATH]
//	fileserver get URL PATH             write a file to standard output
//	fileserver put URL FILE PATH        hand an open file over, which the server reads
//	fileserver copy URL PATH PATH       on the server
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/fileserver/fileserver"
	"github.com/fairlead-go/fairlead/examples/internal/secure"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen fileserver/fileserver.capnp

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fileserver:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: fileserver serve URL FOLDER | list URL [PATH] | get URL PATH | put URL FILE PATH | copy URL PATH PATH")

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 2 {
		return errUsage
	}
	o, err := secure.Options()
	if err != nil {
		return err
	}
	verb, url, rest := args[0], args[1], args[2:]
	if verb == "serve" && len(rest) == 1 {
		return serve(ctx, url, rest[0], o, out)
	}

	o.RPC.Limits.Files = 1
	conn, err := fairlead.DialRPC(ctx, url, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	top := fileserver.NewFolder(conn.Bootstrap())
	defer top.Release()
	switch {
	case verb == "list" && len(rest) == 0:
		return list(ctx, top, "", out)
	case verb == "list" && len(rest) == 1:
		return list(ctx, top, rest[0], out)
	case verb == "get" && len(rest) == 1:
		return get(ctx, top, rest[0], out)
	case verb == "put" && len(rest) == 2:
		return stored(out)(put(ctx, top, rest[0], rest[1]))
	case verb == "copy" && len(rest) == 2:
		return stored(out)(copyFile(ctx, top, rest[0], rest[1]))
	}
	return errUsage
}

func stored(out io.Writer) func(uint64, error) error {
	return func(size uint64, err error) error {
		if err == nil {
			fmt.Fprintln(out, size, "bytes")
		}
		return err
	}
}

func serve(ctx context.Context, url, path string, o fairlead.Options, out io.Writer) error {
	top, err := serveFolder(path)
	if err != nil {
		return err
	}
	l, err := fairlead.Listen(url, o)
	if err != nil {
		top.Release()
		return err
	}
	fmt.Fprintln(out, "serving at", l.URL())
	return l.ServeRPC(ctx, top.Client)
}
