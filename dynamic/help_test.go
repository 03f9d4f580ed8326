package dynamic_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func load(tb testing.TB, file string) *dynamic.Module {
	tb.Helper()
	m, err := dynamic.Load(file)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func all(tb testing.TB) *dynamic.Module {
	tb.Helper()
	return load(tb, "testdata/all.capnp")
}

func typeOf(tb testing.TB, m *dynamic.Module, name string) *dynamic.Type {
	tb.Helper()
	t, err := m.Type(name)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// build makes a message that is released with the test.
func build(tb testing.TB, m *dynamic.Module, name string, v any) dynamic.StructBuilder {
	tb.Helper()
	b, err := m.New(name, v)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Message().Release)
	return b
}

// sound fails the test if the values or their message have a fault.
func sound(tb testing.TB, v interface{ Err() error }) {
	tb.Helper()
	if err := v.Err(); err != nil {
		tb.Fatal(err)
	}
}

// faulty checks that the first fault is of a kind and says what it has to.
func faulty(tb testing.TB, err, kind error, says ...string) {
	tb.Helper()
	if !errors.Is(err, kind) {
		tb.Fatalf("got the error %v, want one that matches %v", err, kind)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			tb.Fatalf("the error is %q, which does not say %q", err, s)
		}
	}
	var e *dynamic.Error
	if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "dynamic: ") {
		tb.Fatalf("%v is no error of this package", err)
	}
}

// received gives the root of a message as a reader of its bytes sees it.
func received(tb testing.TB, b dynamic.StructBuilder) dynamic.Struct {
	tb.Helper()
	segs, err := b.Message().ToSegments()
	if err != nil {
		tb.Fatal(err)
	}
	msg, err := segment.FromSegments(segs)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(msg.Release)
	s, err := b.Type().Root(msg)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// tool finds the real compiler.
func tool(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("capnp")
	if err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			tb.Fatal("the capnp tool is not installed")
		}
		tb.Skip("the capnp tool is not installed")
	}
	return path
}
