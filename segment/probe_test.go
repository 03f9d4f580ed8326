package segment_test

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// A visitor reads all that a pointer leads to, as any pointer, in either
// direction, and counts what it sees.
type visitor struct {
	backward bool
	visits   int64
	max      int64
	sum      uint64 // keeps the reads alive
}

func (v *visitor) order(n int, f func(i int)) {
	for i := range n {
		if v.visits++; v.visits > v.max {
			return
		}
		if v.backward {
			i = n - 1 - i
		}
		f(i)
	}
}

func (v *visitor) ptr(p Ptr) {
	switch p.Kind() {
	case KindStruct:
		v.structure(p.Struct())
	case KindList:
		v.list(p.List())
	case KindCapability:
		i, _ := p.Capability()
		v.sum += uint64(i)
	}
}

func (v *visitor) structure(s Struct) {
	for _, b := range s.DataBytes() {
		v.sum += uint64(b)
	}
	v.order(int(s.Size().Ptrs), func(i int) { v.ptr(s.Ptr(uint16(i))) })
}

func (v *visitor) list(l List) {
	switch l.ElemSize() {
	case Void:
		v.order(l.Len(), func(int) {})
	case Bit:
		b := l.Bools()
		v.order(b.Len(), func(i int) {
			if b.At(i) {
				v.sum++
			}
		})
	case Byte:
		b := NumbersOf[uint8](l)
		v.order(b.Len(), func(i int) { v.sum += uint64(b.At(i)) })
	case TwoBytes:
		b := NumbersOf[int16](l)
		v.order(b.Len(), func(i int) { v.sum += uint64(b.At(i)) })
	case FourBytes:
		b := NumbersOf[uint32](l)
		v.order(b.Len(), func(i int) { v.sum += uint64(b.At(i)) })
	case EightBytes:
		b := NumbersOf[int64](l)
		v.order(b.Len(), func(i int) { v.sum += uint64(b.At(i)) })
	case Pointer:
		b := l.Ptrs()
		v.order(b.Len(), func(i int) { v.ptr(b.At(i)) })
	case Composite:
		b := l.Structs()
		v.order(b.Len(), func(i int) { v.structure(b.At(i)) })
	}
}

// typedReads reads a pointer as everything that a schema could say it is.
func typedReads(p Ptr, depth int) (sum uint64) {
	s := p.Struct()
	sum += s.Uint64(0) + uint64(s.Uint8(1)) + uint64(s.Int32(12)) + uint64(len(s.DataBytes()))
	sum += uint64(len(p.TextBytes())) + uint64(len(p.Data())) + uint64(len(p.Text()))
	for _, n := range []int{
		ReadNumbers[int8](p).Copy(make([]int8, 9)), ReadNumbers[uint16](p).Copy(make([]uint16, 9)),
		ReadNumbers[float32](p).Copy(make([]float32, 9)), ReadNumbers[float64](p).Copy(make([]float64, 9)),
	} {
		sum += uint64(n)
	}
	first := func(n int, f func(i int)) {
		for i := range min(n, 3) {
			f(i)
			f(n - 1 - i)
		}
	}
	b := p.Bools()
	first(b.Len(), func(i int) {
		if b.At(i) {
			sum++
		}
	})
	if depth == 0 {
		return sum
	}
	for i := range min(s.Size().Ptrs, 3) {
		sum += typedReads(s.Ptr(i), depth-1)
	}
	t := p.Texts()
	first(t.Len(), func(i int) { sum += uint64(len(t.At(i))) })
	d := p.Datas()
	first(d.Len(), func(i int) { sum += uint64(len(d.At(i))) })
	q := p.Ptrs()
	first(q.Len(), func(i int) { sum += typedReads(q.At(i), depth-1) })
	l := ReadStructs[Struct](p)
	first(l.Len(), func(i int) {
		sum += l.At(i).Uint64(8)
		sum += typedReads(l.At(i).Ptr(0), depth-1)
	})
	return sum
}

// sentinel tells whether err matches exactly one of the package's errors that
// bytes from outside may cause.
func sentinel(err error) bool {
	n := 0
	for _, s := range []error{ErrMalformed, ErrLimit, ErrReleased, ErrReadOnly, ErrArena} {
		if errors.Is(err, s) {
			n++
		}
	}
	return n == 1 && !errors.Is(err, ErrReleased) && !errors.Is(err, ErrReadOnly) && !errors.Is(err, ErrArena)
}

// probeLimits bound the work of one probe.
var probeLimits = Limits{TraversalWords: 2000, Depth: 12, Segments: 16}

// A prober does to a message all that can be done to one, and checks what must
// be true of any bytes: no panic, bounded work, and that what was found sound
// can be copied and reads the same from the copy. It returns a fault in this
// package, not in the message.
type prober struct {
	arenas [2]*reused
	segs   [][]byte
	typed  bool
}

// reused is an arena that gives the same memory for each message in turn.
type reused struct {
	mem  []byte
	used int
}

func (a *reused) Allocate(n int) ([]byte, error) {
	n = max(n, 64)
	if a.mem == nil {
		a.mem = make([]byte, 1<<20)
	}
	if n > len(a.mem)-a.used {
		return nil, errRefused
	}
	b := a.mem[a.used : a.used+n : a.used+n]
	a.used += n
	return b, nil
}

func (a *reused) Free(b []byte, used int) { clear(b[:used]) }
func (a *reused) Zeroed() bool            { return true }

func newProber() *prober { return &prober{arenas: [2]*reused{{}, {}}, typed: true} }

func (p *prober) open(o Options) (*Message, error) {
	o.Limits = probeLimits
	return Open(p.segs, o)
}

func (p *prober) probe(segs [][]byte) error {
	p.segs = segs
	m, err := p.open(Options{})
	if err != nil {
		if !sentinel(err) {
			return fmt.Errorf("Open: %w", err)
		}
		return nil
	}
	defer m.Release()
	again := func() { m.ClearErr(); m.ResetLimits(probeLimits) }

	if p.typed {
		typedReads(m.Root(), 2)
		again()
	}
	var visits [2]int64
	var found [2]error
	for i := range 2 {
		v := visitor{backward: i == 1, max: 4 * probeLimits.TraversalWords * 64}
		v.ptr(m.Root())
		visits[i], found[i] = v.visits, m.Err()
		if v.visits > 65*probeLimits.TraversalWords {
			return fmt.Errorf("%d visits under a limit of %d words", v.visits, probeLimits.TraversalWords)
		}
		again()
	}
	if (found[0] == nil) != (found[1] == nil) {
		return fmt.Errorf("forward %w, backward %w", found[0], found[1])
	}
	words, err := m.Root().TotalWords()
	if err == nil && m.Budget() != probeLimits.TraversalWords {
		return fmt.Errorf("TotalWords left a budget of %d", m.Budget())
	}
	again()
	if err != nil && !sentinel(err) {
		return fmt.Errorf("TotalWords: %w", err)
	}

	c := New(p.reset(0))
	defer c.Release()
	c.RootBuilder().Set(m.Root())
	copied := c.Err()
	again()
	eq := m.Root().Equal(m.Root())
	again()
	canon, canonErr := m.Canonical()
	again()
	sound := m.Verify()
	if sound == nil && m.Metered() {
		return errors.New("a verified message is metered")
	}
	if (sound == nil) != (err == nil) || (copied == nil) != (sound == nil) {
		return fmt.Errorf("Verify %w, TotalWords %w, copy %w", sound, err, copied)
	}
	if sound != nil {
		if canonErr == nil {
			return fmt.Errorf("Verify finds %w, Canonical nothing", sound)
		}
		return p.copyAgain(c)
	}
	if found[0] != nil && !errors.Is(found[0], ErrLimit) { // Kind and a second look charge more
		return fmt.Errorf("Verify finds nothing, reading finds %w", found[0])
	}
	if eq == NotEqual {
		m.Root().Equal(m.Root())
		if !errors.Is(m.Err(), ErrLimit) && m.Root().Equal(m.Root()) == NotEqual {
			return errors.New("a sound message is not equal to itself")
		}
	}
	if n, err := c.Root().TotalWords(); n != words || err != nil {
		return fmt.Errorf("the copy has %d words (%w), its source %d", n, err, words)
	}
	if c.Root().Equal(m.Root()) == NotEqual {
		return errors.New("the copy is not equal to its source")
	}
	if err := p.copyAgain(c); err != nil {
		return err
	}
	return p.canonical(m, canon, canonErr)
}

func (p *prober) reset(i int) Arena {
	p.arenas[i].used = 0
	return p.arenas[i]
}

// copyAgain checks that what a copy holds can be read and copied without fault,
// whatever its source was.
func (p *prober) copyAgain(c *Message) error {
	c.ClearErr()
	segs, err := c.ToSegments()
	if err != nil {
		return fmt.Errorf("the copy's segments: %w", err)
	}
	r, err := Open(segs, Options{})
	if err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	defer r.Release()
	if err := r.Verify(); err != nil {
		return fmt.Errorf("the copy is not sound: %w", err)
	}
	d := New(p.reset(1))
	defer d.Release()
	d.RootBuilder().SetStruct(r.Root().Struct())
	if r.Root().Kind() == KindStruct && d.Root().Equal(c.Root()) == NotEqual {
		return errors.New("the copy's copy is not equal")
	}
	return nil
}

func (p *prober) canonical(m *Message, canon []byte, err error) error {
	switch {
	case errors.Is(err, ErrMisuse): // it holds a capability
		if m.Root().Equal(m.Root()) != UnknownCapabilities {
			return fmt.Errorf("Canonical: %w", err)
		}
		return nil
	case errors.Is(err, ErrLimit):
		return nil
	case err != nil:
		return fmt.Errorf("Canonical: %w", err)
	}
	r, err := Open([][]byte{canon}, Options{})
	if err != nil {
		return fmt.Errorf("canonical form: %w", err)
	}
	defer r.Release()
	if is, err := r.IsCanonical(); !is || err != nil {
		return fmt.Errorf("canonical form of canonical form differs: %v, %w", is, err)
	}
	if r.Root().Equal(m.Root()) != Equal {
		return errors.New("the canonical form is not equal to its source")
	}
	return nil
}

func (p *prober) check(t testing.TB, segs [][]byte) {
	t.Helper()
	if err := p.probe(segs); err != nil {
		for i, s := range segs {
			t.Logf("segment %d: %#x", i, toWords(s))
		}
		t.Fatal(err)
	}
}
