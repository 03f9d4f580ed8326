package shm

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// A pipe is closed while a Recv waits for the region of a message.
func TestCloseBeforeRegion(t *testing.T) {
	late := make(chan struct{})
	var once sync.Once
	points = func(name string) {
		if name == "receive.late" {
			once.Do(func() { close(late) })
		}
	}
	t.Cleanup(func() { points = nil })
	p, far := attached(t)
	p.in.mu.Lock() // so that no region arrives
	msg := far.NewMessage(5 << 20)
	msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, 5<<20)
	if err := far.Send(briefly(t), msg); err != nil {
		t.Fatal(err)
	}
	known := p.in.size
	p.in.mu.Unlock()
	for ctx := briefly(t); ; {
		p.in.mu.Lock()
		if p.in.size > known {
			break
		}
		p.in.mu.Unlock()
		if ctx.Err() != nil {
			t.Fatal("the region does not come")
		}
	}
	region := p.in.regions[1] // as if it had not arrived
	p.in.regions[1] = nil
	p.in.mu.Unlock()
	defer region.Release()
	received := make(chan error)
	go func() {
		_, err := p.Recv(context.Background())
		received <- err
	}()
	<-late
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-received; !errors.Is(err, ErrClosed) {
		t.Errorf("Recv: %v", err)
	}
}
