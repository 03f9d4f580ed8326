package fairlead_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// A program that talks over whatever the URL names: the one below could as well
// be shm:///run/x.sock, unix:///run/x.sock or zmq+tcp://127.0.0.1:*.
func Example() {
	ctx := context.Background()
	ln, err := fairlead.Listen("tcp://127.0.0.1:*", fairlead.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go func() {
		pipe, err := fairlead.Dial(ctx, ln.URL(), fairlead.Options{})
		if err != nil {
			log.Fatal(err)
		}
		defer pipe.Close()
		for i := range uint32(3) {
			msg := pipe.NewMessage(0) // in memory that this pipe sends from
			root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
			root.SetUint32(0, i)
			root.SetText(0, "hello")
			if err := pipe.Send(ctx, msg); err != nil { // msg belongs to the pipe now
				log.Fatal(err)
			}
		}
	}()

	pipe, err := ln.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pipe.Close()
	for {
		msg, err := pipe.Recv(ctx) // to be read where it arrived
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		root := msg.Root().Struct()
		fmt.Println(root.Text(0), root.Uint32(0))
		msg.Release()
	}
	// Output:
	// hello 0
	// hello 1
	// hello 2
}

func ExampleListener_Accept() {
	ln, err := fairlead.Listen("zmq+inproc://example", fairlead.Options{VerifyOnRecv: true})
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nobody comes
	_, err = ln.Accept(ctx)
	fmt.Println(err)
	// Output: fairlead: accept zmq+inproc://example: zmq: accept: context canceled
}

// A server of one method, and its client. Generated code hides the numbers.
func ExampleDialRPC() {
	double := rpc.Method{Interface: 0xd0b1e0000000000d, Ordinal: 0}
	size := segment.Size{DataWords: 1}
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := fairlead.Listen("tcp://127.0.0.1:*", fairlead.Options{})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error)
	go func() {
		served <- ln.ServeRPC(ctx, rpc.Serve(rpc.Server{
			Interface: double.Interface,
			Dispatch: func(_ context.Context, call *rpc.Call) error {
				call.NewResults(size).SetInt64(0, 2*call.Params().Int64(0))
				return nil
			},
		}))
	}()

	conn, err := fairlead.DialRPC(ctx, ln.URL(), fairlead.Options{})
	if err != nil {
		log.Fatal(err)
	}
	boot := conn.Bootstrap()
	req := boot.NewCall(ctx, double, size)
	req.Params().SetInt64(0, 21)
	answer := req.Send()
	res, err := answer.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Int64(0))
	answer.Release()
	boot.Release()
	if err := conn.Close(); err != nil {
		log.Fatal(err)
	}
	cancel() // ends the server, which waits for calls under way
	fmt.Println(<-served)
	// Output:
	// 42
	// <nil>
}

func ExampleDial_badURL() {
	_, err := fairlead.Dial(context.Background(), "tcp://localhost", fairlead.Options{})
	fmt.Println(err)
	// Output: fairlead: bad URL "tcp://localhost": want tcp://HOST:PORT, with an IPv6 address in brackets
}
