package sturdy

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
)

func nilLoad(context.Context, string) (rpc.Client, error) { return rpc.Client{}, nil }

// Connections that have ended, and objects that have, are forgotten.
func TestForgotten(t *testing.T) {
	var q quotas
	var os objects
	for i := range 5 * sweepFrom {
		a, b := net.Pipe()
		conn := rpc.NewConn(framing.NewPipe(a, framing.PipeOptions{}), rpc.ConnOptions{})
		if _, err := q.reserve(conn, 1); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = b.Close()
		c := rpc.Serve(rpc.Server{Dispatch: func(context.Context, *rpc.Call) error { return nil }})
		os.set(fmt.Sprint(i), c, false)
		c.Release()
	}
	if n := len(q.conns); n > sweepFrom+1 {
		t.Errorf("%d connections are counted for", n)
	}
	if n := len(os.live); n > sweepFrom+1 {
		t.Errorf("%d objects are known", n)
	}
	if _, err := q.reserve(nil, 0); err != nil {
		t.Errorf("this process: %v", err)
	}
}
