// Latejoin publishes prices, and tells those who subscribe late what the prices
// are that they missed.
//
// A PUB forgets what nobody wanted when it was sent. Here the publisher is an XPUB,
// which receives subscriptions: to each new one it publishes the last value of
// every topic that it matches once more. Those who know it already see by its
// number that it is not new.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/examples/zmq/wire"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	f := newFeed()
	defer f.pub.Close()
	at, err := f.pub.Bind("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	running.Go(func() {
		if err := f.greet(ctx); !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, err)
		}
	})

	// Nobody is there to see these.
	for name, cents := range map[string]int64{"metal.gold": 10000, "metal.silver": 120, "grain.wheat": 7} {
		if err := f.set(ctx, name, cents); err != nil {
			return err
		}
	}
	early, err := subscribe(at, "metal.")
	if err != nil {
		return err
	}
	defer early.sub.Close()
	if err := early.follow(ctx, 2); err != nil {
		return err
	}
	fmt.Fprintln(w, "early:", early)

	if err := f.set(ctx, "metal.gold", 10500); err != nil {
		return err
	}
	late, err := subscribe(at, "")
	if err != nil {
		return err
	}
	defer late.sub.Close()
	if err := errors.Join(late.follow(ctx, 3), early.follow(ctx, 1)); err != nil {
		return err
	}
	fmt.Fprintln(w, "late: ", late)
	fmt.Fprintln(w, "early:", early)
	return nil
}

type price struct {
	sequence uint64
	cents    int64
}

// A feed publishes prices, and knows the last of each.
type feed struct {
	pub *zmq.Socket

	mu       sync.Mutex // makes what is known and what is published the same
	sequence uint64
	last     map[string]price
}

func newFeed() *feed {
	// Verbose, for a second subscriber to a topic is new too.
	return &feed{pub: zmq.NewXPub(zmq.Options{Verbose: true}), last: map[string]price{}}
}

// set publishes a price.
func (f *feed) set(ctx context.Context, name string, cents int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sequence++
	f.last[name] = price{f.sequence, cents}
	return f.publish(ctx, name)
}

// publish sends the last price of something behind its name, which is the topic.
// The caller has the lock.
func (f *feed) publish(ctx context.Context, name string) error {
	p := f.last[name]
	msg := segment.New(arena.Pool())
	b := wire.NewRootPrice(msg)
	b.SetSequence(p.sequence)
	b.SetName(name)
	b.SetCents(p.cents)
	return f.pub.SendMessage(ctx, msg, []byte(name))
}

// greet publishes what new subscribers missed, until the context ends.
func (f *feed) greet(ctx context.Context) error {
	for {
		frames, err := f.pub.Recv(ctx)
		if err != nil {
			return err
		}
		// A 1 and the topic; a 0 for one that is cancelled.
		topic, subscribed := strings.CutPrefix(string(frames[0]), "\x01")
		if !subscribed {
			continue
		}
		f.mu.Lock()
		for name := range f.last {
			if strings.HasPrefix(name, topic) {
				err = errors.Join(err, f.publish(ctx, name))
			}
		}
		f.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// A subscriber knows the last prices of what it wants.
type subscriber struct {
	sub   *zmq.Socket
	known map[string]price
}

func subscribe(at, topic string) (*subscriber, error) {
	s := &subscriber{zmq.NewSub(), map[string]price{}}
	if err := errors.Join(s.sub.Subscribe(topic), s.sub.Connect(at)); err != nil {
		_ = s.sub.Close()
		return nil, err
	}
	return s, nil
}

// follow takes in n prices that are new.
func (s *subscriber) follow(ctx context.Context, n int) error {
	for n > 0 {
		var topic [1][]byte
		msg, err := s.sub.RecvEnvelope(ctx, topic[:])
		if err != nil {
			return err
		}
		p := wire.RootPrice(msg)
		name, next := p.Name(), price{p.Sequence(), p.Cents()}
		err = msg.Err()
		msg.Release()
		if err != nil {
			return err
		}
		if next.sequence > s.known[name].sequence {
			s.known[name] = next
			n--
		}
	}
	return nil
}

func (s *subscriber) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		all = append(all, fmt.Sprintf("%s %.2f", name, float64(s.known[name].cents)/100))
	}
	return strings.Join(all, ", ")
}
