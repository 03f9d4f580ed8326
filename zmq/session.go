package zmq

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// maxCommand is the longest command that a peer may send after the handshake: a
// subscription with its topic.
const maxCommand = 2 * zmtp.MaxTopic

var (
	errSilent   = errors.New("zmq: the peer was silent for too long")
	errHandover = errors.New("zmq: another peer took over the routing id")
	errTaken    = errors.New("zmq: the routing id is in use")
	errSingle   = errors.New("zmq: a PAIR has one peer")
	errEvicted  = errors.New("zmq: too many handshakes at once")
)

// handshake makes the peer's acquaintance, within HandshakeTimeout.
func (c *conn) handshake() error {
	if d := c.s.opt.HandshakeTimeout; d < 1<<62 {
		_ = c.nc.SetDeadline(time.Now().Add(d))
		defer func() { _ = c.nc.SetDeadline(time.Time{}) }()
	}
	if err := c.greet(); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, unexpected(err))
	}
	var in []byte
	for {
		out, done, err := c.mech.Next(in)
		if out != nil {
			frame := zmtp.AppendHeader(nil, zmtp.FrameHeader{Command: true, Size: uint64(len(out))})
			if _, werr := c.nc.Write(append(frame, out...)); werr != nil && err == nil {
				err = werr
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrHandshake, err)
		}
		if done {
			c.wrap = c.mech.Wrapper()
			return nil
		}
		if in, err = c.awaitCommand(); err != nil {
			return fmt.Errorf("%w: %w", ErrHandshake, unexpected(err))
		}
	}
}

// awaitCommand reads the next command of the handshake, which is valid until the
// next read.
func (c *conn) awaitCommand() ([]byte, error) {
	need := zmtp.MaxHeader
	for {
		b := c.unread()
		h, n, err := zmtp.ParseHeader(b, zmtp.MaxHandshake)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			if !h.Command {
				return nil, fmt.Errorf("%w: a message in the handshake", zmtp.ErrMalformed)
			}
			if need = n + int(h.Size); len(b) >= need {
				c.r += need
				return b[n:need], nil
			}
		}
		if err := c.fetchStream(need); err != nil {
			return nil, err
		}
	}
}

// unexpected is what an error of reading is where more was to come.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// greet exchanges greetings and begins the mechanism.
func (c *conn) greet() error {
	sec := c.s.opt.Security
	local := zmtp.Greeting{Major: zmtp.Major, Minor: zmtp.Minor, Mechanism: sec.name(), AsServer: sec.server}
	if _, err := c.nc.Write(zmtp.AppendGreeting(nil, local)); err != nil {
		return err
	}
	var peer zmtp.Greeting
	for {
		if err := c.fetchStream(zmtp.GreetingSize); err != nil {
			return err
		}
		g, n, err := zmtp.ParseGreeting(c.stream.Mem[c.r:c.w])
		if err != nil {
			return err
		}
		if n > 0 {
			c.r += n
			peer = g
			break
		}
	}
	minor, err := zmtp.Negotiate(local, peer)
	if err != nil {
		return err
	}
	c.minor = minor
	c.mech, err = sec.start(c.s.metadata(), c.remote())
	return err
}

// metadata is what this socket says about itself.
func (s *Socket) metadata() zmtp.Metadata {
	m := zmtp.Metadata{{Name: zmtp.PropSocketType, Value: []byte(s.traits.wire)}}
	switch s.typ {
	case Req, Dealer, Router:
		m = append(m, zmtp.Property{Name: zmtp.PropIdentity, Value: s.opt.RoutingID})
	}
	return m
}

// remote is the address of the other end, "" where it has none.
func (c *conn) remote() string {
	if a := c.nc.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// track notes a connection, so that Close finds it. It closes the connection and
// gives false if the socket is closed.
func (s *Socket) track(nc net.Conn) bool {
	s.mu.Lock()
	defer s.unlock()
	select {
	case <-s.over:
		_ = nc.Close()
		return false
	default:
	}
	s.conns[nc] = struct{}{}
	return true
}

func (s *Socket) untrack(nc net.Conn) {
	s.mu.Lock()
	delete(s.conns, nc)
	s.unlock()
}

// session runs a connection from its greeting to its end. p is the peer that
// it is for, or nil for one that connected to us. It tells whether the handshake
// succeeded.
func (s *Socket) session(c *conn, e *endpoint, p *peer, shaken func()) (ok bool) {
	err := c.handshake()
	shaken()
	if err == nil {
		if p == nil {
			p = newPeer(s, e)
			defer func() {
				if ok {
					s.detach(p)
				}
			}()
		}
		c.peer = p
		if err = s.join(p, c); err == nil {
			ok = true
		}
	}
	if !ok {
		c.shut(err)
		if c.cause != nil {
			err = c.cause
		}
		s.event(Event{Kind: HandshakeFailed, Endpoint: e.String(), Remote: c.remote(), Err: err})
		c.free()
		return false
	}
	s.event(Event{Kind: HandshakeDone, Endpoint: e.String(), Remote: c.remote(), User: c.mech.User()})
	err = c.run()
	if errors.Is(err, zmtp.ErrLimit) {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	c.shut(err)
	s.leave(p, c)
	err = c.cause
	if err == nil {
		err = io.EOF
	}
	s.event(Event{Kind: Disconnected, Endpoint: e.String(), Remote: c.remote(), Err: err})
	c.free()
	return true
}

// join makes a connection the peer's, and writes what waits for it.
func (s *Socket) join(p *peer, c *conn) error {
	s.subMu.Lock()
	defer s.subMu.Unlock()
	s.mu.Lock()
	known := false
	for _, q := range s.peers {
		known = known || q == p
	}
	var err error
	var loser *peer
	var taken bool
	switch {
	case s.closing && !known, p.lost:
		err = ErrClosed
	case !known && s.full(p):
		err = errSingle
	default:
		if loser, taken = s.identify(p, c.mech.Peer().Identity()); !taken {
			err = errTaken
		}
	}
	if err != nil {
		s.unlock()
		return err
	}
	if loser != nil && loser.conn != nil {
		loser.conn.shut(errHandover)
	}
	if !known {
		s.peers = append(s.peers, p)
	}
	p.gone = false
	p.links++
	s.offer(p)
	s.forgetTopics(p)
	p.conn = c
	p.written = 0
	s.in.enter(c)
	if s.traits.subscribe {
		s.wanted.all(func(topic []byte) { p.subscription(zmtp.Subscription{Topic: topic}) })
	}
	if s.opt.ProbeRouter {
		switch s.typ {
		case Dealer, Req, Router:
			_ = p.pending.add([][]byte{{}}, owner{}) // which nobody can take away
			p.queued++
		}
	}
	if s.opt.Welcome != nil {
		_ = p.pending.add([][]byte{s.opt.Welcome}, owner{})
		p.queued++
		p.waiting += int64(len(s.opt.Welcome))
	}
	c.heard.Store(now())
	s.heartbeat(p, c)
	p.start(false)
	s.room.tellAll()
	s.unlock()
	return nil
}

// leave ends a peer's connection, which is shut.
func (s *Socket) leave(p *peer, c *conn) {
	s.mu.Lock()
	if c.beat != nil {
		c.beat.Stop()
	}
	if p.conn == c {
		p.conn = nil
	}
	p.waitIdle()
	if p.written > 0 { // and the writer did not notice
		c.unwritten(p, c.cause)
	}
	p.out.keepMessages(p.s)
	p.pending.keepMessages(p.s)
	p.pinged, p.ponged = false, false
	s.in.exit(c)
	// What arrived whole is still to be received.
	c.publish(false)
	if p.cause = c.cause; p.cause == nil {
		p.cause = io.EOF
	}
	s.ended(p)
	s.unlock()
}

// offer lets a Listener accept a peer. The caller has the lock.
func (s *Socket) offer(p *peer) {
	if s.accepts {
		s.in.makePrivate(p)
		s.fresh = append(s.fresh, p)
	}
}

// ended tells a pipe that its connection has ended. The caller has the lock.
func (s *Socket) ended(p *peer) {
	if s.one || s.accepts {
		p.lost = true
		s.in.finish(p, io.EOF)
	}
	s.room.tellAll()
}

// command does what a peer's command says.
func (c *conn) command(b []byte) error {
	cmd, err := zmtp.ParseCommand(b)
	if err != nil {
		return err
	}
	switch cmd.Name {
	case "PING":
		ping, err := zmtp.ParsePing(cmd.Data)
		if err != nil {
			return err
		}
		c.ttl.Store(int64(ping.TTL))
		c.s.mu.Lock()
		if p := c.peer; p.conn == c && !p.ponged {
			p.ponged = true
			p.pending.control(zmtp.AppendPong(nil, ping.Context))
			p.start(false)
		}
		if ping.TTL > 0 && c.peer.conn == c {
			c.s.expire(c.peer, c, ping.TTL)
		}
		c.s.unlock()
	case "PONG":
		_, err := zmtp.ParsePong(cmd.Data)
		return err
	case "SUBSCRIBE", "CANCEL":
		sub, ok, err := zmtp.ParseSubscription(true, b)
		if err != nil || !ok || !c.s.traits.filter {
			return err
		}
		err = c.s.subscribed(c.peer, sub)
		c.full = c.full || c.s.typ == XPub && c.peer.recvFull(1)
		return err
	case "ERROR":
		return fmt.Errorf("zmq: the peer sent ERROR %q", cmd.Data)
	}
	return nil // one of a later version, to be ignored
}

// heartbeat begins to ask the peer for signs of life. The caller has the lock.
func (s *Socket) heartbeat(p *peer, c *conn) {
	if s.opt.HeartbeatInterval > 0 && c.minor >= 1 {
		c.beat = time.AfterFunc(s.opt.HeartbeatInterval, func() { s.tick(p, c) })
	}
}

// expire looks at the peer again when it wants to be given up if it is silent,
// whether we send heartbeats or not. The caller has the lock.
func (s *Socket) expire(p *peer, c *conn, ttl time.Duration) {
	if c.beat == nil {
		c.beat = time.AfterFunc(ttl, func() { s.tick(p, c) })
		return
	}
	if own := s.opt.HeartbeatInterval; own > 0 {
		ttl = min(ttl, own)
	}
	c.beat.Reset(ttl)
}

// tick is called each HeartbeatInterval, and when the peer's time to live is over.
func (s *Socket) tick(p *peer, c *conn) {
	s.mu.Lock()
	defer s.unlock()
	if p.conn != c {
		return
	}
	silent := time.Duration(now() - c.heard.Load())
	if c.wait.Load() || s.in.attend(c) {
		silent = 0 // it is us who do not listen
	}
	var patience time.Duration
	next := s.opt.HeartbeatInterval
	if next > 0 {
		patience = s.opt.HeartbeatTimeout
	}
	if ttl := time.Duration(c.ttl.Load()); ttl > 0 && (patience == 0 || ttl < patience) {
		patience = ttl
	}
	if patience > 0 && silent >= patience {
		c.shut(errSilent)
		return
	}
	if next > 0 && silent >= next && !p.pinged {
		p.pinged = true
		p.pending.control(zmtp.AppendPing(nil, zmtp.Ping{TTL: s.opt.HeartbeatTTL}))
		p.start(false)
	}
	if left := max(patience-silent, time.Millisecond); patience > 0 && (next <= 0 || left < next) {
		next = left
	}
	if next > 0 {
		c.beat.Reset(next)
	}
}
