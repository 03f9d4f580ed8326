package segment_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	. "github.com/fairlead-go/fairlead/segment"
)

var (
	modelSessions = flag.Int("model", 40, "how many sessions TestBuildModel has in each arena")
	modelSeed     = flag.Uint64("model.seed", 0, "what they begin with; 0 for any")
)

// A session builds one message after the other, at random, and what they
// should be beside them.
type session struct {
	*rand.Rand
	m       *Message
	root    *tree
	orphans []held
	dropped bool // an orphan was forgotten, which stays in the message
	lent    [][]byte
	back    int // of what was lent, how many were given back
	others  []sample
	log     []string
	limits  Limits

	refuses  bool // the arena has too little memory at times
	refusals int
}

// miser refuses at random.
type miser struct{ *rand.Rand }

func (a *miser) Allocate(n int) ([]byte, error) {
	if a.IntN(3) == 0 || n > 400 {
		return nil, errRefused
	}
	return make([]byte, n), nil
}

func (*miser) Free([]byte, int) {}

// A held is an orphan and what it should be.
type held struct {
	o *Orphan
	t *tree
}

// A sample is another message to copy from.
type sample struct {
	m *Message
	t *tree
}

func newSession(seed, of uint64) *session {
	return &session{
		Rand:   rand.New(rand.NewPCG(seed, of)),
		limits: Limits{TraversalWords: Unlimited, Depth: 65535, Segments: 1 << 20},
	}
}

// modelBegins gives what the random numbers of a test begin with, and tells it.
func modelBegins(t *testing.T) uint64 {
	t.Helper()
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-model.seed %d", seed)
	return seed
}

// modelArenas are where the messages of TestBuildModel get their memory.
var modelArenas = []struct {
	name string
	make func(t *testing.T) Arena
}{
	{"fresh", func(*testing.T) Arena { return fresh{} }},
	{"exact", func(*testing.T) Arena { return &exact{} }},
	{"tiny", func(*testing.T) Arena { return &exact{max: 8 * 800} }},
	{"pool", func(*testing.T) Arena { return arena.Pool() }},
	{"debug pool", func(t *testing.T) Arena {
		return arena.NewPool(arena.PoolOptions{Debug: true, Report: func(r arena.Report) { t.Error(r) }})
	}},
	{"reserve", func(t *testing.T) Arena {
		a, err := arena.NewReserve(1 << 26)
		return closed(t, a, err)
	}},
	{"fixed", func(t *testing.T) Arena {
		a, err := arena.NewFixed(make([]byte, 1<<21))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}},
	{"file", func(t *testing.T) Arena {
		a, err := arena.CreateFile(filepath.Join(t.TempDir(), "message"), arena.FileOptions{MaxBytes: 1 << 26})
		return closed(t, a, err)
	}},
	{"looked at", func(t *testing.T) Arena { return watched(t, func(c *checking) Arena { return c }) }},
	{"grown in place", func(t *testing.T) Arena {
		return watched(t, func(c *checking) Arena {
			c.grows = true
			return &growing{promising{c}}
		})
	}},
	{"dirty", func(t *testing.T) Arena {
		return watched(t, func(c *checking) Arena { return &dirtying{promising{c}, 0xa5, 5000} })
	}},
}

// closed gives an arena that the test's end closes.
func closed[A interface {
	Arena
	Close() error
}](t *testing.T, a A, err error) Arena {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// watched gives an arena that the test's end asks what it found.
func watched(t *testing.T, of func(*checking) Arena) Arena {
	t.Helper()
	c := &checking{first: 6000}
	t.Cleanup(func() {
		if c.fault != nil || c.out != 0 {
			t.Errorf("%d segments are out, %v", c.out, c.fault)
		}
	})
	return of(c)
}

// What is built of any calls in any arena is what a plain tree becomes by them,
// read where it is, through every framing, as a snapshot, a copy and in
// canonical form.
func TestBuildModel(t *testing.T) {
	seed := modelBegins(t)
	for i, a := range modelArenas {
		t.Run(a.name, func(t *testing.T) {
			memory := a.make(t)
			for n := range *modelSessions {
				s := newSession(seed+uint64(n), uint64(i))
				if err := s.run(memory); err != nil {
					t.Fatalf("session %d, -model.seed %d: %v\n%v", n, seed+uint64(n), err, s.log)
				}
			}
		})
	}
}

// A message whose arena refuses memory is sound, and what is there is what it
// seems to be: the rest can be built and sent.
func TestBuildModelRefused(t *testing.T) {
	seed := modelBegins(t)
	refusals := 0
	for n := range *modelSessions {
		s := newSession(seed+uint64(n), 99)
		s.refuses = true
		if err := s.run(&miser{s.Rand}); err != nil {
			t.Fatalf("session %d, -model.seed %d: %v\n%v", n, seed+uint64(n), err, s.log)
		}
		refusals += s.refusals
	}
	if refusals == 0 {
		t.Error("nothing was refused")
	}
}

func (s *session) run(a Arena) (err error) {
	s.m = New(a)
	defer func() {
		s.m.Release()
		for _, o := range s.others {
			o.m.Release()
		}
		if err == nil && s.back != len(s.lent) {
			err = fmt.Errorf("%d of %d lent bytes were given back", s.back, len(s.lent))
		}
	}()
	for range 1 + s.IntN(4) {
		for range 1 + s.IntN(12) {
			for range 1 + s.IntN(10) {
				if err := s.step(); err != nil {
					return err
				}
			}
			if err := s.check(); err != nil {
				return err
			}
		}
		if err := s.over(a); err != nil {
			return err
		}
	}
	return nil
}

// over clears everything, sees that nothing is left, and begins another message.
func (s *session) over(a Arena) error {
	if s.IntN(3) == 0 {
		for _, h := range s.orphans {
			h.o.Discard()
		}
		if s.m.Segments() > 0 {
			s.m.RootBuilder().Clear()
		}
		if err := s.m.Err(); err != nil {
			return fmt.Errorf("clearing: %w", err)
		}
		for i := range s.m.Segments() {
			b := s.m.Segment(i)
			if left := bytes.Trim(b, "\x00"); len(left) != 0 && !s.dropped && !s.isLent(b) {
				return fmt.Errorf("segment %d of %d still holds %x", i, s.m.Segments(), left)
			}
		}
	}
	switch s.IntN(4) {
	case 0:
		s.m.Renew(s.IntN(3000))
	case 1:
		s.m.Release()
		s.m = NewSized(a, s.IntN(3000))
	default:
		s.m.Reset()
	}
	s.log = append(s.log, "over")
	s.root, s.orphans, s.dropped = nil, nil, false
	return nil
}

func (s *session) isLent(b []byte) bool {
	return slices.ContainsFunc(s.lent, func(v []byte) bool { return &v[0] == &b[0] })
}

// check compares the message with the model in every way.
func (s *session) check() error {
	if err := s.m.Err(); err != nil {
		return fmt.Errorf("the message's fault: %w", err)
	}
	for s.m.RootBuilder().Message() == nil {
		if !s.refuses {
			return s.m.Err()
		}
		s.m.ClearErr()
	}
	if err := s.same("as built", s.m); err != nil {
		return err
	}
	for _, h := range s.orphans {
		if h.o.IsNull() != (h.t == nil) {
			return fmt.Errorf("an orphan is null: %t", h.o.IsNull())
		}
	}
	segs, err := s.m.ToSegments()
	if err != nil {
		return err
	}
	r, err := Open(segs, Options{Limits: s.limits, Trust: Trust(s.IntN(3)), Owner: s.m.Retain()})
	if err != nil {
		return err
	}
	defer r.Release()
	if err := r.Verify(); err != nil {
		return fmt.Errorf("Verify: %w", err)
	}
	if err := s.same("through segments", r); err != nil {
		return err
	}
	if err := s.framed(); err != nil {
		return err
	}
	if err := s.canonical(r); err != nil {
		return err
	}
	words, err := r.Root().TotalWords()
	if err != nil || words != s.root.words() {
		return fmt.Errorf("%d words, %w, want %d", words, err, s.root.words())
	}
	snap, err := r.Snapshot()
	if err != nil {
		return err
	}
	snap.ResetLimits(s.limits)
	if err := s.same("snapshot", snap); err != nil {
		snap.Release()
		return err
	}
	if err := snap.Verify(); err != nil {
		snap.Release()
		return fmt.Errorf("Verify of the snapshot: %w", err)
	}
	if err := s.together(snap, r); err != nil {
		snap.Release()
		return err
	}
	s.keep(snap)
	a, at := s.any()
	b, bt := s.any()
	if got := a.Equal(b); got != at.equal(bt) {
		return fmt.Errorf("Equal is %v, want %v", got, at.equal(bt))
	}
	return s.m.Err()
}

// same compares a message with the model.
func (s *session) same(what string, m *Message) error {
	if err := s.root.diff(m.Root()); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := m.Err(); err != nil {
		return fmt.Errorf("%s: fault: %w", what, err)
	}
	return nil
}

// keep makes m one of the messages to copy from.
func (s *session) keep(m *Message) {
	s.others = append(s.others, sample{m, s.root.copied()})
	if len(s.others) > 2 {
		s.others[0].m.Release()
		s.others = slices.Delete(s.others, 0, 1)
	}
}

// framed sends the message through a framing.
func (s *session) framed() error {
	f := framing.Format(s.IntN(4))
	if s.m.Segments() > 1 && f >= framing.Flat {
		f -= framing.Flat
	}
	var buf bytes.Buffer
	enc := framing.NewEncoder(&buf, framing.EncoderOptions{Format: f})
	if err := errors.Join(enc.Encode(s.m), enc.Flush()); err != nil {
		return fmt.Errorf("%v: %w", f, err)
	}
	whole, err := framing.Append(nil, s.m, f)
	if err != nil || !bytes.Equal(whole, buf.Bytes()) {
		return fmt.Errorf("%v: Append gives %d bytes, %w, Encode %d", f, len(whole), err, buf.Len())
	}
	opts := framing.DecoderOptions{Format: f, Limits: s.limits, Verify: s.IntN(2) == 0}
	dec := framing.NewDecoder(&buf, opts)
	if s.IntN(2) == 0 {
		dec = framing.NewSliceDecoder(whole, opts)
	}
	m, err := dec.Decode()
	if err != nil {
		return fmt.Errorf("%v: %w", f, err)
	}
	defer m.Release()
	return s.same(f.String(), m)
}

// canonical compares the canonical form with the model's.
func (s *session) canonical(r *Message) error {
	c, err := r.Canonical()
	if s.root.hasCapability() {
		if !errors.Is(err, ErrMisuse) {
			return fmt.Errorf("canonical form with a capability: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("canonical form: %w", err)
	}
	m, err := Open([][]byte{c}, Options{Limits: s.limits})
	if err != nil {
		return err
	}
	defer m.Release()
	if err := s.root.trimmed().diff(m.Root()); err != nil {
		return fmt.Errorf("canonical form: %w", err)
	}
	if is, err := m.IsCanonical(); !is || err != nil {
		return fmt.Errorf("IsCanonical is %t, %w", is, err)
	}
	return nil
}

// together reads from several goroutines: what was verified through one message
// if nobody else can write it, else through a reader for each.
func (s *session) together(msgs ...*Message) error {
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		m := msgs[i%len(msgs)].Retain()
		all.Go(func() {
			defer m.Release()
			if m.Trust() != Shared {
				errs[i] = s.same("read by many", m)
				return
			}
			segs, err := m.ToSegments()
			if err != nil {
				errs[i] = err
				return
			}
			mine, err := Open(segs, Options{Limits: s.limits, Trust: Shared, Owner: m.Retain()})
			if err != nil {
				errs[i] = err
				return
			}
			defer mine.Release()
			errs[i] = s.same("shared", mine)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
