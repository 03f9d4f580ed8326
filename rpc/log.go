package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// logBegin and logEnd say in one line each that there is a connection, and why
// there is none any more.
func (c *Conn) logBegin() {
	if c.log != nil {
		c.log.Debug("rpc: connected", c.peerAttr())
	}
}

func (c *Conn) logEnd(err error) {
	if c.log == nil {
		return
	}
	level, what := slog.LevelWarn, "rpc: a connection was lost"
	var bad *protocolError
	var abort *abortError
	switch {
	case errors.As(err, &bad):
		level, what = slog.LevelError, "rpc: a peer is disconnected"
	case errors.As(err, &abort):
		what = "rpc: a peer aborted the connection"
	case err == errClosed, err == errHungUp:
		level, what = slog.LevelDebug, "rpc: disconnected"
	}
	s := c.Stats()
	c.log.LogAttrs(context.Background(), level, what, c.peerAttr(), slog.String("error", err.Error()),
		slog.Uint64("calls", s.Calls), slog.Uint64("answered", s.Answered))
}

// logOverload warns of the first call of a connection that is refused because too
// many execute.
func (c *Conn) logOverload(m Method) {
	if c.log != nil && c.warned.CompareAndSwap(false, true) {
		c.log.Warn("rpc: a peer's calls are refused, for too many of them execute", c.peerAttr(),
			"method", m.String(), "limit", c.limits.Calls)
	}
}

func (c *Conn) peerAttr() slog.Attr {
	p := c.Peer()
	if p == nil {
		p = "unknown"
	}
	return slog.String("peer", fmt.Sprint(p))
}

// panicLogger gives what is told of a panic in code that serves a call over c, which
// may be nil: nothing else would tell of it.
func (c *Conn) panicLogger() *slog.Logger {
	if c != nil && c.log != nil {
		return c.log
	}
	return slog.Default()
}
