// Upload sends a file as a stream, and shows how far it is: what the server has
// written, not what has left.
//
//	upload serve URL FOLDER
//	upload send URL FILE NAME
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/internal/secure"
	"github.com/fairlead-go/fairlead/examples/upload/upload"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen upload/upload.capnp

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: upload serve URL FOLDER | send URL FILE NAME")

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := secure.Options()
	switch {
	case err != nil:
		return err
	case len(args) == 3 && args[0] == "serve":
		return serve(ctx, args[1], args[2], o, out)
	case len(args) == 4 && args[0] == "send":
		return sendFile(ctx, args[1], args[2], args[3], o, out)
	}
	return errUsage
}

func serve(ctx context.Context, url, path string, o fairlead.Options, out io.Writer) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	l, err := fairlead.Listen(url, o)
	if err != nil {
		root.Close()
		return err
	}
	fmt.Fprintln(out, "serving at", l.URL())
	return l.ServeRPC(ctx, upload.ServeUploads(uploads{root}).Client)
}

func sendFile(ctx context.Context, url, file, name string, o fairlead.Options, out io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}

	conn, err := fairlead.DialRPC(ctx, url, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	to := upload.NewUploads(conn.Bootstrap())
	defer to.Release()
	return send(ctx, to, name, f, func(written uint64) {
		fmt.Fprintf(out, "%s: %d of %d bytes\n", name, written, info.Size())
	})
}
