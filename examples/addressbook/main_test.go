package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/examples/addressbook/addressbook"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const golden = "testdata/addressbook.txt"

// Both ways print the same, but for how many bytes the message has, and give
// back all that they took.
func TestAddressBook(t *testing.T) {
	blocks, _ := arena.Pool().Outstanding()
	var typed, names bytes.Buffer
	if err := generated(&typed); err != nil {
		t.Error(err)
	}
	buffers := framing.Outstanding()
	if err := byName(&names); err != nil {
		t.Error(err)
	}
	if after, _ := arena.Pool().Outstanding(); after != blocks {
		t.Errorf("%d segments are not given back", after-blocks)
	}
	if after := framing.Outstanding(); after != buffers {
		t.Errorf("%d buffers are not given back", after-buffers)
	}

	if *update {
		if err := os.WriteFile(golden, typed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := typed.String(); got != string(want) {
		t.Errorf("with generated code:\n%s\nwant:\n%s", got, want)
	}
	wantNames := strings.Replace(string(want), "288 bytes\n", "151 bytes, packed\n", 1)
	if got := names.String(); got != wantNames {
		t.Errorf("by name:\n%s\nwant:\n%s", got, wantNames)
	}
}

// frames gives the message that each way builds.
func frames(t *testing.T) (typed, byNames []byte) {
	t.Helper()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	write(addressbook.NewRootAddressBook(msg))
	mod, err := dynamic.LoadFS(schemas, "addressbook/addressbook.capnp")
	if err != nil {
		t.Fatal(err)
	}
	book, err := mod.New("AddressBook", m{"people": people})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Message().Release()
	if typed, err = framing.Marshal(msg); err != nil {
		t.Fatal(err)
	}
	if byNames, err = framing.Marshal(book.Message()); err != nil {
		t.Fatal(err)
	}
	return typed, byNames
}

// Both ways build the same message, byte for byte.
func TestSameBytes(t *testing.T) {
	if typed, byNames := frames(t); !bytes.Equal(typed, byNames) {
		t.Errorf("with generated code:\n% x\nby name:\n% x", typed, byNames)
	}
}

// The capnp tool prints what the message prints of itself.
func TestTool(t *testing.T) {
	tool, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: no capnp tool to compare with")
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	frame, _ := frames(t)
	// go.capnp is built into Fairlead; the tool has to be told where one is.
	decode := exec.Command(tool, "decode", "-I../../schema/compile/std", "addressbook/addressbook.capnp", "AddressBook")
	decode.Stdin = bytes.NewReader(frame)
	var stderr bytes.Buffer
	decode.Stderr = &stderr
	got, err := decode.Output()
	if err != nil {
		t.Fatalf("capnp decode: %v\n%s", err, &stderr)
	}
	if len(got) == 0 || !bytes.Contains(want, got) {
		t.Errorf("capnp decode prints\n%s\nwhich is no part of\n%s", got, want)
	}
}
