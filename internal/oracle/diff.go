package oracle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// A Case is one message to be judged by both sides, and how.
type Case struct {
	Segments [][]byte // only read
	Root     Type
	Limit    uint64 // traversal limit in words, more than rootCharge; 0 means the default
	Nesting  uint32 // 0 means the default
	// CopyWords is the size of the segments that copies are made into.
	CopyWords uint32
	// Other, if not nil, is what the message is compared with.
	Other [][]byte
	// Upgrade asks both builders for the message as New.
	Upgrade bool
}

// rootCharge is what libcapnp takes off the traversal limit for the root
// pointer: a word when it looks whether there is one, and a word when it makes a
// reader of it. We take nothing, and are given so much less.
const rootCharge = 2

// wholeLimit is the traversal limit of the operations that read everything more
// than once, and not in an order that the other side has to follow.
const wholeLimit = 1 << 16

func (c *Case) limit(op Op) uint64 {
	switch op {
	case OpSize, OpCanonical, OpEqual:
		return wholeLimit
	}
	if c.Limit == 0 {
		return DefaultLimit
	}
	return c.Limit
}

func (c *Case) nesting() uint32 {
	if c.Nesting == 0 {
		return DefaultNesting
	}
	return c.Nesting
}

func (c *Case) open(op Op, segs [][]byte) (*segment.Message, error) {
	return segment.Open(segs, segment.Options{Limits: segment.Limits{
		TraversalWords: int64(c.limit(op) - rootCharge),
		Depth:          int(c.nesting()),
	}})
}

// Result is what one side says of one operation on a case.
type Result struct {
	Kind    Kind
	Detail  string // the fault in that side's words
	Payload string // the dump, the number, the bytes or the verdict
}

func (r Result) verdict() string {
	if r.Kind != OK {
		return fmt.Sprintf("%v (%s)", r.Kind, r.Detail)
	}
	return "ok"
}

// Difference is an operation on which the two sides disagree.
type Difference struct {
	Case  Case
	Op    Op
	Ours  Result
	Peers Result
	// AnyKind is the fault that the peer met when it walked all of the message.
	AnyKind Kind
	// Class names the explanation of DIFFERENCES.md, or is empty.
	Class string
}

// String describes the difference: the verdicts, the first line on which the
// two differ, and the message's words that are not zero.
func (d Difference) String() string {
	var b strings.Builder
	c := &d.Case
	fmt.Fprintf(&b, "%v of a message read as %v (limit %d, nesting %d, copied to segments of %d)\n", d.Op, c.Root, c.limit(d.Op), c.nesting(), c.CopyWords)
	fmt.Fprintf(&b, "  ours: %s\n  peer: %s\n", d.Ours.verdict(), d.Peers.verdict())
	if i, x, y := d.firstLine(); x != y {
		fmt.Fprintf(&b, "  line %d: ours %.200q, peer %.200q\n", i, x, y)
	}
	for i, s := range c.Segments {
		fmt.Fprintf(&b, "  segment %d, %d words:", i, len(s)/8)
		for at := 0; at < len(s) && b.Len() < 4000; at += 8 {
			if w := binary.LittleEndian.Uint64(s[at:]); w != 0 {
				fmt.Fprintf(&b, " [%d]=%#x", at/8, w)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// firstLine is the first line of the payloads that differs; the bytes of a
// canonical form are lines of a word each.
func (d *Difference) firstLine() (n int, ours, theirs string) {
	a, b := lines(d.Op, d.Ours.Payload), lines(d.Op, d.Peers.Payload)
	for n = range max(len(a), len(b)) {
		ours, theirs = "", ""
		if n < len(a) {
			ours = a[n]
		}
		if n < len(b) {
			theirs = b[n]
		}
		if ours != theirs {
			return n, ours, theirs
		}
	}
	return n, "", ""
}

func lines(op Op, payload string) []string {
	if op != OpCanonical || payload == "" {
		return strings.Split(payload, "\n")
	}
	out := []string{payload[:1]}
	for rest := payload[1:]; rest != ""; {
		n := min(8, len(rest))
		out = append(out, fmt.Sprintf("%x", rest[:n]))
		rest = rest[n:]
	}
	return out
}

// signature tells differences of one cause from those of another, roughly: it
// is the operation, the verdicts and the shape of the first line that differs.
func (d *Difference) signature() string {
	_, x, y := d.firstLine()
	if d.Op != OpWalk && d.Op != OpAny && d.Op != OpCopy && d.Op != OpUpgrade {
		x, y = "", ""
	}
	return fmt.Sprintf("%v: ours %v %s, peer %v %s", d.Op, d.Ours.Kind, shape(x), d.Peers.Kind, shape(y))
}

// shape is a dump's line without its name and digits.
func shape(line string) string {
	if i := strings.IndexAny(line, ":=~"); i >= 0 {
		line = line[i:]
	}
	out := make([]byte, 0, 16)
	for i := 0; i < len(line) && len(out) < 16; i++ {
		c := line[i]
		if c >= '0' && c <= '9' {
			c = '#'
		}
		if c == '#' && len(out) > 0 && out[len(out)-1] == '#' {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// Minimise makes a case smaller for as long as the same difference shows: it
// zeroes words and cuts the ends off segments.
func (d *Differ) Minimise(diff Difference) Difference {
	d.tb.Helper()
	want := diff.signature()
	still := func(segs [][]byte) bool {
		c := diff.Case
		c.Segments = segs
		for _, got := range d.Compare([]Case{c}) {
			if got.Op == diff.Op && got.signature() == want {
				diff = got
				return true
			}
		}
		return false
	}
	clone := func() [][]byte {
		out := make([][]byte, len(diff.Case.Segments))
		for i, s := range diff.Case.Segments {
			out[i] = bytes.Clone(s)
		}
		return out
	}
	for n := len(diff.Case.Segments); n > 1; n-- {
		segs := clone()[:n-1]
		if !still(segs) {
			break
		}
	}
	for i := range diff.Case.Segments {
		for step := len(diff.Case.Segments[i]) / 8 / 2; step > 0; step /= 2 {
			for {
				segs := clone()
				cut := len(segs[i]) - 8*step
				if cut < 0 || (i == 0 && cut == 0) {
					break
				}
				segs[i] = segs[i][:cut]
				if !still(segs) {
					break
				}
			}
		}
		for at := 0; at < len(diff.Case.Segments[i]); at += 8 {
			segs := clone()
			if bytes.Equal(segs[i][at:at+8], make([]byte, 8)) {
				continue
			}
			clear(segs[i][at : at+8])
			still(segs)
		}
	}
	return diff
}

// smallArena gives segments of a fixed number of words, or of what is asked.
type smallArena struct{ words int }

func (a smallArena) Allocate(minBytes int) ([]byte, error) {
	return make([]byte, max(minBytes, 8*a.words)), nil
}
func (smallArena) Free([]byte, int) {}
func (smallArena) Zeroed() bool     { return true }

// Differ runs cases through both sides. One goroutine may use it.
type Differ struct {
	tb     testing.TB
	peer   *Oracle
	walker *Walker
	reqs   []Request
	ours   []Result
	// Explained counts the differences by their class.
	Explained map[string]int
	// Requests counts the operations that both sides did.
	Requests int
	// Faulty counts those over which the peer found a fault.
	Faulty int
}

// NewDiffer starts a peer for comparisons.
func NewDiffer(tb testing.TB) *Differ {
	tb.Helper()
	w, err := NewWalker()
	if err != nil {
		tb.Fatal(err)
	}
	return &Differ{tb: tb, peer: Start(tb), walker: w, Explained: make(map[string]int)}
}

// On makes tb the test that the next comparisons report trouble to: a subtest,
// or the body of a fuzz target.
func (d *Differ) On(tb testing.TB) *Differ {
	d.tb, d.peer.tb = tb, tb
	return d
}

// Compare has both sides do everything with the cases, and returns where they
// disagree and no class of DIFFERENCES.md says why.
func (d *Differ) Compare(cases []Case) []Difference {
	d.tb.Helper()
	d.reqs, d.ours = d.reqs[:0], d.ours[:0]
	owner := make([]int, 0, 7*len(cases))
	for i := range cases {
		d.ask(&cases[i])
		for len(owner) < len(d.reqs) {
			owner = append(owner, i)
		}
	}
	var answers []Answer
	var wg sync.WaitGroup
	wg.Go(func() { answers = d.peer.Batch(d.reqs) })
	for i := range d.reqs {
		d.ours = append(d.ours, d.do(&cases[owner[i]], d.reqs[i].Op))
	}
	wg.Wait()

	var out []Difference
	d.Requests += len(answers)
	anyKind := OK
	for i, a := range answers {
		theirs, err := result(d.reqs[i].Op, a)
		if err != nil {
			d.tb.Fatal(err)
		}
		if theirs.Kind != OK {
			d.Faulty++
		}
		if d.reqs[i].Op == OpAny {
			anyKind = theirs.Kind // of the case whose other operations follow
		}
		if same(d.reqs[i].Op, d.ours[i], theirs) {
			continue
		}
		diff := Difference{Case: cases[owner[i]], Op: d.reqs[i].Op, Ours: d.ours[i], Peers: theirs, AnyKind: anyKind}
		if diff.Class = classify(&diff); diff.Class != "" {
			d.Explained[diff.Class]++
			continue
		}
		out = append(out, diff)
	}
	return out
}

// ask adds the requests of a case.
func (d *Differ) ask(c *Case) {
	r := Request{
		Type: c.Root, Nesting: c.nesting(), Arg: c.CopyWords,
		A: joinSegments(c.Segments),
	}
	for _, op := range []Op{OpWalk, OpAny, OpSize, OpCanonical, OpCopy} {
		r.Op, r.Flags, r.Limit = op, 0, c.limit(op)
		if op == OpCanonical {
			r.Flags = AnyCanonical
		}
		d.reqs = append(d.reqs, r)
	}
	if c.Upgrade {
		r.Op, r.Limit = OpUpgrade, c.limit(OpUpgrade)
		d.reqs = append(d.reqs, r)
	}
	if c.Other != nil {
		r.Op, r.Limit, r.B = OpEqual, c.limit(OpEqual), joinSegments(c.Other)
		d.reqs = append(d.reqs, r)
	}
}

// same compares what the two sides said.
func same(op Op, ours, theirs Result) bool {
	if ours.Kind != theirs.Kind {
		return false
	}
	// What is left of an operation that fails is nobody's business, but a walk
	// goes on.
	if ours.Kind != OK && op != OpWalk && op != OpAny {
		return true
	}
	return ours.Payload == theirs.Payload
}

// result brings the peer's answer into the form of ours.
func result(op Op, a Answer) (Result, error) {
	r := Result{Kind: a.Kind, Detail: a.Text, Payload: string(a.Payload)}
	if a.Kind != OK {
		return r, nil
	}
	switch op {
	case OpSize:
		r.Payload, _, _ = strings.Cut(r.Payload, " ")
	case OpCopy:
		dump, _, err := SplitCopy(a)
		r.Payload = dump
		return r, err
	case OpUpgrade:
		u, err := SplitUpgrade(a)
		r.Payload = u.Before + u.After
		return r, err
	}
	return r, nil
}

func ours(payload string, err error) Result {
	if err != nil {
		return Result{Kind: KindOf(err), Detail: err.Error(), Payload: payload}
	}
	return Result{Payload: payload}
}

// do has our side do one operation, with a message of its own.
func (d *Differ) do(c *Case, op Op) Result {
	m, err := c.open(op, c.Segments)
	if err != nil {
		r := ours("", err)
		if op == OpWalk || op == OpAny {
			r.Payload = "!" + r.Kind.String() + "\n"
		}
		return r
	}
	defer m.Release()
	switch op {
	case OpWalk, OpAny:
		t := c.Root
		if op == OpAny {
			t = AnyRoot
		}
		dump, kind, err := d.walker.Dump(m, t)
		r := Result{Kind: kind, Payload: string(dump)}
		if err != nil {
			r.Detail = err.Error()
		}
		return r
	case OpSize:
		n, err := m.Root().TotalWords()
		return ours(fmt.Sprint(n), err)
	case OpCanonical:
		b, err := m.Canonical()
		if errors.Is(err, segment.ErrMisuse) {
			return Result{Kind: Capability, Detail: err.Error()}
		}
		if err != nil {
			return ours("", err)
		}
		is, err := m.IsCanonical()
		mark := "0"
		if is {
			mark = "1"
		}
		return ours(mark+string(b), err)
	case OpCopy:
		out := segment.New(smallArena{int(c.CopyWords)})
		defer out.Release()
		out.RootBuilder().Set(m.Root())
		if err := out.Err(); err != nil {
			return ours("", err)
		}
		return d.reread(out, c.Root)
	case OpUpgrade:
		out := segment.New(smallArena{int(c.CopyWords)})
		defer out.Release()
		out.RootBuilder().Set(m.Root())
		if err := out.Err(); err != nil {
			return ours("", err)
		}
		before := d.reread(out, c.Root)
		d.upgrade(out)
		if err := out.Err(); err != nil {
			return ours("", err)
		}
		after := d.reread(out, New)
		return Result{Kind: before.Kind, Detail: before.Detail, Payload: before.Payload + after.Payload}
	case OpEqual:
		n, err := c.open(op, c.Other)
		if err != nil {
			return ours("", err)
		}
		defer n.Release()
		verdict := "unknown"
		switch m.Root().Equal(n.Root()) {
		case segment.Equal:
			verdict = "equal"
		case segment.NotEqual:
			verdict = "different"
		}
		if err := m.Err(); err != nil {
			return ours(verdict, err)
		}
		return ours(verdict, n.Err())
	}
	return Result{Kind: BadRequest}
}

// reread dumps what was built as a stranger would read it.
func (d *Differ) reread(built *segment.Message, t Type) Result {
	segs, err := built.ToSegments()
	if err != nil {
		return ours("", err)
	}
	m, err := segment.Open(segs, segment.Options{Limits: segment.Limits{
		TraversalWords: segment.Unlimited, Depth: 1 << 15, Segments: 1 << 30,
	}})
	if err != nil {
		return ours("", err)
	}
	defer m.Release()
	// A copy may hold what its type cannot read: that marks the dump, and is no
	// fault of the copying.
	dump, _, _ := d.walker.Dump(m, t)
	return Result{Payload: string(dump)}
}

// upgrade gets the root and its fields at the sizes of New, as the peer does.
func (d *Differ) upgrade(m *segment.Message) {
	s := d.walker.defs.structs["New"]
	size := func(s *Struct) segment.Size {
		return segment.Size{DataWords: uint16(s.DataWords), Ptrs: uint16(s.Pointers)}
	}
	root := m.RootBuilder().Struct(size(s))
	for i := range s.Fields {
		f := &s.Fields[i]
		if !f.Type.IsPointer() || f.Name == "b" || f.Name == "d" || !root.Has(uint16(f.Offset)) {
			continue
		}
		p := root.Ptr(uint16(f.Offset))
		switch {
		case f.Type.Kind == KindStruct:
			p.Struct(size(f.Type.Struct))
		case f.Type.Elem.Kind == KindStruct:
			segment.EditStructs[segment.StructBuilder](p, size(f.Type.Elem.Struct))
		case f.Type.Elem.Kind == KindBool:
			p.Bools()
		default:
			d.tb.Fatalf("oracle: New.%s: no upgrade for its type", f.Name)
		}
	}
}
