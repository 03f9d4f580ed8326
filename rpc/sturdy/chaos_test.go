package sturdy_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/sturdy"
)

var (
	chaosSessions = flag.Int("chaos", 12, "how many sessions TestChaos has with each store")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what they begin with; 0 for any")
)

var (
	who    = rpc.Method{Interface: next.Interface, Ordinal: 2} // which thing it is
	served = rpc.Method{Interface: next.Interface, Ordinal: 3} // gives a Restorer
)

var errAsked = errors.New("as asked")

const (
	chaosClients = 5
	chaosTexts   = 4 // of each kind
	chaosMaxRefs = 150
)

// A ledger is what the clients of a session know of its references.
type ledger struct {
	t     *testing.T
	store string
	fails bool // the store does at times
	tight bool // the store has little room
	dir   string
	all   sync.WaitGroup

	things atomic.Int64 // that were not shut down
	made   atomic.Uint64
	good   atomic.Int64

	mu   sync.Mutex
	life *life
	refs []*noted
}

// A noted reference is one that was answered.
type noted struct {
	ref   sturdy.Ref
	text  string
	owner string
	life  *life // that gave it
	state atomic.Int32
	n     atomic.Uint64 // the thing that it keeps; 0 if that is not known, or it keeps nothing
}

const (
	isKept = iota
	mayBeDropped
	isDropped
)

// A life is the server between two restarts.
type life struct {
	l        *ledger
	k        *sturdy.Keeper
	exports  *rpc.Exports
	maxSaved int
	closing  atomic.Bool
	loading  sync.Map // of texts, whose value is an *atomic.Int32: how many loads there are

	mu    sync.Mutex
	conns []*rpc.Conn
	weak  map[string]rpc.Weak // the things that are open, as a program knows them
	names [chaosTexts]struct{ least, most uint64 }
}

// A thing tells its text and which it is.
type thing struct {
	l    *ledger
	text string
	n    uint64
	down atomic.Bool
}

func (th *thing) Shutdown() {
	if th.down.Swap(true) {
		th.l.t.Errorf("%s is shut down twice", th.text)
	}
	th.l.things.Add(-1)
}

func (th *thing) dispatch(_ context.Context, call *rpc.Call) error {
	if th.down.Load() {
		th.l.t.Errorf("%s is called after its end", th.text)
	}
	if call.Method() != who {
		return call.Unimplemented()
	}
	res := call.NewResults(word)
	res.SetUint64(0, th.n)
	res.SetText(0, th.text)
	return nil
}

func (l *ledger) thing(text string) rpc.Client {
	l.things.Add(1)
	th := &thing{l: l, text: text, n: l.made.Add(1)}
	return rpc.Serve(rpc.Server{Interface: who.Interface, Object: th, Dispatch: th.dispatch})
}

// means gives the text of the thing that an object's text stands for.
func means(object string) string {
	return strings.Replace(object, "alias/", "open/", 1)
}

// kindOf is what comes before the slash.
func kindOf(object string) string {
	kind, _, _ := strings.Cut(object, "/")
	return kind
}

func (f *life) load(ctx context.Context, object string) (rpc.Client, error) {
	v, _ := f.loading.LoadOrStore(object, new(atomic.Int32))
	n := v.(*atomic.Int32)
	if n.Add(1) != 1 && !f.closing.Load() {
		f.l.t.Errorf("%s is loaded twice at once", object)
	}
	defer n.Add(-1)
	switch kindOf(object) {
	case "slow":
		if rand.IntN(20) == 0 {
			<-ctx.Done()
			return rpc.Client{}, context.Cause(ctx)
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	case "failing":
		if rand.IntN(2) == 0 {
			return rpc.Client{}, errAsked
		}
	case "alias":
		return f.open(means(object), false)
	case "open":
		return f.open(object, false)
	case "promised":
		p, fulfil := rpc.NewPromise()
		f.l.all.Go(func() {
			runtime.Gosched()
			fulfil.Resolve(f.l.thing(object))
		})
		return p, nil
	case "revocable":
		c, _ := rpc.Revocable(f.l.thing(object))
		return c, nil
	case "watched":
		return rpc.Intercept(f.l.thing(object), func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
			return ctx, nil, nil
		}), nil
	}
	return f.l.thing(object), nil
}

// open gives the thing with a text that is in use, or a new one.
func (f *life) open(text string, again bool) (rpc.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.weak[text].Client()
	if !ok {
		c = f.l.thing(text)
		f.weak[text] = rpc.WeakOf(c)
		again = true
	}
	if again {
		if err := f.k.Persist(c, text); err != nil {
			f.l.t.Error(err)
		}
	}
	return c, nil
}

// give gives any object to a client.
func (f *life) give(ctx context.Context, text string) (rpc.Client, error) {
	if kindOf(text) == "open" || f.l.store == "kept" {
		return f.open(text, rand.IntN(4) == 0)
	}
	ref, err := f.k.Save(ctx, text, sturdy.Anyone)
	if err != nil {
		return rpc.Client{}, err
	}
	c, err := f.k.Restore(ctx, nil, ref)
	if derr := f.k.Drop(ctx, nil, ref); err == nil && derr != nil {
		c.Release()
		return rpc.Client{}, derr
	}
	return c, err
}

func (f *life) dispatch(ctx context.Context, call *rpc.Call) error {
	switch call.Method() {
	case open:
		text := call.Params().Text(0)
		call.Go()
		c, err := f.give(ctx, text)
		if err != nil {
			return err
		}
		rpc.SetClient(call.NewResults(word).Ptr(0), c)
		return nil
	case served:
		rpc.SetClient(call.NewResults(word).Ptr(0), f.k.Serve())
		return nil
	}
	return call.Unimplemented()
}

// rename exports things under names, in the place of others.
func (f *life) rename(rnd *rand.Rand) {
	i := rnd.IntN(chaosTexts)
	f.mu.Lock()
	defer f.mu.Unlock()
	name := fmt.Sprintf("name/%d", i)
	c := f.l.thing(name)
	n := f.l.made.Load() // nobody has a higher one
	f.names[i].most = n
	f.exports.Set(name, c)
	if got := f.exports.Names(); !slices.Contains(got, name) {
		f.l.t.Errorf("the names are %q without %s", got, name)
	}
}

// unreliable is a store that fails at times, before a change or after it.
type unreliable struct {
	sturdy.Store
	fails bool
}

func (u unreliable) may() error {
	if u.fails && rand.IntN(12) == 0 {
		return errAsked
	}
	return nil
}

func (u unreliable) Put(ctx context.Context, k sturdy.Key, e sturdy.Entry) error {
	if err := u.may(); err != nil {
		return err
	}
	return errors.Join(u.Store.Put(ctx, k, e), u.may())
}

func (u unreliable) Get(ctx context.Context, k sturdy.Key) (sturdy.Entry, error) {
	if err := u.may(); err != nil {
		return sturdy.Entry{}, err
	}
	return u.Store.Get(ctx, k)
}

func (u unreliable) Delete(ctx context.Context, k sturdy.Key) error {
	if err := u.may(); err != nil {
		return err
	}
	return errors.Join(u.Store.Delete(ctx, k), u.may())
}

// logged checks what the Keeper tells the log.
type logged struct {
	slog.Handler
	f *life
}

func (h logged) Enabled(context.Context, slog.Level) bool { return true }

func (h logged) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		if !ok || r.Level < slog.LevelWarn {
			return true
		}
		switch {
		case errors.Is(err, errAsked), errors.Is(err, rpc.ErrOverloaded), h.f.closing.Load():
		default:
			h.f.l.t.Errorf("logged: %s: %v", r.Message, err)
		}
		return true
	})
	return nil
}

// pad appends to the file of a store until a change makes it write itself anew.
func (l *ledger) pad(path string) {
	other := path + ".pad"
	f, err := sturdy.OpenFile(other, sturdy.FileOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	k := sturdy.Key{1: 1}
	_ = f.Put(context.Background(), k, sturdy.Entry{Object: "pad"})
	_ = f.Delete(context.Background(), k)
	_ = f.Close()
	lines, err := os.ReadFile(other)
	if err != nil {
		l.t.Fatal(err)
	}
	to, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer to.Close()
	if _, err := to.Write(bytes.Repeat(lines, 515)); err != nil {
		l.t.Fatal(err)
	}
	_ = os.Remove(other)
}

// begin starts a life of the server, with the entries of the one before.
func (l *ledger) begin(rnd *rand.Rand, entries sturdy.Store) (f *life, end func()) {
	f = &life{l: l, weak: map[string]rpc.Weak{}, exports: &rpc.Exports{Listed: true}, maxSaved: 1024}
	if rnd.IntN(2) == 0 {
		f.maxSaved = 1 + rnd.IntN(6)
	}
	o := sturdy.Options{Store: entries, Load: f.load, MaxSaved: f.maxSaved, Logger: slog.New(logged{f: f})}
	shut := func() {}
	if l.store == "file" {
		path := filepath.Join(l.dir, "refs")
		if rnd.IntN(2) == 0 {
			l.pad(path)
		}
		most := 0
		if l.tight {
			most = chaosMaxRefs
		}
		file, err := sturdy.OpenFile(path, sturdy.FileOptions{Max: most})
		if err != nil {
			l.t.Fatal(err)
		}
		o.Store, shut = file, func() {
			if err := file.Close(); err != nil {
				l.t.Error(err)
			}
		}
	}
	o.Store = unreliable{o.Store, l.fails}
	if l.store == "kept" {
		o.Load = nil
	}
	f.k = sturdy.NewKeeper(o)
	for i := range f.names {
		f.names[i].least = l.made.Load() + 1
		c := l.thing(fmt.Sprintf("name/%d", i))
		f.names[i].most = l.made.Load()
		f.exports.Set(fmt.Sprintf("name/%d", i), c)
	}
	return f, func() {
		f.closing.Store(true)
		steps := []func(){f.k.Close, shut, f.exports.Release, func() {
			for {
				f.mu.Lock()
				all := f.conns
				f.conns = nil
				f.mu.Unlock()
				if len(all) == 0 {
					return
				}
				for _, c := range all {
					_ = c.Close()
				}
			}
		}}
		rnd.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, s := range steps {
			s()
		}
	}
}

// names that client i has proved itself as.
func namesOf(i int) []string { return []string{fmt.Sprintf("uid:%d", i), fmt.Sprintf("group:%d", i%2)} }

// connect gives client i a connection to the life that there is.
func (l *ledger) connect(i int, unix bool) (*life, *rpc.Conn, *rpc.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.life
	a, b := net.Pipe()
	if unix {
		a, b = l.unix()
	}
	boot := rpc.Serve(rpc.Server{Interface: next.Interface, Dispatch: f.dispatch})
	server := rpc.NewConn(peer{framing.NewPipe(a, framing.PipeOptions{}), namesOf(i)}, rpc.ConnOptions{
		Bootstrap: boot, Restorer: f.k.Dispatch, Exports: f.exports,
	})
	f.mu.Lock()
	f.conns = append(f.conns, server)
	f.mu.Unlock()
	return f, rpc.NewConn(framing.NewPipe(b, framing.PipeOptions{}), rpc.ConnOptions{}), server
}

func (l *ledger) unix() (a, b net.Conn) {
	ln, err := net.Listen("unix", filepath.Join(l.dir, "s"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer ln.Close()
	if b, err = net.Dial("unix", ln.Addr().String()); err == nil {
		a, err = ln.Accept()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return a, b
}

// any gives a reference that somebody has.
func (l *ledger) any(rnd *rand.Rand) *noted {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.refs) == 0 {
		return nil
	}
	from := 0
	if rnd.IntN(3) > 0 {
		from = max(0, len(l.refs)-20)
	}
	return l.refs[from+rnd.IntN(len(l.refs)-from)]
}

// A user is a client with one connection.
type user struct {
	*ledger
	i            int
	rnd          *rand.Rand
	life         *life
	conn, server *rpc.Conn
	boot         rpc.Client
	saved        *atomic.Int64 // references that may count, less those that were dropped
	bag          []held
}

// A held capability is one with the text that it can be saved with.
type held struct {
	c    rpc.Client
	text string
}

func (u *user) text() string {
	kinds := []string{"open"}
	if u.store != "kept" {
		kinds = []string{"open", "loaded", "slow", "failing", "alias", "promised", "revocable", "watched"}
	}
	return fmt.Sprintf("%s/%d", kinds[u.rnd.IntN(len(kinds))], u.rnd.IntN(chaosTexts))
}

// may tells whether an error can come of the ends of connections, calls and lives,
// or of what fails on purpose.
func (u *user) may(ctx context.Context, err error, text string) bool {
	switch {
	case errors.Is(err, rpc.ErrDisconnected), ctx.Err() != nil:
		return true
	case strings.Contains(err.Error(), errAsked.Error()) && (u.fails || kindOf(text) == "failing"):
		return true // from give
	case strings.Contains(err.Error(), "the reference could not be served"):
		return u.fails || kindOf(text) == "failing" || u.life.closing.Load()
	}
	return u.life.closing.Load()
}

// kept waits for a capability that has answered to be there for good: a call that
// was made on what another gives may be answered before that is, whose context still
// governs it.
func (u *user) kept(ctx context.Context, c rpc.Client, text string) bool {
	err := c.WaitResolved(ctx)
	if err != nil && !u.may(ctx, err, text) {
		u.t.Errorf("%s does not resolve: %v", text, err)
	}
	return err == nil
}

// ask asks a capability which it is.
func (u *user) ask(ctx context.Context, c rpc.Client) (text string, n uint64, err error) {
	f := c.NewCall(ctx, who, word).Send()
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.Text(0), res.Uint64(0), err
}

func (u *user) act() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	if u.rnd.IntN(8) == 0 {
		cancel()
		ctx, cancel = context.WithTimeout(context.Background(), time.Duration(u.rnd.IntN(1000))*time.Microsecond)
	}
	defer cancel()
	switch what := u.rnd.IntN(40); {
	case what < 8 || len(u.bag) == 0:
		u.open(ctx)
	case what < 16:
		u.save(ctx)
	case what < 26:
		u.restore(ctx)
	case what < 32:
		u.drop(ctx)
	case what < 35:
		i := u.rnd.IntN(len(u.bag))
		u.bag[i].c.Release()
		u.bag = slices.Delete(u.bag, i, i+1)
	case what < 37:
		h := u.bag[u.rnd.IntN(len(u.bag))]
		text, _, err := u.ask(ctx, h.c)
		if err == nil && text != means(h.text) || err != nil && !u.may(ctx, err, h.text) {
			u.t.Errorf("what was %s is %q, %v", h.text, text, err)
		}
	case what < 39:
		u.named(ctx)
	case u.rnd.IntN(3) == 0:
		conn := u.conn
		if u.rnd.IntN(2) == 0 {
			conn = u.server
		}
		u.all.Go(func() { _ = conn.Close() })
	}
}

func (u *user) open(ctx context.Context) {
	text := u.text()
	req := u.boot.NewCall(ctx, open, word)
	req.Params().SetText(0, text)
	f := req.Send()
	c := f.Client(0).Retain()
	f.Release()
	got, _, err := u.ask(ctx, c)
	if err != nil {
		c.Release()
		if !u.may(ctx, err, text) && !u.full(err) {
			u.t.Errorf("open %s: %v", text, err)
		}
		return
	}
	if got != means(text) {
		u.t.Errorf("opened %s and got %s", text, got)
	}
	if !u.kept(ctx, c, text) {
		c.Release()
		return
	}
	u.bag = append(u.bag, held{c, text})
}

func (u *user) full(err error) bool {
	return u.tight && errors.Is(err, rpc.ErrOverloaded)
}

// save saves something that it has.
func (u *user) save(ctx context.Context) {
	h := u.bag[u.rnd.IntN(len(u.bag))]
	owner := []string{sturdy.Anyone, sturdy.Self, namesOf(u.i)[1], namesOf(u.rnd.IntN(chaosClients))[0]}[u.rnd.IntN(4)]
	before := u.saved.Add(1)
	ref, err := sturdy.Save(ctx, h.c, owner)
	if err != nil {
		switch {
		case u.may(ctx, err, h.text), u.full(err):
		case errors.Is(err, rpc.ErrUnimplemented) && slices.Contains([]string{"promised", "revocable"}, kindOf(h.text)):
			u.saved.Add(-1)
		case errors.Is(err, rpc.ErrOverloaded) && strings.Contains(err.Error(), "over this connection"):
			if u.saved.Load() <= int64(u.life.maxSaved) && before <= int64(u.life.maxSaved) {
				u.t.Errorf("at most %d were saved, and the %d. is too many: %v", u.life.maxSaved, before, err)
			}
			u.saved.Add(-1)
		default:
			u.t.Errorf("save %s for %q: %v", h.text, owner, err)
		}
		return
	}
	if owner == sturdy.Self {
		owner = namesOf(u.i)[0]
	}
	u.mu.Lock()
	u.refs = append(u.refs, &noted{ref: ref, text: h.text, owner: owner, life: u.life})
	u.mu.Unlock()
}

// restorer gives one of the ways to restore.
func (u *user) restorer(ctx context.Context) rpc.Client {
	if u.rnd.IntN(2) == 0 {
		return u.conn.Restorer()
	}
	f := u.boot.NewCall(ctx, served, word).Send()
	defer f.Release()
	return f.Client(0).Retain()
}

func (u *user) restore(ctx context.Context) {
	r := u.any(u.rnd)
	if r == nil {
		return
	}
	restorer, before := u.restorer(ctx), r.state.Load()
	c := sturdy.RestoreFrom(ctx, restorer, r.ref)
	restorer.Release()
	if u.check(ctx, r, c, before) && u.kept(ctx, c, r.text) {
		u.bag = append(u.bag, held{c, r.text})
	} else {
		c.Release()
	}
}

// check looks at what r was restored as, which was in a state before.
func (u *user) check(ctx context.Context, r *noted, c rpc.Client, before int32) bool {
	mine := r.owner == sturdy.Anyone || slices.Contains(namesOf(u.i), r.owner)
	if u.store == "kept" && r.life != u.life {
		before = mayBeDropped // its object may have been opened again
	}
	text, n, err := u.ask(ctx, c)
	switch {
	case err != nil && strings.Contains(err.Error(), "no such reference"):
		if mine && before == isKept && r.state.Load() == isKept && !u.life.closing.Load() {
			u.t.Errorf("%s of %q is lost: %v", r.text, r.owner, err)
		}
	case err != nil:
		if !u.may(ctx, err, r.text) {
			u.t.Errorf("restore %s of %q: %v", r.text, r.owner, err)
		}
	case !mine:
		u.t.Errorf("client %d restored %s of %q", u.i, r.text, r.owner)
	case before == isDropped:
		u.t.Errorf("%s of %q was dropped and restored", r.text, r.owner)
	case text != means(r.text):
		u.t.Errorf("%s was restored as %s", r.text, text)
	default:
		u.good.Add(1)
		if u.store == "kept" && r.life == u.life && r.state.Load() == isKept && !r.n.CompareAndSwap(0, n) && r.n.Load() != n {
			u.t.Errorf("%s kept %d and was restored as %d", r.text, r.n.Load(), n)
		}
		u.same(ctx, r, n)
		return true
	}
	return false
}

// same restores r again while it is in use, which gives the same.
func (u *user) same(ctx context.Context, r *noted, n uint64) {
	if kind := kindOf(r.text); kind == "promised" || kind == "revocable" {
		return // they come as they come
	}
	c := sturdy.Restore(ctx, u.conn, r.ref)
	defer c.Release()
	if _, again, err := u.ask(ctx, c); err == nil && again != n && !u.life.closing.Load() {
		u.t.Errorf("%s was restored as %d and as %d", r.text, n, again)
	}
}

func (u *user) drop(ctx context.Context) {
	r := u.any(u.rnd)
	if r == nil || u.rnd.IntN(3) == 0 && r.state.Load() == isKept {
		return
	}
	mine := r.owner == sturdy.Anyone || slices.Contains(namesOf(u.i), r.owner)
	if mine {
		r.state.CompareAndSwap(isKept, mayBeDropped)
	}
	restorer := u.restorer(ctx)
	defer restorer.Release()
	err := sturdy.DropFrom(ctx, restorer, r.ref)
	switch {
	case err != nil && !u.may(ctx, err, r.text):
		u.t.Errorf("drop %s of %q: %v", r.text, r.owner, err)
	case err == nil && mine:
		r.state.Store(isDropped)
	}
}

// named asks for a name.
func (u *user) named(ctx context.Context) {
	i := u.rnd.IntN(chaosTexts + 1)
	name := fmt.Sprintf("name/%d", i)
	c := u.conn.BootstrapNamed(name)
	defer c.Release()
	text, n, err := u.ask(ctx, c)
	if i == chaosTexts {
		if err == nil || !strings.Contains(err.Error(), "nothing is exported") && !u.may(ctx, err, "") {
			u.t.Errorf("a name that nothing has: %v", err)
		}
		return
	}
	u.life.mu.Lock()
	span := u.life.names[i]
	u.life.mu.Unlock()
	switch {
	case err != nil && !u.may(ctx, err, ""):
		u.t.Errorf("%s: %v", name, err)
	case err == nil && (text != name || n < span.least || n > span.most):
		u.t.Errorf("%s is %s %d, want one of %d to %d", name, text, n, span.least, span.most)
	}
	names, err := u.conn.Names(ctx)
	if err != nil && !u.may(ctx, err, "") || err == nil && len(names) != chaosTexts && !u.life.closing.Load() {
		u.t.Errorf("the names are %q, %v", names, err)
	}
}

// come is one connection of a user, whose bag may be used by several.
func (u user) come() {
	u.life, u.conn, u.server = u.connect(u.i, u.rnd.IntN(3) == 0)
	u.boot = u.conn.Bootstrap()
	u.saved = new(atomic.Int64)
	var hands sync.WaitGroup
	for range 1 + u.rnd.IntN(3) {
		hand := u
		hand.bag = nil
		hand.rnd = rand.New(rand.NewPCG(u.rnd.Uint64(), 0))
		hands.Go(func() {
			for range 10 + hand.rnd.IntN(30) {
				hand.act()
			}
			for _, h := range hand.bag {
				h.c.Release()
			}
		})
	}
	hands.Wait()
	u.boot.Release()
	_ = u.conn.Close()
	_ = u.server.Close()
}

// session is a server with several lives, and users that come and go.
func (l *ledger) session(seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	memory := new(sturdy.Memory)
	l.fails, l.tight = rnd.IntN(3) == 0, rnd.IntN(3) == 0
	if l.tight {
		memory.Max = chaosMaxRefs
	}
	var end func()
	l.life, end = l.begin(rnd, memory)
	var users sync.WaitGroup
	over := make(chan struct{})
	for i := range chaosClients {
		u := user{ledger: l, i: i, rnd: rand.New(rand.NewPCG(seed, uint64(i+1)))}
		users.Go(func() {
			for range 4 {
				u.come()
			}
		})
	}
	go func() {
		users.Wait()
		close(over)
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-over:
			going = false
		case <-tick.C:
			l.life.rename(rnd)
			if rnd.IntN(20) > 0 {
				break
			}
			l.mu.Lock() // nobody connects meanwhile
			end()
			if l.store == "kept" {
				memory = new(sturdy.Memory)
			}
			l.life, end = l.begin(rnd, memory)
			l.mu.Unlock()
		}
	}
	l.all.Wait()
	most := int64(chaosTexts) // those that have names
	if l.store == "kept" {
		most *= 2
	}
	until(l.t, "what nobody has is shut down", func() bool { return l.things.Load() <= most })
	end()
	l.all.Wait()
	until(l.t, "every thing is shut down", func() bool { return l.things.Load() == 0 })
	l.last(rnd, memory)
	l.all.Wait()
	until(l.t, "every thing is shut down in the end", func() bool { return l.things.Load() == 0 })
}

// last looks at every reference after a last restart.
func (l *ledger) last(rnd *rand.Rand, memory *sturdy.Memory) {
	if l.store == "kept" {
		return
	}
	l.fails = false
	var end func()
	l.life, end = l.begin(rnd, memory)
	defer func() { end() }()
	for i := range chaosClients {
		u := user{ledger: l, i: i, rnd: rnd}
		u.life, u.conn, u.server = u.connect(i, false)
		for _, r := range l.refs {
			if kindOf(r.text) == "slow" {
				continue // it may take until it is given up
			}
			before := r.state.Load()
			c := sturdy.Restore(context.Background(), u.conn, r.ref)
			u.check(context.Background(), r, c, before)
			c.Release()
		}
		_ = u.conn.Close()
		_ = u.server.Close()
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("it does not come to this: %s", what)
			return
		}
	}
}

// descriptors is how many this process has, or 0 where that can't be told.
func descriptors() int {
	all, _ := os.ReadDir("/proc/self/fd")
	return len(all)
}

// Clients save, restore and drop while connections are cut, the server ends and
// begins again, and what stores and builds objects is slow or fails: who has a
// reference gets its object and no other, nobody else does, and nothing is left.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", seed)
	for _, store := range []string{"file", "memory", "kept"} {
		t.Run(store, func(t *testing.T) {
			before, good := 0, int64(0)
			for i := range *chaosSessions {
				if t.Failed() {
					break
				}
				l := &ledger{t: t, store: store, dir: t.TempDir()}
				l.session(seed + uint64(i))
				good += l.good.Load()
				if i == 0 {
					before = descriptors() // the poller's among them
				}
			}
			until(t, "every descriptor is closed", func() bool { return descriptors() <= before })
			if good == 0 {
				t.Error("nothing was restored")
			}
		})
	}
}
