package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const pubLifeEnv = "FAIRLEAD_TEST_PUBSUB_LIFE"

// lifeShift is where, in the number of a message, the number of its publisher begins.
const lifeShift = 24

// early is how many messages each publisher publishes before anybody is there.
const early = 3

// TestPublisherRestarts kills publishers one after the other, each of which takes the
// place of the one before, be that dead, dying or alive. One subscriber receives from
// all of them: of each without a gap all that it said to have published, and it is told
// what it missed.
func TestPublisherRestarts(t *testing.T) {
	if path := os.Getenv(pubPathEnv); path != "" {
		publishAsOneOfMany(path)
	}
	needSharedMemory(t)
	path := newPath(t)
	before := descriptors(t)

	// The parent of all publishers, so that there is somebody to subscribe to.
	first := publishAs(t, path, PublisherOptions{AllowBlock: true})
	var restart *Restart
	s, err := Subscribe(briefly(t), path, SubscriberOptions{
		Policy: Block, Depth: 16, Reconnect: true, OnRestart: func(r Restart) { restart = &r },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	received := map[uint64]uint64{} // the last message of each publisher
	done := make(chan error)
	go func() { done <- receiveOfMany(ctx, s, &restart, &mu, received) }()

	var lives []*pubChild
	told := map[uint64]uint64{}
	start := func(point string, nth int) *pubChild {
		t.Setenv(pubLifeEnv, strconv.Itoa(len(lives)+1))
		c := startPubChild(t, "TestPublisherRestarts", path, point, nth)
		lives = append(lives, c)
		return c
	}
	bury := func(life int) {
		_ = lives[life-1].cmd.Process.Kill()
		told[uint64(life)] = lives[life-1].told(t)
	}
	reached := func(life int, n uint64) {
		for i := 0; ; i++ {
			mu.Lock()
			got := received[uint64(life)]
			mu.Unlock()
			if got >= n {
				return
			}
			if time.Sleep(time.Millisecond); i > 30_000 {
				t.Fatalf("publisher %d: message %d was received last", life, got)
			}
		}
	}
	random := rand.New(rand.NewPCG(11, uint64(os.Getpid())))
	living := 0 // the publisher that is left to the next round
	replaceOrBury := func() {
		if living != 0 && random.IntN(2) == 0 {
			bury(living)
			living = 0
		}
	}
	for _, point := range []string{
		"listen.bound", "listen.named", "replace.asked", "join.greeted", "join.added",
		"publish.entered", "publish.offered", "publish.queued", "replace.given",
	} {
		for range 2 {
			if point == "replace.asked" && living == 0 {
				start("", 0)
				living = len(lives)
				reached(living, early+5)
			}
			if point != "replace.asked" {
				replaceOrBury()
			}
			old := living
			start(point, 1+random.IntN(2)*boolToInt(strings.HasPrefix(point, "publish"))*(early+20))
			life := len(lives)
			if point == "replace.given" {
				reached(life, early+5)
				start("", 0) // which it dies of
				living = len(lives)
				reached(living, early+5)
			} else {
				living = 0
			}
			told[uint64(life)] = lives[life-1].told(t)
			if old != 0 {
				bury(old)
			}
		}
	}
	for range *pubKills {
		replaceOrBury()
		old := living
		start("", 0)
		living = len(lives)
		reached(living, early+1)
		if old != 0 {
			bury(old)
		}
		time.Sleep(rand.N(3 * time.Millisecond))
		if random.IntN(2) == 0 {
			bury(living)
			living = 0
		}
	}
	if living == 0 {
		start("", 0)
		living = len(lives)
	}
	reached(living, early+50)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	st := s.Stats()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	bury(living)
	for life, n := range told {
		if got := received[life]; got != 0 && got < n && life != uint64(living) {
			t.Errorf("publisher %d: %d was received last, %d published", life, got, n)
		}
	}
	if st.Restarts < uint64(*pubKills) || st.Lost < st.Restarts || len(s.old) > 1 {
		t.Errorf("%+v, %d old publishers are kept", st, len(s.old))
	}
	files, err := os.ReadDir(strings.TrimSuffix(path, "/s"))
	if err != nil || len(files) != 1 || files[0].Name() != "s" {
		t.Errorf("%v are left, %v", files, err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	for i := 0; descriptors(t) > before+5; i++ { // /dev/null, and the files of this test
		if time.Sleep(time.Millisecond); i > 10_000 {
			t.Fatalf("%d descriptors open, %d before", descriptors(t), before)
		}
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// receiveOfMany receives, holding some messages for a while.
func receiveOfMany(ctx context.Context, s *Subscriber, restart **Restart, mu *sync.Mutex, received map[uint64]uint64) error {
	life, last := uint64(0), uint64(0)
	for {
		msg, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		v := msg.Root().Struct().Uint64(0)
		if err := checkNumbered(msg, v); err != nil {
			return err
		}
		msg.Release()
		from, n := v>>lifeShift, v&(1<<lifeShift-1)
		switch {
		case from == life && (n != last+1 || *restart != nil):
			return fmt.Errorf("message %d of publisher %d after %d, %+v", n, from, last, *restart)
		case from < life:
			return fmt.Errorf("message %d of publisher %d after one of %d", n, from, life)
		case from > life && (*restart == nil || (*restart).Missed != n-1):
			return fmt.Errorf("message %d of publisher %d after %d of %d, and only %+v is told", n, from, last, life, *restart)
		}
		*restart = nil
		life, last = from, n
		mu.Lock()
		received[life] = n
		mu.Unlock()
	}
}

// publishAsOneOfMany publishes some messages before anybody is there, and then as long
// as it lives or keeps its place.
func publishAsOneOfMany(path string) {
	dieAtPoint()
	err := func() error {
		life, err := strconv.ParseUint(os.Getenv(pubLifeEnv), 10, 32)
		if err != nil {
			return err
		}
		ctx := context.Background()
		p, err := NewPublisher(path, PublisherOptions{AllowBlock: true, Replace: true})
		if err != nil {
			return err
		}
		for n := uint64(1); ; n++ {
			for n > early && p.Stats().Subscribers == 0 && p.over() == nil {
				time.Sleep(100 * time.Microsecond)
			}
			err := p.Publish(ctx, numbered(p.NewMessage(0), life<<lifeShift|n))
			if errors.Is(err, ErrReplaced) {
				time.Sleep(time.Hour) // until it is killed
			}
			if err != nil {
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
