package framing_test

import (
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	chaosSessions = flag.Int("chaos", 40, "how many sessions TestStreamChaos has of each kind")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what they begin with; 0 for any")
)

// chaosPatience is how long a session may take until it counts as hanging.
const chaosPatience = time.Minute

// A note is a message that says whose it is, with so many bytes that follow from that.
type note struct {
	from, n uint64
	size    int
	files   uint64 // which of the session's ride along: bit i is for file i
	faulty  bool   // its root leads out of it
}

var noteSize = segment.Size{DataWords: 4, Ptrs: 1}

func (k note) fill(b []byte) {
	for i := 0; i < len(b); i += 61 {
		b[i] = byte(k.from*31 + k.n*7 + uint64(i))
	}
	if len(b) > 0 {
		b[len(b)-1] = byte(k.n)
	}
}

func (k note) isFilled(b []byte) bool {
	for i := 0; i < len(b)-1; i += 61 {
		if b[i] != byte(k.from*31+k.n*7+uint64(i)) {
			return false
		}
	}
	return len(b) == k.size && (len(b) == 0 || b[len(b)-1] == byte(k.n))
}

// numbers sets all of a note but its bytes.
func (k note) numbers(s segment.StructBuilder) {
	s.SetUint64(0, k.from)
	s.SetUint64(8, k.n)
	s.SetUint64(16, uint64(k.size))
	s.SetUint64(24, k.files)
}

// write puts a note into a new message.
func (k note) write(msg *segment.Message) *segment.Message {
	s := msg.NewRoot(noteSize)
	k.numbers(s)
	k.fill(s.NewData(0, k.size))
	return msg
}

// readNote tells what a message says, and whether all of it is right.
func readNote(msg *segment.Message) (k note, ok bool) {
	s := msg.Root().Struct()
	if msg.Err() != nil { // the root leads out of it: see fault
		if msg.Segments() != 1 || len(msg.Segment(0)) < 40 {
			return k, false
		}
		b := msg.Segment(0)[8:]
		word := func(i int) uint64 {
			var w [8]byte
			copy(w[:], b[8*i:])
			return uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16
		}
		msg.ClearErr()
		return note{from: word(0), n: word(1), faulty: true}, true
	}
	k = note{from: s.Uint64(0), n: s.Uint64(8), size: int(s.Uint64(16)), files: s.Uint64(24)}
	return k, k.isFilled(s.Data(0)) && msg.Err() == nil
}

// fault makes a message of a note whose root leads out of it.
func (k note) fault() [][]byte {
	b := make([]byte, 40)
	copy(b, "\x00\x00\x00\x7f\x04")
	for i, v := range []uint64{k.from, k.n} {
		b[8+8*i], b[9+8*i], b[10+8*i] = byte(v), byte(v>>8), byte(v>>16)
	}
	return [][]byte{b}
}

// someSize is how many bytes a note has.
func someSize(rnd *rand.Rand) int {
	switch rnd.IntN(16) {
	case 0:
		return rnd.IntN(200_000)
	case 1, 2:
		return framing.Joined - 100 + rnd.IntN(200)
	case 3:
		return framing.SharedFrame - 100 + rnd.IntN(200)
	case 4, 5, 6:
		return rnd.IntN(5000)
	}
	return rnd.IntN(100)
}

// A chaos is what all sessions of one kind have in common.
type chaos struct {
	t     *testing.T
	pool  *arena.Pooled
	files []*os.File // one of them is closed
	ids   atomic.Uint64
	lent  atomic.Int64 // memory that messages refer to and have not given back
}

const (
	chaosFiles = 4 // that a chaos has
	closedFile = 2 // is the one that is closed
)

// newChaos also looks, when the test is over, whether everything came back.
func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{t: t}
	noLeak(t)
	c.pool = arena.NewPool(arena.PoolOptions{Debug: true, Report: func(r arena.Report) { t.Error(r) }})
	running := goleak.IgnoreCurrent()
	dir := t.TempDir()
	for i := range chaosFiles {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err == nil {
			_, err = f.WriteString(strconv.Itoa(i))
		}
		if err != nil {
			t.Fatal(err)
		}
		c.files = append(c.files, f)
	}
	_ = c.files[closedFile].Close()
	t.Cleanup(func() {
		until(t, "all blocks are back", func() bool { blocks, _ := c.pool.Outstanding(); return blocks == 0 })
		until(t, "all that was lent is back", func() bool { return c.lent.Load() == 0 })
		for i, f := range c.files {
			if i == closedFile {
				continue
			}
			if runtime.GOOS == "linux" {
				until(t, "each file is open once", func() bool { return opened(t, f) == 1 })
			}
			var b [2]byte
			if n, err := f.ReadAt(b[:], 0); err != io.EOF || string(b[:n]) != strconv.Itoa(i) {
				t.Errorf("the sender's file %d says %q, %v", i, b[:n], err)
			}
			_ = f.Close()
		}
		goleak.VerifyNone(t, running)
	})
	return c
}

// until waits for something that comes soon.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(chaosPatience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// opened is how many descriptors this process has of a file.
func opened(t *testing.T, f *os.File) (n int) {
	t.Helper()
	const all = "/proc/self/fd"
	entries, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink(filepath.Join(all, e.Name())); to == f.Name() {
			n++
		}
	}
	return n
}

// lend counts memory that a message refers to.
func (c *chaos) lend() *loan {
	c.lent.Add(1)
	return &loan{c: c}
}

// A loan is to be given back once.
type loan struct {
	c    *chaos
	back atomic.Bool
}

func (l *loan) Release() {
	if l.back.Swap(true) {
		l.c.t.Error("memory was given back twice")
	}
	l.c.lent.Add(-1)
}

// build makes the message of a note in one of several ways.
func (c *chaos) build(rnd *rand.Rand, k note, begin func(hint int) *segment.Message) *segment.Message {
	open := func(segs [][]byte) *segment.Message {
		msg, err := segment.Open(segs, segment.Options{Owner: c.lend()})
		if err != nil {
			c.t.Error(err)
		}
		return msg
	}
	if k.faulty {
		return open(k.fault())
	}
	switch rnd.IntN(6) {
	default:
		return k.write(begin(0))
	case 0:
		return k.write(begin(k.size + 100))
	case 1: // raw segments, some of which may be empty
		built := k.write(segment.New(small{}))
		segs, err := built.ToSegments()
		if err != nil {
			c.t.Error(err)
		}
		for i, s := range segs {
			segs[i] = slices.Clone(s)
		}
		built.Release()
		for range rnd.IntN(3) {
			segs = append(segs, nil)
		}
		return open(segs)
	case 2: // in pieces
		return k.write(segment.New(small{}))
	case 3: // with memory of ours
		msg := begin(0)
		s := msg.NewRoot(noteSize)
		k.numbers(s)
		b := make([]byte, k.size, (k.size+7)&^7)
		k.fill(b)
		s.SetExternalData(0, b, c.lend().Release)
		return msg
	}
}

// errRough is what a roughConn fails with.
var errRough = errors.New("as asked")

// A roughConn reads and writes less than was asked for, tells of deadlines together
// with bytes, and fails at some time.
type roughConn struct {
	net.Conn
	reading, writing *rand.Rand
	toRead, toWrite  int // until it fails
	failed           func()
	honest           bool // a write that wrote less has an error

	mu   sync.Mutex
	late bool // the deadline of reading has passed
}

func newRough(rnd *rand.Rand, c net.Conn, failed func()) *roughConn {
	r := &roughConn{
		Conn: c, failed: failed, toRead: math.MaxInt, toWrite: math.MaxInt,
		reading: rand.New(rand.NewPCG(rnd.Uint64(), 1)), writing: rand.New(rand.NewPCG(rnd.Uint64(), 2)),
	}
	switch rnd.IntN(4) {
	case 0:
		r.toRead = rnd.IntN(300_000)
	case 1:
		r.toWrite = rnd.IntN(300_000)
	}
	return r
}

func (r *roughConn) SetReadDeadline(d time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = !d.IsZero()
	return r.Conn.SetReadDeadline(d)
}

func (r *roughConn) Read(p []byte) (n int, err error) {
	switch r.reading.IntN(8) {
	case 0:
		if len(p) > 0 {
			p = p[:1+r.reading.IntN(min(len(p), 20))]
		}
	case 1:
		return 0, nil
	case 2:
		runtime.Gosched()
	}
	if len(p) > r.toRead {
		p = p[:r.toRead]
	}
	if len(p) == 0 && r.toRead == 0 {
		r.failed()
		return 0, errRough
	}
	n, err = r.Conn.Read(p)
	r.toRead -= n
	if err == nil && r.toRead == 0 && r.reading.IntN(2) == 0 {
		r.failed()
		return n, errRough
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && r.late {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (r *roughConn) Write(p []byte) (n int, err error) {
	for n < len(p) {
		b := p[n:]
		if r.writing.IntN(2) == 0 {
			b = b[:1+r.writing.IntN(len(b))]
		}
		if len(b) > r.toWrite {
			b = b[:r.toWrite]
		}
		if r.toWrite == 0 {
			r.failed()
			if !r.honest && r.writing.IntN(2) == 0 {
				return n, nil // as no writer should
			}
			return n, errRough
		}
		m, err := r.Conn.Write(b)
		n += m
		r.toWrite -= m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// sessions runs so many sessions, two at a time. Each has its own numbers.
func sessions(t *testing.T, seed uint64, live func(rnd *rand.Rand)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for !t.Failed() {
				i := next.Add(1)
				if i > int64(*chaosSessions) {
					return
				}
				hanging := time.AfterFunc(chaosPatience, func() {
					b := make([]byte, 1<<20)
					panic("session " + strconv.Itoa(int(i)) + " hangs, -chaos.seed " + strconv.FormatUint(seed, 10) +
						"\n" + string(b[:runtime.Stack(b, true)]))
				})
				live(rand.New(rand.NewPCG(seed, uint64(i))))
				hanging.Stop()
			}
		})
	}
	all.Wait()
}

// Streams of all kinds are written and read in all ways while contexts end, ends
// close and connections fail at any time: each message arrives whole, once and in its
// order, with its files, errors are those that are documented, and nothing is left.
func TestStreamChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", seed)
	for _, network := range networks {
		t.Run("pipe/"+network, func(t *testing.T) {
			x, y := conns(t, network) // opens what stays open, or skips the test
			_, _ = x.Close(), y.Close()
			c := newChaos(t)
			sessions(t, seed, func(rnd *rand.Rand) { c.talk(network, rnd) })
		})
	}
	for _, f := range formats {
		t.Run("stream/"+f.String(), func(t *testing.T) {
			c := newChaos(t)
			sessions(t, seed, func(rnd *rand.Rand) { c.scroll(f, rnd) })
		})
	}
}
