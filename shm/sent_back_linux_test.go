package shm

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// A backScene is a pipe whose near end has received what the far end sent back to it,
// and is about to be short of the memory that it lies in.
type backScene struct {
	*testing.T
	near, far *Pipe
	back      *segment.Message
	points    sync.Map // by name, what is done when it is passed next
	sent      chan error
}

func (s *backScene) receive(p *Pipe) *segment.Message {
	m, err := p.Recv(briefly(s.T))
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// sendSmall sends what near has memory for. A lease goes back with it.
func (s *backScene) sendSmall() {
	m := s.near.NewMessage(0)
	m.NewRoot(segment.Size{Ptrs: 1}).NewData(0, 200)
	if err := s.near.Send(briefly(s.T), m); err != nil {
		s.Error(err)
	}
}

// begin begins to send what near has no memory for.
func (s *backScene) begin() {
	go func() { s.sent <- s.near.Send(briefly(s.T), starvingMessage(2)) }()
}

// beginAndWait returns when the peer was asked for what it holds, and has answered.
func (s *backScene) beginAndWait() {
	s.begin()
	for end := time.Now().Add(10 * time.Second); !sleep(s.near.own.sendSleep.Load()).short(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.Fatal("it does not wait")
		}
	}
	time.Sleep(10 * time.Millisecond)
}

// A sender is short of memory that the peer has sent back, and gives the lease of that
// back in some way: the peer then gives back what it has kept for it.
func TestShortOfWhatWasSentBack(t *testing.T) {
	for name, give := range map[string]func(*backScene){
		"with a message that is received later": func(s *backScene) {
			s.back.Release()
			s.sendSmall()
			s.begin()
			s.receive(s.far).Release()
		},
		"with a message that was received, while the peer looks for the next": func(s *backScene) {
			s.back.Release()
			s.sendSmall()
			s.Cleanup(s.receive(s.far).Release)
			s.far.in.mu.Lock()
			s.begin()
			time.Sleep(20 * time.Millisecond) // the peer is asked
			s.far.in.mu.Unlock()
			s.far.in.idle()
		},
		"with a message of another goroutine": func(s *backScene) {
			s.beginAndWait()
			s.points.Store("return.boxed", s.sendSmall)
			s.back.Release()
			s.receive(s.far).Release()
		},
		"with a message that nobody receives": func(s *backScene) {
			s.beginAndWait()
			s.points.Store("return.boxed", s.sendSmall)
			s.back.Release()
		},
		"through the release ring": func(s *backScene) {
			s.beginAndWait()
			s.points.Store("return.boxed", s.near.flushReturns)
			s.back.Release()
		},
		"through the release ring, late": func(s *backScene) {
			s.beginAndWait()
			taken, on, pushed := make(chan struct{}), make(chan struct{}), make(chan struct{})
			s.points.Store("return.boxed", func() {
				s.points.Store("return.push", func() { close(taken); <-on })
				go func() { s.near.flushReturns(); close(pushed) }()
				<-taken
			})
			s.back.Release()
			time.Sleep(20 * time.Millisecond) // the peer is asked once more
			close(on)
			<-pushed
		},
	} {
		for _, how := range []string{"", " by a Poller"} {
			t.Run(name+how, func(t *testing.T) {
				s := &backScene{T: t, sent: make(chan error, 1)}
				points = func(name string) {
					if do, ok := s.points.LoadAndDelete(name); ok {
						do.(func())()
					}
				}
				t.Cleanup(func() { points = nil })
				s.near, s.far = ends(t, Options{MaxBytes: starving, Wait: Sleep}, Options{})
				m := s.near.NewMessage(64)
				root := m.NewRoot(segment.Size{Ptrs: 2})
				root.NewData(0, 100)
				root.NewData(1, starvingBytes)
				if err := s.near.Send(briefly(t), m); err != nil {
					t.Fatal(err)
				}
				if err := s.far.Send(briefly(t), s.receive(s.far)); err != nil {
					t.Fatal(err)
				}
				s.back = s.receive(s.near)
				give(s)
				if how != "" {
					q := NewPoller(Sleep)
					defer q.Close()
					if err := q.Add(briefly(t), s.far); err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					go func() { _, _, _ = q.Recv(ctx) }()
				}
				if err := <-s.sent; err != nil {
					t.Fatalf("%v; %+v %+v", err, s.near.Stats(), s.far.Stats())
				}
			})
		}
	}
}
