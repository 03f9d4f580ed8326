package shm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// childEnv makes the test program a child of a test, before any test runs: the
// name of what it is to do, and its arguments, separated by spaces.
const childEnv = "FAIRLEAD_SHM_TEST_CHILD"

// children are what such a child can do.
var children = map[string]func(args []string) error{
	"victim":  victim,
	"echo":    echo,
	"heir":    leaveAnHeir,
	"alone":   alone,
	"hoard":   hoard,
	"cramped": cramped,
}

func init() {
	args := strings.Fields(os.Getenv(childEnv))
	if len(args) == 0 {
		return
	}
	do, ok := children[args[0]]
	if !ok {
		fmt.Fprintf(os.Stderr, "no child is called %q\n", args[0])
		os.Exit(2)
	}
	if err := do(args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// journalBytes is the size of the memory that a journal is in.
const journalBytes = 4096

// openJournal maps the journal that a child inherits as descriptor 3.
func openJournal() (journal, error) {
	b, err := unix.Mmap(3, 0, journalBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	w, err := mem.Words(b)
	return journal(w), err
}

// victim is a process that dies. Its arguments are how it connects (dial, listen,
// attach, or clean-up, which dials twice), the path, a seed, how it waits, and the point at which it kills
// itself ("-" for none), with how often it passes there before, and after how many
// messages it is done.
func victim(args []string) error {
	signal.Ignore(unix.SIGPIPE)
	how, path, point := args[0], args[1], args[4]
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	wait, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	left, err := strconv.Atoi(args[5])
	if err != nil {
		return err
	}
	quota, err := strconv.ParseUint(args[6], 10, 64)
	if err != nil {
		return err
	}
	j, err := openJournal()
	if err != nil {
		return err
	}
	passes := int64(left)
	reached := func(name string) {
		if name != point {
			return
		}
		if crashCount.Add(1) <= passes {
			return
		}
		j.note(noteFired, 1)
		_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
		select {} // the signal is on its way
	}
	points = reached
	j.note(noteStage, stageStarted)
	ctx := context.Background()
	opt := Options{Wait: Wait(wait), MaxBytes: crashMaxBytes}
	var p *Pipe
	switch how {
	case "dial":
		p, err = Dial(ctx, path, opt)
	case "clean-up":
		if p, err = Dial(ctx, path, opt); err == nil {
			for j.noted(noteAccepted) == 0 {
				time.Sleep(100 * time.Microsecond)
			}
			err = another(ctx, path, opt, seed)
		}
	case "listen":
		var ln *Listener
		if ln, err = Listen(path, opt); err == nil {
			reached("listening")
			if p, err = ln.Accept(ctx); err == nil {
				reached("accepted")
			}
		}
	case "attach":
		p, err = Attach(ctx, os.NewFile(4, "pair"), opt)
	default:
		err = fmt.Errorf("no way to connect is called %q", how)
	}
	if err != nil {
		return err
	}
	j.note(noteStage, stageConnected)
	reached("connected")
	me := &party{pipe: p, journal: j, random: rand.New(rand.NewPCG(seed, 2)), reached: reached, quota: quota}
	sending, receiving := me.run(ctx)
	for _, err := range []error{sending, receiving, me.releaseAll()} {
		if err != nil {
			j.note(noteWrong, 1)
			return err
		}
	}
	reached("close")
	if err := p.Close(); err != nil {
		return err
	}
	reached("closed")
	j.note(noteStage, stageDone)
	time.Sleep(time.Minute) // whoever is to kill it does so at the latest now
	return nil
}

// another makes one more pipe, and clears up when its other end is gone.
func another(ctx context.Context, path string, o Options, seed uint64) error {
	p, err := Dial(ctx, path, o)
	if err != nil {
		return err
	}
	me := &party{pipe: p, journal: make(journal, noteWords), random: rand.New(rand.NewPCG(seed, 6)), reached: func(string) {}}
	go func() {
		_, _ = me.run(ctx)
		_ = me.releaseAll()
		_ = p.Close()
	}()
	return nil
}
