package gozmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
)

// greet builds a message with a text. Generated code would hide the sizes.
func greet(text string) *segment.Message {
	msg := segment.New(arena.Pool())
	msg.NewRoot(segment.Size{Ptrs: 1}).SetText(0, text)
	return msg
}

func text(msg *segment.Message) string { return msg.Root().Struct().Text(0) }

// A program that has sockets of zmq4 sends messages through them.
func Example() {
	pull := zmq4.NewPull(context.Background())
	defer pull.Close()
	if err := pull.Listen("tcp://127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	push := zmq4.NewPush(context.Background())
	defer push.Close()
	if err := push.Dial("tcp://" + pull.Addr().String()); err != nil {
		log.Fatal(err)
	}

	if err := gozmq.Send(push, greet("ahoy")); err != nil { // the message now belongs to Send
		log.Fatal(err)
	}
	msg, err := gozmq.Recv(pull)
	if err != nil {
		log.Fatal(err)
	}
	defer msg.Release()
	fmt.Println(text(msg))
	// Output: ahoy
}

// A ROUTER answers a REQ: the envelope goes back as it came.
func ExampleRecvWith() {
	router := zmq4.NewRouter(context.Background())
	defer router.Close()
	if err := router.Listen("tcp://127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	req := zmq4.NewReq(context.Background())
	defer req.Close()
	if err := req.Dial("tcp://" + router.Addr().String()); err != nil {
		log.Fatal(err)
	}

	if err := gozmq.Send(req, greet("what time is it?")); err != nil {
		log.Fatal(err)
	}
	envelope, question, err := gozmq.RecvWith(router, gozmq.RecvOptions{Envelope: gozmq.Delimited})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(envelope), "frames and", text(question))
	question.Release()

	if err := gozmq.Send(router, greet("eight bells"), envelope...); err != nil {
		log.Fatal(err)
	}
	answer, err := gozmq.Recv(req)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Release()
	fmt.Println(text(answer))
	// Output:
	// 2 frames and what time is it?
	// eight bells
}

// A PUB sends a topic before the segments, for subscribers to choose by.
func ExampleSend() {
	pub := zmq4.NewPub(context.Background())
	defer pub.Close()
	if err := pub.Listen("tcp://127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	sub := zmq4.NewSub(context.Background())
	defer sub.Close()
	if err := sub.SetOption(zmq4.OptionSubscribe, "weather."); err != nil {
		log.Fatal(err)
	}
	if err := sub.Dial("tcp://" + pub.Addr().String()); err != nil {
		log.Fatal(err)
	}
	for len(pub.(zmq4.Topics).Topics()) == 0 { // whoever subscribes late has missed it
		time.Sleep(time.Millisecond)
	}

	if err := gozmq.Send(pub, greet("gale"), []byte("weather.biscay")); err != nil {
		log.Fatal(err)
	}
	topic, msg, err := gozmq.RecvWith(sub, gozmq.RecvOptions{Envelope: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer msg.Release()
	fmt.Printf("%s: %s\n", topic[0], text(msg))
	// Output: weather.biscay: gale
}
