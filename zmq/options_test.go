package zmq_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

func TestWelcomeMessage(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		for _, typ := range []zmq.Type{zmq.Pub, zmq.XPub} {
			t.Run(typ.String(), func(t *testing.T) {
				endpoint := endpoint
				if !strings.HasPrefix(endpoint, "tcp") {
					endpoint += typ.String()
				}
				pub := open(t, typ, zmq.Options{Welcome: []byte("welcome to all")})
				actual := bind(t, pub, endpoint)
				for range 2 {
					sub := open(t, zmq.Sub)
					if err := sub.Subscribe("welcome"); err != nil {
						t.Fatal(err)
					}
					connect(t, sub, actual)
					want(t, sub, "welcome to all")
				}
				deaf := open(t, zmq.Sub)
				if err := deaf.Subscribe("news"); err != nil {
					t.Fatal(err)
				}
				connect(t, deaf, actual)
				until(t, "it has subscribed", func() bool { return zmq.Wishers(pub, "news") == 1 })
				send(t, pub, "news")
				want(t, deaf, "news") // and not the welcome
			})
		}
	})
}

func TestNoDropWaits(t *testing.T) {
	pub := open(t, zmq.Pub, zmq.Options{NoDrop: true, SendHighWater: 2, SendHighWaterBytes: -1})
	r := dialRaw(t, bind(t, pub, "tcp://127.0.0.1:*")).shake("SUB")
	r.say(frame([]byte("\x01"), false, false))
	until(t, "it has subscribed", func() bool { return zmq.Wishers(pub, "") == 1 })
	body := make([]byte, 1<<20)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	sent := 0
	var err error
	for ; err == nil && sent < 1000; sent++ {
		err = pub.Send(ctx, body)
	}
	wantErr(t, err, context.DeadlineExceeded)
	if d := pub.Stats().Dropped; d != 0 {
		t.Errorf("%d messages were dropped", d)
	}
	// Whoever waits goes on when the subscriber reads, and nothing is missing.
	done := make(chan error, 1)
	go func() { done <- pub.Send(within(t), []byte("last")) }()
	for i := range sent - 1 {
		if _, b := r.frame(); len(b) != len(body) {
			t.Fatalf("frame %d of %d has %d bytes", i, sent-1, len(b))
		}
	}
	if _, b := r.frame(); string(b) != "last" {
		t.Errorf("the last is %.20q", b)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBacklog(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("how many more wait differs between systems")
	}
	waiting := func(o zmq.Options) (n int) {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := zmq.ListenUnix(path, o)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		for n < 20 {
			c, err := net.Dial("unix", path)
			if err != nil {
				break
			}
			defer c.Close()
			n++
		}
		return n
	}
	if n := waiting(zmq.Options{Backlog: 3}); n < 3 || n > 5 {
		t.Errorf("with a backlog of 3, %d wait", n)
	}
	if n := waiting(zmq.Options{}); n != 20 {
		t.Errorf("without one, %d of 20 wait", n)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for i, tc := range []struct {
		typ zmq.Type
		o   zmq.Options
	}{
		{zmq.Push, zmq.Options{Welcome: []byte("x")}},
		{zmq.Dealer, zmq.Options{NoDrop: true}},
		{zmq.Sub, zmq.Options{Manual: true}},
		{zmq.Router, zmq.Options{Conflate: true}},
		{zmq.Push, zmq.Options{Backlog: -1}},
		{zmq.Dealer, zmq.Options{RoutingID: make([]byte, 256)}},
		{zmq.Dealer, zmq.Options{RoutingID: []byte{0, 1}}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("a %v was made with %+v", tc.typ, tc.o)
				}
			}()
			zmq.New(tc.typ, tc.o)
		})
	}
}
