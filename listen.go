package fairlead

import (
	"context"
)

// Listener accepts pipes at a URL. All methods may be called from any goroutine.
type Listener struct {
	url string
	opt Options
	b   backend
}

// A backend is a transport's listener.
type backend interface {
	// accept waits for the next peer, for package rpc if calls is set. After close
	// it gives an error that matches ErrClosed.
	accept(ctx context.Context, calls bool) (Pipe, error)
	// close stops to listen. Pipes that were accepted live on.
	close() error
}

// Listen listens at a URL:
//
//	tcp://127.0.0.1:5555   one address
//	tcp://*:5555           every address; tcp://:5555 as well
//	tcp://127.0.0.1:*      whichever port is free; 0 as well
//	tls://…                the same, with Options.TLS
//	unix:///run/x.sock     a socket in the file system
//	shm:///run/x.sock      shared memory, agreed upon by a socket in the file system
//	zmq+tcp://…            as tcp, for ZeroMQ's sockets
//	zmq+ipc:///run/x.sock  as unix, for ZeroMQ's sockets
//	zmq+inproc://name      within this process
//
// A socket in the file system that its process left behind, and that nobody
// listens at any more, is taken over. Who may connect to one is said by the
// permissions of its folder. The caller closes the listener.
func Listen(url string, o Options) (*Listener, error) {
	t, err := parse(url, true)
	if err != nil {
		return nil, err
	}
	if o, err = o.withDefaults("listen", url); err != nil {
		return nil, err
	}
	l := &Listener{opt: o}
	switch t.scheme {
	case schemeZMQTCP, schemeZMQIPC, schemeInproc:
		l.b, l.url, err = listenZMQ(&t, &o)
	case schemeShm:
		l.b, l.url, err = listenShm(&t, &o)
	default:
		l.b, l.url, err = listenStream(&t, &o)
	}
	if err != nil {
		return nil, about("listen", url, err)
	}
	return l, nil
}

// URL is where the listener is bound, as others can dial it: with the port that
// was free, if any was asked for.
func (l *Listener) URL() string { return l.url }

// Accept waits for the next peer. Who does not complete a handshake holds nobody
// up. The caller closes the pipe.
func (l *Listener) Accept(ctx context.Context) (Pipe, error) {
	p, err := l.b.accept(ctx, false)
	if err != nil {
		return nil, about("accept", l.url, err)
	}
	return p, nil
}

// Close stops to listen and wakes Accept with [ErrClosed]. Pipes that were
// accepted live on. Closing again does nothing.
func (l *Listener) Close() error {
	if err := l.b.close(); err != nil {
		return about("close", l.url, err)
	}
	return nil
}
