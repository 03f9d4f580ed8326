package zmq_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

func Example() {
	ctx := context.Background()
	pull := zmq.NewPull()
	defer func() { _ = pull.Close() }()
	endpoint, err := pull.Bind("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}

	push := zmq.NewPush()
	defer func() { _ = push.Close() }()
	if err := push.Connect(endpoint); err != nil {
		log.Fatal(err)
	}
	msg := segment.New(arena.Pool())
	msg.RootBuilder().SetText("built in the memory that it is sent from")
	if err := push.SendMessage(ctx, msg); err != nil { // msg now belongs to the socket
		log.Fatal(err)
	}

	got, err := pull.RecvMessage(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer got.Release()
	fmt.Println(got.Root().Text())
	// Output: built in the memory that it is sent from
}

func ExampleSocket_Subscribe() {
	ctx := context.Background()
	pub, sub := zmq.NewXPub(), zmq.NewSub()
	defer func() { _, _ = pub.Close(), sub.Close() }()
	if _, err := pub.Bind("inproc://news"); err != nil {
		log.Fatal(err)
	}
	if err := sub.Connect("inproc://news"); err != nil {
		log.Fatal(err)
	}
	if err := sub.Subscribe("weather."); err != nil {
		log.Fatal(err)
	}
	// An XPUB sees subscriptions come, so it need not guess when to begin.
	if _, err := pub.Recv(ctx); err != nil {
		log.Fatal(err)
	}
	for _, topic := range []string{"sports.chess", "weather.oslo"} {
		if err := pub.Send(ctx, []byte(topic), []byte("news")); err != nil {
			log.Fatal(err)
		}
	}
	frames, err := sub.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", frames[0], frames[1])
	// Output: weather.oslo: news
}

func ExampleSocket_RecvEnvelope() {
	ctx := context.Background()
	router, dealer := zmq.NewRouter(), zmq.NewDealer(zmq.Options{RoutingID: []byte("worker-1")})
	defer func() { _, _ = router.Close(), dealer.Close() }()
	if _, err := router.Bind("inproc://workers"); err != nil {
		log.Fatal(err)
	}
	if err := dealer.Connect("inproc://workers"); err != nil {
		log.Fatal(err)
	}
	msg := segment.New(arena.Pool())
	msg.RootBuilder().SetText("ready")
	if err := dealer.SendMessage(ctx, msg); err != nil {
		log.Fatal(err)
	}

	id := make([][]byte, 1)
	got, err := router.RecvEnvelope(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is %s\n", id[0], got.Root().Text())
	if err := router.SendMessage(ctx, got, []byte("worker-1")); err != nil { // back, as it is
		log.Fatal(err)
	}
	// Output: worker-1 is ready
}
