package zmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// An address is an endpoint's text taken apart.
type address struct {
	scheme string // tcp, ipc or inproc
	rest   string
}

// parseEndpoint takes an endpoint such as tcp://127.0.0.1:5555 apart.
func parseEndpoint(text string) (address, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || rest == "" {
		return address{}, fmt.Errorf("%w: %q is not scheme://address", ErrEndpoint, text)
	}
	switch scheme {
	case "tcp":
		if _, _, err := net.SplitHostPort(rest); err != nil {
			return address{}, fmt.Errorf("%w: %q: %w", ErrEndpoint, text, err)
		}
	case "ipc", "inproc":
	default:
		return address{}, fmt.Errorf("%w: %q: the scheme is not tcp, ipc or inproc", ErrEndpoint, text)
	}
	return address{scheme, rest}, nil
}

// dialable gives network and address for package net. Wildcards are for binding
// only.
func (a address) dialable() (network, addr string, err error) {
	if a.scheme == "ipc" {
		if a.rest == "*" {
			return "", "", fmt.Errorf("%w: ipc://* is for Bind", ErrEndpoint)
		}
		return "unix", a.rest, nil
	}
	host, port, _ := net.SplitHostPort(a.rest)
	if port == "*" || port == "0" || port == "" || host == "*" {
		return "", "", fmt.Errorf("%w: tcp://%s: a host and a port are needed to connect", ErrEndpoint, a.rest)
	}
	return "tcp", a.rest, nil
}

// listenable gives network and address for package net, and a folder to be
// removed in the end.
func (a address) listenable() (network, addr, folder string, err error) {
	if a.scheme == "ipc" {
		if a.rest != "*" {
			return "unix", a.rest, "", nil
		}
		dir, err := os.MkdirTemp("", "fairlead-zmq-")
		if err != nil {
			return "", "", "", fmt.Errorf("%w: ipc://*: %w", ErrEndpoint, err)
		}
		return "unix", filepath.Join(dir, "socket"), dir, nil
	}
	host, port, _ := net.SplitHostPort(a.rest)
	if host == "*" {
		host = "" // every address, IPv6 too where there is that
	}
	if port == "*" {
		port = "0"
	}
	return "tcp", net.JoinHostPort(host, port), "", nil
}

// An endpoint is one that a socket was bound or connected to.
type endpoint struct {
	s    *Socket
	text string
	addr address
	peer *peer           // connected: who is there
	ctx  context.Context // ends when the endpoint is given up
	give func()          // ends it
	over sync.WaitGroup

	ln     net.Listener
	folder string

	mu      sync.Mutex
	stopped bool
	live    map[*conn]bool // accepted or dialled, with true for one in the handshake
	order   []*conn        // those in the handshake, the oldest first
}

func newEndpoint(s *Socket, text string, a address) *endpoint {
	e := &endpoint{s: s, text: text, addr: a, live: make(map[*conn]bool)}
	e.ctx, e.give = context.WithCancel(context.Background())
	return e
}

func (e *endpoint) String() string { return e.text }

// Bind listens at an endpoint, and returns it as others can connect to it:
//
//	tcp://127.0.0.1:5555   one address
//	tcp://*:5555           every address
//	tcp://127.0.0.1:*      whichever port is free
//	ipc:///run/x.sock      a socket in the file system; @name without a file on Linux
//	ipc://*                one in a new folder of its own
//	inproc://name          a name in the socket's Namespace
//
// A file that a process left behind that nobody listens at any more is taken
// over. A socket may be bound and connected to any number of endpoints.
func (s *Socket) Bind(text string) (actual string, err error) {
	a, err := parseEndpoint(text)
	if err != nil {
		return "", err
	}
	e := newEndpoint(s, text, a)
	if a.scheme == "inproc" {
		if err := s.opt.Namespace.bind(e); err != nil {
			return "", err
		}
		s.event(Event{Kind: Listening, Endpoint: e.text})
		return text, nil
	}
	network, addr, folder, err := a.listenable()
	if err != nil {
		return "", err
	}
	e.folder = folder
	if e.ln, err = listen(network, addr, &s.opt); err != nil {
		e.removeFolder()
		return "", fmt.Errorf("%w: bind %s: %w", ErrEndpoint, text, err)
	}
	e.text = a.scheme + "://" + e.ln.Addr().String()
	if err := s.keepEndpoint(e, e.accept); err != nil {
		_ = e.ln.Close()
		e.removeFolder()
		return "", err
	}
	s.event(Event{Kind: Listening, Endpoint: e.text})
	return e.text, nil
}

// listen listens as the options say, and takes over a socket file that nobody
// listens at.
func listen(network, addr string, o *Options) (net.Listener, error) {
	ln, err := listenOrTakeOver(network, addr, o.KeepAlive)
	if err != nil || o.Backlog == 0 {
		return ln, err
	}
	if err := setBacklog(ln, o.Backlog); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("backlog of %d: %w", o.Backlog, err)
	}
	return ln, nil
}

// takeOver keeps who finds the file of one that is about to listen from taking it over.
var takeOver sync.Mutex

func listenOrTakeOver(network, addr string, keepAlive time.Duration) (net.Listener, error) {
	if network == "unix" {
		takeOver.Lock()
		defer takeOver.Unlock()
	}
	lc := net.ListenConfig{KeepAlive: keepAlive}
	ln, err := lc.Listen(context.Background(), network, addr)
	if err == nil || network != "unix" || strings.HasPrefix(addr, "@") {
		return ln, err
	}
	if fi, serr := os.Stat(addr); serr != nil || fi.Mode()&os.ModeSocket == 0 {
		return nil, err
	}
	c, derr := net.Dial(network, addr)
	if derr == nil {
		_ = c.Close()
		return nil, err
	}
	if !refused(derr) {
		return nil, err
	}
	if rerr := os.Remove(addr); rerr != nil {
		return nil, errors.Join(err, rerr)
	}
	return lc.Listen(context.Background(), network, addr)
}

// keepEndpoint notes an endpoint, unless the socket is closed, and runs what it has to
// do, if that is not nil. Both at once, so that whoever gives the endpoint up waits for
// it. The peer of one that connects takes part from now on, but for types that leave
// out who is not connected.
func (s *Socket) keepEndpoint(e *endpoint, run func()) error {
	s.mu.Lock()
	defer s.unlock()
	if s.closing {
		return ErrClosed
	}
	if e.peer != nil && s.keepsPeers() {
		if s.full(e.peer) {
			return fmt.Errorf("%w: %s: %w", ErrEndpoint, e.text, errSingle)
		}
		s.peers = append(s.peers, e.peer)
		s.room.tellAll()
	}
	s.ends = append(s.ends, e)
	if run != nil {
		e.spawn(run)
	}
	return nil
}

func (s *Socket) dropEndpoint(e *endpoint) {
	s.mu.Lock()
	defer s.unlock()
	for i, o := range s.ends {
		if o == e {
			s.ends = append(s.ends[:i], s.ends[i+1:]...)
			return
		}
	}
}

// spawn runs f in a goroutine that Close waits for.
func (e *endpoint) spawn(f func()) {
	e.over.Add(1)
	e.s.running.Go(func() {
		defer e.over.Done()
		f()
	})
}

// accept takes connections. Nothing that a peer does or leaves undone holds it
// up: handshakes are made elsewhere, a limited number at once, of which the
// oldest gives way.
func (e *endpoint) accept() {
	wait := time.Duration(0)
	for {
		nc, err := e.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Such as no more descriptors: that takes time to get better.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			e.s.event(Event{Kind: AcceptFailed, Endpoint: e.text, Err: err})
			if !e.s.sleep(wait, e.ctx.Done()) {
				return
			}
			continue
		}
		wait = 0
		if !e.s.track(nc) {
			return
		}
		c := newConn(e.s, nc)
		if !e.admit(c) {
			e.s.untrack(nc)
			c.free()
			return
		}
		e.s.event(Event{Kind: Accepted, Endpoint: e.text, Remote: c.remote()})
		e.spawn(func() {
			e.s.session(c, e, nil, func() { e.shaken(c) })
			e.forget(c)
		})
	}
}

// admit notes a connection that is in the handshake, and drops the oldest of too
// many. It gives false, and closes the connection, if the endpoint is given up.
func (e *endpoint) admit(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		c.shut(ErrClosed)
		return false
	}
	e.live[c] = true
	e.order = append(e.order, c)
	if len(e.order) > maxHandshakes {
		e.order[0].shut(errEvicted)
		e.order[0] = nil
		e.order = e.order[1:]
	}
	return true
}

// shaken is called when a handshake is over.
func (e *endpoint) shaken(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live[c] {
		e.live[c] = false
	}
	for i, o := range e.order {
		if o == c {
			e.order = append(e.order[:i], e.order[i+1:]...)
			return
		}
	}
}

func (e *endpoint) forget(c *conn) {
	e.mu.Lock()
	delete(e.live, c)
	e.mu.Unlock()
	e.s.untrack(c.nc)
}

// Connect connects to an endpoint, and returns at once: the connection is made
// when the peer is there, and again whenever it is lost. Messages can be sent as
// soon as Connect has returned, unless Immediate is set. For endpoints see
// [Socket.Bind].
func (s *Socket) Connect(text string) error {
	a, err := parseEndpoint(text)
	if err != nil {
		return err
	}
	e := newEndpoint(s, text, a)
	e.peer = newPeer(s, e)
	if a.scheme == "inproc" {
		return s.opt.Namespace.connect(e)
	}
	network, addr, err := a.dialable()
	if err != nil {
		return err
	}
	return s.keepEndpoint(e, func() { e.connect(network, addr) })
}

// connect connects, and again for as long as the endpoint is in use.
func (e *endpoint) connect(network, addr string) {
	s := e.s
	failures := 0
	for {
		ok := e.once(network, addr)
		if e.peer.isLost() { // a pipe is one connection
			return
		}
		if !s.keepsPeers() {
			s.detach(e.peer) // until it is connected again
		}
		if ok {
			failures = 0
		}
		if s.opt.ReconnectInterval < 0 || !s.sleepBefore(failures, e.ctx.Done()) {
			return
		}
		failures++
		s.event(Event{Kind: ConnectRetried, Endpoint: e.text})
	}
}

// once makes one attempt to connect, and runs the connection to its end.
func (e *endpoint) once(network, addr string) (ok bool) {
	s := e.s
	d := net.Dialer{KeepAlive: s.opt.KeepAlive, Timeout: s.opt.ConnectTimeout}
	nc, err := d.DialContext(e.ctx, network, addr)
	if err != nil {
		s.event(Event{Kind: ConnectDelayed, Endpoint: e.text, Err: err})
		return false
	}
	if !s.track(nc) {
		return false
	}
	c := newConn(s, nc)
	if !e.admit(c) {
		s.untrack(nc)
		c.free()
		return false
	}
	s.event(Event{Kind: Connected, Endpoint: e.text, Remote: c.remote()})
	ok = s.session(c, e, e.peer, func() { e.shaken(c) })
	e.forget(c)
	return ok
}

// sleepBefore waits before another attempt to connect: longer after each failure,
// and by chance, so that many who lost the same peer do not come back at once.
func (s *Socket) sleepBefore(failures int, stop <-chan struct{}) bool {
	d := s.opt.ReconnectInterval
	for range failures {
		if d >= s.opt.ReconnectMax {
			break
		}
		d *= 2
	}
	if s.opt.ReconnectMax > s.opt.ReconnectInterval {
		d = min(d, s.opt.ReconnectMax)
	}
	if half := int64(d / 2); half > 0 {
		d -= time.Duration(rand.Int64N(half))
	}
	return s.sleep(d, stop)
}

// stopListening refuses new connections.
func (e *endpoint) stopListening() {
	if e.ln != nil {
		_ = e.ln.Close()
		e.removeFolder()
	}
	if e.addr.scheme == "inproc" {
		e.s.opt.Namespace.leave(e)
	}
}

func (e *endpoint) removeFolder() {
	if e.folder != "" {
		_ = os.RemoveAll(e.folder)
	}
}

// stop gives the endpoint up with its connections.
func (e *endpoint) stop() {
	e.mu.Lock()
	if e.stopped {
		e.mu.Unlock()
		return
	}
	e.stopped = true
	e.give()
	for c := range e.live {
		c.shut(ErrClosed)
	}
	e.mu.Unlock()
	e.stopListening()
	e.s.event(Event{Kind: Closed, Endpoint: e.text})
}

// Unbind stops to listen at an endpoint, given as Bind returned it or took it,
// and closes the connections that were made there.
func (s *Socket) Unbind(text string) error { return s.giveUp(text, false) }

// Disconnect gives up an endpoint that Connect took. What waits for it is
// dropped.
func (s *Socket) Disconnect(text string) error { return s.giveUp(text, true) }

func (s *Socket) giveUp(text string, connected bool) error {
	s.mu.Lock()
	var e *endpoint
	for _, o := range s.ends {
		if o.text == text && (o.peer != nil) == connected {
			e = o
			break
		}
	}
	s.unlock()
	if e == nil {
		return fmt.Errorf("%w: %s is not in use", ErrEndpoint, text)
	}
	s.dropEndpoint(e)
	e.stop()
	e.over.Wait()
	if e.addr.scheme == "inproc" {
		s.partFrom(e)
	} else if connected {
		s.detach(e.peer)
	}
	return nil
}
