package fairlead

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
)

// defaultDrain is Options.Drain if that is not set.
const defaultDrain = 10 * time.Second

// DialRPC connects to a URL at which somebody serves, and gives the connection,
// whose Bootstrap is what they serve. A URL that ends in #NAME is for what they
// export under that name, which then is the connection's Bootstrap; see
// [rpc.Exports]. What a URL can't have in a name is written as %XX. The caller
// closes the connection. Options.RPC.Bootstrap is taken over in every case. See
// [Dial].
func DialRPC(ctx context.Context, url string, o Options) (*rpc.Conn, error) {
	o.calls = true
	if o.RPC.Logger == nil {
		o.RPC.Logger = o.Logger
	}
	var p Pipe
	url, name, err := cutName(url)
	if name != "" {
		o.RPC.Name = name
	}
	if err == nil {
		p, err = Dial(ctx, url, o)
	}
	if err != nil {
		o.RPC.Bootstrap.Release()
		return nil, err
	}
	return rpc.NewConn(transportOf(p), o.RPC), nil
}

// ServeRPC listens at a URL and serves bootstrap to everyone who connects, until
// the context ends. See [Listener.ServeRPC].
func ServeRPC(ctx context.Context, url string, bootstrap rpc.Client, o Options) error {
	l, err := Listen(url, o)
	if err != nil {
		bootstrap.Release()
		return err
	}
	return l.ServeRPC(ctx, bootstrap)
}

// ServeRPC serves bootstrap to everyone who connects, each on a connection of
// their own, until the context ends. It takes bootstrap over, and closes the
// listener, in every case. What else peers can ask for, by names or by sturdy
// references, is in Options.RPC: its Exports and its Restorer.
//
// When the context ends, nobody can connect any more, and the calls under way
// have Options.Drain to come to their end. A nil error means that all of them
// did.
func (l *Listener) ServeRPC(ctx context.Context, bootstrap rpc.Client) error {
	defer bootstrap.Release()
	return l.ServeRPCFunc(ctx, func(context.Context, Peer) (rpc.Client, error) { return bootstrap.Retain(), nil })
}

// ServeRPCFunc is ServeRPC with a capability for each who connects, which its
// connection takes over. An error of bootstrap refuses that one; the peer learns
// that the connection ended, and not why. The context is that of ServeRPCFunc.
// Bootstrap is called from many goroutines at once.
func (l *Listener) ServeRPCFunc(ctx context.Context, bootstrap func(context.Context, Peer) (rpc.Client, error)) error {
	s := &server{l: l, bootstrap: bootstrap, conns: make(map[*rpc.Conn]bool)}
	err := s.accept(ctx)
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	if derr := s.drain(context.WithoutCancel(ctx)); err == nil {
		err = derr
	}
	s.running.Wait()
	return err
}

// PeerOf tells who is at the other end of a connection that DialRPC or ServeRPC
// made; ok is false for others. A handler asks it of its call's Conn, which is nil
// for one from within the process.
func PeerOf(c *rpc.Conn) (p Peer, ok bool) {
	if c == nil {
		return Peer{}, false
	}
	p, ok = c.Peer().(Peer)
	return p, ok
}

// A server is what ServeRPC runs.
type server struct {
	l         *Listener
	bootstrap func(context.Context, Peer) (rpc.Client, error)
	running   sync.WaitGroup

	mu    sync.Mutex
	conns map[*rpc.Conn]bool
	over  bool // no more are begun
}

// accept serves whoever connects. Its error is nil if the context ended.
func (s *server) accept(ctx context.Context) error {
	for {
		p, err := s.l.b.accept(ctx, true)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = p.Close()
			}
			return nil
		case err != nil:
			return about("serve", s.l.url, err)
		}
		s.running.Go(func() { s.serve(ctx, p) })
	}
}

// serve runs one connection to its end.
func (s *server) serve(ctx context.Context, p Pipe) {
	b, err := s.bootstrap(ctx, p.Peer())
	if err != nil {
		s.l.opt.Logger.Warn("fairlead: refused", "listener", s.l.url, "peer", p.Peer(), "error", err)
		_ = p.Close()
		return
	}
	o := s.l.opt.RPC
	o.Bootstrap = b
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		b.Release()
		_ = p.Close()
		return
	}
	// With the lock, so that drain meets it before the peer hears of it.
	c := rpc.NewConn(transportOf(p), o)
	s.conns[c] = true
	s.mu.Unlock()
	<-c.Done()
	_ = c.Close() // nothing is left to be told
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// drain ends all connections, once their calls are done or time is up.
func (s *server) drain(ctx context.Context) error {
	limit := s.l.opt.Drain
	if limit == 0 {
		limit = defaultDrain
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s.mu.Lock()
	s.over = true
	var all []*rpc.Conn
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	var ends sync.WaitGroup
	late := make(chan error, len(all))
	for _, c := range all {
		ends.Go(func() {
			if err := c.Shutdown(ctx); err != nil && ctx.Err() != nil {
				late <- err
			}
			_ = c.Close() // what was under way is told to the peer
		})
	}
	ends.Wait()
	close(late)
	if n := len(late); n > 0 {
		return about("serve", s.l.url, fmt.Errorf("connections cut off after %v: %d: %w", max(limit, 0), n, <-late))
	}
	return nil
}

// transportOf gives a pipe as package rpc takes it. All methods of the pipe below
// remain, for some of them make calls faster.
func transportOf(p Pipe) rpc.Transport {
	switch p := p.(type) {
	case *streamPipe:
		return rpcStream{p}
	case *zmqPipe:
		return rpcZMQ{p}
	case *shmPipe:
		return rpcShm{p}
	}
	return p
}

type rpcStream struct{ *streamPipe }

// Peer is what [rpc.Conn.Peer] gives.
func (p rpcStream) Peer() any { return p.streamPipe.Peer() }

type rpcZMQ struct{ *zmqPipe }

// Peer is what [rpc.Conn.Peer] gives.
func (p rpcZMQ) Peer() any { return p.zmqPipe.Peer() }

type rpcShm struct{ *shmPipe }

// Peer is what [rpc.Conn.Peer] gives.
func (p rpcShm) Peer() any { return p.shmPipe.Peer() }
