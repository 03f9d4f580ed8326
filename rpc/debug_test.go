package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
)

const debugChild = "FAIRLEAD_RPC_DEBUG_CHILD"

// A reported is a line of a child's log.
type reported struct {
	Level      string `json:"level"`
	Msg        string `json:"msg"`
	Kind       string `json:"kind"`
	Count      int    `json:"count"`
	References int    `json:"references"`
	Made       string `json:"made"`
	Retained   string `json:"retained"`
	Found      string `json:"found"`
	Total      int    `json:"made_total"`
	Released   int    `json:"released_total"`
	Dropped    int    `json:"dropped_total"`
	Held       int    `json:"held"`
	Imports    int    `json:"imports"`
	Exports    int    `json:"exports"`
}

const (
	dropped  = "rpc: dropped without Release"
	tooOften = "rpc: released more often than retained"
	ended    = "rpc: a connection ended while something of it was held"
	heldAt   = "rpc: held when its connection ended"
)

func debugServe() rpc.Client { return rpc.Serve(rpc.Server{Interface: 1, Dispatch: double}) }

// A giver hands out a capability in its results.
func debugGiver() rpc.Client {
	return rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(_ context.Context, c *rpc.Call) error {
		rpc.SetClient(c.NewResults(size).Ptr(0), debugServe())
		return nil
	}})
}

// debugConns connects two vats, and closes them when the client is seen to hold
// left of the server's capabilities, the client first.
func debugConns(t *testing.T, bootstrap rpc.Client, left int, use func(boot rpc.Client)) {
	x, y := loop(t)
	a, b := rpc.NewConn(x, rpc.ConnOptions{}), rpc.NewConn(y, rpc.ConnOptions{Bootstrap: bootstrap})
	use(a.Bootstrap())
	for b.Stats().Exports != left {
		runtime.Gosched()
	}
	a.Close()
	b.Close()
}

func finish(t *testing.T, f rpc.Future) {
	if _, err := f.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

var debugCases = map[string]struct {
	run  func(t *testing.T)
	want []reported // in any order; what it says of Made and so on is contained in the line
}{
	"all is released": {func(t *testing.T) {
		debugConns(t, debugGiver(), 0, func(boot rpc.Client) {
			f := call(t.Context(), boot, 1)
			finish(t, f)
			got := f.Client(0).Retain()
			f.Release()
			g := call(t.Context(), got, 2)
			got.Release()
			finish(t, g)
			g.Release()
			boot.Release()
		})
		p, settle := rpc.NewPromise()
		c, revoke := rpc.Revocable(debugServe())
		settle.Resolve(c.Retain())
		revoke(nil)
		c.Release()
		p.Release()
		m := &rpc.Membrane{}
		w := m.Export(rpc.Intercept(debugGiver(), rpc.Chain()))
		f := call(t.Context(), w, 1)
		finish(t, f)
		inner := f.Client(0).Retain()
		f.Release()
		inner.Release()
		w.Release()
	}, nil},

	"served objects": {func(*testing.T) {
		for range 3 {
			debugServe()
		}
		debugServe().Release()
	}, []reported{{Level: "ERROR", Msg: dropped, Kind: "a served object", Count: 3, References: 3, Made: "rpc_test.debugServe", Total: 3, Dropped: 3}}},

	"a retained one": {func(*testing.T) {
		c := debugServe()
		retainTwice(c)
		c.Release()
	}, []reported{{Level: "ERROR", Msg: dropped, Kind: "a served object", Count: 1, References: 2, Made: "rpc_test.debugServe", Retained: "2 times at\n\tgithub.com/fairlead-go/fairlead/rpc_test.retainTwice", Total: 1, Dropped: 1}}},

	"futures": {func(t *testing.T) {
		c := debugServe()
		for i := range uint64(5) {
			finish(t, call(t.Context(), c, i))
		}
		wait(t, call(t.Context(), c, 1))
		c.Release()
	}, []reported{{Level: "ERROR", Msg: dropped, Kind: "a future", Count: 5, References: 5, Made: "rpc_test.call", Total: 5, Dropped: 5}}},

	"a promise": {func(*testing.T) {
		_, settle := rpc.NewPromise()
		settle.Reject(context.Canceled)
	}, []reported{{Level: "ERROR", Msg: dropped, Kind: "a promise", Count: 1, References: 1, Made: "rpc_test.", Total: 1, Dropped: 1}}},

	"a wrapper": {func(*testing.T) {
		rpc.Intercept(debugServe(), rpc.Chain())
	}, []reported{
		{Level: "ERROR", Msg: dropped, Kind: "a wrapper", Count: 1, References: 1, Made: "rpc_test.", Total: 1, Dropped: 1},
		// What it has is dropped with it.
		{Level: "ERROR", Msg: dropped, Kind: "a served object", Count: 1, References: 1, Made: "rpc_test.debugServe", Total: 1, Dropped: 1},
	}},

	"a received one": {func(t *testing.T) {
		debugConns(t, debugGiver(), 1, func(boot rpc.Client) {
			f := call(t.Context(), boot, 1)
			s, err := f.Wait(t.Context())
			if err != nil {
				t.Error(err)
			}
			retainTwice(rpc.ReadClient(s.Ptr(0)))
			f.Release()
			boot.Release()
		})
	}, []reported{
		{Level: "WARN", Msg: ended, Held: 1, Imports: 1},
		{Level: "WARN", Msg: heldAt, Kind: "a received capability", Count: 1, References: 2, Made: "rpc_test.retainTwice"},
		{Level: "INFO", Msg: ended, Exports: 1},
		{Level: "ERROR", Msg: dropped, Kind: "a received capability", Count: 1, References: 2, Made: "rpc_test.retainTwice", Total: 1, Dropped: 1},
	}},

	"held at the end, and released then": {func(t *testing.T) {
		var later rpc.Client
		debugConns(t, debugServe(), 1, func(boot rpc.Client) {
			wait(t, call(t.Context(), boot, 1))
			later = boot
		})
		later.Release()
	}, []reported{
		{Level: "WARN", Msg: ended, Held: 1, Imports: 1},
		{Level: "WARN", Msg: heldAt, Kind: "a bootstrap capability", Count: 1, References: 1, Made: "rpc_test.debugConns"},
		{Level: "INFO", Msg: ended, Exports: 1},
	}},

	"released twice": {func(*testing.T) {
		c := debugServe()
		c.Release()
		c.Release()
	}, []reported{{Level: "ERROR", Msg: tooOften, Kind: "a served object", Made: "rpc_test.debugServe", Found: "rpc_test.init"}}},
}

//go:noinline
func retainTwice(c rpc.Client) {
	for range 2 {
		c.Retain()
	}
}

// TestDebug runs each case in a process of its own in which FAIRLEAD_DEBUG is set, and
// compares what it logs.
func TestDebug(t *testing.T) {
	if name, ok := os.LookupEnv(debugChild); ok {
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
		debugCases[name].run(t)
		for range 5 { // each collects what the one before has made unreachable
			runtime.GC()
			time.Sleep(100 * time.Millisecond) // what is found is reported by then
		}
		return
	}
	for name, tt := range debugCases {
		for _, on := range []string{"1", "0"} {
			t.Run(name+"/"+on, func(t *testing.T) {
				t.Parallel()
				if on == "0" && name == "released twice" {
					t.Skip("is told only in debug mode")
				}
				cmd := exec.Command(os.Args[0], "-test.run=^TestDebug$")
				cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", debugChild+"="+name, "FAIRLEAD_DEBUG="+on)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v:\n%s", err, out)
				}
				var got []reported
				for line := range bytes.Lines(out) {
					var r reported
					if json.Unmarshal(line, &r) == nil && strings.HasPrefix(r.Msg, "rpc: ") {
						got = append(got, r)
					}
				}
				want := tt.want
				if on == "0" {
					want = nil
				}
				for _, w := range want {
					i := slices.IndexFunc(got, func(r reported) bool { return r.tells(w) })
					if i < 0 {
						t.Errorf("nothing tells %+v", w)
						continue
					}
					got = slices.Delete(got, i, i+1)
				}
				for _, r := range got {
					t.Errorf("is told as well: %+v", r)
				}
			})
		}
	}
}

// tells tells whether r is what is wanted, whose stacks are parts.
func (r reported) tells(want reported) bool {
	for _, s := range []struct{ got, want *string }{{&r.Made, &want.Made}, {&r.Retained, &want.Retained}, {&r.Found, &want.Found}} {
		if !strings.Contains(*s.got, *s.want) {
			return false
		}
		*s.got = *s.want
	}
	return r == want
}
