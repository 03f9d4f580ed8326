package dynrpc_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
	"github.com/fairlead-go/fairlead/schema/compile"
)

var (
	chaosSessions = flag.Int("chaos", 20, "how many sessions TestChaos has")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what it begins with; 0 for any")
)

// chaosLimit is after how long a call that cannot wait for ever is said to do so.
const chaosLimit = 20 * time.Second

const purses = `@0xc4a05c4a05c4a050;
interface Named { name @0 () -> (name :Text); }
interface Purse extends(Named) {
  add @0 (n :Int64) -> (sum :Int64);
  new @1 (sum :Int64) -> New;
  addTo @2 (to :Purse, n :Int64) -> (sum :Int64);
  give @3 (box :Box(Purse, Text)) -> (box :Box(Purse, Text));
  fail @4 (reason :Text) -> ();
  hang @5 () -> ();
  struct New { inside :group { purse @0 :Purse; } cell @1 :Cell(Text); }
}
struct Box(A, B) { a @0 :A; b @1 :B; list @2 :List(UInt16); }
interface Cell(T) { swap @0 (value :T) -> (was :T); }
`

// A mint makes purses.
type mint struct {
	purse *dynamic.Type
	cell  *dynamic.Type
	named *dynamic.Type
	alive atomic.Int64 // purses and cells that were not shut down
}

func newMint(t *testing.T) *mint {
	t.Helper()
	req, err := compile.Source("purses.capnp", []byte(purses), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := dynamic.Loader{}.Request(req)
	if err != nil {
		t.Fatal(err)
	}
	m := &mint{purse: typeOf(t, mod, "Purse"), named: typeOf(t, mod, "Named")}
	method, err := m.purse.Method("new")
	if err != nil {
		t.Fatal(err)
	}
	cell, err := method.Results.Field("cell")
	if err != nil {
		t.Fatal(err)
	}
	m.cell = cell.Type()
	return m
}

func (m *mint) serve(typ *dynamic.Type, methods map[string]dynrpc.Handler) (dynrpc.Client, error) {
	c, err := dynrpc.Serve(dynrpc.Server{Type: typ, Methods: methods, Shutdown: func() { m.alive.Add(-1) }})
	if err == nil {
		m.alive.Add(1)
	}
	return c, err
}

// newCell makes a cell.
func (m *mint) newCell() (dynrpc.Client, error) {
	value := ""
	return m.serve(m.cell, map[string]dynrpc.Handler{
		"swap": func(_ context.Context, call *dynrpc.Call) error {
			was := value
			value = call.Params().Text("value")
			return call.Return(struct{ Was string }{was})
		},
	})
}

// newPurse makes a purse with so much in it.
func (m *mint) newPurse(sum int64) (dynrpc.Client, error) {
	return m.serve(m.purse, map[string]dynrpc.Handler{
		"name": func(_ context.Context, call *dynrpc.Call) error {
			return call.Return(map[string]any{"name": call.Name()})
		},
		"add": func(_ context.Context, call *dynrpc.Call) error {
			sum += call.Params().Int("n")
			call.Results().SetInt("sum", sum)
			return nil
		},
		"new": func(_ context.Context, call *dynrpc.Call) error {
			purse, err := m.newPurse(call.Params().Int("sum"))
			if err != nil {
				return err
			}
			defer purse.Release()
			cell, err := m.newCell()
			if err != nil {
				return err
			}
			defer cell.Release()
			return call.Return(map[string]any{"inside": map[string]any{"purse": purse}, "cell": cell})
		},
		"addTo": func(ctx context.Context, call *dynrpc.Call) error {
			to, err := dynrpc.ClientOf(call.Params(), "to")
			if err != nil {
				return err
			}
			f := to.Call(ctx, "add", map[string]any{"n": call.Params().Int("n")})
			defer f.Release()
			res, err := f.Wait(ctx)
			if err != nil {
				return err
			}
			return call.Return(map[string]any{"sum": res.Int("sum")})
		},
		"give": func(_ context.Context, call *dynrpc.Call) error {
			purse, err := dynrpc.ClientOf(call.Params(), "box.a")
			if err != nil {
				return err
			}
			box := call.Params().Struct("box")
			return call.Return(map[string]any{"box": map[string]any{"a": purse, "b": box.Text("b"), "list": box.List("list")}})
		},
		"fail": func(_ context.Context, call *dynrpc.Call) error {
			return errors.New(call.Params().Text("reason"))
		},
		"hang": func(ctx context.Context, call *dynrpc.Call) error {
			call.Go()
			<-ctx.Done()
			return ctx.Err()
		},
	})
}

// An owner has some purses, and knows what is in each.
type owner struct {
	*mint
	t      *testing.T
	rnd    *rand.Rand
	ctx    context.Context
	cut    *atomic.Bool // the connection may have ended
	purses []*owned
}

type owned struct {
	dynrpc.Client
	sum    int64
	cell   dynrpc.Client
	value  string
	expect []expected // what was called and not waited for
}

type expected struct {
	f   dynrpc.Future
	sum int64
}

// wait waits for a call. It tells whether the owner can go on.
func (o *owner) wait(f dynrpc.Future, what string) (dynamic.Struct, bool) {
	res, err := f.Wait(o.ctx)
	switch {
	case err == nil:
		return res, true
	case errors.Is(err, rpc.ErrDisconnected) && o.cut.Load():
	case errors.Is(err, context.DeadlineExceeded):
		b := make([]byte, 1<<20)
		o.t.Errorf("%s hangs\n%s", what, b[:runtime.Stack(b, true)])
	default:
		o.t.Errorf("%s: %v", what, err)
	}
	return res, false
}

// fails wants a call to fail with an error that says so.
func (o *owner) fails(f dynrpc.Future, say string) bool {
	defer f.Release()
	_, err := f.Wait(o.ctx)
	if err != nil && errors.Is(err, rpc.ErrDisconnected) && o.cut.Load() {
		return false
	}
	if err == nil || !strings.Contains(err.Error(), say) {
		o.t.Errorf("error %v, want one that says %q", err, say)
	}
	return true
}

// settle waits for what was called on a purse.
func (o *owner) settle(p *owned) (ok bool) {
	ok = true
	for _, e := range p.expect {
		res, answered := o.wait(e.f, "add")
		if answered && res.Int("sum") != e.sum {
			o.t.Errorf("%d in a purse that has %d", res.Int("sum"), e.sum)
		}
		ok = ok && answered
		e.f.Release()
	}
	p.expect = nil
	return ok
}

func (o *owner) leave(p *owned) {
	for _, e := range p.expect {
		e.f.Release()
	}
	p.Release()
	p.cell.Release()
}

// add calls add, and waits later.
func (o *owner) add(p *owned, at dynrpc.Client) {
	n := int64(o.rnd.IntN(1000))
	p.sum += n
	var params any
	switch o.rnd.IntN(3) {
	case 0:
		params = map[string]any{"n": n}
	case 1:
		params = struct{ N int64 }{n}
	default:
		params = func(b dynamic.StructBuilder) { b.SetInt("n", n) }
	}
	p.expect = append(p.expect, expected{at.Call(o.ctx, "add", params), p.sum})
}

// step does one thing. It tells whether the owner can go on.
func (o *owner) step() bool {
	p := o.purses[o.rnd.IntN(len(o.purses))]
	other := o.purses[o.rnd.IntN(len(o.purses))]
	switch o.rnd.IntN(12) {
	case 0: // one more purse, used before it is there
		sum := int64(o.rnd.IntN(1000))
		f := p.Call(o.ctx, "new", map[string]any{"sum": sum})
		next := &owned{Client: f.Client("inside.purse").Retain(), sum: sum, cell: f.Client("cell").Retain()}
		for range o.rnd.IntN(4) {
			o.add(next, next.Client)
		}
		o.purses = append(o.purses, next)
		ok := true
		if o.rnd.IntN(2) == 0 {
			var res dynamic.Struct
			if res, ok = o.wait(f, "new"); ok {
				direct, err := dynrpc.ClientOf(res, "inside.purse")
				if err != nil {
					o.t.Error(err)
					ok = false
				} else {
					o.add(next, direct)
				}
			}
		}
		f.Release()
		return ok
	case 1: // one of our own
		sum := int64(o.rnd.IntN(1000))
		c, err := o.newPurse(sum)
		if err != nil {
			o.t.Error(err)
			return false
		}
		cell, err := o.newCell()
		if err != nil {
			o.t.Error(err)
			return false
		}
		o.purses = append(o.purses, &owned{Client: c, sum: sum, cell: cell})
	case 2:
		if len(o.purses) < 2 {
			return true
		}
		i := o.rnd.IntN(len(o.purses))
		p := o.purses[i]
		o.purses = append(o.purses[:i], o.purses[i+1:]...)
		ok := o.rnd.IntN(2) == 0 || o.settle(p)
		o.leave(p)
		return ok
	case 3: // by another
		if !o.settle(other) {
			return false
		}
		other.sum += 7
		f := p.Call(o.ctx, "addTo", map[string]any{"to": other.Client, "n": 7})
		defer f.Release()
		res, ok := o.wait(f, "addTo")
		if ok && res.Int("sum") != other.sum {
			o.t.Errorf("%d in a purse that has %d", res.Int("sum"), other.sum)
		}
		return ok
	case 4: // given and given back
		f := p.Call(o.ctx, "give", map[string]any{"box": map[string]any{"a": other.Client, "b": "text", "list": []uint16{1, 2, 3}}})
		defer f.Release()
		back := f.Client("box.a")
		if o.settle(other) {
			o.add(other, back)
			if !o.settle(other) {
				return false
			}
		}
		res, ok := o.wait(f, "give")
		if ok && (res.Text("box.b") != "text" || res.List("box.list").Len() != 3) {
			o.t.Errorf("a box has %v", res)
		}
		return ok
	case 5:
		value := fmt.Sprint("value ", o.rnd.IntN(100))
		f := p.cell.Call(o.ctx, "swap", map[string]any{"value": value})
		defer f.Release()
		res, ok := o.wait(f, "swap")
		if ok && res.Text("was") != p.value {
			o.t.Errorf("%q in a cell that has %q", res.Text("was"), p.value)
		}
		p.value = value
		return ok
	case 6:
		reason := fmt.Sprint("reason ", o.rnd.IntN(100))
		return o.fails(p.Call(o.ctx, "fail", map[string]any{"reason": reason}), reason)
	case 7:
		switch o.rnd.IntN(4) {
		case 0:
			return o.fails(p.Call(o.ctx, "ad", nil), "ad")
		case 1:
			return o.fails(p.Call(o.ctx, "add", map[string]any{"m": 1}), "m")
		case 2:
			return o.fails(p.Call(o.ctx, "add", map[string]any{"n": "one"}), "n")
		default:
			f := p.Call(o.ctx, "new", nil)
			defer f.Release()
			return o.fails(f.Client("inside.purs").Call(o.ctx, "add", nil), "purs")
		}
	case 8: // cancelled
		ctx, cancel := context.WithCancel(o.ctx)
		f := p.Call(ctx, "hang", nil)
		if o.rnd.IntN(2) == 0 {
			time.Sleep(time.Duration(o.rnd.IntN(300)) * time.Microsecond)
		}
		if o.rnd.IntN(2) == 0 {
			cancel()
			_, err := f.Wait(o.ctx)
			if err == nil || o.ctx.Err() != nil {
				o.t.Errorf("a call that was cancelled gives %v", err)
			}
		}
		f.Release()
		cancel()
	case 9:
		up, err := p.Upcast(o.named)
		if err != nil {
			o.t.Error(err)
			return false
		}
		f := up.Call(o.ctx, "name", nil)
		defer f.Release()
		res, ok := o.wait(f, "name")
		if ok && res.Text("name") != "name" {
			o.t.Errorf("name %q", res.Text("name"))
		}
		return ok
	case 10:
		return o.settle(p)
	default:
		o.add(p, p.Client)
	}
	return true
}

// session is the life of one connection.
func (m *mint) session(t *testing.T, rnd *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), chaosLimit)
	defer cancel()
	boot, err := m.newPurse(0)
	if err != nil {
		t.Fatal(err)
	}
	x, y := net.Pipe()
	server := rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: boot.Client})
	client := rpc.NewConn(framing.NewPipe(y, framing.PipeOptions{}), rpc.ConnOptions{})
	var cut atomic.Bool
	var owners sync.WaitGroup
	for range 1 + rnd.IntN(4) {
		o := &owner{mint: m, t: t, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 1)), ctx: ctx, cut: &cut}
		owners.Go(func() {
			defer func() {
				for _, p := range o.purses {
					o.leave(p)
				}
			}()
			c, err := dynrpc.NewClient(client.Bootstrap(), m.purse)
			if err != nil {
				t.Error(err)
				return
			}
			f := c.Call(ctx, "new", nil)
			o.purses = []*owned{{Client: f.Client("inside.purse").Retain(), cell: f.Client("cell").Retain()}}
			f.Release()
			c.Release()
			for range o.rnd.IntN(200) {
				if !o.step() {
					return
				}
			}
			for _, p := range o.purses {
				if !o.settle(p) {
					return
				}
			}
		})
	}
	if rnd.IntN(3) == 0 {
		time.Sleep(time.Duration(rnd.IntN(5000)) * time.Microsecond)
		cut.Store(true)
	} else {
		owners.Wait()
		for _, c := range []*rpc.Conn{client, server} {
			for end := time.Now().Add(chaosLimit); ; time.Sleep(time.Millisecond) {
				s := c.Stats()
				if s.Questions+s.Answers+s.Exports+s.Imports+s.Executing+s.Embargoes == 0 {
					break
				}
				if time.Now().After(end) {
					t.Errorf("nothing is used any more, and a connection has %+v", s)
					break
				}
			}
		}
	}
	first, second := client, server
	if rnd.IntN(2) == 0 {
		first, second = second, first
	}
	_ = first.Close() // may be cut off in the midst of a message
	_ = second.Close()
	owners.Wait()
}

// Several goroutines use capabilities of which they know what each call has to give,
// over connections that may end at any time: every call gives that, and nothing is left.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	m := newMint(t)
	before, _ := arena.Pool().Outstanding()
	for i := range *chaosSessions {
		m.session(t, rnd)
		if t.Failed() {
			t.Fatalf("in session %d", i)
		}
	}
	for end := time.Now().Add(chaosLimit); ; time.Sleep(time.Millisecond) {
		after, _ := arena.Pool().Outstanding()
		if m.alive.Load() == 0 && after == before {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d objects are left, and %d segments", m.alive.Load(), after-before)
		}
	}
}
