// Retries asks a server that may crash at any time, and asks again until there is
// a reply or patience ends.
//
// A REQ that is relaxed may ask again before the reply came; one that correlates
// does not take a late reply to an earlier request for the reply to this one. The
// server may see a request twice, so asking twice must do no harm.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/examples/zmq/wire"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

const (
	tries    = 20
	patience = 500 * time.Millisecond // with each
)

func main() {
	if err := run(context.Background(), os.Stdout, 2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run asks a server that crashes so often before it answers.
func run(ctx context.Context, w io.Writer, crashes int) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	dir, err := os.MkdirTemp("", "retries")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	endpoint := "ipc://" + dir + "/server"
	running.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := server(ctx, endpoint, i < crashes); !errors.Is(err, context.Canceled) && !errors.Is(err, errCrashed) {
				fmt.Fprintln(os.Stderr, err)
				return
			}
		}
	})

	req := zmq.NewReq(zmq.Options{Relaxed: true, Correlate: true})
	defer req.Close()
	if err := req.Connect(endpoint); err != nil {
		return err
	}
	total := 0
	for _, n := range []uint64{6, 7} {
		square, asked, err := ask(ctx, req, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d × %d = %d\n", n, n, square)
		total += asked
	}
	_, err = fmt.Fprintln(w, "asked again:", total > 2)
	return err
}

// ask asks until there is a reply, and tells how often it asked.
func ask(ctx context.Context, req *zmq.Socket, n uint64) (square uint64, asked int, err error) {
	for asked = 1; asked <= tries; asked++ {
		var msg *segment.Message
		msg, err = askOnce(ctx, req, n)
		if err == nil {
			square = wire.RootJob(msg).Number()
			err = msg.Err()
			msg.Release()
			return square, asked, err
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return 0, asked, err
		}
	}
	return 0, tries, fmt.Errorf("no reply to %d requests: %w", tries, err)
}

func askOnce(ctx context.Context, req *zmq.Socket, n uint64) (*segment.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	msg := segment.New(arena.Pool())
	wire.NewRootJob(msg).SetNumber(n)
	if err := req.SendMessage(ctx, msg); err != nil {
		return nil, err
	}
	return req.RecvMessage(ctx)
}

var errCrashed = errors.New("server: crashed")

// server squares numbers until the context ends, or crashes when it is asked.
func server(ctx context.Context, endpoint string, crashes bool) error {
	rep := zmq.NewRep()
	defer rep.Close()
	if _, err := rep.Bind(endpoint); err != nil {
		return err
	}
	for {
		msg, err := rep.RecvMessage(ctx)
		if err != nil {
			return err
		}
		n := wire.RootJob(msg).Number()
		msg.Release()
		if crashes {
			return errCrashed
		}
		reply := segment.New(arena.Pool())
		wire.NewRootJob(reply).SetNumber(n * n)
		if err := rep.SendMessage(ctx, reply); err != nil {
			return err
		}
	}
}
