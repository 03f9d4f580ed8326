package interop_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/interop"
	"github.com/fairlead-go/fairlead/shm"
)

var kills = flag.Int("kills", 2, "how often our server is killed under load, on each network")

// The variables that tell a child where to listen and where to write.
const (
	killNetwork = "FAIRLEAD_RPC_KILL_NETWORK"
	killAddress = "FAIRLEAD_RPC_KILL_ADDRESS"
	killJournal = "FAIRLEAD_RPC_KILL_JOURNAL"
)

// journal is a lab that writes down each addition before it answers.
type journal struct {
	*labOn
	file *os.File
}

func (j *journal) Add(_ context.Context, call interop.LabAddCall) error {
	if _, err := j.file.Write(binary.LittleEndian.AppendUint64(nil, uint64(call.Params().A()))); err != nil {
		return err
	}
	call.Results().SetSum(call.Params().A() + call.Params().B())
	return nil
}

// TestKillServer is the server of TestOurServerKilled, in a process of its own.
func TestKillServer(t *testing.T) {
	address := os.Getenv(killAddress)
	if address == "" {
		t.Skip("runs as a child of TestOurServerKilled")
	}
	file, err := os.OpenFile(os.Getenv(killJournal), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	accept, at := killListen(t, os.Getenv(killNetwork), address)
	l := newLab()
	go func() {
		for {
			transport, err := accept()
			if err != nil {
				return
			}
			rpc.NewConn(transport, rpc.ConnOptions{Bootstrap: interop.ServeLab(&journal{&labOn{l, nil}, file}).Client})
		}
	}()
	fmt.Println(at)
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
}

// killListen listens on a network, and gives how to accept there and the address.
func killListen(t *testing.T, network, address string) (accept func() (rpc.Transport, error), at string) {
	t.Helper()
	if network == "shm" {
		ln, err := shm.Listen(address, shm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return func() (rpc.Transport, error) { return ln.Accept(context.Background()) }, ln.Path()
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return func() (rpc.Transport, error) {
		c, err := ln.Accept()
		if err != nil {
			return nil, err
		}
		return framing.NewPipe(c, framing.PipeOptions{}), nil
	}, ln.Addr().String()
}

// killDial connects to such a server.
func killDial(t *testing.T, network, address string) *bench {
	t.Helper()
	if network != "shm" {
		return dial(t, network, address)
	}
	p, err := shm.Dial(t.Context(), address, shm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return benchOn(t, p)
}

// A server that is killed under load: what it has answered it has done, once, and
// every other call ends as disconnected.
func TestOurServerKilled(t *testing.T) {
	for _, network := range append([]string{"shm"}, networks...) {
		t.Run(network, func(t *testing.T) {
			if network == "shm" {
				ours, theirs, err := shm.Pair()
				if errors.Is(err, shm.ErrUnsupported) {
					t.Skip(err)
				}
				_, _ = ours.Close(), theirs.Close()
			}
			var answered, under int
			for i := range *kills {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					a, u := killOnce(t, network)
					answered, under = answered+a, under+u
				})
				if t.Failed() {
					break
				}
			}
			t.Logf("killed %d times: %d calls were answered, %d were not", *kills, answered, under)
		})
	}
}

// killOnce tells how many calls were answered and how many were not.
func killOnce(t *testing.T, network string) (answered, unanswered int) {
	address := "127.0.0.1:0"
	if network != "tcp" {
		address = socket(t)
	}
	written := filepath.Join(t.TempDir(), "journal")
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillServer$")
	cmd.Env = append(os.Environ(), killNetwork+"="+network, killAddress+"="+address, killJournal+"="+written)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	defer end()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	b := killDial(t, network, line[:len(line)-1])
	b.sound()

	const workers, ahead = 8, 8
	enough := rand.Int64N(1000) // results of each before the end
	acknowledged := make([][]int64, workers)
	var load sync.WaitGroup
	var lost atomic.Int64
	var half sync.WaitGroup // until each worker has had some results
	half.Add(workers)
	for w := range workers {
		load.Go(func() {
			var under []interop.LabAddFuture
			first := int64(w+1) << 32
			began := sync.OnceFunc(half.Done)
			defer began()
			for n := first; ; n++ {
				under = append(under, b.lab.Add(b.ctx, func(p interop.LabAddParamsBuilder) { p.SetA(n); p.SetB(1) }))
				if len(under) < ahead {
					continue
				}
				res, err := under[0].Wait(b.ctx)
				if err != nil {
					if !errors.Is(err, rpc.ErrDisconnected) {
						t.Errorf("a call ended with %v, want disconnected", err)
					}
					break
				}
				acknowledged[w] = append(acknowledged[w], res.Sum()-1)
				under[0].Release()
				under = under[1:]
				if n >= first+enough {
					began()
				}
			}
			lost.Add(int64(len(under)))
			for _, f := range under {
				if _, err := f.Wait(b.ctx); b.ctx.Err() != nil {
					t.Errorf("a call is left waiting: %v", err)
				}
				f.Release()
			}
		})
	}
	half.Wait()
	end()
	load.Wait()

	bytes, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	done := map[int64]bool{}
	for ; len(bytes) >= 8; bytes = bytes[8:] {
		n := int64(binary.LittleEndian.Uint64(bytes))
		if done[n] && n > 1<<32 {
			t.Errorf("call %#x was done twice", n)
		}
		done[n] = true
	}
	for _, all := range acknowledged {
		answered += len(all)
		for _, n := range all {
			if !done[n] {
				t.Errorf("call %#x was answered and not done", n)
			}
		}
	}
	return answered, int(lost.Load())
}
