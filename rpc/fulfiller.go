package rpc

// NewPromise gives a capability that is not known yet, and its [Fulfiller],
// which settles it. Calls on it wait until then, and then go in their order to
// what it became, those that are made later behind them. It may be passed to a
// peer like any other capability. The caller owns the client.
func NewPromise() (Client, Fulfiller) {
	p := newPromise()
	return track(Client{p}, kindPromise, nil), Fulfiller{p}
}

// Fulfiller settles a promise, once. It is a small value, of which any
// goroutine may use copies. Whoever has it settles it in the end, with
// [Fulfiller.Reject] if there is nothing to give, or the calls on the promise
// wait until they are cancelled.
type Fulfiller struct{ p *promise }

// Resolve makes the promise refer to c, which it takes over; c may be another
// promise. Calls on the promise of nothing fail. A promise that is settled
// stays as it is.
func (f Fulfiller) Resolve(c Client) { f.p.resolve(c) }

// Reject makes every call on the promise fail with err. A promise that is
// settled stays as it is.
func (f Fulfiller) Reject(err error) { f.p.resolve(Broken(err)) }
