package shm

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/internal/mem"
)

var (
	crashEach   = flag.Int("crash.each", 0, "how often a process is killed at each point; 0 means once at every third point")
	crashRandom = flag.Int("crash.random", 10, "how many processes are killed at random instants")
	crashOnly   = flag.String("crash.point", "", "kill only at this point")
	crashSeed   = flag.Uint64("crash.seed", 0, "the seed of the crash test; 0 takes one from the clock")
	crashReport = flag.String("crash.report", "", "write a report of the crash test to this `file`")
)

const (
	// crashQuota is after how many messages each way the parties are done, and
	// shortQuota where it is their end that matters.
	crashQuota = 3000
	shortQuota = 100
	// crashMaxBytes is small enough that senders run short of memory.
	crashMaxBytes = 16 << 20
	// toldLimit is how long a survivor may take to learn that its peer is dead.
	// The promise is a second; a machine that does other work gets more, and the
	// longest time is in the report.
	toldLimit = 10 * time.Second
)

// lateDeath is how long a victim may take to come to its point when all messages
// have passed; then it is killed without.
const lateDeath = time.Second

// crashCount counts how often the point of a victim was passed.
var crashCount atomic.Int64

// crashReturned counts the messages that were given back to a survivor.
var crashReturned atomic.Uint64

// A crashPoint is a place at which a process is killed: one of the package, which
// calls point there, or one of this test.
type crashPoint struct {
	name string
	// most is how many passes a message stream surely has at this point; the
	// process is killed at one of them by chance.
	most int
	// late is set for points at the end of a party.
	late bool
	// ways are the ways to connect of which the point is part; all if empty.
	ways []string
}

// A crashTrial is one death.
type crashTrial struct {
	way    string // how the victim connects
	point  string // "-" for a random instant
	passes int
	quota  uint64        // of messages each way
	after  time.Duration // of a random instant
	wait   [2]Wait       // of victim and survivor
	seed   uint64
}

func (c crashTrial) String() string {
	if c.point == "-" {
		return fmt.Sprintf("%s, killed after %v, seed %d", c.way, c.after, c.seed)
	}
	return fmt.Sprintf("%s, killed at %s after %d passes, seed %d", c.way, c.point, c.passes, c.seed)
}

// crashWays are the ways to connect. In a clean-up the victim has a second pipe,
// whose other end vanishes first.
var crashWays = []string{"dial", "listen", "attach"}

// crashOutcome is what a death came to, for the report.
type crashOutcome struct {
	fired, connected   bool
	sent, received     uint64 // by the survivor
	acknowledged       uint64
	told               time.Duration
	victimSent, victim uint64
}

// A crashBench is where trials are run.
type crashBench struct {
	dir      string
	program  string
	memory   *os.File // of the journal
	journal  journal
	baseline resources
}

func newCrashBench(t *testing.T) *crashBench {
	t.Helper()
	if !mem.SharedSupported() {
		t.Skip("no shared memory on this system")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &crashBench{program: program, dir: privateDir(t)}
	fd, err := unix.MemfdCreate("journal", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	b.memory = os.NewFile(uintptr(fd), "journal")
	t.Cleanup(func() { b.memory.Close() })
	if err := b.memory.Truncate(journalBytes); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(fd, 0, journalBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(m) })
	w, err := mem.Words(m)
	if err != nil {
		t.Fatal(err)
	}
	b.journal = w
	return b
}

// privateDir makes a folder for sockets, of a short name.
func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "shm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// resources are what nothing may be left of.
type resources struct {
	descriptors []string
	mappings    int
}

// resourcesNow counts the descriptors of this process, and the mappings of shared
// memory of this package.
func resourcesNow() (resources, error) {
	var r resources
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return r, err
	}
	for _, e := range list {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(to, "/proc/") {
			continue // that of the list itself
		}
		r.descriptors = append(r.descriptors, strings.TrimRight(to, "0123456789[]")+" "+e.Name())
	}
	slices.Sort(r.descriptors)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return r, err
	}
	r.mappings = strings.Count(string(maps), "memfd:"+regionName)
	return r, nil
}

func (r resources) same(o resources) bool {
	return slices.Equal(r.descriptors, o.descriptors) && r.mappings == o.mappings
}

// settled waits until the resources are what they were.
func (b *crashBench) settled() error {
	for end := time.Now().Add(toldLimit); ; time.Sleep(time.Millisecond) {
		now, err := resourcesNow()
		if err != nil {
			return err
		}
		if now.same(b.baseline) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("left: descriptors %q and %d mappings, before %q and %d", now.descriptors, now.mappings, b.baseline.descriptors, b.baseline.mappings)
		}
	}
}

// start starts a victim. Its death shows in dead, at which it is a zombie.
func (b *crashBench) start(c crashTrial, path string, files ...*os.File) (cmd *exec.Cmd, stderr *bytes.Buffer, dead chan time.Time, err error) {
	clear(b.journal)
	crashReturned.Store(0)
	cmd = exec.Command(b.program)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{
		"victim", c.way, path, strconv.FormatUint(c.seed, 10), strconv.Itoa(int(c.wait[0])), c.point, strconv.Itoa(c.passes), strconv.FormatUint(c.quota, 10),
	}, " "))
	cmd.ExtraFiles = append([]*os.File{b.memory}, files...)
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, err
	}
	dead = make(chan time.Time, 1)
	go func() {
		for {
			err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if err != unix.EINTR {
				dead <- time.Now()
				return
			}
		}
	}()
	if c.point == "-" {
		time.AfterFunc(c.after, func() { _ = cmd.Process.Kill() })
	}
	return cmd, stderr, dead, nil
}

// run runs a trial and tells what was wrong.
func (b *crashBench) run(ctx context.Context, ln *Listener, c crashTrial) (out crashOutcome, err error) {
	path := filepath.Join(b.dir, "socket")
	var files []*os.File
	var mine *os.File
	switch c.way {
	case "listen":
		path = filepath.Join(b.dir, "victim")
	case "attach":
		var theirs *os.File
		if mine, theirs, err = Pair(); err != nil {
			return out, err
		}
		files = append(files, theirs)
	}
	cmd, stderr, dead, err := b.start(c, path, files...)
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		return out, err
	}
	// The zombie is buried last.
	buried := false
	bury := func() {
		if !buried {
			buried = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	defer bury()

	// To connect ends with the life of the victim, some time after it.
	life, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	connecting, giveUp := context.WithCancel(life)
	defer giveUp()
	died := make(chan time.Time, 1)
	go func() {
		t := <-dead
		died <- t
		time.Sleep(50 * time.Millisecond)
		giveUp()
	}()

	opt := Options{Wait: c.wait[1], MaxBytes: crashMaxBytes}
	var p *Pipe
	switch c.way {
	case "dial":
		p, err = ln.Accept(connecting)
	case "clean-up":
		if p, err = ln.Accept(connecting); err == nil {
			b.journal.note(noteAccepted, 1)
			err = vanish(connecting, ln, c.seed)
		}
		if err != nil && p != nil {
			err = errors.Join(err, p.Close())
		}
	case "listen":
		for {
			if p, err = Dial(connecting, path, opt); err == nil || connecting.Err() != nil {
				break
			}
			time.Sleep(200 * time.Microsecond)
		}
	case "attach":
		p, err = Attach(connecting, mine, opt)
	}
	if err == nil {
		out.connected = true
		err = b.survive(life, p, c, cmd.Process, died, &out)
	} else {
		<-died
		err = nil
	}
	out.fired = b.journal.noted(noteFired) == 1
	bury()
	if err == nil && b.journal.noted(noteWrong) != 0 {
		err = fmt.Errorf("the victim says: %s", strings.TrimSpace(stderr.String()))
	}
	if err == nil && !strings.Contains(cmd.ProcessState.String(), "killed") {
		err = fmt.Errorf("the victim was to be killed, but: %v: %s", cmd.ProcessState, strings.TrimSpace(stderr.String()))
	}
	if err == nil {
		err = b.settled()
	}
	if err == nil {
		err = b.onlySockets()
	}
	return out, err
}

// vanish accepts a pipe, passes some messages and leaves as a process that dies: it
// says no word.
func vanish(ctx context.Context, ln *Listener, seed uint64) error {
	p, err := ln.Accept(ctx)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 7))
	go func() {
		me := &party{pipe: p, journal: make(journal, noteWords), random: random, reached: func(string) {}, quota: uint64(100 + random.IntN(400))}
		_, _ = me.run(ctx)
		p.end(errGone)
		_ = me.releaseAll()
		_ = p.Close()
	}()
	return nil
}

// onlySockets looks for files that were left.
func (b *crashBench) onlySockets() error {
	list, err := os.ReadDir(b.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Type() != os.ModeSocket {
			return fmt.Errorf("%s was left, a %v", e.Name(), e.Type())
		}
	}
	return nil
}

// survive is the other party of the victim until that is dead, and then looks
// whether all is right.
func (b *crashBench) survive(ctx context.Context, p *Pipe, c crashTrial, victim *os.Process, died chan time.Time, out *crashOutcome) error {
	own := make(journal, noteWords)
	me := &party{pipe: p, journal: own, random: rand.New(rand.NewPCG(c.seed, 3)), reached: func(string) {}, quota: c.quota}
	sending, receiving := me.run(ctx)
	told := time.Now()
	// If all is done, the victim has nothing to do but to close, or has closed.
	late := time.AfterFunc(lateDeath, func() { _ = victim.Kill() })
	death := <-died
	late.Stop()
	out.told = max(told.Sub(death), 0)

	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	// A victim that closed before it died has ended in order.
	inOrder := func(err error) bool {
		return err == nil || err == io.EOF || errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrCorrupt)
	}
	if !inOrder(sending) || sending == io.EOF {
		wrong("sending ended with: %w", sending)
	}
	if !inOrder(receiving) {
		wrong("receiving ended with: %w", receiving)
	}
	if out.told > toldLimit {
		wrong("told after %v", out.told)
	}
	out.sent, out.received = own.noted(noteSent), own.noted(noteReceived)
	theirs := b.journal
	out.victimSent, out.victim = theirs.noted(noteSent), theirs.noted(noteReceived)
	if out.received < out.victimSent {
		wrong("lost: %d messages were sent and %d received; receiving ended with: %w", out.victimSent, out.received, receiving)
	}
	if out.received > theirs.noted(noteAttempted) {
		wrong("doubled: %d messages were received, and %d sent at most", out.received, theirs.noted(noteAttempted))
	}
	if out.victim > own.noted(noteAttempted) {
		wrong("the victim received %d messages of %d", out.victim, own.noted(noteAttempted))
	}
	// After the end a send fails, and nothing is lent any more.
	if sending != nil {
		m := p.NewMessage(100)
		if err := p.Send(ctx, m); !errors.Is(err, ErrDisconnected) {
			wrong("sending to a dead peer: %w", err)
		}
	}
	// What was received stays readable until it is released, and then nothing is
	// held.
	if err := me.releaseAll(); err != nil {
		errs = append(errs, err)
	}
	s := p.Stats()
	for end := time.Now().Add(toldLimit); s.Lent+s.Blocks != 0 && time.Now().Before(end); s = p.Stats() {
		time.Sleep(time.Millisecond) // the survivor's goroutine is at it
	}
	if s.Lent != 0 || s.Blocks != 0 {
		wrong("%d messages are lent and %d blocks taken after the end", s.Lent, s.Blocks)
	}
	out.acknowledged = crashReturned.Load()
	if c.way != "clean-up" && out.acknowledged > theirs.noted(noteReleased) {
		wrong("%d messages were given back, of which the victim had released %d", out.acknowledged, theirs.noted(noteReleased))
	}
	if err := p.Close(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// TestCrash kills processes, at named points and at random instants, and looks
// whether the other end is told, has every message that was sent once and right,
// and whether all memory, descriptors and files come back. Run it longer with
//
//	go test ./shm -run '^TestCrash$' -crash.each 50 -crash.random 4000 -crash.report CRASH.md -timeout 2h
func TestCrash(t *testing.T) {
	b := newCrashBench(t)
	points = func(name string) {
		if name == "collect.found" {
			crashReturned.Add(1)
		}
	}
	t.Cleanup(func() { points = nil })
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	random := rand.New(rand.NewPCG(seed, 0))
	ln, err := Listen(filepath.Join(b.dir, "socket"), Options{MaxBytes: crashMaxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })

	// What the first pipe to a child opens for good, such as the poller, is no leak.
	b.warm(t, ln)
	if b.baseline, err = resourcesNow(); err != nil {
		t.Fatal(err)
	}

	log := newCrashLog(seed)
	trial := func(way, point string, passes int, quota uint64, after time.Duration) {
		c := crashTrial{
			way: way, point: point, passes: passes, quota: quota, after: after, seed: random.Uint64(),
			wait: [2]Wait{Wait(random.IntN(3)), Wait(random.IntN(3))},
		}
		out, err := b.run(t.Context(), ln, c)
		if err != nil {
			t.Errorf("%v: %v", c, err)
		}
		log.add(c, out, err)
	}
	turn, third := random.IntN(6), random.IntN(3)
	for i, p := range crashPoints {
		if *crashOnly != "" && p.name != *crashOnly || *crashEach == 0 && *crashOnly == "" && i%3 != third {
			continue
		}
		ways, most, quota := p.ways, max(p.most, 1), uint64(crashQuota)
		if ways == nil {
			ways = crashWays
		}
		if p.late {
			quota = shortQuota
		}
		if *crashEach == 0 {
			most = min(most, 50)
		}
		for range max(*crashEach, 1) {
			trial(ways[turn%len(ways)], p.name, random.IntN(most), quota, 0)
			turn++
		}
	}
	for i := range *crashRandom {
		// To start takes some milliseconds, and to send all messages about as
		// long as that.
		trial(crashWays[i%len(crashWays)], "-", 0, crashQuota, time.Duration(random.Int64N(int64(60*time.Millisecond))))
	}
	// Some are passed only by a sender that is short of something, which in a
	// single run may not come to be.
	if missed := log.missed(); len(missed) > 0 && (*crashEach >= 10 || len(missed) > len(crashPoints)/8) {
		t.Errorf("no process came to the points %q", missed)
	}
	t.Log(log.summary())
	if *crashReport != "" {
		if err := os.WriteFile(*crashReport, log.report(), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// warm makes a pipe to a child and closes it.
func (b *crashBench) warm(t *testing.T, ln *Listener) {
	t.Helper()
	cmd, _, _, err := b.start(crashTrial{way: "dial", point: "closed", quota: 1}, ln.Path())
	must(t, err)
	p, err := ln.Accept(within(t, hangs))
	must(t, err)
	must(t, p.Close())
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
