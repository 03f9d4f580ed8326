package shm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// point is what the examples send: two numbers.
var point = segment.Size{DataWords: 2}

// Two processes, here two goroutines, move a message by reference.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "shm")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "points.sock")

	ln, err := shm.Listen(path, shm.Options{})
	if errors.Is(err, shm.ErrUnsupported) {
		fmt.Println("received (3, 4)\nthe peer has closed")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()

	go func() { // the other process
		pipe, err := shm.Dial(ctx, path, shm.Options{})
		if err != nil {
			log.Fatal(err)
		}
		defer pipe.Close()
		msg := pipe.NewMessage(0) // in memory that the peer sees
		p := msg.NewRoot(point)
		p.SetFloat64(0, 3)
		p.SetFloat64(8, 4)
		if err := pipe.Send(ctx, msg); err != nil { // msg is the pipe's now
			log.Fatal(err)
		}
	}()

	pipe, err := ln.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pipe.Close()
	msg, err := pipe.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	p := msg.Root().Struct()
	fmt.Printf("received (%v, %v)\n", p.Float64(0), p.Float64(8))
	msg.Release() // gives the memory back to the peer
	if _, err := pipe.Recv(ctx); err == io.EOF {
		fmt.Println("the peer has closed")
	}
	// Output:
	// received (3, 4)
	// the peer has closed
}

// A pipe to a child process needs no name in any folder.
func ExamplePair() {
	ctx := context.Background()
	ours, theirs, err := shm.Pair()
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command("worker")
	cmd.ExtraFiles = []*os.File{theirs} // descriptor 3 there
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	theirs.Close()
	pipe, err := shm.Attach(ctx, ours, shm.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer pipe.Close()

	// In the child:
	//
	//	pipe, err := shm.Attach(ctx, os.NewFile(3, "pipe"), shm.Options{})
}

// One goroutine serves many clients.
func ExamplePoller() {
	ctx := context.Background()
	ln, err := shm.Listen("/run/user/1000/service.sock", shm.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	q := shm.NewPoller(shm.Adaptive)
	defer q.Close()
	go func() {
		for {
			pipe, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			if err := q.Add(ctx, pipe); err != nil {
				pipe.Close()
			}
		}
	}()
	for {
		pipe, msg, err := q.Recv(ctx)
		switch {
		case pipe == nil:
			log.Fatal(err)
		case msg == nil:
			pipe.Close() // this client is gone
		default:
			fmt.Println(msg.Root().Struct().Uint64(0))
			msg.Release()
		}
	}
}

// A camera writes its pictures where the peer reads them.
func ExamplePipe_NewMessage() {
	var pipe *shm.Pipe
	var camera io.Reader
	ctx := context.Background()

	msg := pipe.NewMessage(1<<20 + 100)
	frame := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	pixels := frame.Ptr(0).NewDirtyData(1 << 20) // not cleared, for all is written
	if _, err := io.ReadFull(camera, pixels); err != nil {
		msg.Release()
		log.Fatal(err)
	}
	if err := pipe.Send(ctx, msg); err != nil {
		log.Fatal(err)
	}
}

// Each message is begun while the peer reads the last.
func ExampleWriter_NewMessage() {
	var pipe *shm.Pipe
	ctx := context.Background()
	var camera io.Reader

	w := pipe.Writer()
	defer w.Close()
	for range 1000 {
		msg := w.NewMessage(1<<20 + 100)
		frame := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
		if _, err := io.ReadFull(camera, frame.Ptr(0).NewDirtyData(1<<20)); err != nil {
			log.Fatal(err)
		}
		if err := w.Send(ctx, msg); err != nil {
			log.Fatal(err)
		}
	}
}

// Many small messages cross in one block.
func ExampleWriter() {
	var pipe *shm.Pipe
	ctx := context.Background()

	w := pipe.Writer()
	defer w.Close()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	for i := range 1000 {
		msg.Reset()
		msg.NewRoot(point).SetUint64(0, uint64(i))
		if err := w.Add(ctx, msg); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		log.Fatal(err)
	}
}
