package shm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

var mutatorReads = flag.Int64("mutator.reads", 2_000_000, "how many words are read while a hostile peer rewrites them")

// walkLimit is how long one walk over a message may take. Its budget bounds the
// words that it reads; this is for a loop that the budget does not see.
const walkLimit = 30 * time.Second

// mutatorLimits keep a walk short, so that there are many.
var mutatorLimits = segment.Limits{TraversalWords: 1 << 16}

// A walker reads everything that can be reached, in whatever way the pointers say
// at the time, and prints it.
type walker struct {
	out    io.Writer
	reads  int64
	random *rand.Rand
}

func (w *walker) pointer(p segment.Ptr) {
	w.reads++
	if p.Message().Err() != nil {
		return // the budget is used up, or a fault is noted
	}
	switch p.Kind() {
	case segment.KindNull:
	case segment.KindStruct:
		w.structure(p.Struct())
	case segment.KindList:
		w.list(p)
	case segment.KindCapability:
		i, ok := p.Capability()
		fmt.Fprint(w.out, i, ok)
	default:
		fmt.Fprint(w.out, p.Kind())
	}
}

func (w *walker) structure(s segment.Struct) {
	sz := s.Size()
	sum := uint64(0)
	for i := range sz.DataWords {
		sum += s.Uint64(uint32(i) * 8)
		w.reads++
	}
	fmt.Fprint(w.out, sum, s.Bool(uint32(sum&1023)), s.Float32(uint32(sum&15)*4))
	for i := range sz.Ptrs {
		switch w.random.IntN(8) {
		case 0:
			fmt.Fprintf(w.out, "%.40q", s.Text(i))
		case 1:
			w.bytes(s.Data(i))
		case 2:
			w.structure(s.Struct(i)) // whatever it is
		default:
			w.pointer(s.Ptr(i))
		}
		if s.Message().Err() != nil {
			return
		}
	}
}

func (w *walker) bytes(b []byte) {
	sum := byte(0)
	for i := range b {
		sum += b[i]
	}
	w.reads += int64(len(b) / 8)
	fmt.Fprint(w.out, sum)
}

func (w *walker) list(p segment.Ptr) {
	l := p.List()
	n := l.Len()
	switch l.ElemSize() {
	case segment.Void:
	case segment.Bit:
		set := 0
		for v := range l.Bools().All() {
			if v {
				set++
			}
			w.reads++
		}
		fmt.Fprint(w.out, set)
	case segment.Byte:
		w.bytes(p.Data())
		fmt.Fprintf(w.out, "%.40q", p.TextBytes())
	case segment.Pointer:
		ptrs := l.Ptrs()
		for i := n - 1; i >= 0; i-- { // backwards
			w.pointer(ptrs.At(i))
			if p.Message().Err() != nil {
				return
			}
		}
	case segment.Composite:
		structs := l.Structs()
		for i := range structs.Len() {
			w.structure(structs.At(i))
			if p.Message().Err() != nil {
				return
			}
		}
	default:
		sum := uint64(0)
		nums := segment.NumbersOf[uint64](l)
		for v := range nums.All() {
			sum += v
			w.reads++
		}
		fmt.Fprint(w.out, sum)
	}
}

// count counts words that were read without meeting a fault, after which it would
// not be known how many.
func (w *walker) count(words int64, err error) {
	if err == nil {
		w.reads += words
	} else {
		w.reads++
	}
}

// read does one of all that can be done with a received message.
func (w *walker) read(m *segment.Message) {
	m.ResetLimits(mutatorLimits)
	words := m.SizeBytes() / 8
	switch w.random.IntN(8) {
	case 0:
		w.count(words, m.Verify())
	case 1:
		if c, err := m.Snapshot(); err == nil {
			c.ResetLimits(mutatorLimits)
			w.pointer(c.Root())
			c.Release()
		}
	case 2:
		c := segment.New(heapArena{})
		c.RootBuilder().Set(m.Root())
		w.count(c.SizeBytes()/8, errors.Join(c.Verify(), m.Err()))
		c.Release()
	case 3:
		_, err := m.Canonical()
		w.count(words, err)
	case 4:
		_ = m.Root().Equal(m.Root())
		w.count(2*words, m.Err())
	case 5:
		n, err := m.Root().TotalWords()
		w.count(n, err)
	default:
		w.pointer(m.Root())
	}
	m.ClearErr()
}

// heapArena is the simplest arena.
type heapArena struct{}

func (heapArena) Allocate(n int) ([]byte, error) { return make([]byte, n), nil }
func (heapArena) Free([]byte, int)               {}

// buildVaried builds a message that has a little of everything.
func buildVaried(m *segment.Message, random *rand.Rand) {
	root := m.NewRoot(segment.Size{DataWords: 4, Ptrs: 8})
	root.SetUint64(0, random.Uint64())
	root.SetText(0, "some text that is long enough to be looked at")
	fillCrashData(root.NewData(1, 100+random.IntN(3000)), 5)
	list := segment.NewStructsIn[segment.StructBuilder](root, 2, segment.Size{DataWords: 2, Ptrs: 2}, 1+random.IntN(50))
	for i := range list.Len() {
		s := list.At(i)
		s.SetUint64(8, uint64(i))
		s.SetText(0, "an element")
		s.NewStruct(1, segment.Size{DataWords: 1, Ptrs: 1}).SetText(0, "and its child")
	}
	nums := segment.NewNumbers[uint64](root.Ptr(3), 1+random.IntN(500))
	for i := range nums.Len() {
		nums.Set(i, random.Uint64())
	}
	root.Ptr(4).NewBools(random.IntN(1000))
	ptrs := root.Ptr(5).NewPtrs(20)
	for i := range ptrs.Len() {
		ptrs.At(i).SetText("one of a list of pointers")
	}
	s := root
	for range 20 {
		s = s.NewStruct(7, segment.Size{DataWords: 1, Ptrs: 8})
	}
}

// A mutator rewrites shared memory as its owner. It keeps what was there, and puts
// it back some time later, so that most of a message can be read at any time.
type mutator struct {
	words  []mem.Word
	random *rand.Rand
	wrong  []wrongWord // a ring
	at     int
}

type wrongWord struct {
	word *mem.Word
	was  uint64
}

// wrongWords is how many words are wrong at a time.
const wrongWords = 300

// mutate writes one word: one of any value, one that was flipped, one that is
// copied from elsewhere, a small number, or a pointer of a likely kind.
func (m *mutator) mutate() {
	w := &m.words[m.random.IntN(len(m.words))]
	if len(m.wrong) < wrongWords {
		m.wrong = append(m.wrong, wrongWord{w, w.Plain()})
	} else {
		old := &m.wrong[m.at]
		old.word.SetPlain(old.was)
		*old = wrongWord{w, w.Plain()}
		m.at = (m.at + 1) % wrongWords
	}
	switch m.random.IntN(6) {
	case 0:
		w.SetPlain(m.random.Uint64())
	case 1, 2:
		w.SetPlain(w.Plain() ^ 1<<m.random.IntN(64))
	case 3:
		w.SetPlain(m.words[m.random.IntN(len(m.words))].Plain())
	case 4:
		w.SetPlain(uint64(m.random.IntN(1 << 12)))
	case 5:
		kind := uint64(m.random.IntN(4))
		offset := uint64(uint32(m.random.IntN(400)-200)) << 2 & 0xfffffffc
		w.SetPlain(kind | offset | uint64(m.random.IntN(1<<14))<<32)
	}
}

// mutate runs mutators over parts of b's memory until stop.
func mutateUntil(wg *sync.WaitGroup, stop *atomic.Bool, words []mem.Word, pause int, seed uint64) {
	wg.Go(func() {
		m := mutator{words: words, random: rand.New(rand.NewPCG(seed, 9))}
		for !stop.Load() {
			for range 64 {
				m.mutate()
				if pause > 0 {
					time.Sleep(time.Duration(m.random.IntN(pause)))
				}
			}
			runtime.Gosched()
		}
	})
}

// TestMutator reads messages in every way while their owner rewrites them, and all
// of its control words besides. There may be any errors, but no panic, no access
// outside of the mapping (which is between guard pages), and no walk without end.
// A long run is
//
//	go test ./shm -run '^TestMutator$' -mutator.reads 100000000 -timeout 1h
func TestMutator(t *testing.T) {
	for _, tt := range []struct {
		name    string
		control bool // slots, rings and control words are rewritten too
	}{{"contents", false}, {"everything", true}} {
		t.Run(tt.name, func(t *testing.T) {
			var reads, walks, pipes, corrupted int64
			var longest time.Duration
			// Some pipes have to end as corrupt, which a short one may not.
			for seed := uint64(1); reads < *mutatorReads/2 || tt.control && corrupted == 0 && seed <= 50; seed++ {
				r := mutatedPipe(t, tt.control, seed, min(max(*mutatorReads/2-reads, 100_000), 5_000_000))
				if t.Failed() {
					return
				}
				reads, walks, pipes = reads+r.reads, walks+r.walks, pipes+1
				longest = max(longest, r.longest)
				if r.corrupted {
					corrupted++
				}
			}
			if tt.control && corrupted == 0 {
				t.Error("no pipe was ended as corrupt")
			}
			t.Logf("%d words read in %d walks over messages of %d pipes, %d of which ended as corrupt; the longest walk took %v", reads, walks, pipes, corrupted, longest)
		})
	}
}

type mutatedReads struct {
	reads, walks int64
	longest      time.Duration
	corrupted    bool
}

// mutatedPipe reads what one pipe brings.
func mutatedPipe(t *testing.T, control bool, seed uint64, reads int64) (r mutatedReads) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("seed %d: panic: %v\n%s", seed, p, debug.Stack())
		}
	}()
	a, b := ends(t, Options{Limits: mutatorLimits}, Options{})
	defer b.Close()
	defer a.Close()
	ctx := within(t, time.Minute)
	random := rand.New(rand.NewPCG(seed, 4))
	var held []*segment.Message
	defer func() {
		for _, m := range held {
			m.Release()
		}
	}()
	for range 12 {
		m := b.NewMessage(0)
		buildVaried(m, random)
		must(t, b.Send(ctx, m))
		m, err := a.Recv(ctx)
		must(t, err)
		held = append(held, m)
	}
	first := b.own.w
	var stop atomic.Bool
	var wg sync.WaitGroup
	sending, end := context.WithCancel(ctx)
	defer func() {
		stop.Store(true)
		end()
		wg.Wait()
	}()
	mutateUntil(&wg, &stop, first[atBlocks/8:], 0, seed)
	if control {
		// The rings and the control words, not so fast that nothing ever is
		// right for a moment.
		mutateUntil(&wg, &stop, first[:atSubmit/8], 20000, seed+1)
		mutateUntil(&wg, &stop, first[atSubmit/8:atBlocks/8], 20000, seed+2)
		wg.Go(func() { // honest and mutated messages in turns
			r := rand.New(rand.NewPCG(seed, 5))
			for !stop.Load() {
				m := b.NewMessage(0)
				buildVaried(m, r)
				if b.Send(sending, m) != nil {
					return
				}
			}
		})
	}
	w := walker{out: io.Discard, random: random}
	for w.reads < reads && !t.Failed() {
		m := held[random.IntN(len(held))]
		began := time.Now()
		w.read(m)
		took := time.Since(began)
		r.walks++
		r.longest = max(r.longest, took)
		if took > walkLimit {
			t.Errorf("seed %d: a walk took %v", seed, took)
		}
		if !control || random.IntN(4) > 0 {
			continue
		}
		// What was received is read like the rest; what is sent meets the wrong
		// counts and leases.
		short := within(t, 5*time.Millisecond)
		if m, err := a.Recv(short); err == nil {
			i := random.IntN(len(held))
			held[i].Release()
			held[i] = m
		}
		if sendNumber(short, a, 1, 500) != nil && a.over.Load() != overNot {
			r.corrupted = errors.Is(a.gone(), ErrCorrupt)
			if err := sendNumber(ctx, a, 1, 500); !errors.Is(err, ErrDisconnected) {
				t.Errorf("seed %d: error %v of an ended pipe", seed, err)
			}
			break
		}
	}
	r.reads = w.reads
	return r
}
