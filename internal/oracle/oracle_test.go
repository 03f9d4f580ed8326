package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// words makes a message of one segment.
func words(ws ...uint64) []byte {
	var seg []byte
	for _, w := range ws {
		seg = binary.LittleEndian.AppendUint64(seg, w)
	}
	return oneSegment(seg)
}

func structPtr(offset int32, data, ptrs uint16) uint64 {
	return uint64(uint32(offset)<<2) | uint64(data)<<32 | uint64(ptrs)<<48
}

func listPtr(offset int32, size, count uint32) uint64 {
	return uint64(uint32(offset)<<2|1) | uint64(size)<<32 | uint64(count)<<35
}

func farPtr(segment, word uint32, double bool) uint64 {
	w := uint64(segment)<<32 | uint64(word)<<3 | 2
	if double {
		w |= 4
	}
	return w
}

// Known messages, whose dump anybody can check by hand.
func TestWalk(t *testing.T) {
	o := Start(t)
	t.Log(o.Version())
	text := func(s string) uint64 {
		var b [8]byte
		copy(b[:], s)
		return binary.LittleEndian.Uint64(b[:])
	}
	tests := []struct {
		name string
		root Type
		req  Request
		msg  []byte
		kind Kind
		dump string
	}{
		{name: "null root", root: Point, msg: words(0), dump: "{\n}\n"},
		{
			name: "point", root: Point, msg: words(structPtr(0, 2, 1), 0xfffffffe_00000001, 0, listPtr(0, 2, 3), text("hi")),
			dump: "{\nx=1\ny=-2\nlabel:t6869\n}\n",
		},
		{
			name: "float zero of the other sign", root: Point, msg: words(structPtr(0, 2, 0), 0, 1<<63),
			dump: "{\nweight=x8000000000000000\n}\n",
		},
		{name: "no root", root: Point, msg: oneSegment(nil), kind: Malformed, dump: "!malformed\n"},
		{name: "root out of bounds", root: Point, msg: words(structPtr(1, 1, 0), 0), kind: Malformed, dump: "!malformed\n"},
		{
			name: "text without NUL", root: Point, msg: words(structPtr(0, 2, 1), 0, 0, listPtr(0, 2, 2), text("hi")),
			kind: Malformed, dump: "{\nlabel:!malformed\n}\n",
		},
		{name: "empty struct", root: Link, msg: words(structPtr(0, 0, 1), structPtr(-1, 0, 0)), dump: "{\nnext:{\n}\n}\n"},
		{
			name: "self cycle", root: Link, req: Request{Nesting: 3}, msg: words(structPtr(0, 0, 1), structPtr(-1, 0, 1)),
			kind: Nesting, dump: "{\nnext:{\nnext:{\nnext:!nesting\n}\n}\n}\n",
		},
		// libcapnp charges the root pointer twice, so two objects need four words.
		{
			name: "self cycle, out of words", root: Link, req: Request{Limit: 4}, msg: words(structPtr(0, 0, 1), structPtr(-1, 0, 1)),
			kind: Limit, dump: "{\nnext:{\nnext:!limit\n}\n}\n",
		},
		{name: "union", root: Choice, msg: words(structPtr(0, 2, 0), 1<<16|7, 5), dump: "{\n?1\nbefore=7\nnum=5\nshape(\n?0\n)\n}\n"},
		{name: "unknown member", root: Choice, msg: words(structPtr(0, 1, 0), 9<<16|8<<32), dump: "{\n?9\nshape(\n?8\n)\n}\n"},
		{
			name: "any: list of pointers", root: AnyRoot, msg: words(listPtr(0, 6, 3), 0, 3, structPtr(-1, 0, 0)),
			dump: "p[3\n~\ncap\ns0,0 (\n)\n]\n",
		},
		{name: "any: unknown pointer", root: AnyRoot, msg: words(7), kind: Malformed, dump: "!malformed\n"},
		{name: "any: bits", root: AnyRoot, msg: words(listPtr(0, 1, 3), 5), dump: "b[3 1 0 1]\n"},
		{
			name: "any: composite", root: AnyRoot, msg: words(listPtr(0, 7, 2), structPtr(1, 1, 1), 255, 0),
			dump: "c[1\ns8,1 ff00000000000000(\n~\n)\n]\n",
		},
		{
			name: "void list beyond the limit", root: AnyRoot, req: Request{Limit: 100}, msg: words(listPtr(0, 0, 101)),
			kind: Limit, dump: "!limit\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.req
			r.Op, r.Type, r.A = OpWalk, tt.root, tt.msg
			a := o.Do(r.limited())
			if a.Kind != tt.kind || string(a.Payload) != tt.dump {
				t.Errorf("%v %q\n%s\nwant %v\n%s", a.Kind, a.Text, a.Payload, tt.kind, tt.dump)
			}
			if (a.Text == "") != (a.Kind == OK) {
				t.Errorf("kind %v has the text %q", a.Kind, a.Text)
			}
		})
	}
}

func TestSize(t *testing.T) {
	o := Start(t)
	for _, tt := range []struct {
		name        string
		msg         []byte
		words, caps uint64
		kind        Kind
	}{
		{"null", words(0), 0, 0, OK},
		{"list", words(listPtr(0, 5, 2), 1, 2), 2, 0, OK},
		{"capability", words(structPtr(0, 0, 1), 3), 1, 1, OK},
		{"far", joinSegments([][]byte{words(farPtr(1, 0, false))[8:], words(listPtr(0, 5, 1), 7)[8:]}), 1, 0, OK},
		{"out of bounds", words(listPtr(0, 5, 2), 1), 0, 0, Malformed},
	} {
		w, c, a := o.Size(tt.msg)
		if w != tt.words || c != tt.caps || a.Kind != tt.kind {
			t.Errorf("%s: %d words, %d capabilities, %v %s", tt.name, w, c, a.Kind, a.Text)
		}
	}
}

func TestCanonical(t *testing.T) {
	o := Start(t)
	loose := words(structPtr(0, 2, 1), 1, 0, 0) // a zero word and a null pointer too many
	tight := words(structPtr(0, 1, 0), 1)
	got, is, a := o.Canonical(0, loose)
	if a.Kind != OK || is || !bytes.Equal(oneSegment(got), tight) {
		t.Errorf("loose: %v %v %x", a.Kind, is, got)
	}
	got, is, a = o.Canonical(0, tight)
	if a.Kind != OK || !is || !bytes.Equal(oneSegment(got), tight) {
		t.Errorf("tight: %v %v %x", a.Kind, is, got)
	}
	list := words(listPtr(0, 2, 1), 0x6161)
	if _, _, a = o.Canonical(0, list); a.Kind != Malformed {
		t.Errorf("list as a struct: %v", a.Kind)
	}
	got, is, a = o.Canonical(AnyCanonical, list)
	if a.Kind != OK || is || !bytes.Equal(oneSegment(got), words(listPtr(0, 2, 1), 0x61)) {
		t.Errorf("list: %v %s %v %x", a.Kind, a.Text, is, got)
	}
	if _, _, a = o.Canonical(0, words(structPtr(0, 0, 1), 3)); a.Kind != Capability {
		t.Errorf("capability: %v %s", a.Kind, a.Text)
	}
}

func TestCopyAndEqual(t *testing.T) {
	o := Start(t)
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range goldens {
		for _, n := range []uint32{0, 1, 3, 1024} {
			dump, framed, a := o.Copy(g.Root, n, g.Segmented[2])
			if a.Kind != OK || dump != g.Dump {
				t.Fatalf("%s, segments of %d: %v %s\n%s", g.Name, n, a.Kind, a.Text, dump)
			}
			if verdict, _ := o.Equal(g.Binary, framed); verdict != "equal" {
				t.Errorf("%s, segments of %d: the copy is %q", g.Name, n, verdict)
			}
		}
		other := goldens[(i+1)%len(goldens)]
		if verdict, _ := o.Equal(g.Binary, other.Binary); verdict != "different" {
			t.Errorf("%s and %s: %q", g.Name, other.Name, verdict)
		}
	}
	if verdict, _ := o.Equal(words(structPtr(0, 0, 1), 3), words(structPtr(0, 0, 1), 3)); verdict != "unknown" {
		t.Errorf("capabilities: %q", verdict)
	}
	if _, _, a := o.Copy(Point, 8, words(structPtr(0, 0, 1), structPtr(5, 0, 1))); a.Kind != Malformed {
		t.Errorf("a copy of a malformed message: %v", a.Kind)
	}
}

func TestFrame(t *testing.T) {
	o := Start(t)
	header := func(sizes ...uint32) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(len(sizes)-1))
		for _, n := range sizes {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		return append(b, make([]byte, len(b)%8)...)
	}
	many := func(n int) []byte { return header(make([]uint32, n)...) }
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"one segment", words(0), "stream ok segs=1 used=16\nflat ok segs=1 used=16\n"},
		{"two segments and a rest", append(header(1, 2), make([]byte, 32)...), "stream ok segs=1,2 used=40\nflat ok segs=1,2 used=40\n"},
		{"nothing", nil, "stream error eof\nflat ok segs= used=0\n"},
		{"half a word", make([]byte, 4), "stream error eof\nflat ok segs= used=0\n"},
		{"half a table", header(1, 1, 1)[:8], "stream error eof\nflat error framing\n"},
		{"cut", append(header(2), make([]byte, 8)...), "stream error eof\nflat error framing\n"},
		{"count wraps", append([]byte{255, 255, 255, 255}, make([]byte, 12)...), "stream ok segs= used=8\nflat ok segs= used=8\n"},
		{"511 segments", many(511), ""},
		{"512 segments", many(512), ""},
		{"beyond the limit", header(1 << 24), "stream error framing\nflat error framing\n"},
	} {
		got := o.Frame(0, tt.in)
		switch tt.name {
		case "511 segments":
			if !strings.HasPrefix(got, "stream ok") {
				t.Errorf("%s: %.60q", tt.name, got)
			}
		case "512 segments":
			if !strings.HasPrefix(got, "stream error framing\nflat ok") {
				t.Errorf("%s: %.60q", tt.name, got)
			}
		default:
			if got != tt.want {
				t.Errorf("%s:\n%swant\n%s", tt.name, got, tt.want)
			}
		}
	}
}

func TestPack(t *testing.T) {
	o := Start(t)
	got, a := o.Pack(Raw, binary.LittleEndian.AppendUint64(make([]byte, 16), 0x0102))
	if want := []byte{0, 1, 3, 2, 1}; a.Kind != OK || !bytes.Equal(got, want) {
		t.Errorf("% x, want % x (%v)", got, want, a.Text)
	}
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		if got, a := o.Pack(0, g.Binary); a.Kind != OK || !bytes.Equal(got, g.Packed) {
			t.Errorf("%s: pack differs from the capnp tool's (%v %s)", g.Name, a.Kind, a.Text)
		}
	}
	// From reference: a zero run may not cross from the segment table into the
	// content, a run that is cut is no run.
	for _, tt := range []struct {
		name string
		in   []byte
		kind Kind
	}{
		{"whole", []byte{0x11, 0x02, 0x01, 0, 0, 0, 0}, OK},
		{"merged", []byte{0x11, 0x02, 0x01, 0, 1}, Framing},
		{"no count", []byte{0x11, 0x02, 0x01, 0, 0, 0}, EOF},
		{"mid word", []byte{0x11, 0x02}, EOF},
		{"nothing", nil, EOF},
	} {
		if _, _, a := o.Unpack(0, 0, tt.in); a.Kind != tt.kind {
			t.Errorf("%s: %v %s, want %v", tt.name, a.Kind, a.Text, tt.kind)
		}
	}
}

func TestUpgrade(t *testing.T) {
	o := Start(t)
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		if g.Root != Old && g.Root != New {
			continue
		}
		for _, n := range []uint32{0, 1, 5, 1024} {
			u, a := o.Upgrade(g.Root, n, g.Binary)
			if a.Kind != OK || u.Before != g.Dump {
				t.Fatalf("%s: %v %s\n%s", g.Name, a.Kind, a.Text, u.Before)
			}
			if back, a := o.Walk(Old, u.Framed); a.Kind != OK && g.Root == Old {
				t.Errorf("%s: read as Old after the upgrade: %v %s\n%s", g.Name, a.Kind, a.Text, back)
			}
			if again, a := o.Walk(New, u.Framed); a.Kind != OK || again != u.After {
				t.Errorf("%s: read as New after the upgrade: %v\n%s\nwant\n%s", g.Name, a.Kind, again, u.After)
			}
		}
	}
}

// TestCrash sees to it that a request that kills the peer is reported as that,
// and that neither the answers before it nor those after it are lost.
func TestCrash(t *testing.T) {
	o := Start(t)
	const n = 2000
	bad := map[int]bool{0: true, 700: true, 701: true, n - 1: true}
	reqs := make([]Request, n)
	for i := range reqs {
		reqs[i] = Request{Op: OpWalk, Type: Point, A: words(structPtr(0, 1, 0), uint64(i+1))}.limited()
		if bad[i] {
			reqs[i].Flags |= flagAbort
		}
	}
	for i, a := range o.Batch(reqs) {
		if bad[i] {
			if a.Kind != Crashed || !strings.Contains(a.Text, "abort") {
				t.Errorf("request %d: %v %q, want a crash", i, a.Kind, a.Text)
			}
		} else if want := fmt.Sprintf("{\nx=%d\n}\n", i+1); a.Kind != OK || string(a.Payload) != want {
			t.Fatalf("request %d: %v %q, want %q", i, a.Kind, a.Payload, want)
		}
	}
	if o.Crashes() != len(bad) {
		t.Errorf("%d crashes counted, want %d", o.Crashes(), len(bad))
	}
}

func TestHang(t *testing.T) {
	o := Start(t)
	o.patience = 400 * time.Millisecond
	reqs := make([]Request, 50)
	for i := range reqs {
		reqs[i] = Request{Op: OpSize, A: words(0)}.limited()
	}
	reqs[20].Flags |= flagHang
	for i, a := range o.Batch(reqs) {
		if want := map[bool]Kind{true: Hung, false: OK}[i == 20]; a.Kind != want {
			t.Errorf("request %d: %v %s, want %v", i, a.Kind, a.Text, want)
		}
	}
}

// TestStackOverflow is a real crash of libcapnp: a self-cycle without limits.
func TestStackOverflow(t *testing.T) {
	o := Start(t)
	cycle := words(structPtr(0, 0, 1), structPtr(-1, 0, 1))
	a := o.Do(Request{Op: OpCopy, Type: Link, Arg: 1 << 16, Nesting: 1 << 30, Limit: 1 << 40, A: cycle})
	if a.Kind != Crashed && a.Kind != Memory {
		t.Fatalf("%v %s, want a crash", a.Kind, a.Text)
	}
	if dump, a := o.Walk(Point, words(0)); a.Kind != OK || dump != "{\n}\n" {
		t.Errorf("after the crash: %v %q", a.Kind, dump)
	}
}

func TestCloseIsIdempotent(t *testing.T) {
	o := Start(t)
	o.Close()
	o.Close()
}

func TestSplitsRejectShortPayloads(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, {1, 0, 0, 0}, {255, 255, 255, 255, 0}} {
		if _, _, err := SplitCopy(Answer{Payload: b}); err == nil {
			t.Errorf("SplitCopy took % x", b)
		}
		if _, err := SplitUpgrade(Answer{Payload: b}); err == nil {
			t.Errorf("SplitUpgrade took % x", b)
		}
	}
	if _, _, err := SplitUnpack(Answer{Payload: []byte{1, 2, 3}}); err == nil {
		t.Error("SplitUnpack took 3 bytes")
	}
}

func BenchmarkWalk(b *testing.B) {
	o := Start(b)
	goldens, err := Goldens()
	if err != nil {
		b.Fatal(err)
	}
	const batch = 2000
	reqs := make([]Request, batch)
	for i := range reqs {
		g := goldens[i%len(goldens)]
		reqs[i] = Request{Op: OpWalk, Type: g.Root, A: g.Segmented[8]}.limited()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += batch {
		o.Batch(reqs[:min(batch, b.N-done)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
