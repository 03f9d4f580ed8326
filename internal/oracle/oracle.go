package oracle

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Defaults of a request, those of libcapnp.
const (
	DefaultLimit   = 8 << 20 // words
	DefaultNesting = 64
)

// Oracle is a running peer. Its methods may be called from several goroutines
// and take turns; a second Oracle is a second process.
type Oracle struct {
	tb       testing.TB
	path     string
	version  string
	patience time.Duration

	mu      sync.Mutex
	proc    *process
	closed  bool
	crashes int
}

// Start returns a running peer that ends with the test. On a machine without
// the capnp tool, a C++ compiler or libcapnp it skips the test and says so, or
// fails it if FAIRLEAD_REQUIRE_PEERS is 1.
func Start(tb testing.TB) *Oracle {
	tb.Helper()
	path, version, err := helper(tb.TempDir())
	if err != nil {
		Missing(tb, err)
	}
	o := &Oracle{tb: tb, path: path, version: version, patience: 20 * time.Second}
	if o.proc, err = startProcess(path); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(o.Close)
	return o
}

// Missing ends the test of a peer that could not be had: it skips where the
// peer is not installed and FAIRLEAD_REQUIRE_PEERS is not 1, and else fails.
func Missing(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, errNoPeer) && os.Getenv("FAIRLEAD_REQUIRE_PEERS") != "1" {
		tb.Skipf("SKIPPED, NOTHING WAS COMPARED: %v (FAIRLEAD_REQUIRE_PEERS=1 makes this a failure)", err)
	}
	tb.Fatal(err)
}

// Close ends the peer. It is idempotent; Start has arranged for it.
func (o *Oracle) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	if o.proc != nil {
		o.proc.stop()
		o.proc = nil
	}
}

// Version returns what the capnp tool says of itself.
func (o *Oracle) Version() string { return o.version }

// Crashes returns how often the peer died or hung over a request.
func (o *Oracle) Crashes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crashes
}

// Do asks one question.
func (o *Oracle) Do(r Request) Answer {
	o.tb.Helper()
	return o.Batch([]Request{r})[0]
}

// Batch asks many questions, all in flight at once, and returns the answers in
// the order of the questions. A request that kills the peer is answered with
// [Crashed] or [Hung]; the others get their answers nonetheless.
func (o *Oracle) Batch(reqs []Request) []Answer {
	o.tb.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		o.tb.Fatal("oracle: asked after Close")
	}
	answers := make([]Answer, len(reqs))
	next, step := 0, len(reqs)
	for next < len(reqs) {
		if o.proc == nil {
			var err error
			if o.proc, err = startProcess(o.path); err != nil {
				o.tb.Fatal(err)
			}
		}
		end := min(next+step, len(reqs))
		n, err := o.proc.ask(reqs[next:end], answers[next:end], o.patience)
		next += n
		if err == nil {
			continue
		}
		hung := o.proc.hung.Load()
		how := o.proc.stop()
		o.proc = nil
		if step > 1 {
			// The answers before the fatal request may have died with the peer,
			// so which it was is not known: from here one at a time.
			step = 1
			continue
		}
		answers[next] = Answer{Kind: Crashed, Text: how}
		if hung {
			answers[next].Kind = Hung
		}
		o.crashes++
		next++
		step = len(reqs)
	}
	return answers
}

func (r Request) limited() Request {
	if r.Limit == 0 {
		r.Limit = DefaultLimit
	}
	if r.Nesting == 0 {
		r.Nesting = DefaultNesting
	}
	return r
}

// Walk returns the dump of a framed message read as t, under the default
// limits. The answer's kind tells the first fault.
func (o *Oracle) Walk(t Type, msg []byte) (string, Answer) {
	a := o.Do(Request{Op: OpWalk, Type: t, A: msg}.limited())
	return string(a.Payload), a
}

// Any returns the dump of a framed message walked without a schema.
func (o *Oracle) Any(msg []byte) (string, Answer) {
	a := o.Do(Request{Op: OpAny, A: msg}.limited())
	return string(a.Payload), a
}

// Size returns the total size of the root object in words, and how many
// capabilities it has.
func (o *Oracle) Size(msg []byte) (words, caps uint64, a Answer) {
	a = o.Do(Request{Op: OpSize, A: msg}.limited())
	if a.Kind != OK {
		return 0, 0, a
	}
	first, second, _ := strings.Cut(string(a.Payload), " ")
	words, err1 := strconv.ParseUint(first, 10, 64)
	caps, err2 := strconv.ParseUint(second, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		o.tb.Fatalf("oracle: size %q: %v", a.Payload, err)
	}
	return words, caps, a
}

// Canonical returns the canonical form of a framed message, a segment without a
// table, and whether the message is canonical as it stands. A root that is not
// a struct needs [AnyCanonical]. isCanonical holds even if a.Kind is a fault,
// unless libcapnp met one in answering that too.
func (o *Oracle) Canonical(flags Flags, msg []byte) (canonical []byte, isCanonical bool, a Answer) {
	a = o.Do(Request{Op: OpCanonical, Flags: flags, A: msg}.limited())
	canonical, isCanonical = SplitCanonical(a)
	return canonical, isCanonical, a
}

// SplitCanonical takes the answer to OpCanonical apart.
func SplitCanonical(a Answer) (canonical []byte, isCanonical bool) {
	if len(a.Payload) == 0 {
		return nil, false
	}
	return a.Payload[1:], a.Payload[0] == '1'
}

// Copy copies the root of a framed message into a builder whose segments have
// segmentWords words, or each object its own segment if that is 0, and returns
// the dump of the copy read as t, and the copy framed.
func (o *Oracle) Copy(t Type, segmentWords uint32, msg []byte) (dump string, framed []byte, a Answer) {
	a = o.Do(Request{Op: OpCopy, Type: t, Arg: segmentWords, A: msg}.limited())
	if a.Kind != OK {
		return "", nil, a
	}
	dump, framed, err := SplitCopy(a)
	if err != nil {
		o.tb.Fatal(err)
	}
	return dump, framed, a
}

// SplitCopy takes the answer to a successful OpCopy apart.
func SplitCopy(a Answer) (dump string, framed []byte, err error) {
	chunk, framed, err := takeChunk(a.Payload)
	return string(chunk), framed, err
}

// Equal compares the roots of two framed messages: "equal", "different", or
// "unknown" where a capability stands in the way.
func (o *Oracle) Equal(x, y []byte) (string, Answer) {
	a := o.Do(Request{Op: OpEqual, A: x, B: y}.limited())
	return string(a.Payload), a
}

// Frame reads bytes as a message, from a stream and in place, and returns a
// line for each: "stream ok segs=1,2 used=40" or "flat error framing".
func (o *Oracle) Frame(limit uint64, b []byte) string {
	return string(o.Do(Request{Op: OpFrame, Limit: limit, A: b}.limited()).Payload)
}

// Pack packs a framed message segment by segment, or with [Raw] any words as
// one piece.
func (o *Oracle) Pack(flags Flags, b []byte) ([]byte, Answer) {
	a := o.Do(Request{Op: OpPack, Flags: flags, A: b}.limited())
	return a.Payload, a
}

// Unpack reads a packed message and returns it framed, with how many bytes of
// the input it took. With [Raw] it unpacks exactly size bytes of words.
func (o *Oracle) Unpack(flags Flags, size uint32, b []byte) (out []byte, used int, a Answer) {
	a = o.Do(Request{Op: OpUnpack, Flags: flags, Arg: size, A: b}.limited())
	if a.Kind != OK {
		return nil, 0, a
	}
	out, used, err := SplitUnpack(a)
	if err != nil {
		o.tb.Fatal(err)
	}
	return out, used, a
}

// SplitUnpack takes the answer to a successful OpUnpack apart.
func SplitUnpack(a Answer) (out []byte, used int, err error) {
	if len(a.Payload) < 4 {
		return nil, 0, fmt.Errorf("%w: unpack of %d bytes", errAnswer, len(a.Payload))
	}
	p := a.Payload
	return p[4:], int(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24), nil
}

// Upgraded is a message before and after a builder asked for its parts at the
// sizes of New.
type Upgraded struct {
	Before string // the dump of the copy, read as the request's type
	After  string // the dump as New, after every field was got as New has it
	Framed []byte // the message then
}

// Upgrade copies the root of a framed message into a builder, gets it as New
// and each field of New that is set, which moves what is too small, and dumps
// it before and after.
func (o *Oracle) Upgrade(t Type, segmentWords uint32, msg []byte) (Upgraded, Answer) {
	a := o.Do(Request{Op: OpUpgrade, Type: t, Arg: segmentWords, A: msg}.limited())
	if a.Kind != OK {
		return Upgraded{}, a
	}
	u, err := SplitUpgrade(a)
	if err != nil {
		o.tb.Fatal(err)
	}
	return u, a
}

// SplitUpgrade takes the answer to a successful OpUpgrade apart.
func SplitUpgrade(a Answer) (Upgraded, error) {
	before, rest, err := takeChunk(a.Payload)
	if err != nil {
		return Upgraded{}, err
	}
	after, framed, err := takeChunk(rest)
	return Upgraded{string(before), string(after), framed}, err
}

// LayoutText returns the schema's layout as libcapnp has it; see [Layout].
func (o *Oracle) LayoutText() string {
	return string(o.Do(Request{Op: OpLayout}).Payload)
}
