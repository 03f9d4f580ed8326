package rpc_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

var floods = flag.Int("floods", 20_000, "how many messages a flood has")

const floodVariable = "FAIRLEAD_RPC_FLOOD_SOCKET"

var (
	bulk  = rpc.Method{Interface: 1, Ordinal: 20} // gives a megabyte
	stall = rpc.Method{Interface: 1, Ordinal: 21} // holds its object until it is cancelled
	later = rpc.Method{Interface: 1, Ordinal: 22} // gives a promise, always the same
)

// TestFloodServer is the server of TestFloods, in a process of its own: it
// serves a host to each who connects, until its standard input ends.
func TestFloodServer(t *testing.T) {
	path := os.Getenv(floodVariable)
	if path == "" {
		t.Skip("runs as a child of TestFloods")
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost()
	h.live.Add(1)
	promise, promised := rpc.NewPromise()
	root := rpc.Serve(rpc.Server{Interface: 1, Object: h, Dispatch: func(ctx context.Context, call *rpc.Call) error {
		switch call.Method() {
		case bulk:
			call.NewResults(size).Ptr(0).NewData(1 << 20)
		case later:
			rpc.SetClient(call.NewResults(size).Ptr(0), promise.Retain())
		case makeOne:
			one := &host{live: h.live, holding: h.holding}
			one.live.Add(1)
			rpc.SetClient(call.NewResults(size).Ptr(0), rpc.Serve(rpc.Server{Interface: 1, Object: one, Dispatch: stalls(one)}))
		default:
			return h.dispatch(ctx, call)
		}
		return nil
	}})
	var mu sync.Mutex
	conns := map[*rpc.Conn]bool{}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conn := rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: root.Retain()})
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			go func() {
				<-conn.Done()
				_ = conn.Close()
				mu.Lock()
				delete(conns, conn)
				mu.Unlock()
			}()
		}
	}()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = ln.Close()
	promised.Reject(errors.New("over"))
	promise.Release()
	root.Release()
	soon(t, "the connections have ended", func() bool { mu.Lock(); defer mu.Unlock(); return len(conns) == 0 })
	h.gone(t)
}

// stalls is a host's dispatch that knows the method stall as well.
func stalls(h *host) handler {
	return func(ctx context.Context, call *rpc.Call) error {
		if call.Method() == stall {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return h.dispatch(ctx, call)
	}
}

type floodServer struct {
	path string
	cmd  *exec.Cmd
}

func startFloodServer(t *testing.T) *floodServer {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fairlead")
	if err != nil {
		t.Fatal(err)
	}
	s := &floodServer{path: filepath.Join(dir, "s"), cmd: exec.Command(os.Args[0], "-test.run=^TestFloodServer$")}
	s.cmd.Env = append(os.Environ(), floodVariable+"="+s.path)
	var said bytes.Buffer
	s.cmd.Stderr = &said
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the server said %q: %v %s", line, err, said.String())
	}
	t.Cleanup(func() {
		_ = in.Close()
		rest, _ := io.ReadAll(lines)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("the server: %v\n%s%s", err, rest, said.String())
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

// peak gives the most memory that the server has had, in MiB.
func (s *floodServer) peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib >> 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// frames is a buffer of messages on their way.
type frames struct{ b []byte }

func (f *frames) add(build func(wire.MessageBuilder)) {
	m := segment.New(arena.Pool())
	defer m.Release()
	build(wire.NewRootMessage(m))
	b, err := framing.Append(f.b, m, framing.Binary)
	if err != nil {
		panic(err)
	}
	f.b = b
}

func (f *frames) call(id uint32, m rpc.Method, more ...func(wire.CallBuilder)) {
	f.add(func(b wire.MessageBuilder) {
		c := b.NewCall()
		c.SetQuestionID(id)
		c.NewTarget().NewPromisedAnswer() // of question 0, which asks for the bootstrap capability
		c.SetInterfaceID(m.Interface)
		c.SetMethodID(m.Ordinal)
		c.NewParams().Content().NewStruct(size)
		for _, f := range more {
			f(c)
		}
	})
}

func (f *frames) finish(id uint32) {
	f.add(func(b wire.MessageBuilder) { b.NewFinish().SetQuestionID(id) })
}

// A peer that floods its connection takes a bounded amount of the server's
// memory, whether or not it is cut off, and others are served meanwhile.
func TestFloods(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector has a use for memory of its own")
	}
	// What a connection holds of a peer is bounded by its limits: 65536 answers that
	// are not finished, of 1 KiB and more, and 64 MiB of results that calls can be made
	// on. So the bounds here hold for floods of any length.
	for _, test := range []struct {
		name  string
		reads bool // what it is sent
		most  int  // MiB
		step  func(f *frames, i uint32)
		count int
	}{
		{"rapid reset", true, 64, func(f *frames, i uint32) { f.call(i, hold); f.finish(i) }, *floods},
		{"rapid reset of queued calls", true, 64, func(f *frames, i uint32) {
			f.call(i, hold, pipelined(1, 0))
			f.finish(i)
		}, *floods},
		{"rapid reset on a busy object", true, 64, func(f *frames, i uint32) {
			switch i {
			case 2:
				f.call(2, makeOne)
				f.call(1<<30, stall, pipelined(2, 0))
			default:
				f.call(i, echo, pipelined(2, 0))
				f.finish(i)
			}
		}, *floods},
		{"rapid reset on a promise", true, 64, func(f *frames, i uint32) {
			if i == 2 {
				f.call(2, promiseOf)
				return
			}
			f.call(i, echo, pipelined(2, 0))
			f.finish(i)
		}, *floods},
		{"calls that hang", true, 128, func(f *frames, i uint32) { f.call(i, hold) }, *floods},
		{"calls that are never finished", true, 160, func(f *frames, i uint32) { f.call(i, echo) }, *floods},
		{"bootstraps that are never finished", true, 128, func(f *frames, i uint32) {
			f.add(func(b wire.MessageBuilder) { b.NewBootstrap().SetQuestionID(i) })
		}, *floods},
		{"a chain on a call that hangs", true, 128, func(f *frames, i uint32) {
			f.call(i, makeOne, pipelined(i-1, 0))
		}, *floods},
		{"objects that are never released", true, 224, func(f *frames, i uint32) { f.call(i, makeOne) }, *floods},
		{"large results that are not read", false, 128, func(f *frames, i uint32) { f.call(i, bulk) }, *floods / 20},
		{"large results that are never finished", true, 128, func(f *frames, i uint32) { f.call(i, bulk) }, *floods / 200},
		{"echoes that are not read", false, 128, func(f *frames, _ uint32) {
			f.add(func(b wire.MessageBuilder) { b.NewProvide().Recipient().SetData(make([]byte, 1<<12)) })
		}, *floods},
		{"exceptions that are not read", false, 128, func(f *frames, i uint32) {
			f.call(i, rpc.Method{Interface: 1, Ordinal: 999})
			f.finish(i)
		}, *floods * 4},
		{"pipelined on each other", true, 128, func(f *frames, i uint32) {
			f.call(i, makeOne, pipelined(i-1, 0))
		}, *floods},
		{"capabilities in one message", true, 256, func(f *frames, i uint32) {
			f.call(i, keep, func(c wire.CallBuilder) {
				table := c.Params().NewCapTable(1 << 20)
				for j := range table.Len() {
					table.At(j).SetSenderHosted(uint32(j))
				}
			})
		}, 3},
		{"promises in one message", true, 256, func(f *frames, i uint32) {
			f.call(i, keep, func(c wire.CallBuilder) {
				table := c.Params().NewCapTable(1 << 18)
				for j := range table.Len() {
					table.At(j).SetSenderPromise(uint32(j))
				}
			})
		}, 3},
		{"broken capabilities", true, 128, func(f *frames, i uint32) {
			f.call(i, giveBack, func(c wire.CallBuilder) {
				c.Params().Content().Struct(size).Ptr(0).SetCapability(0)
				c.Params().NewCapTable(1).At(0).SetReceiverHosted(1 << 30)
			})
		}, *floods},
		{"promises that are never resolved", true, 224, func(f *frames, i uint32) { f.call(i, promiseOf) }, *floods},
		{"a promise again and again", true, 64, func(f *frames, i uint32) { f.call(i, later); f.finish(i) }, *floods},
		{"deep transforms", true, 128, func(f *frames, i uint32) { f.call(i, echo, pipelined(0, make([]uint16, 8000)...)) }, *floods / 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startFloodServer(t)
			before := s.peak(t)
			conn, err := net.Dial("unix", s.path)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var reading sync.WaitGroup
			if test.reads {
				reading.Go(func() { _, _ = io.Copy(io.Discard, conn) })
			}
			// A flood that is not read ends when the server takes no more.
			flooded := make(chan struct{})
			go func() {
				defer close(flooded)
				var f frames
				f.add(func(b wire.MessageBuilder) { b.NewBootstrap() })
				f.call(1, hold)
				for i := range test.count {
					test.step(&f, uint32(i)+2)
					if len(f.b) > 1<<18 || i == test.count-1 {
						_ = conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
						if _, err := conn.Write(f.b); err != nil {
							return
						}
						f.b = f.b[:0]
					}
				}
			}()
			honest := honestCalls(t, s.path, flooded)
			<-flooded
			after := s.peak(t)
			t.Logf("from %d to %d MiB; %d honest calls beside it", before, after, honest)
			if after-before > test.most {
				t.Errorf("the flood took %d MiB, at most %d", after-before, test.most)
			}
			_ = conn.Close()
			reading.Wait()
		})
	}
}

// honestCalls makes calls at a server until the flood is over and for a while
// after, and counts them.
func honestCalls(t *testing.T, path string, flooded <-chan struct{}) (n int) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn := rpc.NewConn(framing.NewPipe(c, framing.PipeOptions{}), rpc.ConnOptions{})
	defer conn.Close()
	boot := conn.Bootstrap()
	defer boot.Release()
	for left := 100; left > 0; n++ {
		select {
		case <-flooded:
			left--
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), *patience)
		f := call(ctx, boot, uint64(n))
		s, err := f.Wait(ctx)
		if err != nil || s.Uint64(0) != 2*uint64(n) {
			t.Fatalf("honest call %d: %d, %v", n, s.Uint64(0), err)
		}
		f.Release()
		cancel()
	}
	return n
}

// Calls both ways that wait for each other, beyond the limits: they fail as
// overloaded instead of waiting for ever.
func TestMutualCalls(t *testing.T) {
	ours, theirs := newMemory()
	var peers [2]rpc.Client
	serve := func(i int) rpc.Client {
		return rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(ctx context.Context, c *rpc.Call) error {
			n := c.Params().Uint64(0)
			if n == 0 {
				return nil
			}
			c.Go()
			f := call(ctx, peers[i], n-1)
			defer f.Release()
			_, err := f.Wait(ctx)
			return err
		}})
	}
	limits := rpc.Limits{Calls: 16}
	a := rpc.NewConn(ours, rpc.ConnOptions{Bootstrap: serve(0), Limits: limits})
	b := rpc.NewConn(theirs, rpc.ConnOptions{Bootstrap: serve(1), Limits: limits})
	defer a.Close()
	defer b.Close()
	peers[0], peers[1] = a.Bootstrap(), b.Bootstrap()
	defer peers[0].Release()
	defer peers[1].Release()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	f := call(ctx, peers[0], 20)
	if _, err := f.Wait(ctx); err != nil {
		t.Errorf("20 calls deep: %v", err)
	}
	f.Release()
	f = call(ctx, peers[0], 1000)
	if _, err := f.Wait(ctx); !errors.Is(err, rpc.ErrOverloaded) {
		t.Errorf("1000 calls deep: %v, want overloaded", err)
	}
	f.Release()
	f = call(ctx, peers[0], 4)
	if _, err := f.Wait(ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	f.Release()
}
