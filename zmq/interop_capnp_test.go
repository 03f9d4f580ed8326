package zmq_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/zmq"
)

const capnpSchema = `@0xbf5147cbbecf40c1;
struct Note { number @0 :UInt32; text @1 :Text; parts @2 :List(Note); }
`

// TestCapnpSegmentsAsFrames exchanges messages with the capnp tool by way of
// pyzmq, as programs of pycapnp do: a message's segments, as they are, with
// send_multipart, and what recv_multipart gives as segments.
func TestCapnpSegmentsAsFrames(t *testing.T) {
	tool, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatalf("the capnp tool is required: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED AGAINST THE CAPNP TOOL: %v", err)
	}
	py := startPython(t)
	schema := filepath.Join(t.TempDir(), "note.capnp")
	if err := os.WriteFile(schema, []byte(capnpSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(in []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("capnp %v: %v", args, err)
		}
		return out
	}
	// Segments of few words make several frames.
	value := `(number = 7, text = "a note", parts = [(number = 8, text = "` + strings.Repeat("long ", 2000) + `"), (text = "x")])`
	encodings := map[string][]byte{
		"one segment":      run([]byte(value), "encode", schema, "Note"),
		"several segments": run([]byte(value), "encode", "--segment-size=16", schema, "Note"),
	}
	py.do("exec import struct")
	py.do("exec split = lambda b: (lambda n: [b[s:e] for s, e in (lambda sizes, at: [(at + 8 * sum(sizes[:i]), at + 8 * sum(sizes[:i + 1])) for i in range(n)])(struct.unpack_from('<%%dI' %% n, b, 4), (4 + 4 * n + 7) // 8 * 8)])(struct.unpack_from('<I', b)[0] + 1)")
	py.do("exec join = lambda fs: struct.pack('<I', len(fs) - 1) + b''.join(struct.pack('<I', len(f) // 8) for f in fs) + (b'' if len(fs) %% 2 else b'\\0' * 4) + b''.join(fs)")
	pull, push := open(t, zmq.Pull), open(t, zmq.Push)
	py.do("new out PUSH")
	py.do("new in PULL")
	py.do("connect out %s", bind(t, pull, "tcp://127.0.0.1:*"))
	connect(t, push, py.do("bind in tcp://127.0.0.1:*"))
	for name, encoded := range encodings {
		t.Run(name, func(t *testing.T) {
			py.t = t
			py.do("exec socks['out'].send_multipart(split(binascii.unhexlify('%x')))", encoded)
			m, err := pull.RecvMessage(within(t))
			if err != nil {
				t.Fatal(err)
			}
			if name == "several segments" && m.Segments() < 2 {
				t.Errorf("%d segments, want several", m.Segments())
			}
			note := m.Root().Struct()
			if note.Uint32(0) != 7 || note.Ptr(0).Text() != "a note" || note.Ptr(1).List().Structs().At(0).Ptr(0).Text() != strings.Repeat("long ", 2000) {
				t.Errorf("number %d, text %q: %v", note.Uint32(0), note.Ptr(0).Text(), m.Err())
			}
			// And the way back: the very message that was received.
			if err := push.SendMessage(within(t), m); err != nil {
				t.Fatal(err)
			}
			back := py.do("exec r = binascii.hexlify(join(socks['in'].recv_multipart())).decode()")
			raw, err := hex.DecodeString(back)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := run(raw, "decode", "--short", schema, "Note"), run(encoded, "decode", "--short", schema, "Note"); !bytes.Equal(got, want) {
				t.Errorf("the capnp tool reads %.200s, want %.200s", got, want)
			}
		})
	}
	py.t = t
}
