package framing

import (
	"net"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// Messages of any size that are sent together arrive in order, small ones with
// one write; and Buffered tells which of them are there.
func TestSendAll(t *testing.T) {
	for _, kind := range []struct {
		name  string
		size  int
		count int
	}{{"small", 10, 50}, {"large", 100 << 10, 5}} {
		t.Run(kind.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			x, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			y, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			p, q := NewPipe(x, PipeOptions{}), NewPipe(y, PipeOptions{})
			msgs := make([]*segment.Message, kind.count)
			for i := range msgs {
				msgs[i] = segment.New(arena.Pool())
				b := msgs[i].NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
				b.SetUint64(0, uint64(i))
				b.NewData(0, kind.size)
			}
			go func() {
				if err := p.SendAll(t.Context(), msgs); err != nil {
					t.Error(err)
				}
			}()
			for i := range kind.count {
				m, err := q.Recv(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n := m.Root().Struct().Uint64(0); n != uint64(i) {
					t.Errorf("message %d came as number %d", n, i)
				}
				m.Release()
			}
			if q.Buffered() {
				t.Error("a message is said to be there that was never sent")
			}
			if kind.name == "small" && p.Stats().Writes > 2 {
				t.Errorf("%d writes", p.Stats().Writes)
			}
			p.Close()
			q.Close()
		})
	}
}
