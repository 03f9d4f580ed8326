package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
)

const counterSchema = "testdata/counter.capnp"

// counter serves a Counter that starts at n.
func counter(t *testing.T, typ *dynamic.Type, n int64) dynrpc.Client {
	t.Helper()
	var sum atomic.Int64
	sum.Store(n)
	c, err := dynrpc.Serve(dynrpc.Server{Type: typ, Methods: map[string]dynrpc.Handler{
		"add": func(_ context.Context, call *dynrpc.Call) error {
			return call.Return(map[string]any{"sum": sum.Add(call.Params().Int("by"))})
		},
		"split": func(_ context.Context, call *dynrpc.Call) error {
			half := counter(t, typ, sum.Load()/2)
			defer half.Release()
			return call.Return(map[string]any{"counter": half, "note": call.Params().Text("note")})
		},
		"fail": func(_ context.Context, call *dynrpc.Call) error {
			if call.Params().Enum("as").String() == "overloaded" {
				return rpc.ErrOverloaded
			}
			return errors.New("as\x1basked")
		},
		"feed": func(_ context.Context, call *dynrpc.Call) error {
			sum.Add(call.Params().Int("by"))
			return nil
		},
		"name": func(_ context.Context, call *dynrpc.Call) error {
			return call.Return(map[string]any{"name": "count"})
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serveCounter serves a Counter of 40 until the test ends, and gives its URL.
func serveCounter(t *testing.T, o ...fairlead.Options) string {
	t.Helper()
	var opt fairlead.Options
	if len(o) > 0 {
		opt = o[0]
	}
	mod, err := dynamic.Load(counterSchema)
	if err != nil {
		t.Fatal(err)
	}
	typ, err := mod.Type("Counter")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := fairlead.Listen("tcp://127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ln.ServeRPC(ctx, counter(t, typ, 40).Client) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.URL()
}

func TestCall(t *testing.T) {
	for _, tc := range []struct {
		name  string
		stdin string
		args  []string
		want  string
	}{
		{"parameters", "", []string{"add", `{"by": 2}`}, "{\"sum\": \"42\"}\n"},
		{"none", "", []string{"add"}, "{\"sum\": \"41\"}\n"},
		{"of an interface that it extends", "", []string{"name"}, "{\"name\": \"count\"}\n"},
		{"standard input", ` {"by": 3} `, []string{"add", "-"}, "{\"sum\": \"43\"}\n"},
		{"a capability", "", []string{"--short", "split", `{"note": "a b"}`}, `{"counter":"<Counter>","note":"a b"}` + "\n"},
		{"pipelined", "", []string{"split", "counter.split", "{}", "counter.add"}, "{\"sum\": \"11\"}\n"},
		{"text", "", []string{"--text", "add"}, "(sum = 41)\n"},
		{"streaming", "", []string{"feed", `{"by": 1}`}, "{}\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := serveCounter(t)
			args := append([]string{"call", "--schema", counterSchema, "--as", "Counter", url}, tc.args...)
			if out, err := execute(tc.stdin, args...); err != nil || out != tc.want {
				t.Errorf("%q, %v, want %q", out, err, tc.want)
			}
		})
	}
}

func TestCallFails(t *testing.T) {
	url := serveCounter(t)
	none := filepath.Join(t.TempDir(), "none")
	for _, tc := range []struct {
		name  string
		stdin string
		args  []string
		want  string
		usage bool
	}{
		{"no method", "", []string{url}, "requires at least 2 arg", true},
		{"parameters first", "", []string{url, `{}`}, "a method is missing", true},
		{"parameters twice", "", []string{url, "add", `{}`, `{}`}, "two sets", true},
		{"first of a field", "", []string{url, "counter.add"}, `"counter.add"`, true},
		{"second of no field", "", []string{url, "split", "add"}, "FIELD.METHOD", true},
		{"half a method", "", []string{url, "split", "counter."}, `"counter."`, true},
		{"unknown method", "", []string{url, "subtract"}, "there are add, split", false},
		{"unknown field", "", []string{url, "split", "count.add"}, `count`, false},
		{"a field that is no capability", "", []string{url, "split", "note.add"}, `note`, false},
		{"unknown parameter", "", []string{url, "add", `{"bye": 1}`}, `there is no "bye"`, false},
		{"wrong parameter", "", []string{url, "add", `{"by": "x"}`}, `by`, false},
		{"no JSON", "", []string{url, "add", `{"by"`}, `1:6`, false},
		{"nothing in the input", "", []string{url, "add", "-"}, "no parameters in the standard input", false},
		{"input twice", "{}", []string{url, "split", "-", "counter.add", "-"}, "one method only", false},
		{"failed", "", []string{url, "fail"}, "failed: as", false},
		{"overloaded", "", []string{url, "fail", `{"as": "overloaded"}`}, "overloaded", false},
		{"no such interface", "", []string{"--as", "Nobody", url, "add"}, "Nobody", false},
		{"no interface", "", []string{"--as", "Failure", url, "add"}, "Failure is no interface", false},
		{"no schema", "", []string{"--schema", none, url, "add"}, "none", false},
		{"bad URL", "", []string{"http://x", "add"}, `bad URL "http://x"`, false},
		{"nobody there", "", []string{"unix://" + none, "add"}, "none", false},
		{"waits no longer", "", []string{"--connect-timeout", "1ms", "zmq+ipc://" + none, "add"}, "deadline", false},
		{"no key", "", []string{"--tls-cert", none, url, "add"}, "tls-key", true},
		{"no authorities", "", []string{"--tls-ca", none, url, "add"}, "--tls-ca", false},
		{"authorities without a certificate", "", []string{"--tls-ca", counterSchema, url, "add"}, "no certificate in it", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"call", "--schema", counterSchema, "--as", "Counter"}, tc.args...)
			out, err := execute(tc.stdin, args...)
			var misuse *usageError
			if err == nil || !strings.Contains(err.Error(), tc.want) || errors.As(err, &misuse) != tc.usage {
				t.Errorf("%q, %v, want %q, from the command line: %v", out, err, tc.want, tc.usage)
			}
		})
	}
}

// TestCallWithoutSchema asks the server for it.
func TestCallWithoutSchema(t *testing.T) {
	url := serveCounter(t)
	if out, err := execute("", "call", url, "split", "{}", "counter.add", `{"by": 2}`); err != nil || out != "{\"sum\": \"22\"}\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := execute("", "ls", url); err != nil || !strings.Contains(out, "  add @0 (by :Int64) -> (sum :Int64);\n") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := execute("", "__complete", "call", url, "f"); err != nil || !strings.HasPrefix(out, "fail\nfeed\n") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := execute("", "call", "--as", "Named", url, "name"); err == nil || !strings.Contains(err.Error(), "serves Counter") {
		t.Errorf("%v, want what is served", err)
	}
	hidden := serveCounter(t, fairlead.Options{RPC: rpc.ConnOptions{HideSchemas: true}})
	if _, err := execute("", "ls", hidden); err == nil || !strings.Contains(err.Error(), "--schema") {
		t.Errorf("%v, want --schema", err)
	}
	if out, err := execute("", "__complete", "call", hidden, "f"); err != nil || strings.Contains(out, "fail") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestCallNamesTheInterfaces(t *testing.T) {
	_, err := execute("", "call", "--schema", counterSchema, serveCounter(t), "add")
	if err == nil || !strings.Contains(err.Error(), "--as: Counter, Named") {
		t.Errorf("%v, want both interfaces", err)
	}
}

func TestLs(t *testing.T) {
	const want = `interface Counter @0x`
	out, err := execute("", "ls", "--schema", counterSchema, "--as", "Counter", serveCounter(t))
	if err != nil || !strings.HasPrefix(out, want) {
		t.Errorf("%q, %v, want %q …", out, err, want)
	}
	for _, line := range []string{
		"  add @0 (by :Int64) -> (sum :Int64);\n",
		"  split @1 (note :Text) -> (counter :Counter, note :Text);\n",
		"  feed @3 (by :Int64) -> stream;\n",
		"\n  # of Named @0x",
		"  name @0 () -> (name :Text);\n}\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is missing in:\n%s", line, out)
		}
	}
}

func TestCallCompletion(t *testing.T) {
	url := serveCounter(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{""}, ""},
		{[]string{url, ""}, "add split fail feed name"},
		{[]string{url, "f"}, "fail feed"},
		{[]string{url, "split", ""}, "counter.add counter.split counter.fail counter.feed counter.name"},
		{[]string{url, "split", "{}", "counter.split", "counter.a"}, "counter.add"},
		{[]string{url, "add", ""}, ""},
		{[]string{url, "nothing", ""}, ""},
		{[]string{"--as", ""}, "Counter Named"},
	} {
		args := append([]string{"__complete", "call", "--schema", counterSchema, "--as", "Counter"}, tc.args...)
		out, err := execute("", args...)
		lines := strings.Split(out, "\n")
		got := strings.Join(lines[:max(0, len(lines)-3)], " ")
		if err != nil || got != tc.want {
			t.Errorf("%q: %q, %v, want %q", tc.args, got, err, tc.want)
		}
	}
}
