package sturdy_test

import (
	"context"
	"fmt"
	"net"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/sturdy"
	"github.com/fairlead-go/fairlead/segment"
)

// greeting answers every call with a text. It stands for what generated code
// serves.
func greeting(text string) rpc.Client {
	return rpc.Serve(rpc.Server{Dispatch: func(_ context.Context, call *rpc.Call) error {
		call.NewResults(segment.Size{Ptrs: 1}).SetText(0, text)
		return nil
	}})
}

func greet(ctx context.Context, c rpc.Client) {
	f := c.NewCall(ctx, rpc.Method{Interface: 1}, segment.Size{}).Send()
	defer f.Release()
	res, err := f.Wait(ctx)
	fmt.Println(res.Text(0), err)
}

func Example() {
	ctx := context.Background()
	keeper := sturdy.NewKeeper(sturdy.Options{
		Store: new(sturdy.Memory), // OpenFile gives one that survives the process
		Load: func(_ context.Context, object string) (rpc.Client, error) {
			return greeting("hello again from " + object), nil
		},
	})
	defer keeper.Close()

	connect := func(boot rpc.Client) (client *rpc.Conn, end func()) {
		a, b := net.Pipe()
		server := rpc.NewConn(framing.NewPipe(a, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: boot, Restorer: keeper.Dispatch})
		client = rpc.NewConn(framing.NewPipe(b, framing.PipeOptions{}), rpc.ConnOptions{})
		return client, func() {
			_ = client.Close()
			_ = server.Close()
		}
	}

	// A server says what can be saved, and a client saves it.
	object := greeting("hello from room 7")
	if err := keeper.Persist(object, "room 7"); err != nil {
		fmt.Println(err)
	}
	conn, end := connect(object)
	c := conn.Bootstrap()
	greet(ctx, c)
	ref, err := sturdy.Save(ctx, c, sturdy.Anyone)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(ref)
	c.Release()
	end()

	// The object is gone, and built again for whoever restores it.
	conn, end = connect(rpc.Client{})
	defer end()
	c = sturdy.Restore(ctx, conn, ref)
	defer c.Release()
	greet(ctx, c)
	// Output:
	// hello from room 7 <nil>
	// sturdy reference of 32 bytes
	// hello again from room 7 <nil>
}
