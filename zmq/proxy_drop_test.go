package zmq_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/zmq"
)

// A peer that sends what the other side can't take, one frame to a ROUTER, does
// not end the proxy for the others.
func TestProxyDropsWhatItCannotPassOn(t *testing.T) {
	router, dealer := open(t, zmq.Router), open(t, zmq.Dealer)
	front := bind(t, router, "inproc://front-"+t.Name())
	back := bind(t, dealer, "inproc://back-"+t.Name())
	p := zmq.NewProxy(router, dealer, nil)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the proxy ended with %v", err)
		}
	})
	defer running.Wait()
	defer cancel()

	rude := open(t, zmq.Dealer)
	connect(t, rude, back)
	send(t, rude, "one frame")

	worker, client := open(t, zmq.Rep), open(t, zmq.Req)
	connect(t, worker, back)
	_ = rude.Close() // else requests are dealt to it too
	connect(t, client, front)
	send(t, client, "question")
	want(t, worker, "question")
	send(t, worker, "answer")
	want(t, client, "answer")
	if st := p.Stats(); st.Dropped != 1 {
		t.Errorf("%d messages dropped, want 1: %+v", st.Dropped, st)
	}
}
