package shm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// child starts this program as the other process, and gives the pipe to it.
func child(b *testing.B, what string, o shm.Options) *shm.Pipe {
	b.Helper()
	needs(b)
	ours, theirs, err := shm.Pair()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), echoEnv+"="+what)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		b.Fatal(err)
	}
	p, err := shm.Attach(context.Background(), ours, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	return p
}

// benchChild is what the other process does.
func benchChild(what string) error {
	var o shm.Options
	switch what {
	case "spin", "lean":
		o.Wait = shm.Spin
	case "sleep":
		o.Wait = shm.Sleep
	case "floor":
		return floorChild()
	}
	p, err := shm.Attach(context.Background(), os.NewFile(3, "pipe"), o)
	if err != nil {
		return err
	}
	switch what {
	case "sink":
		err = sink(p)
	case "read":
		err = read(p)
	case "lean":
		err = newLean(p).echo()
	case "flood":
		err = flood(p)
	case "hold":
		err = hold(p)
	default:
		err = answer(p)
	}
	if e := p.Close(); err == nil {
		err = e
	}
	return err
}

// answer sends for each message one of the same size, of which it writes the first
// word only.
func answer(p *shm.Pipe) error {
	for {
		got, err := p.Recv(background)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		n, size := got.Root().Struct().Uint64(0), int(got.SizeBytes())
		got.Release()
		if err := p.Send(background, newMessage(p, n, size)); err != nil {
			return err
		}
	}
}

// copied is up to what size a Writer is given messages of another arena.
const copied = 1 << 10

// A lean end has a Writer and a Reader.
type lean struct {
	w   *shm.Writer
	r   *shm.Reader
	msg *segment.Message
}

func newLean(p *shm.Pipe) *lean {
	return &lean{p.Writer(), p.Reader(), segment.New(arena.Pool())}
}

func (l *lean) close() error {
	l.msg.Release()
	l.r.Close()
	return l.w.Close()
}

// build builds a message of size bytes, of which it writes the beginning.
func (l *lean) build(n uint64, size int) *segment.Message {
	msg := l.msg
	if size <= copied {
		msg.Reset()
	} else {
		msg = l.w.NewMessage(size)
	}
	root := msg.NewRoot(rootSize)
	root.SetUint64(0, n)
	if size > 24 {
		root.Ptr(0).NewDirtyData(size - 24)
	}
	return msg
}

// echo is answer with a Reader and a Writer.
func (l *lean) echo() error {
	for {
		got, err := l.r.Next(background)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		n, size := got.Root().Struct().Uint64(0), int(got.SizeBytes())
		l.r.Done()
		if err := l.w.Send(background, l.build(n, size)); err != nil {
			return err
		}
	}
}

// BenchmarkLean is a round trip with Writers and Readers.
func BenchmarkLean(b *testing.B) {
	for _, size := range []int{56, 4096, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := newLean(child(b, "lean", shm.Options{Wait: shm.Spin}))
			b.ReportAllocs()
			var i uint64
			m := newMeter()
			for b.Loop() {
				i++
				m.tick()
				if err := l.w.Send(background, l.build(i, size)); err != nil {
					b.Fatal(err)
				}
				got, err := l.r.Next(background)
				if err != nil {
					b.Fatal(err)
				}
				if n := got.Root().Struct().Uint64(0); n != i {
					b.Fatalf("received %d, want %d", n, i)
				}
				l.r.Done()
			}
			m.report(b)
			if err := l.close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFlow is a stream from a Writer to a Reader.
func BenchmarkFlow(b *testing.B) {
	for _, how := range []string{"inline/56", "packed/56", "own/4096", "own/1048576"} {
		var kind string
		var size int
		if _, err := fmt.Sscanf(strings.Replace(how, "/", " ", 1), "%s %d", &kind, &size); err != nil {
			b.Fatal(err)
		}
		b.Run(how, func(b *testing.B) {
			l := newLean(child(b, "read", shm.Options{}))
			b.ReportAllocs()
			var i uint64
			m := newMeter()
			m.stretch = 8 << 10 // many times what waits at most
			for b.Loop() {
				i++
				m.tick()
				put := l.w.Send
				if kind == "packed" {
					put = l.w.Add
				}
				if err := put(background, l.build(i, size)); err != nil {
					b.Fatal(err)
				}
			}
			m.report(b)
			if err := l.close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func sink(p *shm.Pipe) error {
	var sum uint64
	for {
		got, err := p.Recv(context.Background())
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		sum += got.Root().Struct().Uint64(0)
		got.Release()
	}
}

// A meter tells what most and what the best of many short stretches took: on a
// machine with other work the average says little.
type meter struct {
	from    time.Time
	ops     int
	stretch int
	results []float64
}

func (m *meter) tick() {
	if m.ops++; m.ops%m.stretch != 0 {
		return
	}
	now := time.Now()
	if len(m.results) < cap(m.results) {
		m.results = append(m.results, float64(now.Sub(m.from).Nanoseconds())/float64(m.stretch))
	}
	m.from = now
}

func newMeter() *meter {
	return &meter{from: time.Now(), stretch: 64, results: make([]float64, 0, 1<<16)}
}

func (m *meter) report(b *testing.B) {
	if len(m.results) == 0 {
		return
	}
	slices.Sort(m.results)
	b.ReportMetric(m.results[min(4, len(m.results)-1)], "best-ns/op")
	b.ReportMetric(m.results[len(m.results)/100], "p1-ns/op")
	b.ReportMetric(m.results[len(m.results)/4], "p25-ns/op")
	b.ReportMetric(m.results[len(m.results)/2], "p50-ns/op")
}

var rootSize = segment.Size{DataWords: 1, Ptrs: 1}

// newMessage has size bytes in all.
func newMessage(p *shm.Pipe, n uint64, size int) *segment.Message {
	msg := p.NewMessage(size)
	root := msg.NewRoot(rootSize)
	root.SetUint64(0, n)
	if size > 24 {
		root.Ptr(0).NewDirtyData(size - 24)
	}
	return msg
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, how := range []string{"spin", "adaptive", "sleep"} {
		o := shm.Options{Wait: map[string]shm.Wait{"spin": shm.Spin, "adaptive": shm.Adaptive, "sleep": shm.Sleep}[how]}
		for _, size := range []int{56, 256, 4096, 1 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s/%d", how, size), func(b *testing.B) {
				p := child(b, how, o)
				ctx := context.Background()
				b.ReportAllocs()
				var i uint64
				m := newMeter()
				for b.Loop() {
					i++
					m.tick()
					if err := p.Send(ctx, newMessage(p, i, size)); err != nil {
						b.Fatal(err)
					}
					got, err := p.Recv(ctx)
					if err != nil {
						b.Fatal(err)
					}
					if n := got.Root().Struct().Uint64(0); n != i {
						b.Fatalf("received %d, want %d", n, i)
					}
					got.Release()
				}
				m.report(b)
			})
		}
	}
}

func BenchmarkStream(b *testing.B) {
	for _, size := range []int{56, 256, 1024, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := child(b, "sink", shm.Options{})
			ctx := context.Background()
			b.ReportAllocs()
			var i uint64
			m := newMeter()
			for b.Loop() {
				i++
				m.tick()
				if err := p.Send(ctx, newMessage(p, i, size)); err != nil {
					b.Fatal(err)
				}
			}
			m.report(b)
		})
	}
}

// BenchmarkFloor is what two processes need to hand two cache lines to each other.
func BenchmarkFloor(b *testing.B) {
	needs(b)
	ours, theirs, err := shm.Pair()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), echoEnv+"=floor")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		b.Fatal(err)
	}
	ping, pong, err := lines(ours)
	if err != nil {
		b.Fatal(err)
	}
	var i uint64
	m := newMeter()
	for b.Loop() {
		i++
		m.tick()
		ping.Swap(i)
		for pong.Load() != i {
			mem.Pause(1)
		}
	}
	m.report(b)
	ping.Swap(^uint64(0))
	if err := cmd.Wait(); err != nil {
		b.Error(err)
	}
}

// lines gives a word that we write and one that the other process does.
func lines(f *os.File) (mine, theirs *mem.Word, err error) {
	a, b, err := regions(f)
	if err != nil {
		return nil, nil, err
	}
	return &a[0], &b[0], nil
}

func regions(f *os.File) (mine, theirs []mem.Word, err error) {
	c, err := net.FileConn(f)
	if err != nil {
		return nil, nil, err
	}
	conn := c.(*net.UnixConn)
	s, err := mem.NewShared("floor", mem.PageSize(), mem.SharedOptions{Populate: true})
	if err != nil {
		return nil, nil, err
	}
	if err := mem.SendDescriptors(conn, []byte{1}, s.Descriptor()); err != nil {
		return nil, nil, err
	}
	fds, err := mem.ReceiveDescriptors(conn, make([]byte, 1), 1)
	if err != nil {
		return nil, nil, err
	}
	far, err := mem.OpenShared(fds[0], mem.OpenOptions{Populate: true})
	if err != nil {
		return nil, nil, err
	}
	a, err := mem.Words(s.Bytes())
	if err != nil {
		return nil, nil, err
	}
	z, err := mem.Words(far.Bytes())
	if err != nil {
		return nil, nil, err
	}
	return a, z, nil
}

// floorChild is the other process of BenchmarkFloor.
func floorChild() error {
	pong, ping, err := lines(os.NewFile(3, "floor"))
	if err != nil {
		return err
	}
	for i := uint64(1); ; i++ {
		for v := ping.Load(); v != i; v = ping.Load() {
			if v == ^uint64(0) {
				return nil
			}
			mem.Pause(1)
		}
		pong.Swap(i)
	}
}

// BenchmarkConnect is a fresh connection, up to its first message and to its end.
func BenchmarkConnect(b *testing.B) {
	ln, path := listen(b, shm.Options{})
	m := newMeter()
	for b.Loop() {
		m.tick()
		client, err := shm.Dial(background, path, shm.Options{})
		if err != nil {
			b.Fatal(err)
		}
		server, err := ln.Accept(background)
		if err != nil {
			b.Fatal(err)
		}
		if err := client.Send(background, number(client, 1, 1000)); err != nil {
			b.Fatal(err)
		}
		got, err := server.Recv(background)
		if err != nil {
			b.Fatal(err)
		}
		got.Release()
		if err := errors.Join(client.Close(), server.Close()); err != nil {
			b.Fatal(err)
		}
	}
	m.report(b)
}

// BenchmarkPoller is many to one, inline.
func BenchmarkPoller(b *testing.B) {
	for _, clients := range []int{1, 4} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			q := shm.NewPoller(shm.Adaptive)
			defer q.Close()
			for range clients {
				if err := q.Add(background, child(b, "flood", shm.Options{})); err != nil {
					b.Fatal(err)
				}
			}
			m := newMeter()
			for b.Loop() {
				m.tick()
				_, got, err := q.Recv(background)
				if err != nil {
					b.Fatal(err)
				}
				got.Release()
			}
			m.report(b)
		})
	}
}

// flood is a client of it.
func flood(p *shm.Pipe) error {
	w := p.Writer()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	for i := uint64(0); ; i++ {
		msg.Reset()
		msg.NewRoot(rootSize).SetUint64(0, i)
		if err := w.Send(background, msg); errors.Is(err, shm.ErrDisconnected) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
