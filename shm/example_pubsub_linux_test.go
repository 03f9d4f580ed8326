//go:build !purego

package shm_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// One process publishes readings, others take them as they come. Here both are in
// one program.
func ExamplePublisher() {
	folder, err := os.MkdirTemp("", "readings")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "readings.sock")
	ctx := context.Background()

	publisher, err := shm.NewPublisher(path, shm.PublisherOptions{History: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer publisher.Close()
	publish := func(celsius float64) {
		msg := publisher.NewMessage(0) // built where the subscribers will read it
		msg.NewRoot(segment.Size{DataWords: 1}).SetFloat64(0, celsius)
		if err := publisher.Publish(ctx, msg); err != nil {
			fmt.Println(err)
		}
	}
	publish(20.5)

	// In another process. It begins with the last reading there is.
	subscriber, err := shm.Subscribe(ctx, path, shm.SubscriberOptions{History: 1, Policy: shm.DropOldest})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer subscriber.Close()
	publish(21)
	publisher.Close()
	for {
		msg, err := subscriber.Recv(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(msg.Root().Struct().Float64(0))
		msg.Release()
	}
	// Output:
	// 20.5
	// 21
}

// A log is appended to by one process and followed by others.
func ExampleLog() {
	folder, err := os.MkdirTemp("", "log")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "readings.log")

	log, err := shm.OpenLog(path, shm.LogOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	for _, celsius := range []float64{20.5, 21, 21.5} {
		msg := log.NewMessage(0) // built in the file
		msg.NewRoot(segment.Size{DataWords: 1}).SetFloat64(0, celsius)
		if err := log.Append(msg); err != nil {
			fmt.Println(err)
			return
		}
	}

	// In another process. With Follow, Next would wait for more.
	reader, err := shm.ReadLog(path, shm.LogReaderOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	for {
		msg, err := reader.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(msg.Root().Struct().Float64(0))
		msg.Release()
	}
	// Output:
	// 20.5
	// 21
	// 21.5
}
