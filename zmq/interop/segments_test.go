package interop_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// capnpTool runs the capnp tool, which knows the schema in testdata.
func capnpTool(t *testing.T, verb string, in []byte) []byte {
	t.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		missing(t, "capnp tool", err)
	}
	cmd := exec.Command(path, verb, "testdata/shelf.capnp", "Shelf")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("capnp %s: %v %s", verb, err, stderr.String())
	}
	return out
}

// A shelf with so many books has several segments, or one.
var shelves = []struct {
	name    string
	books   int
	several bool
}{
	{"one segment", 2, false},
	{"several segments", 1000, true},
}

func title(i int) string { return fmt.Sprintf("Book %d", i) }

func cover(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i%26)}, i%100) }

// shelfText is a shelf as the capnp tool has it.
func shelfText(books int) string {
	var b strings.Builder
	b.WriteString(`(name = "a shelf", books = [`)
	for i := range books {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, `(title = "%s", pages = %d, cover = "%s")`, title(i), 7*i, cover(i))
	}
	b.WriteString("])\n")
	return b.String()
}

var bookSize = segment.Size{DataWords: 1, Ptrs: 2}

func buildShelf(books int) *segment.Message {
	msg := segment.New(arena.Pool())
	shelf := msg.NewRoot(segment.Size{Ptrs: 2})
	shelf.SetText(0, "a shelf")
	list := segment.NewStructsIn[segment.StructBuilder](shelf, 1, bookSize, books)
	for i := range books {
		book := list.At(i)
		book.SetText(0, title(i))
		book.SetUint32(0, uint32(7*i))
		book.SetData(1, cover(i))
	}
	return msg
}

func checkShelf(t *testing.T, msg *segment.Message, books int) {
	t.Helper()
	shelf := msg.Root().Struct()
	list := shelf.Ptr(1).Structs()
	if shelf.Ptr(0).Text() != "a shelf" || list.Len() != books {
		t.Fatalf("read %q with %d books, want %d", shelf.Ptr(0).Text(), list.Len(), books)
	}
	for i, book := range list.Indexed() {
		if book.Ptr(0).Text() != title(i) || book.Uint32(0) != uint32(7*i) || !bytes.Equal(book.Ptr(1).Data(), cover(i)) {
			t.Fatalf("book %d is %q, %d, %q", i, book.Ptr(0).Text(), book.Uint32(0), book.Ptr(1).Data())
		}
	}
	if err := msg.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestSegmentsAsFrames: what libcapnp builds and pyzmq sends with send_multipart,
// a frame each segment, is read here as it lies, and what is built here is read
// there; with and without an envelope.
func TestSegmentsAsFrames(t *testing.T) {
	p := startPeer(t, "python")
	for _, tc := range shelves {
		t.Run(tc.name, func(t *testing.T) {
			text := capnpTool(t, "decode", capnpTool(t, "encode", []byte(shelfText(tc.books))))
			stream := capnpTool(t, "encode", text)
			built := buildShelf(tc.books)
			if n := binary.LittleEndian.Uint32(stream) + 1; n > 1 != tc.several || built.Segments() > 1 != tc.several {
				t.Fatalf("libcapnp builds %d segments, ours are %d; several: %v", n, built.Segments(), tc.several)
			}
			built.Release()
			theirFile := filepath.Join(t.TempDir(), "theirs")
			if err := os.WriteFile(theirFile, stream, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, pair := range [][2]string{{"PAIR", "PAIR"}, {"ROUTER", "DEALER"}, {"ROUTER", "REQ"}} {
				t.Run(pair[0]+" "+pair[1], func(t *testing.T) {
					cells(t, func(t *testing.T, transport string, weBind bool) {
						us, them := ends(t, p, pair[0], idA, pair[1], idB, transport, weBind)
						var envelope []string
						switch pair[1] {
						case "DEALER":
							envelope = []string{idB, word("topic")}
						case "REQ":
							envelope = []string{idB, "-"}
						}
						message := receiveShelf(t, us, them, theirFile, envelope, stream, tc.books)
						passOn(t, us, them, envelope, message, stream)
						receiveShelf(t, us, them, theirFile, envelope, stream, tc.books).Release()
						sendShelf(t, us, them, envelope, tc.books, text)
					})
				})
			}
		})
	}
}

// receiveShelf has the peer send the message in a file, and reads it.
func receiveShelf(t *testing.T, us *ours, them *theirs, file string, envelope []string, stream []byte, books int) *segment.Message {
	t.Helper()
	sent := envelope
	if len(sent) > 0 {
		sent = sent[1:] // a ROUTER puts the routing id there
	}
	if slices.Equal(sent, []string{"-"}) {
		sent = nil // and a REQ its delimiter
	}
	them.p.do(append([]string{"sendsegments", them.name, file}, sent...)...)
	got := make([][]byte, len(envelope))
	msg, err := us.s.RecvEnvelope(within(t), got)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(toldAll(got), toldAll(frames(envelope))) {
		t.Errorf("the envelope is %q, want %q", toldAll(got), envelope)
	}
	want, rest, err := framing.Unmarshal(stream)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, len(rest))
	}
	defer want.Release()
	if msg.Segments() != want.Segments() {
		t.Errorf("%d segments, want %d", msg.Segments(), want.Segments())
	}
	for i := range min(msg.Segments(), want.Segments()) {
		if !bytes.Equal(msg.Segment(i), want.Segment(i)) {
			t.Errorf("segment %d is not what was sent", i)
		}
	}
	checkShelf(t, msg, books)
	return msg
}

// passOn sends the very message that was received.
func passOn(t *testing.T, us *ours, them *theirs, envelope []string, msg *segment.Message, stream []byte) {
	t.Helper()
	if got := written(t, us, them, envelope, msg); !bytes.Equal(got, stream) {
		t.Errorf("what was passed on is %d bytes that differ from the %d received", len(got), len(stream))
	}
}

// sendShelf sends a message that the peer writes to a file, which the capnp tool
// reads.
func sendShelf(t *testing.T, us *ours, them *theirs, envelope []string, books int, text []byte) {
	t.Helper()
	stream := written(t, us, them, envelope, buildShelf(books))
	if got := capnpTool(t, "decode", stream); !bytes.Equal(got, text) {
		t.Errorf("the capnp tool reads %.300q, want %.300q", got, text)
	}
}

// written sends a message, and gives what the peer received as a stream.
func written(t *testing.T, us *ours, them *theirs, envelope []string, msg *segment.Message) []byte {
	t.Helper()
	segments := msg.Segments()
	if err := us.s.SendMessage(within(t), msg, frames(envelope)...); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ours")
	n := 0
	if len(envelope) > 0 && envelope[1] != "-" {
		n = 1 // the routing id is taken off, and a REQ takes its delimiter
	}
	answer := them.p.do("recvsegments", them.name, file, fmt.Sprint(n))
	if answer[0] != fmt.Sprint(segments) || n > 0 && answer[1] != envelope[1] {
		t.Errorf("they received %q; want %d segments behind %q", answer, segments, envelope)
	}
	stream, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// TestReceivedInPlace: no segment of 4 KiB or more is copied on its way from the
// kernel to who reads it, or from who built it to the kernel.
func TestReceivedInPlace(t *testing.T) {
	p := startPeer(t, "c")
	us, them := ends(t, p, "PAIR", "", "PAIR", "", "ipc", true)
	const bytesEach = 64 << 10
	m := []string{fmt.Sprintf("#%d:1", bytesEach), fmt.Sprintf("#%d:2", bytesEach)}
	pass(t, us, them, m)
	pass(t, them, us, m)
	before := us.s.Stats().CopiedBytes
	const rounds = 20
	for range rounds {
		pass(t, us, them, m)
		pass(t, them, us, m)
	}
	// What was read ahead with a header is copied.
	copied := us.s.Stats().CopiedBytes - before
	if limit := uint64(rounds * len(m) * bytesEach / 10); copied > limit {
		t.Errorf("%d bytes were copied of %d that were exchanged, want at most %d", copied, 2*rounds*len(m)*bytesEach, limit)
	}
	t.Logf("%d bytes were copied of %d", copied, 2*rounds*len(m)*bytesEach)
}
