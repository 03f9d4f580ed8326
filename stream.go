package fairlead

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/spin"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// shakeTimeout bounds a TLS handshake.
	shakeTimeout = 5 * time.Second
	// maxShaking is how many who connected a listener of TLS keeps in the
	// handshake, or waiting for Accept after it.
	maxShaking = 256
)

var (
	errNoCertificate = errors.New("Options.TLS has no certificate")
	errSlowHandshake = fmt.Errorf("the TLS handshake took longer than %v: %w", shakeTimeout, context.DeadlineExceeded)
)

var streamErrors = dialect{closed: framing.ErrClosed, disconnected: framing.ErrDisconnected}

// A streamPipe is a pipe over a byte stream.
type streamPipe struct {
	*framing.Pipe
	peer Peer
}

func newStreamPipe(conn net.Conn, o *Options) *streamPipe {
	return &streamPipe{framing.NewPipe(conn, o.stream()), streamPeer(conn)}
}

func streamPeer(conn net.Conn) Peer {
	var p Peer
	if a := conn.RemoteAddr(); a != nil {
		if p.Addr = a.String(); p.Addr == "@" { // as package net calls a nameless one
			p.Addr = ""
		}
	}
	switch c := conn.(type) {
	case *tls.Conn:
		state := c.ConnectionState()
		p.TLS = &state
	case *net.UnixConn:
		p.Process = processOf(c)
	}
	return p
}

func (p *streamPipe) Send(ctx context.Context, msg *segment.Message) error {
	return streamErrors.translate(p.Pipe.Send(ctx, msg))
}

func (p *streamPipe) SendFiles(ctx context.Context, msg *segment.Message, files []*os.File) error {
	return streamErrors.translate(p.Pipe.SendFiles(ctx, msg, files))
}

func (p *streamPipe) Flush() error { return streamErrors.translate(p.Pipe.Flush()) }

func (p *streamPipe) Recv(ctx context.Context) (*segment.Message, error) {
	msg, err := p.Pipe.Recv(ctx)
	return msg, streamErrors.translate(err)
}

func (p *streamPipe) RecvAll(ctx context.Context, msgs []*segment.Message) (int, error) {
	n, err := p.Pipe.RecvAll(ctx, msgs)
	return n, streamErrors.translate(err)
}

func (p *streamPipe) RecvFiles(ctx context.Context, most int) (*segment.Message, []*os.File, error) {
	msg, files, err := p.Pipe.RecvFiles(ctx, most)
	return msg, files, streamErrors.translate(err)
}

func (p *streamPipe) Close() error { return streamErrors.translate(p.Pipe.Close()) }

func (p *streamPipe) Peer() Peer { return p.peer }

func (p *streamPipe) Stats() Stats {
	s := p.Pipe.Stats()
	return Stats{
		Sent: s.Sent, SentBytes: s.SentBytes, Received: s.Received, ReceivedBytes: s.ReceivedBytes,
		Copied: s.Copied, WaitingBytes: s.WaitingBytes, Errors: s.Errors,
	}
}

// streamConn dials what carries a stream.
func streamConn(ctx context.Context, t *target, o *Options) (net.Conn, error) {
	var d net.Dialer
	switch t.scheme {
	case schemeUnix:
		return d.DialContext(ctx, "unix", t.path)
	case schemeTLS:
		conn, err := d.DialContext(ctx, "tcp", t.hostPort())
		if err != nil {
			return nil, err
		}
		return shakeHands(ctx, conn, t.hostPort(), o.TLS)
	}
	return d.DialContext(ctx, "tcp", t.hostPort())
}

// shakeHands makes the handshake of one who dials.
func shakeHands(ctx context.Context, conn net.Conn, hostPort string, config *tls.Config) (net.Conn, error) {
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(hostPort)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	ctx, cancel := context.WithTimeoutCause(ctx, shakeTimeout, errSlowHandshake)
	defer cancel()
	c := tls.Client(spin.NewSocket(conn), config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		if context.Cause(ctx) == errSlowHandshake {
			err = errSlowHandshake
		}
		return nil, err
	}
	return c, nil
}

func dialStream(ctx context.Context, t *target, o *Options) (Pipe, error) {
	conn, err := streamConn(ctx, t, o)
	if err != nil {
		return nil, err
	}
	return newStreamPipe(conn, o), nil
}

// A streamListener accepts connections ahead of Accept: for TLS so many as are in
// the handshake, so that none of them holds up the others, and else one.
type streamListener struct {
	ln  net.Listener
	tls *tls.Config // nil for none
	opt Options

	ready   chan net.Conn
	done    chan struct{}
	running sync.WaitGroup
	once    sync.Once
	err     error // of closing ln

	mu      sync.Mutex
	shaking []net.Conn    // the oldest first
	places  chan struct{} // one is held by each that shakes or is shaken
}

func listenStream(t *target, o *Options) (backend, string, error) {
	l := &streamListener{
		opt:    *o,
		ready:  make(chan net.Conn),
		done:   make(chan struct{}),
		places: make(chan struct{}, maxShaking),
	}
	if t.scheme == schemeTLS {
		if c := o.TLS; c == nil || len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil {
			return nil, "", errNoCertificate
		}
		l.tls = o.TLS.Clone()
	}
	var err error
	url := t.url
	if t.scheme == schemeUnix {
		l.ln, err = listenUnix(t.path)
	} else if l.ln, err = net.Listen("tcp", t.hostPort()); err == nil {
		url = t.scheme + "://" + l.ln.Addr().String()
	}
	if err != nil {
		return nil, "", err
	}
	l.running.Go(l.run)
	return l, url, nil
}

// run takes connections until close.
func (l *streamListener) run() {
	wait := time.Duration(0)
	for {
		conn, err := l.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Such as no more descriptors: that takes time to get better.
			l.opt.Logger.Warn("fairlead: accept", "listener", l.ln.Addr(), "error", err)
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(wait):
			case <-l.done:
				return
			}
			continue
		}
		wait = 0
		if l.tls == nil {
			l.deliver(conn)
		} else {
			l.shake(tls.Server(spin.NewSocket(conn), l.tls))
		}
	}
}

// deliver waits for an Accept, and closes the connection if none comes.
func (l *streamListener) deliver(conn net.Conn) {
	select {
	case l.ready <- conn:
	case <-l.done:
		_ = conn.Close()
	}
}

// shake makes a handshake in a goroutine of its own. If too many are under way,
// the oldest gives way.
func (l *streamListener) shake(conn *tls.Conn) {
	select {
	case l.places <- struct{}{}:
	default:
		l.evict()
		select {
		case l.places <- struct{}{}:
		case <-l.done:
			_ = conn.Close()
			return
		}
	}
	l.mu.Lock()
	l.shaking = append(l.shaking, conn)
	l.mu.Unlock()
	l.running.Go(func() {
		defer func() { <-l.places }()
		ctx, cancel := context.WithTimeout(context.Background(), shakeTimeout)
		defer cancel()
		err := conn.HandshakeContext(ctx)
		l.mu.Lock()
		l.shaking = slices.DeleteFunc(l.shaking, func(c net.Conn) bool { return c == conn })
		l.mu.Unlock()
		if err != nil {
			l.opt.Logger.Warn("fairlead: TLS handshake", "listener", l.ln.Addr(), "peer", conn.RemoteAddr(), "error", err)
			_ = conn.Close()
			return
		}
		l.deliver(conn)
	})
}

// evict ends the oldest handshake.
func (l *streamListener) evict() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.shaking) > 0 {
		closeRaw(l.shaking[0])
	}
}

// closeRaw closes a connection in the middle of its handshake, without the
// farewell that TLS would wait to send.
func closeRaw(conn net.Conn) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	_ = conn.Close()
}

func (l *streamListener) accept(ctx context.Context, calls bool) (Pipe, error) {
	if l.isClosed() {
		return nil, ErrClosed
	}
	select {
	case conn := <-l.ready:
		o := l.opt
		o.calls = calls
		return newStreamPipe(conn, &o), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.done:
		return nil, ErrClosed
	}
}

func (l *streamListener) isClosed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *streamListener) close() error {
	l.once.Do(func() {
		close(l.done)
		l.err = l.ln.Close()
		l.mu.Lock()
		for _, c := range l.shaking {
			closeRaw(c)
		}
		l.mu.Unlock()
		l.running.Wait()
	})
	return l.err
}
