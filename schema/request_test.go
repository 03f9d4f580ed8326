package schema

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// tool skips the test where the capnp tool is missing.
func tool(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("capnp"); err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal("the capnp tool is not installed")
		}
		t.Skip("the capnp tool is not installed")
	}
}

// compileFile gives the CodeGeneratorRequest that the capnp tool makes of a file.
func compileFile(t testing.TB, file string) *segment.Message {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("capnp", "compile", "-o-", file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("capnp compile %s: %v\n%s", file, err, stderr.Bytes())
	}
	msg, rest, err := framing.Unmarshal(out)
	if err != nil || len(rest) != 0 {
		t.Fatalf("capnp compile %s: %d bytes left, %v", file, len(rest), err)
	}
	return msg
}

// compileText does the same with the text of a file.
func compileText(t testing.TB, text string) *Request {
	t.Helper()
	tool(t)
	file := filepath.Join(t.TempDir(), "test.capnp")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	msg := compileFile(t, file)
	defer msg.Release()
	req, err := ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// parts takes a CodeGeneratorRequest apart into canonical messages by what they
// are about.
func parts(t testing.TB, msg *segment.Message) map[string]string {
	t.Helper()
	root := msg.Root().Struct()
	out := map[string]string{}
	put := func(key string, s segment.Struct) {
		one := segment.New(arena.Pool())
		defer one.Release()
		one.RootBuilder().SetStruct(s)
		b, err := one.Canonical()
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if _, twice := out[key]; twice {
			t.Fatalf("%s is there twice", key)
		}
		out[key] = string(b)
	}
	for s := range root.Ptr(requestNodesPtr).Structs().All() {
		put(fmt.Sprintf("node %v %s", ID(s.Uint64(nodeID)), s.Text(nodeNamePtr)), s)
	}
	for s := range root.Ptr(requestSourcePtr).Structs().All() {
		// The tool describes the members of a method's struct under id 0, of which
		// there can only be one.
		if id := ID(s.Uint64(sourceID)); id != 0 {
			put(fmt.Sprintf("source info of %v", id), s)
		}
	}
	for s := range root.Ptr(requestFilesPtr).Structs().All() {
		put(fmt.Sprintf("file %v", ID(s.Uint64(fileID))), s)
	}
	put("version", root.Struct(requestVersionPtr))
	return out
}

func schemaFiles(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/*.capnp", "/usr/include/capnp/*.capnp", "/usr/include/capnp/compat/*.capnp"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func TestRequestRoundTrip(t *testing.T) {
	tool(t)
	for _, file := range schemaFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			msg := compileFile(t, file)
			defer msg.Release()
			req, err := ReadRequest(msg)
			if err != nil {
				t.Fatal(err)
			}
			back := segment.New(arena.Pool())
			defer back.Release()
			req.Build(back)
			if err := back.Err(); err != nil {
				t.Fatal(err)
			}
			want, got := parts(t, msg), parts(t, back)
			for key := range want {
				switch {
				case got[key] == "":
					t.Errorf("%s: missing", key)
				case got[key] != want[key]:
					t.Errorf("%s differs:\n got %x\nwant %x", key, got[key], want[key])
				}
			}
			for key := range got {
				if want[key] == "" {
					t.Errorf("%s: not in the original", key)
				}
			}
			if len(want) < len(req.Nodes) {
				t.Errorf("compared %d parts of %d nodes", len(want), len(req.Nodes))
			}
		})
	}
}

func TestIDs(t *testing.T) {
	const node, iface = 0xe682ab4cf923a417, 0x88eb12a0e0af92b2
	for _, tt := range []struct {
		name      string
		got, want ID
	}{
		{"child of a file", ChildID(0xa93fc509624c72d9, "Node"), node},
		{"child of a struct", ChildID(node, "NestedNode"), 0xdebf55bbfa0fc242},
		{"group", GroupID(node, 7), 0x9ea0b19b37fb4435},
		{"params of method 0", MethodStructID(iface, 0, false), 0xb874edc0d559b391},
		{"results of method 0", MethodStructID(iface, 0, true), 0xb04fcaddab714ba4},
		{"params of method 1", MethodStructID(iface, 1, false), 0xd044893357b42568},
		{"results of method 1", MethodStructID(iface, 1, true), 0x9bf141df4247d52f},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestPack(t *testing.T) {
	tool(t)
	msg := compileFile(t, "testdata/kinds.capnp")
	defer msg.Release()
	req, err := ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := req.Pack()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Nodes) != len(req.Nodes) || back.Version != req.Version || !reflect.DeepEqual(back.Files, req.Files) {
		t.Fatalf("got %d nodes of %v for %v", len(back.Nodes), back.Version, back.Files)
	}
	docs := 0
	for i, n := range req.Nodes {
		same, err := equal(n, back.Nodes[i])
		if err != nil || !same {
			t.Errorf("%s differs: %v", n.DisplayName, err)
		}
		docs += len(n.Doc)
		if back.Nodes[i].Doc != "" {
			t.Errorf("%s has its doc comment", n.DisplayName)
		}
	}
	if docs == 0 {
		t.Error("nothing has a doc comment")
	}
	again, err := back.Pack()
	if err != nil || again != packed {
		t.Errorf("packed again it differs: %v", err)
	}
}

// TestReadNode writes and reads a single node, with what only newer tools write.
func TestReadNode(t *testing.T) {
	want := enumNode("a", "b")
	want.Start, want.End = 5, 1<<32-1
	msg := segment.New(arena.Pool())
	defer msg.Release()
	want.Build(msg.NewRoot(NodeSize))
	got, err := ReadNode(msg.Root().Struct())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := ReadNode(segment.Struct{}); err != nil {
		t.Errorf("reading nothing: %v", err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, packed := range map[string]string{
		"nothing":     "",
		"cut off":     "\x10\x01",
		"not packed":  "this is no message of any kind",
		"huge claims": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if _, err := Unpack(packed); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestReadBounds reads requests that are small and claim much, or are of a
// future that is not known.
func TestReadBounds(t *testing.T) {
	node := func(msg *segment.Message) segment.StructBuilder {
		root := msg.NewRoot(requestSize)
		return segment.NewStructs[segment.StructBuilder](root.Ptr(requestNodesPtr), NodeSize, 1).At(0)
	}
	constant := func(msg *segment.Message) segment.StructBuilder {
		n := node(msg)
		n.SetUint16(nodeKind, uint16(KindConst))
		return n
	}
	for _, tt := range []struct {
		name  string
		build func(msg *segment.Message)
		want  string
	}{
		{"a million empty nodes", func(msg *segment.Message) {
			msg.NewRoot(requestSize).Ptr(requestNodesPtr).NewStructList(segment.Size{}, 1<<20)
		}, "1048576 nodes"},
		{"two million empty annotations", func(msg *segment.Message) {
			node(msg).Ptr(nodeAnnotationsPtr).NewStructList(segment.Size{}, 1<<21)
		}, "more than 1048576"},
		{"two million empty fields", func(msg *segment.Message) {
			n := node(msg)
			n.SetUint16(nodeKind, uint16(KindStruct))
			n.Ptr(structFieldsPtr).NewStructList(segment.Size{}, 1<<21)
		}, "more than 1048576"},
		{"a list type of great depth", func(msg *segment.Message) {
			at := constant(msg).NewStruct(constTypePtr, typeSize)
			for range 1000 {
				at.SetUint16(typeKind, uint16(ListType))
				at = at.NewStruct(typeElemPtr, typeSize)
			}
		}, "deeper than 64"},
		{"a prefix longer than the name", func(msg *segment.Message) { node(msg).SetUint32(nodePrefixLen, 1) }, "prefix of 1 bytes"},
		{"an unknown kind of node", func(msg *segment.Message) { node(msg).SetUint16(nodeKind, 300) }, "kind 300"},
		{"an unknown type", func(msg *segment.Message) {
			constant(msg).NewStruct(constTypePtr, typeSize).SetUint16(typeKind, 19)
		}, "type 19"},
		{"an unknown value", func(msg *segment.Message) {
			constant(msg).NewStruct(constValuePtr, valueSize).SetUint16(valueKind, 256)
		}, "unknown type 256"},
		{"a capability as a value", func(msg *segment.Message) {
			v := constant(msg).NewStruct(constValuePtr, valueSize)
			v.SetUint16(valueKind, uint16(AnyPointer))
			v.Ptr(valuePtrAt).SetCapability(0)
		}, "capability"},
		{"a struct as text", func(msg *segment.Message) {
			v := constant(msg).NewStruct(constValuePtr, valueSize)
			v.SetUint16(valueKind, uint16(Text))
			v.NewStruct(valuePtrAt, valueSize)
		}, "does not hold Text"},
		{"text without its end", func(msg *segment.Message) {
			v := constant(msg).NewStruct(constValuePtr, valueSize)
			v.SetUint16(valueKind, uint16(Text))
			v.SetData(valuePtrAt, []byte("abc"))
		}, "does not hold Text"},
		{"an unknown AnyPointer", func(msg *segment.Message) {
			s := constant(msg).NewStruct(constTypePtr, typeSize)
			s.SetUint16(typeKind, uint16(AnyPointer))
			s.SetUint16(typeIndex, 4)
		}, "AnyPointer of unknown kind 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			built := segment.New(arena.Pool())
			defer built.Release()
			tt.build(built)
			segs, err := built.ToSegments()
			if err != nil {
				t.Fatal(err)
			}
			msg, err := segment.Open(segs, segment.Options{Limits: segment.Limits{Depth: 10_000}})
			if err != nil {
				t.Fatal(err)
			}
			defer msg.Release()
			_, err = ReadRequest(msg)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("a fault of the message", func(t *testing.T) {
		msg, err := segment.FromSegments([][]byte{binary.LittleEndian.AppendUint64(nil, 1<<62|1<<40)})
		if err != nil {
			t.Fatal(err)
		}
		defer msg.Release()
		if _, err := ReadRequest(msg); !errors.Is(err, segment.ErrMalformed) {
			t.Errorf("got %v", err)
		}
	})
}
