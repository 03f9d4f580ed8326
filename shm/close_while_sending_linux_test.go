package shm

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// What a Send says to have sent is received, though the pipe was closed meanwhile.
func TestCloseWhileSending(t *testing.T) {
	needSharedMemory(t)
	for name, at := range map[string]string{"in a slot": "send.inline", "by reference": "send.place"} {
		t.Run(name, func(t *testing.T) {
			var near *Pipe
			ended := make(chan error, 1)
			points = func(name string) {
				if name != at || near == nil {
					return
				}
				p := near
				near = nil
				go func() { ended <- p.Close() }()
				time.Sleep(50 * time.Millisecond) // the peer is told, if it may be
			}
			t.Cleanup(func() { points = nil })
			a, b := ends(t, Options{Wait: Sleep}, Options{Wait: Sleep})
			type got struct {
				msg *segment.Message
				err error
			}
			received := make(chan got, 1)
			ctx := briefly(t)
			go func() {
				msg, err := b.Recv(ctx)
				received <- got{msg, err}
			}()
			msg := a.NewMessage(0)
			if at == "send.inline" {
				msg.RootBuilder().SetText("a")
			} else {
				msg.RootBuilder().NewData(100)
			}
			near = a
			if err := a.Send(ctx, msg); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if g := <-received; g.err != nil {
				t.Errorf("sent, and received %v", g.err)
			} else {
				g.msg.Release()
			}
		})
	}
}
