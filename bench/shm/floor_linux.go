package shmbench

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// floor is what shared memory costs at the least. A round trip is two cache
// lines, of which each side writes one. A stream is a ring of cache lines, each
// with its number inside, and a line for each receiver that says how far it is.
// The contents of a message lie in the shared memory too, but only the check
// looks at them.
//
// Where a round trip is to be asleep, whoever waits is told by an eventfd,
// through Go's poller; the eventfd is never read, for every write is an edge.
type floor struct {
	setup
	lines    *floorLines
	contents []byte // a message's, one way and back
	next     uint64 // sent
	taken    uint64 // received
	seen     uint64 // of what all receivers have taken
	mine     syscall.RawConn
	theirs   int // eventfd
}

const floorMissing = ""

const (
	floorSlots = 256
	floorLine  = 128 // two lines, for processors fetch them in pairs
	// floorPatience is how many looks pass before the processor is left to
	// others: of five processes on two processors the one awaited may not run.
	floorPatience = 500
)

type floorWord struct {
	atomic.Uint64
	_ [floorLine - 8]byte
}

type floorSlot struct {
	seq  atomic.Uint64
	data [7]uint64
}

type floorLines struct {
	ask, answer floorWord
	taken       [maxReceivers]floorWord
	slots       [floorSlots]floorSlot
}

// floorPages is the size of the lines in whole pages.
const floorPages = (int(unsafe.Sizeof(floorLines{})) + 4095) &^ 4095

func inheritFloor(w workload) (func(int) ([]*os.File, error), func(), error) {
	fd, err := unix.MemfdCreate("bench-floor", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("shmbench: memfd_create: %w", err)
	}
	shared := os.NewFile(uintptr(fd), "memfd")
	files := []*os.File{shared}
	done := func() {
		for _, f := range files {
			f.Close()
		}
	}
	if err := unix.Ftruncate(fd, int64(floorPages+2*w.size)); err != nil {
		done()
		return nil, nil, fmt.Errorf("shmbench: ftruncate: %w", err)
	}
	for range 2 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("shmbench: eventfd: %w", err)
		}
		files = append(files, os.NewFile(uintptr(fd), "eventfd"))
	}
	return func(which int) ([]*os.File, error) {
		order := []*os.File{shared, files[1], files[2]}
		if which > 0 {
			order[1], order[2] = order[2], order[1]
		}
		copies := make([]*os.File, len(order))
		for i, f := range order {
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return nil, fmt.Errorf("shmbench: dup: %w", err)
			}
			copies[i] = os.NewFile(uintptr(fd), f.Name())
		}
		return copies, nil
	}, done, nil
}

// openFloor opens an end over what was inherited: the memory, its own eventfd
// and the other's.
func openFloor(s setup) (end, string, error) {
	m, err := unix.Mmap(3, 0, floorPages+2*s.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, "", fmt.Errorf("mmap: %w", err)
	}
	e := &floor{setup: s, contents: m[floorPages:], theirs: 5}
	// SAFETY: the mapping is page-aligned, at least as large as floorLines,
	// which has no pointers, and lives as long as the process.
	e.lines = (*floorLines)(unsafe.Pointer(&m[0]))
	if err := unix.SetNonblock(4, true); err != nil {
		return nil, "", fmt.Errorf("eventfd: %w", err)
	}
	if e.mine, err = os.NewFile(4, "eventfd").SyscallConn(); err != nil {
		return nil, "", fmt.Errorf("eventfd: %w", err)
	}
	return e, s.endpoint, nil
}

func (e *floor) pair() bool { return e.role == ask || e.role == answer }

// await waits until a word is at least v.
func (e *floor) await(w *atomic.Uint64, v uint64) error {
	if e.mode == asleep && e.pair() {
		return e.mine.Read(func(uintptr) bool { return w.Load() >= v })
	}
	for i := 1; w.Load() < v; i++ {
		mem.Pause(1)
		if i%floorPatience == 0 {
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
	return nil
}

// one is what is added to an eventfd.
var one = []byte{1, 0, 0, 0, 0, 0, 0, 0}

func (e *floor) send(n int) error {
	if !e.pair() {
		return e.stream(n)
	}
	line := &e.lines.ask
	if e.role == answer {
		line = &e.lines.answer
	}
	for range n {
		e.next++
		line.Store(e.next)
		if e.mode == asleep {
			if _, err := unix.Write(e.theirs, one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *floor) recv(n int) error {
	if !e.pair() {
		return e.follow(n)
	}
	line := &e.lines.ask
	if e.role == ask {
		line = &e.lines.answer
	}
	for range n {
		e.taken++
		if err := e.await(&line.Uint64, e.taken); err != nil {
			return err
		}
	}
	return nil
}

// stream sends as long as no receiver is a whole ring behind.
func (e *floor) stream(n int) error {
	for range n {
		for e.next-e.seen >= floorSlots {
			least := e.next
			for i := range e.receivers {
				least = min(least, e.lines.taken[i].Load())
			}
			if e.seen == least {
				if err := e.await(&e.slowest().Uint64, e.next-floorSlots+1); err != nil {
					return err
				}
			}
			e.seen = least
		}
		s := &e.lines.slots[e.next%floorSlots]
		e.next++
		s.data[0] = e.next
		s.seq.Store(e.next)
	}
	return nil
}

func (e *floor) slowest() *floorWord {
	w := &e.lines.taken[0]
	for i := range e.receivers {
		if o := &e.lines.taken[i]; o.Load() < w.Load() {
			w = o
		}
	}
	return w
}

func (e *floor) follow(n int) error {
	for range n {
		s := &e.lines.slots[e.taken%floorSlots]
		e.taken++
		if err := e.await(&s.seq, e.taken); err != nil {
			return err
		}
		if s.data[0] != e.taken {
			return fmt.Errorf("received the number %d, want %d", s.data[0], e.taken)
		}
		if e.taken%(floorSlots/4) == 0 {
			e.lines.taken[e.which].Store(e.taken)
		}
	}
	// The last are told of too, for the next turn.
	e.lines.taken[e.which].Store(e.taken)
	return nil
}

// way is where the contents of what this role sends lie.
func (e *floor) way(back bool) []byte {
	if back {
		return e.contents[e.size:]
	}
	return e.contents[:e.size]
}

// sendBytes waits until all have copied the message, as there is room for one.
func (e *floor) sendBytes(b []byte) error {
	copy(e.way(e.role == answer), b)
	if err := e.send(1); err != nil || e.pair() {
		return err
	}
	for i := range e.receivers {
		if err := e.await(&e.lines.taken[i].Uint64, e.next); err != nil {
			return err
		}
	}
	return nil
}

func (e *floor) recvBytes() ([]byte, error) {
	if e.pair() {
		err := e.recv(1)
		return append([]byte(nil), e.way(e.role == ask)...), err
	}
	s := &e.lines.slots[e.taken%floorSlots]
	if err := e.await(&s.seq, e.taken+1); err != nil {
		return nil, err
	}
	b := append([]byte(nil), e.way(false)...)
	return b, e.recv(1)
}
