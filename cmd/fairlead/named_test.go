package main

import (
	"context"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
)

// serveNamed serves counters under names, with or without a bootstrap capability.
func serveNamed(t *testing.T, boot, listed bool) string {
	t.Helper()
	mod, err := dynamic.Load(counterSchema)
	if err != nil {
		t.Fatal(err)
	}
	typ, err := mod.Type("Counter")
	if err != nil {
		t.Fatal(err)
	}
	exports := &rpc.Exports{Listed: listed}
	exports.Set("five", counter(t, typ, 5).Client)
	exports.Set("a b/c\x1b[2J", counter(t, typ, 6).Client)
	var b rpc.Client
	if boot {
		b = counter(t, typ, 40).Client
	}
	ln, err := fairlead.Listen("tcp://127.0.0.1:0", fairlead.Options{RPC: rpc.ConnOptions{Exports: exports}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ln.ServeRPC(ctx, b) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		exports.Release()
	})
	return ln.URL()
}

func TestNamedExports(t *testing.T) {
	for _, boot := range []bool{true, false} {
		for _, listed := range []bool{true, false} {
			url := serveNamed(t, boot, listed)
			names := ""
			if listed {
				names = url + "#a%20b%2Fc%1B%5B2J\n" + url + "#five\n"
			}
			out, err := execute("", "ls", url)
			switch {
			case boot && (err != nil || !strings.HasPrefix(out, "interface Counter") || !strings.HasSuffix(out, "}\n"+names)):
				t.Errorf("ls prints %q, %v, want the interface and %q", out, err, names)
			case !boot && listed && (err != nil || out != names):
				t.Errorf("ls prints %q, %v, want %q", out, err, names)
			case !boot && !listed && (err == nil || out != ""):
				t.Errorf("ls prints %q, %v, want an error", out, err)
			}
			for name, want := range map[string]string{"five": "7", "a%20b%2Fc%1B%5B2J": "8"} {
				out, err := execute("", "call", url+"#"+name, "add", `{"by": 2}`)
				if err != nil || out != "{\"sum\": \""+want+"\"}\n" {
					t.Errorf("call of %s prints %q, %v", name, out, err)
				}
			}
			if out, err := execute("", "ls", url+"#five"); err != nil || !strings.HasPrefix(out, "interface Counter") || !strings.HasSuffix(out, "}\n") {
				t.Errorf("ls of a name prints %q, %v", out, err)
			}
			if out, err := execute("", "call", url+"#six", "add"); err == nil || !strings.Contains(err.Error(), `"six"`) {
				t.Errorf("call of what is not there prints %q, %v", out, err)
			}
		}
	}
}
