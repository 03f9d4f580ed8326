package zmtp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// What is done for each frame, under a name.
func perFrame(tb testing.TB) map[string]func() {
	client, server := session(tb)
	buf := make([]byte, 0, 1<<17)
	short, long := []byte{1, 200}, []byte{3, 0, 0, 0, 0, 0, 1, 0, 0}
	ping := zmtp.Ping{TTL: 30 * time.Second, Context: []byte("context")}
	pingBody := zmtp.AppendPing(nil, ping)
	topic := zmtp.Subscription{Topic: []byte("topic")}
	subscribe := zmtp.AppendSubscription(nil, topic, true)
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	all := map[string]func(){
		"header/parse/short": func() { _, _, err := zmtp.ParseHeader(short, 1<<20); check(err) },
		"header/parse/long":  func() { _, _, err := zmtp.ParseHeader(long, 1<<20); check(err) },
		"header/append/short": func() {
			buf = zmtp.AppendHeader(buf[:0], zmtp.FrameHeader{More: true, Size: 200})
		},
		"header/append/long": func() {
			buf = zmtp.AppendHeader(buf[:0], zmtp.FrameHeader{More: true, Size: 65536})
		},
		"ping/parse": func() {
			c, err := zmtp.ParseCommand(pingBody)
			check(err)
			_, err = zmtp.ParsePing(c.Data)
			check(err)
		},
		"ping/append":         func() { buf = zmtp.AppendPong(zmtp.AppendPing(buf[:0], ping), ping.Context) },
		"subscription/parse":  func() { _, _, err := zmtp.ParseSubscription(true, subscribe); check(err) },
		"subscription/append": func() { buf = zmtp.AppendSubscription(buf[:0], topic, true) },
	}
	for _, size := range []int{64, 1024, 65536} {
		body := make([]byte, size)
		var err error
		all[fmt.Sprintf("curve/wrap/%d", size)] = func() {
			buf, err = client.Wrap(buf[:0], true, false, body)
			check(err)
		}
		receiver := server.Clone()
		frame := must(client.Clone().Wrap(nil, true, false, body))
		frame = frame[zmtp.HeaderSize(uint64(len(frame))):]
		scratch := make([]byte, len(frame))
		all[fmt.Sprintf("curve/unwrap/%d", size)] = func() {
			*receiver = *server
			copy(scratch, frame) // it is decrypted in place
			_, _, _, err := receiver.Unwrap(scratch)
			check(err)
		}
	}
	return all
}

func TestNoAllocations(t *testing.T) {
	for name, f := range perFrame(t) {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// A refused header allocates its error and nothing of the size it claims.
func TestRefusalIsSmall(t *testing.T) {
	b := []byte{2, 0x40, 0, 0, 0, 0, 0, 0, 0}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = zmtp.ParseHeader(b, 1<<20) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFrame(b *testing.B) {
	all := perFrame(b)
	for _, name := range []string{
		"header/parse/short", "header/parse/long", "header/append/short", "header/append/long", "ping/parse",
		"subscription/parse",
	} {
		b.Run(name, func(b *testing.B) {
			f := all[name]
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	for _, what := range []string{"wrap", "unwrap"} {
		for _, size := range []int{64, 1024, 65536} {
			name := fmt.Sprintf("curve/%s/%d", what, size)
			b.Run(name, func(b *testing.B) {
				f := all[name]
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					f()
				}
			})
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	for _, p := range pairs() {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, s := p.client(), p.server()
				out, _, _ := c.Next(nil)
				if p.name == zmtp.NULL {
					_, _, _ = s.Next(nil)
				}
				for to, next := s, c; out != nil; to, next = next, to {
					var err error
					if out, _, err = to.Next(out); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
