package packed

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// needPeer skips the test if a program that it talks to is not installed, or
// fails it where all have to be.
func needPeer(t *testing.T, err error, output []byte) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Fatalf("needs a peer: %v\n%s", err, output)
	}
	t.Skipf("SKIPPED, needs a peer: %v", err)
}

// segmentsOf takes a framed message apart.
func segmentsOf(t *testing.T, framed []byte) [][]byte {
	t.Helper()
	n := int(binary.LittleEndian.Uint32(framed)) + 1
	at := (4 + 4*n + 7) &^ 7
	var segments [][]byte
	for i := range n {
		size := 8 * int(binary.LittleEndian.Uint32(framed[4+4*i:]))
		segments = append(segments, framed[at:at+size])
		at += size
	}
	if at != len(framed) {
		t.Fatalf("message ends at %d of %d bytes", at, len(framed))
	}
	return segments
}

// messages are ones that the capnp tool can read, in one segment and in more.
func messages(t *testing.T, r *rand.Rand) map[string][]byte {
	var m segmentBuilder
	root := m.structAt(m.alloc(1), 200, 2)
	for i := range 200 {
		m.put(root+i, r.Uint64()>>(r.UintN(2)*r.UintN(64)))
	}
	m.text(root+200, strings.Repeat("no zero bytes for more than 255 words. ", 80))
	zeros := m.alloc(600)
	m.pointer(root+201, zeros, 1, 2|8*600<<3)
	m.put(zeros+590, 7)
	var empty segmentBuilder
	empty.structAt(empty.alloc(1), 0, 0)
	return map[string][]byte{
		"empty":  framed(empty),
		"book2":  framed(addressBook(r, 2)),
		"book":   framed(addressBook(r, 60)),
		"runs":   framed(m),
		"far":    framed(unhex(t, "02 00 00 00 01 00 00 00"), addressBook(r, 3)),
		"null":   framed(make([]byte, 8)),
		"farrun": framed(unhex(t, "02 00 00 00 01 00 00 00"), m, addressBook(r, 1)),
	}
}

// The capnp tool packs the same words to the same bytes, and reads ours.
func TestTool(t *testing.T) {
	tool, err := exec.LookPath("capnp")
	needPeer(t, err, nil)
	convert := func(t *testing.T, in []byte, args ...string) []byte {
		cmd := exec.Command(tool, append([]string{"convert"}, args...)...)
		cmd.Stdin = bytes.NewReader(in)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("capnp convert %v: %v\n%s", args, err, stderr.String())
		}
		return out
	}
	for name, message := range messages(t, rand.New(rand.NewPCG(15, 16))) {
		for _, segmentSize := range []string{"", "8", "100"} {
			t.Run(name+"/"+segmentSize, func(t *testing.T) {
				// The tool lays every message out anew.
				args := []string{"binary:binary"}
				if segmentSize != "" {
					args = []string{"--segment-size=" + segmentSize, "binary:binary"}
				}
				plain := convert(t, message, args...)
				args[len(args)-1] = "binary:packed"
				want := convert(t, message, args...)
				eachKernel(t, func(t *testing.T) {
					got := packMessage(segmentsOf(t, plain)...)
					if !bytes.Equal(got, want) {
						t.Errorf("packed:\n got %x\nwant %x", got, want)
					}
					if back, n, err := readPacked(want); err != nil || n != len(want) || !bytes.Equal(back, content(t, plain)) {
						t.Errorf("unpacked %d of %d bytes, %v:\n got %x\nwant %x", n, len(want), err, back, content(t, plain))
					}
				})
			})
		}
	}
}

func content(t *testing.T, framed []byte) []byte {
	return bytes.Join(segmentsOf(t, framed), nil)
}

var (
	errSegmentCount = errors.New("too many segments")
	errTooLarge     = errors.New("message too large")
)

// readPacked reads a message from packed bytes under the reference's rules: the
// first word, the rest of the segment table and the content each end outside
// runs. It returns the content and how much of src it took.
func readPacked(src []byte) (content []byte, n int, err error) {
	var u Unpacker
	piece := func(size int) []byte {
		b := make([]byte, size)
		nd, ns := u.Unpack(b, src[n:])
		n += ns
		if nd != size || !u.AtBoundary() {
			err = fmt.Errorf("%d bytes of %d, awaits count %v, run left %d", nd, size, u.AwaitsCount(), u.RunLeft())
		}
		return b
	}
	first := piece(8)
	if err != nil {
		return nil, n, err
	}
	count := binary.LittleEndian.Uint32(first) + 1
	if count >= 512 {
		return nil, n, errSegmentCount
	}
	if count == 0 {
		return nil, n, nil // the reference takes it as a message of no segments
	}
	total := int64(binary.LittleEndian.Uint32(first[4:]))
	if count > 1 {
		rest := piece(int(count&^1) * 4)
		if err != nil {
			return nil, n, err
		}
		for i := range int(count) - 1 {
			total += int64(binary.LittleEndian.Uint32(rest[4*i:]))
		}
	}
	if total > 1<<16 {
		return nil, n, errTooLarge
	}
	content = piece(int(total) * 8)
	return content, n, err
}

// reference is testdata/peer.cc, running.
type reference struct {
	in  io.Writer
	out *bufio.Reader
}

func newReference(t *testing.T) *reference {
	t.Helper()
	gxx, err := exec.LookPath("g++")
	needPeer(t, err, nil)
	program := filepath.Join(t.TempDir(), "peer")
	output, err := exec.Command(gxx, "-O1", "-o", program, "testdata/peer.cc", "-lcapnp", "-lkj").CombinedOutput()
	needPeer(t, err, output)
	cmd := exec.Command(program)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("peer: %v", err)
		}
	})
	return &reference{in, bufio.NewReader(out)}
}

func (p *reference) ask(t *testing.T, op byte, data []byte) (ok bool, answer []byte) {
	t.Helper()
	request := append(binary.NativeEndian.AppendUint32([]byte{op}, uint32(len(data))), data...)
	if _, err := p.in.Write(request); err != nil {
		t.Fatal(err)
	}
	var head [5]byte
	if _, err := io.ReadFull(p.out, head[:]); err != nil {
		t.Fatal(err)
	}
	answer = make([]byte, binary.NativeEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(p.out, answer); err != nil {
		t.Fatal(err)
	}
	return head[0] == 'o', answer
}

// libcapnp packs random segments to the same bytes.
func TestPackAgainstReference(t *testing.T) {
	ref := newReference(t)
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(17, 18))
		for range 500 {
			segments := make([][]byte, 1+r.IntN(4))
			for i := range segments {
				segments[i] = randomWords(r, 1+r.IntN(800))
			}
			ok, want := ref.ask(t, 'p', framed(segments...))
			if got := packMessage(segments...); !ok || !bytes.Equal(got, want) {
				t.Fatalf("%v, first difference at %d:\n got %x\nwant %x", ok, difference(got, want), got, want)
			}
		}
	})
}

// The two streams that the encoding's rule on pieces is known by.
func TestRunsBetweenPieces(t *testing.T) {
	ref := newReference(t)
	eachKernel(t, func(t *testing.T) {
		for _, c := range []struct {
			name, packed string
			ok           bool
		}{
			{"zeros, ended with the table", "11 02 01  00 00  00 00", true},
			{"one segment", "10 02  00 01", true},
			{"run from the table into the content", "11 02 01  00 01", false},
			{"run from the first word into the table", "01 02  00 02", false},
			{"run from one segment into the next", "11 01 01  01 01  00 01", true},
			{"run past the last segment", "11 01 01  01 01  00 02", false},
			{"count byte missing at the end", "10 01  00", false},
			{"raw run from one segment into the next", "11 01 01  01 01  ff 01 01 01 01 01 01 01 01 01 02 02 02 02 02 02 02 02", true},
			{"nothing", "", false},
		} {
			t.Run(c.name, func(t *testing.T) {
				in := unhex(t, c.packed)
				if refOK, text := ref.ask(t, 'u', in); refOK != c.ok {
					t.Errorf("libcapnp takes it: %v (%s)", refOK, text)
				}
				if _, _, err := readPacked(in); (err == nil) != c.ok {
					t.Errorf("error %v, want success %v", err, c.ok)
				}
			})
		}
	})
}

// libcapnp and we agree on mutated packed messages: on the verdict, on the
// content, and on how many bytes a message takes.
func TestVerdictsAgainstReference(t *testing.T) {
	ref := newReference(t)
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(19, 20))
		taken := 0
		const mutants = 20_000
		for range mutants {
			segments := make([][]byte, 1+r.IntN(4))
			for i := range segments {
				segments[i] = randomWords(r, r.IntN(40))
			}
			in := mutate(r, packMessage(segments...))
			refOK, want := ref.ask(t, 'u', in)
			got, n, err := readPacked(in)
			if refOK != (err == nil) {
				t.Fatalf("%x:\nlibcapnp takes it: %v (%.80s), error %v", in, refOK, want, err)
			}
			if !refOK {
				continue
			}
			taken++
			if read := int(binary.NativeEndian.Uint32(want)); read != n || !bytes.Equal(got, want[4:]) {
				t.Fatalf("%x: read %d bytes, libcapnp %d:\n got %x\nwant %x", in, n, read, got, want[4:])
			}
		}
		if taken < mutants/20 || taken > mutants*19/20 {
			t.Errorf("%d of %d mutants were accepted, too few or too many to say much", taken, mutants)
		}
	})
}

// mutate changes, cuts or joins packed bytes in a few places.
func mutate(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range r.IntN(4) {
		if len(b) == 0 {
			break
		}
		i := r.IntN(len(b))
		switch r.IntN(6) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = []byte{0, 0xff, 1, 2, 0x11}[r.IntN(5)]
		case 2:
			b = b[:i]
		case 3:
			b = append(b[:i], b[i+1:]...)
		case 4:
			b = append(b[:i:i], append([]byte{byte(r.UintN(256))}, b[i:]...)...)
		case 5:
			b = append(b, byte(r.UintN(256)))
		}
	}
	return b
}
