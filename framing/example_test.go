package framing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// greeting builds a message whose root has one text.
func greeting(s string) *segment.Message {
	msg := segment.New(arena.Pool())
	msg.NewRoot(segment.Size{Ptrs: 1}).SetText(0, s)
	return msg
}

func ExampleWrite() {
	var file bytes.Buffer
	msg := greeting("hello")
	if err := framing.Write(&file, msg); err != nil {
		fmt.Println(err)
	}
	msg.Release()

	got, err := framing.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer got.Release()
	fmt.Println(got.Root().Struct().Text(0))
	// Output: hello
}

func ExampleDecoder_Messages() {
	var stream bytes.Buffer
	enc := framing.NewEncoder(&stream, framing.EncoderOptions{Format: framing.Packed})
	for _, s := range []string{"one", "two", "three"} {
		msg := greeting(s)
		if err := enc.Encode(msg); err != nil {
			fmt.Println(err)
		}
		msg.Release()
	}
	if err := enc.Flush(); err != nil {
		fmt.Println(err)
	}

	dec := framing.NewDecoder(&stream, framing.DecoderOptions{Format: framing.Packed})
	for msg, err := range dec.Messages() {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(msg.Root().Struct().Text(0))
		msg.Release()
	}
	// Output:
	// one
	// two
	// three
}

func ExampleUnmarshal() {
	msg := greeting("in place")
	b, err := framing.Marshal(msg)
	if err != nil {
		fmt.Println(err)
	}
	msg.Release()

	got, rest, err := framing.Unmarshal(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer got.Release()
	fmt.Println(len(b), got.Root().Struct().Text(0), len(rest))
	// Output: 40 in place 0
}

// Messages that lie in memory one behind the other are read with one that is
// kept.
func ExampleReopen() {
	var stream []byte
	for _, s := range []string{"one", "two", "three"} {
		msg := greeting(s)
		stream, _ = framing.Append(stream, msg, framing.Binary)
		msg.Release()
	}

	msg, rest, err := framing.Unmarshal(stream)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer msg.Release()
	for err == nil {
		fmt.Println(msg.Root().Struct().Text(0))
		rest, err = framing.Reopen(msg, rest)
	}
	if err != io.EOF {
		fmt.Println(err)
	}
	// Output:
	// one
	// two
	// three
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "framing")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "greetings.capnp")
	msg := greeting("from a file")
	b, err := framing.Append(nil, msg, framing.Binary)
	if err == nil {
		b, err = framing.Append(b, msg, framing.Binary)
	}
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	msg.Release()

	file, err := framing.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for msg, err := range file.Messages() {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(msg.Root().Struct().Text(0))
		msg.Release()
	}
	if err := file.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// from a file
	// from a file
}

// A stream that ends inside a message says where that message began.
func ExampleError() {
	msg := greeting("cut")
	defer msg.Release()
	b, err := framing.Marshal(msg)
	if err != nil {
		fmt.Println(err)
	}
	stream := append(b, b[:20]...)
	for _, err := range framing.NewSliceDecoder(stream, framing.DecoderOptions{}).Messages() {
		if err != nil {
			fmt.Println(err)
			fmt.Println(errors.Is(err, io.ErrUnexpectedEOF))
		}
	}
	// Output:
	// framing: message at offset 32: unexpected EOF
	// true
}

func ExamplePipe() {
	ctx := context.Background()
	here, there := net.Pipe() // or any connection of package net
	client := framing.NewPipe(here, framing.PipeOptions{})
	server := framing.NewPipe(there, framing.PipeOptions{VerifyOnRecv: true})

	go func() {
		defer func() { _ = server.Close() }()
		for {
			msg, err := server.Recv(ctx)
			if err != nil {
				return // io.EOF when the client has closed
			}
			answer := server.NewMessage(0)
			answer.NewRoot(segment.Size{Ptrs: 1}).SetText(0, "hello, "+msg.Root().Struct().Text(0))
			msg.Release()
			if err := server.Send(ctx, answer); err != nil {
				return
			}
		}
	}()

	msg := client.NewMessage(0)
	msg.NewRoot(segment.Size{Ptrs: 1}).SetText(0, "world")
	if err := client.Send(ctx, msg); err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Recv(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Root().Struct().Text(0))
	answer.Release()
	if err := client.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: hello, world
}
