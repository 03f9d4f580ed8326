package shm

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

var pubKills = flag.Int("pubsub.kills", 10, "how many publishers, and subscribers, are killed at random instants")

// The steps that a subscriber, or a publisher, is killed in.
var (
	subscriberPoints = []string{
		"subscribe.greeted", "take.found", "take.inline", "take.held", "take.copied", "take.passed", "tell.held", "tell.told",
		"release", "released", "close.resigned", "leave.last",
	}
	publisherPoints = []string{"join.greeted", "join.added", "publish.entered", "publish.offered", "publish.floor", "publish.queued"}
)

const (
	pubPathEnv  = "FAIRLEAD_TEST_PUBSUB"
	pubPointEnv = "FAIRLEAD_TEST_PUBSUB_POINT"
)

// pubChild is one life of the other process.
type pubChild struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	stderr strings.Builder
}

func startPubChild(t *testing.T, test, path, point string, nth int) *pubChild {
	t.Helper()
	c := &pubChild{cmd: exec.Command(os.Args[0], "-test.run=^"+test+"$")}
	c.cmd.Env = append(os.Environ(), pubPathEnv+"="+path, pubPointEnv+"="+point+","+strconv.Itoa(nth))
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// told gives the last number that the process wrote, once it is dead.
func (c *pubChild) told(t *testing.T) (last uint64) {
	t.Helper()
	for {
		var b [8]byte
		if _, err := io.ReadFull(c.out, b[:]); err != nil {
			break
		}
		last = binary.LittleEndian.Uint64(b[:])
	}
	err := c.cmd.Wait()
	if ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended by itself: %v\n%s", err, &c.stderr)
	}
	return last
}

// dieAtPoint makes this process die where the environment says.
func dieAtPoint() {
	name, count, _ := strings.Cut(os.Getenv(pubPointEnv), ",")
	nth, _ := strconv.Atoi(count)
	points = func(point string) {
		if point != name {
			return
		}
		if nth--; nth == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// pubLives calls f with every point, and with no point for random instants.
func pubLives(points []string, f func(point string, nth int)) {
	for _, nth := range []int{1, 7} {
		for _, point := range points {
			if once, _, _ := strings.Cut(point, "."); nth > 1 && slices.Contains([]string{"join", "subscribe", "close", "leave"}, once) {
				continue // that comes once
			}
			f(point, nth)
		}
	}
	for range *pubKills {
		f("", 0)
	}
}

// TestSubscriberKilled kills subscribers. The publisher gets everything back, and
// another subscriber misses nothing.
func TestSubscriberKilled(t *testing.T) {
	if path := os.Getenv(pubPathEnv); path != "" {
		subscribeUntilKilled(path)
	}
	p := newPublisher(t, PublisherOptions{AllowBlock: true, History: 2})
	good := subscribe(t, p, SubscriberOptions{Policy: Block})
	stop, received := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := uint64(1); ; n++ {
			msg, err := good.Recv(context.Background())
			if err == io.EOF {
				received <- nil
				return
			}
			if err == nil {
				err = checkNumbered(msg, n)
				msg.Release()
			}
			if err != nil {
				received <- fmt.Errorf("message %d: %w", n, err)
				return
			}
		}
	}()
	published := make(chan uint64, 1)
	go func() {
		defer close(published)
		for n := uint64(1); ; n++ {
			select {
			case <-stop:
				published <- n - 1
				return
			default:
			}
			if err := p.Publish(context.Background(), numbered(p.NewMessage(0), n)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	pubLives(subscriberPoints, func(point string, nth int) {
		c := startPubChild(t, "TestSubscriberKilled", p.Path(), point, nth)
		if point == "" {
			if _, err := c.out.ReadByte(); err != nil { // it is at work
				t.Errorf("%v\n%s", err, &c.stderr)
			}
			time.Sleep(rand.N(5 * time.Millisecond))
			_ = c.cmd.Process.Kill()
		}
		_ = c.told(t)
		for i := 0; p.Stats().Subscribers > 1 || p.Stats().Leaving > 0; i++ {
			if time.Sleep(time.Millisecond); i > 30_000 {
				t.Fatalf("point %q: the publisher does not learn of a death", point)
			}
		}
	})
	close(stop)
	last, blocks := <-published, 0
	for _, n := range []uint64{last - 1, last} { // the history
		if 3*8+(len(dataOf(n))+7)&^7 > pubWords { // more than an entry has room for
			blocks++
		}
	}
	for i := 0; p.Stats().Out > 2; i++ { // the good one is still at it
		if time.Sleep(time.Millisecond); i > 30_000 {
			t.Fatalf("%+v", p.Stats())
		}
	}
	if st := p.Stats(); st.Blocks != blocks || st.Disconnected != 0 {
		t.Errorf("%+v, want %d blocks", st, blocks)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-received; err != nil {
		t.Error(err)
	}
}

func subscribeUntilKilled(path string) {
	dieAtPoint()
	err := func() error {
		ctx := context.Background()
		policy := Policy(os.Getpid() % 3)
		point, _, _ := strings.Cut(os.Getenv(pubPointEnv), ",")
		name, _, _ := strings.Cut(point, ".")
		switch point {
		case "take.held": // with Block it comes to hold in another way
			policy %= 2
		case "tell.held":
			policy = Block
		}
		s, err := Subscribe(ctx, path, SubscriberOptions{Policy: policy, Depth: 20, History: 2})
		if err != nil {
			return err
		}
		var held []*segment.Message
		for i := 0; ; i++ {
			msg, err := s.Recv(ctx)
			if err != nil {
				return err
			}
			if err := checkNumbered(msg, msg.Root().Struct().Uint64(0)); err != nil {
				return err
			}
			if held = append(held, msg); len(held) > 5 {
				held[0].Release()
				held = held[1:]
			}
			if i%100 == 20 {
				_, _ = os.Stdout.Write([]byte{0})
			}
			if i == 50 && (name == "close" || name == "leave") {
				return closeAndHold(ctx, s, held)
			}
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// closeAndHold closes a subscriber that holds messages, which do not change while all
// other memory of the publisher is used again.
func closeAndHold(ctx context.Context, s *Subscriber, held []*segment.Message) error {
	if err := s.Close(); err != nil {
		return err
	}
	other, err := Subscribe(ctx, s.path, SubscriberOptions{})
	if err != nil {
		return err
	}
	first := held[0].Root().Struct().Uint64(0)
	last := held[len(held)-1].Root().Struct().Uint64(0)
	for n := uint64(0); n < last+2*pubEntries; {
		msg, err := other.Recv(ctx)
		if err != nil {
			return err
		}
		n = msg.Root().Struct().Uint64(0)
		msg.Release()
	}
	for _, msg := range held {
		if err := checkNumbered(msg, msg.Root().Struct().Uint64(0)); err != nil {
			return fmt.Errorf("held after Close: %w", err)
		}
	}
	if n := held[0].Root().Struct().Uint64(0); n != first || s.Stats().Held == 0 {
		return fmt.Errorf("message %d was held first, now %d: %+v", first, n, s.Stats())
	}
	for _, msg := range held {
		msg.Release()
	}
	return errors.New("the last release did not end the subscription")
}

// TestPublisherKilled kills publishers. Their subscriber gets all that was
// published, each message once, and keeps what it holds; the next publisher takes
// the socket over.
func TestPublisherKilled(t *testing.T) {
	if path := os.Getenv(pubPathEnv); path != "" {
		publishUntilKilled(path)
	}
	needSharedMemory(t)
	dir := filepath.Join(t.TempDir(), "p")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	pubLives(publisherPoints, func(point string, nth int) {
		c := startPubChild(t, "TestPublisherKilled", path, point, nth)
		if _, err := c.out.ReadByte(); err != nil { // it listens
			t.Fatalf("%v\n%s", err, &c.stderr)
		}
		policy := Block
		if point == "publish.floor" {
			policy = DropOldest
		}
		s, err := Subscribe(briefly(t), path, SubscriberOptions{Policy: policy, Depth: 8})
		if err != nil {
			if strings.HasPrefix(point, "join") && errors.Is(err, ErrDisconnected) {
				_ = c.told(t)
				return
			}
			t.Fatalf("point %q: %v", point, err)
		}
		if point == "" {
			time.AfterFunc(rand.N(5*time.Millisecond), func() { _ = c.cmd.Process.Kill() })
		}
		if point == "publish.floor" {
			_ = c.told(t)
		}
		var held []*segment.Message
		last := uint64(0)
		for {
			msg, err := s.Recv(briefly(t))
			if err != nil {
				if !errors.Is(err, ErrDisconnected) {
					t.Errorf("point %q: after message %d: %v", point, last, err)
				}
				break
			}
			n := msg.Root().Struct().Uint64(0)
			if err := checkNumbered(msg, n); err != nil || n <= last || policy == Block && last != 0 && n != last+1 {
				t.Fatalf("point %q: message %d after %d: %v", point, n, last, err)
			}
			last = n
			if held = append(held, msg); len(held) > 5 {
				held[0].Release()
				held = held[1:]
			}
		}
		if policy == Block {
			if acknowledged := c.told(t); last != 0 && (last < acknowledged || last > acknowledged+1) {
				t.Errorf("point %q: %d was received last, %d published", point, last, acknowledged)
			}
		}
		for i, msg := range held {
			if err := checkNumbered(msg, last-uint64(len(held)-1-i)); err != nil {
				t.Errorf("point %q: what is held: %v", point, err)
			}
			msg.Release()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// publishUntilKilled publishes as soon as there is a subscriber. Published is what
// was, at the last, in its queue.
func publishUntilKilled(path string) {
	dieAtPoint()
	err := func() error {
		p, err := NewPublisher(path, PublisherOptions{AllowBlock: true})
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write([]byte{0}); err != nil {
			return err
		}
		for p.Stats().Subscribers == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		for n := uint64(1); ; n++ {
			if err := p.Publish(context.Background(), numbered(p.NewMessage(0), n)); err != nil {
				return err
			}
			if err := binary.Write(os.Stdout, binary.LittleEndian, n); err != nil {
				return err
			}
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
