package sturdy

import (
	"context"
	"sync"

	"github.com/fairlead-go/fairlead/rpc"
)

// objects are those that are in use, by the text that each was persisted with, so
// that whoever restores one gets the same.
type objects struct {
	mu     sync.Mutex
	live   map[string]*object
	holds  map[Key]*object // by the references that keep them
	swept  int             // how many there were after the last sweep
	closed bool
}

// An object is kept weakly, or, if references have to keep it, by a client.
type object struct {
	weak    rpc.Weak
	kept    rpc.Client    // null unless refs > 0
	refs    int           // references that keep it
	loading chan struct{} // closed when it is built; nil if it is not being built
}

// sweepFrom is how many objects or connections are there at least before those
// that ended are looked for.
const sweepFrom = 64

// client gives the object. The caller has the lock, and owns it.
func (o *object) client() (rpc.Client, bool) {
	if !o.kept.IsNull() {
		return o.kept.Retain(), true
	}
	return o.weak.Client()
}

// set makes c the object with a text. keep tells that references keep objects.
func (os *objects) set(text string, c rpc.Client, keep bool) {
	os.mu.Lock()
	o := os.entry(text)
	o.weak = rpc.WeakOf(c)
	old := o.kept
	if keep && o.refs > 0 {
		o.kept = c.Retain()
	} else {
		old = rpc.Client{}
	}
	os.mu.Unlock()
	old.Release()
}

// entry gives the entry of a text, a new one if there is none. The caller has the
// lock.
func (os *objects) entry(text string) *object {
	o := os.live[text]
	if o != nil {
		return o
	}
	if len(os.live) >= max(sweepFrom, 2*os.swept) {
		for t, o := range os.live {
			if o.refs == 0 && o.loading == nil && o.weak.Gone() {
				delete(os.live, t)
			}
		}
		os.swept = len(os.live)
	}
	if os.live == nil {
		os.live = map[string]*object{}
	}
	o = new(object)
	os.live[text] = o
	return o
}

// hold notes that a reference keeps the object with a text, which it gives false
// for if that is not there. Unless keep is set, references keep nothing.
func (os *objects) hold(text string, k Key, keep bool) bool {
	if !keep {
		return true
	}
	os.mu.Lock()
	defer os.mu.Unlock()
	o := os.live[text]
	if o == nil || os.closed {
		return false
	}
	if o.refs == 0 {
		c, ok := o.weak.Client()
		if !ok {
			return false
		}
		o.kept = c
	}
	o.refs++
	if os.holds == nil {
		os.holds = map[Key]*object{}
	}
	os.holds[k] = o
	return true
}

// unhold undoes hold, if the reference kept anything.
func (os *objects) unhold(k Key) {
	os.mu.Lock()
	var last rpc.Client
	if o := os.holds[k]; o != nil {
		delete(os.holds, k)
		if o.refs--; o.refs == 0 {
			last, o.kept = o.kept, rpc.Client{}
		}
	}
	os.mu.Unlock()
	last.Release()
}

// get gives the object with a text: the one that is in use, or what load builds,
// for one caller at a time. It is null if load gives none. The caller owns it.
func (os *objects) get(ctx context.Context, text string, load func(context.Context, string) (rpc.Client, error)) (rpc.Client, error) {
	for {
		os.mu.Lock()
		o := os.entry(text)
		if loading := o.loading; loading != nil {
			os.mu.Unlock()
			select {
			case <-loading:
				continue
			case <-ctx.Done():
				return rpc.Client{}, context.Cause(ctx)
			}
		}
		if c, ok := o.client(); ok {
			os.mu.Unlock()
			return c, nil
		}
		o.loading = make(chan struct{})
		os.mu.Unlock()
		return os.build(ctx, o, text, load)
	}
}

// build loads an object, and lets those who wait for it go on however that ends.
func (os *objects) build(ctx context.Context, o *object, text string, load func(context.Context, string) (rpc.Client, error)) (rpc.Client, error) {
	defer func() {
		os.mu.Lock()
		close(o.loading)
		o.loading = nil
		os.mu.Unlock()
	}()
	return load(ctx, text)
}

// release gives up all that is kept, for ever.
func (os *objects) release() {
	os.mu.Lock()
	os.closed = true
	var all []rpc.Client
	for _, o := range os.live {
		all = append(all, o.kept)
		o.kept, o.refs = rpc.Client{}, 0
	}
	os.live, os.holds = nil, nil
	os.mu.Unlock()
	for _, c := range all {
		c.Release()
	}
}
