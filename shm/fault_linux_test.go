package shm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// hangs is how long a call may take that is not to hang.
const hangs = 30 * time.Second

// echo sends back what it receives until its peer closes.
func echo(args []string) error {
	wait, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ctx := context.Background()
	p, err := Dial(ctx, args[0], Options{Wait: Wait(wait)})
	if err != nil {
		return err
	}
	defer p.Close()
	for m, err := range p.Messages(ctx) {
		if err != nil {
			return err
		}
		back := p.NewMessage(int(m.SizeBytes()))
		back.RootBuilder().Set(m.Root())
		m.Release()
		if err := p.Send(ctx, back); err != nil {
			return err
		}
	}
	return nil
}

// startChild starts one of the children. It is killed and waited for when the test
// ends, if it has not ended before.
func startChild(t *testing.T, files []*os.File, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, " "))
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = files
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// withChild starts a child that dials, and gives our end of the pipe.
func withChild(t *testing.T, o Options, name string, args ...string) (*Pipe, *exec.Cmd) {
	t.Helper()
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	path := filepath.Join(privateDir(t), "socket")
	ln, err := Listen(path, o)
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	cmd := startChild(t, nil, append([]string{name, path}, args...)...)
	p, err := ln.Accept(within(t, hangs))
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p, cmd
}

// pingPong has each of n messages come back.
func pingPong(ctx context.Context, p *Pipe, n int) error {
	for k := range uint64(n) {
		bytes := int(k % 3 * 500)
		if err := sendNumber(ctx, p, k, bytes); err != nil {
			return err
		}
		if err := recvNumber(ctx, p, k, bytes); err != nil {
			return err
		}
	}
	return nil
}

// A hostile peer that says with each message that it has gone to sleep anew, and
// never answers the bell, makes us ring for each message. Ringing must not block
// when nobody takes the rings.
func TestRingingAPeerThatNeverAnswersDoesNotBlock(t *testing.T) {
	a, b := ends(t, Options{}, Options{Wait: Spin})
	ctx := within(t, hangs)
	const n = 100_000
	done := make(chan error, 1)
	go func() {
		for k := range uint64(n) {
			if err := recvNumber(ctx, b, k, 0); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for k := range uint64(n) {
		b.own.receiveSleep.Store(uint64(sleepOf(uint32(2*k+1), untilConsumed, 0)))
		must(t, sendNumber(ctx, a, k, 0))
	}
	must(t, <-done)
	if rings := a.Stats().Rings; rings < n/10 {
		t.Errorf("%d rings, want about %d", rings, n)
	}
}

// A sender that waits in the midst of messages that it has not flushed has to wake
// its peer before.
func TestWaitingInsideABatchWakesThePeer(t *testing.T) {
	a, b := ends(t, Options{ManualFlush: true}, Options{Wait: Sleep})
	ctx := within(t, hangs)
	const n = 5 * slots
	done := make(chan error, 1)
	go func() {
		for k := range uint64(n) {
			if err := recvNumber(ctx, b, k, 0); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for k := range uint64(n) {
		must(t, sendNumber(ctx, a, k, 0))
	}
	must(t, a.Flush())
	must(t, <-done)
}

// scarce are options with which three messages of scarceBytes have no room.
var scarce = Options{MaxBytes: 2 << 20}

const scarceBytes = 700 << 10

// What a peer has released, but keeps to give back with its next message, must
// come back before it spins for ours.
func TestReleasesComeBackBeforeASpin(t *testing.T) {
	for _, wait := range []Wait{Adaptive, Spin, Sleep} {
		t.Run(wait.String(), func(t *testing.T) {
			a, b := ends(t, scarce, Options{Wait: wait})
			ctx := within(t, hangs)
			const n = 30
			done := make(chan error, 1)
			go func() {
				for k := range uint64(n) {
					if err := recvNumber(ctx, b, k, scarceBytes); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			for k := range uint64(n) {
				must(t, sendNumber(ctx, a, k, scarceBytes))
			}
			must(t, <-done)
		})
	}
}

// A peer that releases what it has and never calls again must not keep the memory.
func TestReleasesComeBackFromAPeerThatDoesNothingMore(t *testing.T) {
	a, b := ends(t, scarce, Options{})
	ctx := within(t, hangs)
	sent := uint64(0)
	for round := range 20 {
		// As many as there is room for without waiting.
		for range 2 {
			must(t, sendNumber(ctx, a, sent, scarceBytes))
			sent++
			must(t, recvNumber(ctx, b, sent-1, scarceBytes))
		}
		// The peer is idle now, and the next one needs what it has released.
		must(t, sendNumber(ctx, a, sent, scarceBytes))
		sent++
		must(t, recvNumber(ctx, b, sent-1, scarceBytes))
		if s := a.Stats(); s.Bytes > scarce.MaxBytes {
			t.Fatalf("round %d: the regions have %d bytes, want at most %d", round, s.Bytes, scarce.MaxBytes)
		}
	}
}

// Both sides of both ends are used by several goroutines at once. The race
// detector looks on, where it does.
func TestAllSidesAtOnce(t *testing.T) {
	a, b := ends(t, Options{}, Options{Wait: Sleep})
	ctx := within(t, hangs)
	const parties, each = 3, 3000
	var wg sync.WaitGroup
	var errs [4 * parties]error
	var sums [2]struct {
		mu  sync.Mutex
		sum uint64
	}
	for side, p := range []*Pipe{a, b} {
		for i := range parties {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(side), uint64(i)))
				for k := range uint64(each) {
					if err := sendNumber(ctx, p, k, random.IntN(3)*200); err != nil {
						errs[4*i+2*side] = err
						return
					}
				}
			})
			wg.Go(func() {
				for range each {
					m, err := p.Recv(ctx)
					if err != nil {
						errs[4*i+2*side+1] = err
						return
					}
					s := &sums[side]
					s.mu.Lock()
					s.sum += m.Root().Struct().Uint64(0)
					s.mu.Unlock()
					m.Release()
				}
			})
		}
	}
	wg.Wait()
	must(t, errors.Join(errs[:]...))
	for side := range sums {
		if want := uint64(parties * each * (each - 1) / 2); sums[side].sum != want {
			t.Errorf("end %d received numbers that add up to %d, want %d", side, sums[side].sum, want)
		}
	}
}

// A peer that sleeps is rung once, not with every message until it has woken.
func TestASleepIsEndedOnce(t *testing.T) {
	a, b := ends(t, Options{}, Options{})
	ctx := within(t, hangs)
	for epoch := range uint64(3) {
		b.own.receiveSleep.Store(uint64(sleepOf(uint32(2*epoch+1), untilConsumed, 0)))
		for k := range uint64(100) {
			must(t, sendNumber(ctx, a, k, 0))
		}
		if got := a.Stats().Rings; got != epoch+1 {
			t.Fatalf("rung %d times after %d sleeps", got, epoch+1)
		}
	}
}

// A sender that is short of leases is woken when many have come back, not for each.
func TestAStarvedSenderIsNotWokenForEachRelease(t *testing.T) {
	a, b := ends(t, Options{Wait: Sleep}, Options{})
	ctx := within(t, hangs)
	const n = leases
	held := make([]*segment.Message, 0, n)
	sent := make(chan error, 1)
	go func() {
		for k := range uint64(2 * n) {
			if err := sendNumber(ctx, a, k, 200); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for range n {
		m, err := b.Recv(ctx)
		must(t, err)
		held = append(held, m)
	}
	for i := range n {
		held[i].Release()
		for range 20 {
			runtime.Gosched() // so that a sender that is woken runs
		}
	}
	for range n {
		m, err := b.Recv(ctx)
		must(t, err)
		m.Release()
	}
	must(t, <-sent)
	// Each sleep ends by a quarter of the leases, by room in the ring, or by its
	// short time limit.
	if got := b.Stats().Rings; got > n/4 {
		t.Errorf("the sender was woken %d times for %d releases", got, n)
	}
}

// Several goroutines that each need several blocks, of which there are not enough
// for all, must not wait for each other with half of what they need.
func TestBlocksAreTakenAllOrNone(t *testing.T) {
	a, b := ends(t, Options{MaxBytes: 1 << 20}, Options{})
	ctx := within(t, hangs)
	const parties, each = 6, 40
	var wg sync.WaitGroup
	errs := make([]error, parties)
	for i := range parties {
		wg.Go(func() {
			for k := range uint64(each) {
				m := segment.New(heapArena{}) // of another arena, so that it is copied
				root := m.NewRoot(segment.Size{DataWords: 1, Ptrs: 4})
				root.SetUint64(0, k)
				for j := range uint16(4) {
					fillCrashData(root.NewData(j, 50<<10), k)
				}
				if errs[i] = a.Send(ctx, m); errs[i] != nil {
					return
				}
			}
		})
	}
	for range parties * each {
		m, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(errors.Join(append(errs, err)...))
		}
		root := m.Root().Struct()
		if d := root.Data(3); len(d) != 50<<10 || d[1000] != crashData(root.Uint64(0), 1000) {
			t.Fatalf("a message of %d bytes of data, fault %v", len(d), m.Err())
		}
		m.Release()
	}
	wg.Wait()
	must(t, errors.Join(errs...))
}

// hoard sends large messages that nobody takes, and waits to be killed.
func hoard(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	p, err := Dial(context.Background(), args[0], Options{})
	if err != nil {
		return err
	}
	for k := range uint64(n) {
		if err := sendNumber(context.Background(), p, k, 16<<20); err != nil {
			return err
		}
	}
	time.Sleep(time.Minute)
	return nil
}

// The end of a socket comes after the kernel has freed what the dead one had.
// With much memory that takes time, and still everything that was sent arrives.
func TestDeathWithMuchMemory(t *testing.T) {
	const n = 12
	p, cmd := withChild(t, Options{}, "hoard", strconv.Itoa(n))
	ctx := within(t, hangs)
	must(t, recvNumber(ctx, p, 0, 16<<20))
	for p.Stats().PeerBytes < n/2*16<<20 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	must(t, cmd.Process.Kill())
	began := time.Now()
	for k := uint64(1); ; k++ {
		err := recvNumber(ctx, p, k, 16<<20)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrDisconnected) {
			t.Error(err)
		}
		if k < n/2-1 {
			t.Errorf("%d messages of at least %d received", k, n/2-1)
		}
		break
	}
	t.Logf("told after %v, with the messages checked", time.Since(began))
}

// TestOneProcessorOfGo has one P, with which spinning would keep the peer, or a
// collection, from running.
func TestOneProcessorOfGo(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, wait := range []Wait{Adaptive, Spin, Sleep} {
		t.Run(wait.String(), func(t *testing.T) {
			a, b := ends(t, Options{Wait: wait}, Options{Wait: wait})
			ctx := within(t, hangs)
			done := make(chan error, 1)
			go func() {
				for k := range uint64(1000) {
					err := recvNumber(ctx, b, k, 0)
					if err == nil {
						err = sendNumber(ctx, b, k, 100)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			for k := range uint64(1000) {
				must(t, sendNumber(ctx, a, k, 0))
				if k%100 == 0 {
					runtime.GC()
				}
				must(t, recvNumber(ctx, a, k, 100))
			}
			must(t, <-done)
		})
	}
}

// alone has itself and its own child run on one processor of the machine.
func alone(args []string) error {
	var all, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for i := range 1024 {
		if all.IsSet(i) {
			first.Set(i)
			break
		}
	}
	// Each thread has its own; those that there are now belong to the runtime.
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &first); err != nil {
			return err
		}
	}
	wait, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ln, err := Listen(args[0], Options{Wait: Wait(wait)})
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"=echo "+args[0]+" "+args[1])
	if err := cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	p, err := ln.Accept(ctx)
	if err == nil {
		err = pingPong(ctx, p, 500)
	}
	if err == nil {
		err = errors.Join(p.Close(), ln.Close())
	}
	return errors.Join(err, cmd.Wait())
}

func TestOneProcessorByAffinity(t *testing.T) {
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	for _, wait := range []Wait{Adaptive, Spin, Sleep} {
		t.Run(wait.String(), func(t *testing.T) {
			cmd := startChild(t, nil, "alone", filepath.Join(privateDir(t), "socket"), strconv.Itoa(int(wait)))
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A peer that is stopped is slow, and not dead.
func TestAStoppedPeerIsNotDead(t *testing.T) {
	p, cmd := withChild(t, Options{}, "echo", strconv.Itoa(int(Sleep)))
	ctx := within(t, hangs)
	must(t, pingPong(ctx, p, 10))
	must(t, cmd.Process.Signal(unix.SIGSTOP))
	short := within(t, 1200*time.Millisecond)
	must(t, sendNumber(ctx, p, 1, 100))
	if err := recvNumber(short, p, 1, 100); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v of a Recv from a stopped peer, want that of its deadline", err)
	}
	must(t, sendNumber(ctx, p, 2, 0))
	must(t, cmd.Process.Signal(unix.SIGCONT))
	must(t, recvNumber(ctx, p, 1, 100))
	must(t, recvNumber(ctx, p, 2, 0))
	must(t, pingPong(ctx, p, 10))
}

// A peer that has died, and that nobody has waited for, is dead.
func TestAZombieIsDead(t *testing.T) {
	p, cmd := withChild(t, Options{}, "echo", strconv.Itoa(int(Sleep)))
	ctx := within(t, hangs)
	must(t, pingPong(ctx, p, 10))
	must(t, cmd.Process.Kill())
	if _, err := p.Recv(ctx); !errors.Is(err, ErrDisconnected) {
		t.Errorf("error %v, want one that matches ErrDisconnected", err)
	}
	// Its files are closed shortly before it is one.
	for i := 0; ; i++ {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		must(t, err)
		if strings.Contains(string(stat), ") Z ") || strings.Contains(string(stat), ") X ") {
			return
		}
		if i == 10_000 {
			t.Fatalf("the peer is no zombie: %s", stat)
		}
		time.Sleep(time.Millisecond)
	}
}

// leaveAnHeir connects and gives a child of its own the socket of the pipe, which
// so stays open when it dies.
func leaveAnHeir(args []string) error {
	p, err := Dial(context.Background(), args[0], Options{})
	if err != nil {
		return err
	}
	f, err := p.conn.File()
	if err != nil {
		return err
	}
	cmd := exec.Command("sleep", "60")
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := sendNumber(context.Background(), p, uint64(cmd.Process.Pid), 0); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	return nil
}

func TestDeathIsSeenThoughAChildHasTheSocket(t *testing.T) {
	p, cmd := withChild(t, Options{}, "heir")
	ctx := within(t, hangs)
	m, err := p.Recv(ctx)
	must(t, err)
	heir := int(m.Root().Struct().Uint64(0))
	m.Release()
	defer func() { _ = unix.Kill(heir, unix.SIGKILL) }()
	must(t, cmd.Process.Kill())
	if _, err := p.Recv(ctx); !errors.Is(err, ErrDisconnected) {
		t.Errorf("error %v, want one that matches ErrDisconnected", err)
	}
	if err := unix.Kill(heir, 0); err != nil {
		t.Errorf("the heir did not live to see it: %v", err)
	}
}

// TestSocketsThatAreNotTrusted has something at the path, or of the folder, that
// must not be used or replaced.
func TestSocketsThatAreNotTrusted(t *testing.T) {
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	tests := []struct {
		name string
		make func(t *testing.T, dir, path string)
	}{
		{"a file", func(t *testing.T, _, path string) { must(t, os.WriteFile(path, []byte("kept"), 0o600)) }},
		{"a folder", func(t *testing.T, _, path string) { must(t, os.Mkdir(path, 0o700)) }},
		{"a link to a file", func(t *testing.T, dir, path string) {
			must(t, os.WriteFile(filepath.Join(dir, "target"), []byte("kept"), 0o600))
			must(t, os.Symlink("target", path))
		}},
		{"a link to nothing", func(t *testing.T, _, path string) { must(t, os.Symlink("nothing", path)) }},
		{"a link to a socket", func(t *testing.T, dir, path string) {
			ln, err := net.Listen("unix", filepath.Join(dir, "target"))
			must(t, err)
			t.Cleanup(func() { ln.Close() })
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			}()
			must(t, os.Symlink("target", path))
		}},
		{"a folder that others may write to", func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o777)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := privateDir(t)
			path := filepath.Join(dir, "socket")
			tt.make(t, dir, path)
			before, beforeErr := os.Lstat(path)
			if ln, err := Listen(path, Options{}); !errors.Is(err, ErrAuth) {
				t.Errorf("Listen: error %v, want one that matches ErrAuth", err)
				if ln != nil {
					ln.Close()
				}
			}
			if p, err := Dial(within(t, hangs), path, Options{}); err == nil {
				t.Error("Dial succeeds")
				p.Close()
			}
			after, afterErr := os.Lstat(path)
			if (beforeErr == nil) != (afterErr == nil) || beforeErr == nil && !os.SameFile(before, after) {
				t.Errorf("what was there is %v now, %v", after, afterErr)
			}
		})
	}
}

// TestUsers lets in only those that are asked for.
func TestUsers(t *testing.T) {
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	me := os.Geteuid()
	path := filepath.Join(privateDir(t), "socket")
	ln, err := Listen(path, Options{UIDs: []int{me + 1}})
	must(t, err)
	defer ln.Close()
	ctx := within(t, hangs)
	if _, err := Dial(ctx, path, Options{}); !errors.Is(err, ErrAuth) {
		t.Errorf("dialling as a user that is not admitted: error %v, want one that matches ErrAuth", err)
	}
	other := filepath.Join(privateDir(t), "socket")
	ln2, err := Listen(other, Options{})
	must(t, err)
	defer ln2.Close()
	if _, err := Dial(ctx, other, Options{UIDs: []int{me + 1}}); !errors.Is(err, ErrAuth) {
		t.Errorf("dialling a listener of another user: error %v, want one that matches ErrAuth", err)
	}
	info, err := os.Stat(other)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v, want 0600", info.Mode())
	}
}

// cramped has files, and so regions, of a limited size, as if the system had no
// room for more. What has no room fails with an error, and the rest goes on.
func cramped(args []string) error {
	limit, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	ours, theirs, err := Pair()
	if err != nil {
		return err
	}
	type end struct {
		p   *Pipe
		err error
	}
	far := make(chan end, 1)
	go func() {
		p, err := Attach(ctx, theirs, Options{})
		far <- end{p, err}
	}()
	a, err := Attach(ctx, ours, Options{})
	b := <-far
	if limit < firstRegionBytes {
		if err == nil || b.err == nil || !errors.Is(err, unix.EFBIG) && !errors.Is(b.err, unix.EFBIG) {
			return fmt.Errorf("attach without room: %w, %w", err, b.err)
		}
		return nil
	}
	if err := errors.Join(err, b.err); err != nil {
		return err
	}
	passed := 0
	for k, bytes := range []int{0, 1000, 100_000, 300_000, 1 << 20, 0, 5 << 20, 40 << 20, 2000, 0} {
		err := sendNumber(ctx, a, uint64(k), bytes)
		if err == nil {
			passed++
			err = recvNumber(ctx, b.p, uint64(k), bytes)
		}
		if err != nil && (!errors.Is(err, ErrFull) || uint64(bytes) < limit/4) {
			return fmt.Errorf("%d bytes: %w", bytes, err)
		}
	}
	if passed < 5 {
		return fmt.Errorf("%d messages passed, want those at least that fit into the first region", passed)
	}
	return errors.Join(a.Close(), b.p.Close())
}

func TestNoRoom(t *testing.T) {
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	for _, limit := range []int{0, 4096, firstRegionBytes - 4096, firstRegionBytes, 512 << 10, 1 << 20, 3 << 20, 8 << 20, 64 << 20} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			if err := startChild(t, nil, "cramped", strconv.Itoa(limit)).Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
