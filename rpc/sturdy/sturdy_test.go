package sturdy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/sturdy"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	word = segment.Size{DataWords: 1, Ptrs: 1}
	next = rpc.Method{Interface: 0xc0117e6, Ordinal: 0}
	open = rpc.Method{Interface: 0xc0117e6, Ordinal: 1}
)

// counter counts the calls of next, and gives out counters by open.
type counter struct {
	n    atomic.Uint64
	down chan struct{}
	open func(name string) rpc.Client
}

func newCounter() *counter { return &counter{down: make(chan struct{})} }

func (c *counter) Shutdown() { close(c.down) }

func (c *counter) serve() rpc.Client {
	return rpc.Serve(rpc.Server{Interface: next.Interface, Object: c, Dispatch: func(_ context.Context, call *rpc.Call) error {
		switch {
		case call.Method() == next:
			call.NewResults(word).SetUint64(0, c.n.Add(1))
			return nil
		case call.Method() == open && c.open != nil:
			rpc.SetClient(call.NewResults(word).Ptr(0), c.open(call.Params().Text(0)))
			return nil
		}
		return call.Unimplemented()
	}})
}

func (c *counter) isDown(t *testing.T, want bool) {
	t.Helper()
	if want {
		select {
		case <-c.down:
		case <-time.After(20 * time.Second):
			t.Error("the object is still there")
		}
		return
	}
	select {
	case <-c.down:
		t.Error("the object is gone")
	default:
	}
}

// peer is a transport that tells who the peer is.
type peer struct {
	*framing.Pipe
	names []string
}

func (p peer) Peer() any        { return p }
func (p peer) Owners() []string { return p.names }

// dial connects a client, which is known by the names, to a server.
func dial(t testing.TB, o rpc.ConnOptions, names ...string) *rpc.Conn {
	t.Helper()
	client, _ := join(t, o, names...)
	return client
}

// join is dial with both ends.
func join(t testing.TB, o rpc.ConnOptions, names ...string) (client, server *rpc.Conn) {
	t.Helper()
	a, b := net.Pipe()
	server = rpc.NewConn(peer{framing.NewPipe(a, framing.PipeOptions{}), names}, o)
	client = rpc.NewConn(framing.NewPipe(b, framing.PipeOptions{}), rpc.ConnOptions{})
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return client, server
}

func count(t testing.TB, c rpc.Client) (uint64, error) {
	t.Helper()
	f := c.NewCall(t.Context(), next, word).Send()
	defer f.Release()
	res, err := f.Wait(t.Context())
	return res.Uint64(0), err
}

func want(t testing.TB, c rpc.Client, n uint64) {
	t.Helper()
	if got, err := count(t, c); err != nil || got != n {
		t.Errorf("counted %d, %v, want %d", got, err, n)
	}
}

func quiet(o sturdy.Options) sturdy.Options {
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

func newKeeper(t testing.TB, o sturdy.Options) *sturdy.Keeper {
	t.Helper()
	k := sturdy.NewKeeper(quiet(o))
	t.Cleanup(k.Close)
	return k
}

func persist(t testing.TB, k *sturdy.Keeper, c rpc.Client, object string) rpc.Client {
	t.Helper()
	if err := k.Persist(c, object); err != nil {
		t.Fatal(err)
	}
	return c
}

func save(t testing.TB, c rpc.Client, owner string) sturdy.Ref {
	t.Helper()
	ref, err := sturdy.Save(t.Context(), c, owner)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// A capability that was saved over one connection is restored over another, is
// the same object, and is called before it is there.
func TestSaveAndRestore(t *testing.T) {
	k := newKeeper(t, sturdy.Options{})
	boot := persist(t, k, newCounter().serve(), "it")
	defer boot.Release()
	o := func() rpc.ConnOptions {
		return rpc.ConnOptions{Bootstrap: boot.Retain(), Restorer: k.Dispatch}
	}
	first := dial(t, o())
	c := first.Bootstrap()
	want(t, c, 1)
	ref, again := save(t, c, sturdy.Anyone), save(t, c, sturdy.Anyone)
	if ref.Text() == again.Text() {
		t.Error("two references are the same")
	}
	c.Release()
	_ = first.Close()

	conn := dial(t, o())
	read, err := sturdy.ParseRef(ref.Text())
	if err != nil {
		t.Fatal(err)
	}
	r := sturdy.Restore(t.Context(), conn, read)
	defer r.Release()
	want(t, r, 2)
	third := save(t, r, sturdy.Anyone) // what was restored can be saved

	if err := sturdy.Drop(t.Context(), conn, ref); err != nil {
		t.Fatal(err)
	}
	if err := sturdy.Drop(t.Context(), conn, ref); err != nil {
		t.Errorf("dropped again: %v", err)
	}
	gone := sturdy.Restore(t.Context(), conn, ref)
	defer gone.Release()
	if _, err := count(t, gone); err == nil || !strings.Contains(err.Error(), "no such reference") {
		t.Errorf("%v, want no such reference", err)
	}
	want(t, r, 3) // what was restored before stays
	for i, ref := range []sturdy.Ref{again, third} {
		c := sturdy.Restore(t.Context(), conn, ref)
		want(t, c, uint64(4+i))
		c.Release()
	}
}

// Without Load a reference keeps its object, until it is dropped.
func TestKept(t *testing.T) {
	k := newKeeper(t, sturdy.Options{})
	all := map[string]*counter{}
	door := newCounter()
	door.open = func(name string) rpc.Client {
		all[name] = newCounter()
		return persist(t, k, all[name].serve(), name)
	}
	boot := door.serve()
	defer boot.Release()
	o := func() rpc.ConnOptions {
		return rpc.ConnOptions{Bootstrap: boot.Retain(), Restorer: k.Dispatch}
	}
	conn := dial(t, o())
	b := conn.Bootstrap()
	refs := map[string]sturdy.Ref{}
	for _, name := range []string{"saved", "unsaved", "twice"} {
		req := b.NewCall(t.Context(), open, word)
		req.Params().SetText(0, name)
		f := req.Send()
		want(t, f.Client(0), 1)
		if name != "unsaved" {
			refs[name] = save(t, f.Client(0), sturdy.Anyone)
		}
		if name == "twice" {
			refs["again"] = save(t, f.Client(0), sturdy.Anyone)
		}
		f.Release()
	}
	b.Release()
	_ = conn.Close()
	all["unsaved"].isDown(t, true)
	all["saved"].isDown(t, false)

	conn = dial(t, o())
	for i, name := range []string{"saved", "twice", "again"} {
		c := sturdy.Restore(t.Context(), conn, refs[name])
		want(t, c, []uint64{2, 2, 3}[i])
		c.Release()
		if err := sturdy.Drop(t.Context(), conn, refs[name]); err != nil {
			t.Fatal(err)
		}
		switch name {
		case "saved":
			all[name].isDown(t, true)
		case "twice":
			all[name].isDown(t, false) // it has a second
		case "again":
			all["twice"].isDown(t, true)
		}
	}
}

// Close releases what the references keep.
func TestCloseReleases(t *testing.T) {
	k := sturdy.NewKeeper(sturdy.Options{})
	it := newCounter()
	c := persist(t, k, it.serve(), "it")
	ref := save(t, c, sturdy.Anyone)
	c.Release()
	it.isDown(t, false)
	k.Close()
	it.isDown(t, true)
	if _, err := k.Restore(t.Context(), nil, ref); !errors.Is(err, sturdy.ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
}

// Two objects with one description: the later one is what references restore to.
func TestReplaced(t *testing.T) {
	k := newKeeper(t, sturdy.Options{})
	old := newCounter()
	c := persist(t, k, old.serve(), "it")
	ref := save(t, c, sturdy.Anyone)
	now := newCounter()
	now.n.Store(100)
	d := persist(t, k, now.serve(), "it")
	d.Release()
	now.isDown(t, false)
	c.Release()
	old.isDown(t, true)
	r, err := k.Restore(t.Context(), nil, ref)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	want(t, r, 101)
}

// loader builds counters by their names, and knows how often it did.
type loader struct {
	mu     sync.Mutex
	loads  int
	alive  []*counter
	gate   chan struct{}
	broken error
}

func (l *loader) load(ctx context.Context, object string) (rpc.Client, error) {
	l.mu.Lock()
	l.loads++
	broken, gate := l.broken, l.gate
	l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return rpc.Client{}, context.Cause(ctx)
		}
	}
	if broken != nil {
		return rpc.Client{}, broken
	}
	var n uint64
	if _, err := fmt.Sscanf(object, "from %d", &n); err != nil {
		return rpc.Client{}, fmt.Errorf("%w: %w", sturdy.ErrUnknown, err)
	}
	c := newCounter()
	c.n.Store(n)
	l.mu.Lock()
	l.alive = append(l.alive, c)
	l.mu.Unlock()
	return c.serve(), nil
}

// After a restart objects are built again, one of each, and those that nobody
// uses end.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs")
	var ref sturdy.Ref
	for run := range 3 {
		store, err := sturdy.OpenFile(path, sturdy.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var l loader
		k := sturdy.NewKeeper(quiet(sturdy.Options{Store: store, Load: l.load}))
		if run == 0 {
			if ref, err = k.Save(t.Context(), "from 41", sturdy.Anyone); err != nil {
				t.Fatal(err)
			}
		}
		conn := dial(t, rpc.ConnOptions{Restorer: k.Dispatch})
		a := sturdy.Restore(t.Context(), conn, ref)
		want(t, a, 42)
		b := sturdy.Restore(t.Context(), conn, ref)
		want(t, b, 43)
		if run == 1 {
			if err := sturdy.Drop(t.Context(), conn, ref); err != nil {
				t.Fatal(err)
			}
			ref = save(t, a, sturdy.Anyone)
		}
		a.Release()
		b.Release()
		l.alive[0].isDown(t, true)
		a = sturdy.Restore(t.Context(), conn, ref)
		want(t, a, 42)
		a.Release()
		if l.loads != 2 {
			t.Errorf("loaded %d times, want 2", l.loads)
		}
		_ = conn.Close()
		k.Close()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Many who restore one object at once get one object.
func TestRestoreAtOnce(t *testing.T) {
	l := &loader{gate: make(chan struct{})}
	k := newKeeper(t, sturdy.Options{Load: l.load})
	ref, err := k.Save(t.Context(), "from 0", sturdy.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	conn, server := join(t, rpc.ConnOptions{Restorer: k.Dispatch})
	const many = 50
	var all [many]rpc.Client
	for i := range all {
		all[i] = sturdy.Restore(t.Context(), conn, ref)
	}
	var calls []rpc.Future
	for _, c := range all {
		calls = append(calls, c.NewCall(t.Context(), next, word).Send())
	}
	for server.Stats().Executing < 2*many { // all restore, and nothing is there to be counted
		time.Sleep(time.Millisecond)
	}
	close(l.gate)
	sum := uint64(0)
	for _, f := range calls {
		res, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum += res.Uint64(0)
	}
	if want := uint64(many * (many + 1) / 2); sum != want || l.loads != 1 {
		t.Errorf("the counts have the sum %d, want %d; loaded %d times, want 1", sum, want, l.loads)
	}
	for i, f := range calls {
		f.Release()
		all[i].Release()
	}
}

// An object that takes its time to be built holds up nobody who wants another.
func TestSlowLoad(t *testing.T) {
	gate := make(chan struct{})
	k := newKeeper(t, sturdy.Options{Load: func(_ context.Context, object string) (rpc.Client, error) {
		if object == "slow" {
			<-gate
		}
		return newCounter().serve(), nil
	}})
	conn := dial(t, rpc.ConnOptions{Restorer: k.Dispatch})
	restore := func(object string) rpc.Client {
		ref, err := k.Save(t.Context(), object, sturdy.Anyone)
		if err != nil {
			t.Fatal(err)
		}
		return sturdy.Restore(t.Context(), conn, ref)
	}
	slow := restore("slow")
	defer slow.Release()
	f := slow.NewCall(t.Context(), next, word).Send()
	defer f.Release()
	fast := restore("fast")
	defer fast.Release()
	want(t, fast, 1)
	close(gate)
	if res, err := f.Wait(t.Context()); err != nil || res.Uint64(0) != 1 {
		t.Errorf("%d, %v", res.Uint64(0), err)
	}
}

// One who gives up while an object is built takes nobody with it, and a failure
// is not kept.
func TestLoadGivenUp(t *testing.T) {
	l := &loader{gate: make(chan struct{})}
	k := newKeeper(t, sturdy.Options{Load: l.load})
	ref, err := k.Save(t.Context(), "from 6", sturdy.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := k.Restore(ctx, nil, ref)
		failed <- err
	}()
	for l.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	got := make(chan rpc.Client)
	go func() {
		c, err := k.Restore(t.Context(), nil, ref)
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
	close(l.gate)
	c := <-got
	want(t, c, 7)
	c.Release()
	l.alive[0].isDown(t, true)

	l.mu.Lock()
	l.broken = errors.New("the disk is at the dentist's")
	l.mu.Unlock()
	conn := dial(t, rpc.ConnOptions{Restorer: k.Dispatch})
	r := sturdy.Restore(t.Context(), conn, ref)
	if _, err := count(t, r); err == nil || strings.Contains(err.Error(), "dentist") {
		t.Errorf("the peer is told %v", err)
	}
	r.Release()
	l.mu.Lock()
	l.broken = nil
	l.mu.Unlock()
	r = sturdy.Restore(t.Context(), conn, ref)
	want(t, r, 7)
	r.Release()
}

func (l *loader) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loads
}

// What Load gives may be another's capability, or a promise; it is restored, and
// can't be saved.
func TestLoadGivesAnothers(t *testing.T) {
	far := dial(t, rpc.ConnOptions{Bootstrap: newCounter().serve()})
	k := newKeeper(t, sturdy.Options{Load: func(context.Context, string) (rpc.Client, error) { return far.Bootstrap(), nil }})
	ref, err := k.Save(t.Context(), "far", sturdy.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, rpc.ConnOptions{Restorer: k.Dispatch})
	for i := range uint64(2) {
		c := sturdy.Restore(t.Context(), conn, ref)
		want(t, c, i+1)
		if _, err := sturdy.Save(t.Context(), c, sturdy.Anyone); !errors.Is(err, rpc.ErrUnimplemented) {
			t.Errorf("%v, want unimplemented", err)
		}
		c.Release()
	}
}

func TestSealed(t *testing.T) {
	k := newKeeper(t, sturdy.Options{})
	boot := persist(t, k, newCounter().serve(), "it")
	defer boot.Release()
	o := rpc.ConnOptions{Restorer: k.Dispatch}
	at := func(names ...string) *rpc.Conn {
		o.Bootstrap = boot.Retain()
		return dial(t, o, names...)
	}
	alice, bob, nobody := at("uid:1000", "user:alice"), at("uid:1001"), at()
	c := alice.Bootstrap()
	defer c.Release()
	for _, tc := range []struct {
		owner              string
		alice, bob, nobody bool
	}{
		{sturdy.Anyone, true, true, true},
		{sturdy.Self, true, false, false},
		{"uid:1000", true, false, false},
		{"user:alice", true, false, false},
		{"uid:1001", false, true, false},
		{"uid:100", false, false, false},
		{"name:self", false, false, false},
	} {
		t.Run(tc.owner, func(t *testing.T) {
			ref := save(t, c, tc.owner)
			for i, p := range []struct {
				conn *rpc.Conn
				may  bool
			}{{bob, tc.bob}, {nobody, tc.nobody}, {alice, tc.alice}} {
				if !p.may { // dropping is for who may restore
					if err := sturdy.Drop(t.Context(), p.conn, ref); err != nil {
						t.Error(err)
					}
				}
				r := sturdy.Restore(t.Context(), p.conn, ref)
				if _, err := count(t, r); (err == nil) != p.may {
					t.Errorf("peer %d: %v, want that it may: %v", i, err, p.may)
				} else if err != nil && !strings.Contains(err.Error(), "no such reference") {
					t.Errorf("peer %d learns %v", i, err)
				}
				r.Release()
			}
		})
	}
	for _, tc := range []struct{ name, owner string }{
		{"no kind", "alice"},
		{"no name", "uid:"},
		{"too long", "name:" + strings.Repeat("x", 300)},
	} {
		if _, err := sturdy.Save(t.Context(), c, tc.owner); err == nil {
			t.Errorf("%s gives no error", tc.name)
		}
	}
	b := nobody.Bootstrap()
	defer b.Release()
	if _, err := sturdy.Save(t.Context(), b, sturdy.Self); err == nil {
		t.Error("sealed for who is not known")
	}
	if _, err := sturdy.Save(t.Context(), boot, sturdy.Self); err == nil {
		t.Error("sealed for this process")
	}
	f := b.NewCall(t.Context(), rpc.SaveMethod, word)
	f.Params().Ptr(0).NewStruct(word)
	g := f.Send()
	defer g.Release()
	if _, err := g.Wait(t.Context()); err == nil {
		t.Error("an owner that is no text gives no error")
	}
}

// A peer saves no more than it may, gets room by dropping, and has no part in
// what others save.
func TestQuota(t *testing.T) {
	k := newKeeper(t, sturdy.Options{MaxSaved: 3})
	boot := persist(t, k, newCounter().serve(), "it")
	defer boot.Release()
	for range 2 {
		conn := dial(t, rpc.ConnOptions{Bootstrap: boot.Retain(), Restorer: k.Dispatch})
		c := conn.Bootstrap()
		var refs []sturdy.Ref
		for range 3 {
			refs = append(refs, save(t, c, sturdy.Anyone))
		}
		for range 3 {
			if _, err := sturdy.Save(t.Context(), c, sturdy.Anyone); !errors.Is(err, rpc.ErrOverloaded) {
				t.Errorf("%v, want overloaded", err)
			}
		}
		for range 2 { // the second time it is not there
			if err := sturdy.Drop(t.Context(), conn, refs[0]); err != nil {
				t.Fatal(err)
			}
		}
		save(t, c, sturdy.Anyone)
		if _, err := sturdy.Save(t.Context(), c, sturdy.Anyone); !errors.Is(err, rpc.ErrOverloaded) {
			t.Errorf("%v, want overloaded", err)
		}
		c.Release()
	}
}

// A save that the store has no room for, or that is wrong, takes no room from the
// peer, and the peer learns nothing of the store.
func TestStoreFails(t *testing.T) {
	store := &failing{Memory: sturdy.Memory{Max: 5}}
	k := newKeeper(t, sturdy.Options{Store: store, MaxSaved: 3})
	it := newCounter()
	boot := persist(t, k, it.serve(), "it")
	conn := dial(t, rpc.ConnOptions{Bootstrap: boot.Retain(), Restorer: k.Dispatch})
	c := conn.Bootstrap()
	ref := save(t, c, sturdy.Anyone)
	store.fail.Store(true)
	for range 5 {
		if _, err := sturdy.Save(t.Context(), c, sturdy.Anyone); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("the peer is told %v", err)
		}
	}
	r := sturdy.Restore(t.Context(), conn, ref)
	if _, err := count(t, r); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the peer is told %v", err)
	}
	r.Release()
	if err := sturdy.Drop(t.Context(), conn, ref); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the peer is told %v", err)
	}
	store.fail.Store(false)
	save(t, c, sturdy.Anyone)
	save(t, c, sturdy.Anyone)
	for range 2 {
		if _, err := k.Save(t.Context(), "it", sturdy.Anyone); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Save(t.Context(), "it", sturdy.Anyone); !errors.Is(err, rpc.ErrOverloaded) {
		t.Errorf("%v, want overloaded", err)
	}
	c.Release()
	boot.Release()
	_ = conn.Close()
	it.isDown(t, false)
	k.Close()
	it.isDown(t, true)
}

// What could not be saved keeps nothing.
func TestFailedSaveKeepsNothing(t *testing.T) {
	store := &failing{}
	store.fail.Store(true)
	k := newKeeper(t, sturdy.Options{Store: store})
	it := newCounter()
	c := persist(t, k, it.serve(), "it")
	if _, err := sturdy.Save(t.Context(), c, sturdy.Anyone); err == nil {
		t.Error("no error")
	}
	c.Release()
	it.isDown(t, true)
}

type failing struct {
	sturdy.Memory
	fail atomic.Bool
}

var errSecret = errors.New("a secret of the store's")

func (f *failing) Put(ctx context.Context, k sturdy.Key, e sturdy.Entry) error {
	if f.fail.Load() {
		return errSecret
	}
	return f.Memory.Put(ctx, k, e)
}

func (f *failing) Get(ctx context.Context, k sturdy.Key) (sturdy.Entry, error) {
	if f.fail.Load() {
		return sturdy.Entry{}, errSecret
	}
	return f.Memory.Get(ctx, k)
}

func (f *failing) Delete(ctx context.Context, k sturdy.Key) error {
	if f.fail.Load() {
		return errSecret
	}
	return f.Memory.Delete(ctx, k)
}

// A store that finds an entry by less than the key is no help: the rest of the
// hash is compared.
func TestProof(t *testing.T) {
	store := &blind{}
	k := newKeeper(t, sturdy.Options{Store: store})
	boot := persist(t, k, newCounter().serve(), "it")
	defer boot.Release()
	ref := save(t, boot, sturdy.Anyone)
	guess := append(sturdy.Ref(nil), ref...)
	guess[5] ^= 1
	for _, tc := range []struct {
		ref  sturdy.Ref
		want bool
	}{{ref, true}, {guess, false}, {ref[:31], false}, {nil, false}, {append(ref[:32:32], 0), false}} {
		c, err := k.Restore(t.Context(), nil, tc.ref)
		if (err == nil) != tc.want || err != nil && !errors.Is(err, sturdy.ErrUnknown) {
			t.Errorf("%d bytes: %v, want that it is restored: %v", len(tc.ref), err, tc.want)
		}
		c.Release()
	}
}

// blind has one entry, whatever the key.
type blind struct{ e sturdy.Entry }

func (b *blind) Put(_ context.Context, _ sturdy.Key, e sturdy.Entry) error {
	b.e = e
	return nil
}
func (b *blind) Get(context.Context, sturdy.Key) (sturdy.Entry, error) { return b.e, nil }
func (b *blind) Delete(context.Context, sturdy.Key) error              { return nil }

// What peers send as references, whatever it is, refers to nothing.
func TestHostileRefs(t *testing.T) {
	k := newKeeper(t, sturdy.Options{})
	conn := dial(t, rpc.ConnOptions{Restorer: k.Dispatch})
	r := conn.Restorer()
	defer r.Release()
	for _, tc := range []struct {
		name  string
		build func(segment.PtrBuilder)
	}{
		{"null", func(segment.PtrBuilder) {}},
		{"empty", func(p segment.PtrBuilder) { p.NewData(0) }},
		{"a guess", func(p segment.PtrBuilder) { p.NewData(32) }},
		{"long", func(p segment.PtrBuilder) { p.NewData(1 << 20) }},
		{"text", func(p segment.PtrBuilder) { p.SetText("please") }},
		{"a struct", func(p segment.PtrBuilder) { p.NewStruct(word) }},
		{"a list", func(p segment.PtrBuilder) { p.NewPtrs(4) }},
		{"a capability", func(p segment.PtrBuilder) { rpc.SetClient(p, newCounter().serve()) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, m := range []rpc.Method{rpc.RestoreMethod, rpc.DropMethod} {
				req := r.NewCall(t.Context(), m, word)
				tc.build(req.Params().Ptr(0))
				f := req.Send()
				_, err := f.Wait(t.Context())
				if m == rpc.RestoreMethod && (err == nil || !strings.Contains(err.Error(), "no such reference")) {
					t.Errorf("%v", err)
				}
				f.Release()
			}
		})
	}
	f := r.NewCall(t.Context(), rpc.Method{Interface: rpc.RestoreMethod.Interface, Ordinal: 7}, word).Send()
	defer f.Release()
	if _, err := f.Wait(t.Context()); !errors.Is(err, rpc.ErrUnimplemented) {
		t.Errorf("%v, want unimplemented", err)
	}
}

// A capability that can't be saved says so, and so does a server that restores
// nothing.
func TestUnimplemented(t *testing.T) {
	conn := dial(t, rpc.ConnOptions{Bootstrap: newCounter().serve()})
	c := conn.Bootstrap()
	defer c.Release()
	if _, err := sturdy.Save(t.Context(), c, sturdy.Anyone); !errors.Is(err, rpc.ErrUnimplemented) {
		t.Errorf("%v, want unimplemented", err)
	}
	r := sturdy.Restore(t.Context(), conn, make(sturdy.Ref, 32))
	defer r.Release()
	if _, err := count(t, r); !errors.Is(err, rpc.ErrUnimplemented) {
		t.Errorf("%v, want unimplemented", err)
	}
	if err := sturdy.Drop(t.Context(), conn, make(sturdy.Ref, 32)); !errors.Is(err, rpc.ErrUnimplemented) {
		t.Errorf("%v, want unimplemented", err)
	}
	k := newKeeper(t, sturdy.Options{})
	if err := k.Persist(c, "another's"); err == nil {
		t.Error("another's capability was persisted")
	}
	if err := k.Persist(rpc.Client{}, "null"); err == nil {
		t.Error("no capability was persisted")
	}
}

// The restorer is a capability that may be handed out as any other.
func TestServedRestorer(t *testing.T) {
	k := newKeeper(t, sturdy.Options{})
	boot := persist(t, k, newCounter().serve(), "it")
	defer boot.Release()
	conn := dial(t, rpc.ConnOptions{Bootstrap: k.Serve()}, "uid:5")
	r := conn.Bootstrap()
	defer r.Release()
	ref, err := k.Save(t.Context(), "it", "uid:5")
	if err != nil {
		t.Fatal(err)
	}
	c := sturdy.RestoreFrom(t.Context(), r, ref)
	defer c.Release()
	want(t, c, 1)
	if err := sturdy.DropFrom(t.Context(), r, ref); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Restore(t.Context(), nil, ref); !errors.Is(err, sturdy.ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
}

// What is saved before an interceptor stays behind it.
func TestIntercepted(t *testing.T) {
	for _, load := range []bool{false, true} {
		asked := 0
		wrapped := func(context.Context, string) (rpc.Client, error) {
			return rpc.Intercept(newCounter().serve(), func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
				asked++
				return ctx, nil, nil
			}), nil
		}
		var o sturdy.Options
		if load {
			o.Load = wrapped
		}
		k := newKeeper(t, o)
		boot, _ := wrapped(t.Context(), "")
		persist(t, k, boot, "it")
		conn := dial(t, rpc.ConnOptions{Bootstrap: boot, Restorer: k.Dispatch}, "user:me")
		c := conn.Bootstrap()
		ref := save(t, c, sturdy.Self)
		want(t, c, 1)
		r := sturdy.Restore(t.Context(), conn, ref)
		want(t, r, 2) // it is the same
		again := save(t, r, sturdy.Self)
		r.Release()
		c.Release()
		r = sturdy.Restore(t.Context(), conn, again)
		want(t, r, 3)
		r.Release()
		if asked != 3 {
			t.Errorf("the interceptor was asked %d times, want 3", asked)
		}
	}
}

// A client that reconnects restores over each new connection.
func TestReconnect(t *testing.T) {
	var l loader
	k := newKeeper(t, sturdy.Options{Load: l.load})
	ref, err := k.Save(t.Context(), "from 9", sturdy.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan *rpc.Conn, 2)
	c := rpc.Reconnect(func(context.Context) (*rpc.Conn, error) {
		conn := dial(t, rpc.ConnOptions{Restorer: k.Dispatch})
		conns <- conn
		return conn, nil
	}, rpc.ReconnectOptions{
		MinDelay: time.Millisecond, MaxDelay: time.Millisecond,
		Ask: func(conn *rpc.Conn) rpc.Client { return sturdy.Restore(t.Context(), conn, ref) },
	})
	defer c.Release()
	want(t, c, 10)
	want(t, c, 11)
	_ = (<-conns).Close()
	l.alive[0].isDown(t, true)
	for { // until the loss is noticed
		n, err := count(t, c)
		if err == nil && n == 10 {
			break
		} else if err != nil && !errors.Is(err, rpc.ErrDisconnected) || err == nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

// A reference does not print itself.
func TestRefIsSecret(t *testing.T) {
	ref := sturdy.Ref("0123456789abcdef0123456789abcdef")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("saved", "ref", ref)
	for _, s := range []string{
		fmt.Sprint(ref), fmt.Sprintf("%s %q %x %X %d %v %+v %#v", ref, ref, ref, ref, ref, ref, ref, ref),
		fmt.Sprintf("%v", struct{ R sturdy.Ref }{ref}), log.String(),
	} {
		if strings.Contains(s, "0123") || strings.Contains(s, "3031") || strings.Contains(s, "48 49") || strings.Contains(s, ref.Text()[:8]) {
			t.Errorf("it prints as %s", s)
		}
	}
	for _, s := range []string{"", "=", "ab c", strings.Repeat("A", 1<<20)} {
		if _, err := sturdy.ParseRef(s); err == nil || len(err.Error()) > 200 {
			t.Errorf("a text of %d bytes gives %v", len(s), err)
		}
	}
}

// The schema for other implementations says what package rpc does.
func TestRestorerSchema(t *testing.T) {
	req, err := compile.Files([]string{"restorer.capnp"}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]rpc.Method{}
	for _, n := range req.Nodes {
		if n.Kind == schema.KindInterface {
			for i, m := range n.Interface.Methods {
				got[m.Name] = rpc.Method{Interface: uint64(n.ID), Ordinal: uint16(i)}
			}
		}
	}
	for name, m := range map[string]rpc.Method{"restore": rpc.RestoreMethod, "drop": rpc.DropMethod, "names": rpc.NamesMethod} {
		if got[name] != m {
			t.Errorf("%s is %v, want %v", name, got[name], m)
		}
	}
	if len(got) != 3 {
		t.Errorf("the methods are %v", got)
	}
}
