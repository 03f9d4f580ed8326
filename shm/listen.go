package shm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Listener accepts pipes by a socket in a folder.
//
// The socket has mode 0600, and the folder must belong to this user, or to root,
// and be writable for nobody else; a folder that is missing is made with mode 0700.
// A socket that a dead process has left is replaced.
//
// For a hot restart the new process listens with Options.Replace: at one instant
// new peers come to it, and the old Listener's Accept gives [ErrReplaced] once it
// has given all those that had come before. Pipes that are open go on.
type Listener struct {
	folder *folder
	name   string
	file   os.FileInfo // of our socket
	ln     *net.UnixListener
	opts   Options

	mu       sync.Mutex
	peers    int // open pipes of ours, and those that are being made
	greeting int // connections that have not said yet what they want
	stopped  bool

	pipes   chan *Pipe
	done    chan struct{}   // closed by Close
	ctx     context.Context // ends with it
	cancel  context.CancelFunc
	over    chan struct{} // closed when nothing more is accepted
	err     error         // why, if over
	running sync.WaitGroup

	closing  sync.Once
	closeErr error
}

// ErrReplaced is matched by the error of an Accept after another process has
// replaced the Listener.
var ErrReplaced = errors.New("shm: another process listens now")

// maxGreeting is how many connections may be at their first greeting.
const maxGreeting = 256

// Listen makes a socket at path and listens. The caller closes the Listener.
func Listen(path string, o Options) (*Listener, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	l, err := listen(path, o, replace)
	if err != nil {
		return nil, fmt.Errorf("shm: listen: %w", err)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.running.Add(1)
	go l.accept()
	return l, nil
}

// listen makes a listener. ask is called once it can be found, with a connection to
// the one that it replaces, nil if there is none.
func listen(path string, o Options, ask func(old *net.UnixConn) error) (*Listener, error) {
	d, err := openFolder(filepath.Dir(path), true)
	if err != nil {
		return nil, err
	}
	l := &Listener{
		folder: d, name: filepath.Base(path), opts: o,
		pipes: make(chan *Pipe, o.MaxPeers), done: make(chan struct{}), over: make(chan struct{}),
	}
	if err := l.bind(ask); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return l, nil
}

// bind makes the socket. Two processes that do so at once do it one after the
// other.
func (l *Listener) bind(ask func(old *net.UnixConn) error) error {
	unlock, err := l.folder.lock()
	if err != nil {
		return err
	}
	point("listen.locked")
	defer unlock()
	old, err := l.former()
	if err != nil {
		return err
	}
	if old != nil {
		defer old.Close()
	}
	// Made under another name and then renamed, it listens from the first instant
	// that it can be found.
	temp := "." + l.name + ".new"
	if err := l.folder.remove(temp); err != nil {
		return err
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return restrict(c) }}
	ln, err := lc.Listen(context.Background(), "unix", l.folder.path(temp))
	if err != nil {
		return err
	}
	l.ln = ln.(*net.UnixListener)
	l.ln.SetUnlinkOnClose(false)
	point("listen.bound")
	if l.file, err = l.folder.stat(temp); err == nil {
		err = l.folder.rename(temp, l.name)
	}
	if err != nil {
		return errors.Join(err, l.ln.Close(), l.folder.remove(temp))
	}
	point("listen.named")
	if err := ask(old); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", l.name, err), l.ln.Close())
	}
	return nil
}

// former looks at what is at the path, and returns a connection to whoever listens
// there, if that is to be replaced.
func (l *Listener) former() (*net.UnixConn, error) {
	info, err := l.folder.stat(l.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := ownSocket(info); err != nil {
		return nil, fmt.Errorf("%w: %s %w", ErrAuth, l.name, err)
	}
	c, err := net.DialTimeout("unix", l.folder.path(l.name), greetTimeout)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, nil // left by a process that died
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, l.name, err)
	}
	if !l.opts.Replace {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, l.name), c.Close())
	}
	return c.(*net.UnixConn), nil
}

// replace asks the listener at the other end of conn to stop.
func replace(conn *net.UnixConn) error {
	if conn == nil {
		return nil
	}
	return askToStop(conn, magic, version, greetTimeout)
}

// askToStop asks who listens at the other end of conn, by words of its kind, to give
// up its place. What it answers has to come within a time, too.
func askToStop(conn *net.UnixConn, magic, version uint64, within time.Duration) error {
	g := greeting{greetMagic: magic, greetVersion: version, greetStatus: statusReplace}
	_ = conn.SetDeadline(time.Now().Add(within))
	if _, err := conn.Write(g.bytes()); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	return nil
}

// Accept waits for the next pipe. The caller closes it. The error is [ErrClosed]
// after Close, [ErrReplaced], the end of ctx, or one of the system. A peer that
// may not connect, or that makes mistakes, is no error.
func (l *Listener) Accept(ctx context.Context) (*Pipe, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("shm: accept: %w", err)
	}
	select {
	case p := <-l.pipes:
		return p, nil
	case <-l.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("shm: accept: %w", ctx.Err())
	case <-l.over:
	}
	select {
	case p := <-l.pipes:
		return p, nil
	default:
		return nil, l.err
	}
}

// Path is where the Listener listens.
func (l *Listener) Path() string { return filepath.Join(l.folder.Name(), l.name) }

// Close ends listening, removes the socket, and closes the pipes that were not
// accepted. Those that were go on. Closing again gives the same.
func (l *Listener) Close() error {
	l.closing.Do(func() {
		close(l.done)
		l.cancel()
		err := l.unlink()
		if e := l.ln.Close(); !errors.Is(e, net.ErrClosed) { // as it is if it was replaced
			err = errors.Join(err, e)
		}
		l.running.Wait()
		for len(l.pipes) > 0 {
			err = errors.Join(err, (<-l.pipes).Close())
		}
		err = errors.Join(err, l.folder.Close())
		if err != nil {
			l.closeErr = fmt.Errorf("shm: close: %w", err)
		}
	})
	return l.closeErr
}

// isLost tells whether another socket is where ours was.
func (l *Listener) isLost() bool {
	info, err := l.folder.stat(l.name)
	return err == nil && !os.SameFile(info, l.file)
}

// unlink removes the socket, if it is still ours. It is called before that is closed:
// from then on another file may have its number, and be taken for it.
func (l *Listener) unlink() error {
	unlock, err := l.folder.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := l.folder.stat(l.name); err != nil || l.isLost() {
		return nil // another's, or removed by somebody
	}
	return l.folder.remove(l.name)
}

// accept greets all who connect, each in a goroutine of its own.
func (l *Listener) accept() {
	defer l.running.Done()
	var err error
	for {
		var conn *net.UnixConn
		if conn, err = l.ln.AcceptUnix(); err != nil {
			if isShortage(err) {
				select { // no descriptors are left: others have to go first
				case <-time.After(10 * time.Millisecond):
					continue
				case <-l.done:
				}
			}
			break
		}
		l.mu.Lock()
		full := l.greeting >= maxGreeting
		if !full {
			l.greeting++
		}
		l.mu.Unlock()
		if full {
			_ = conn.Close()
			continue
		}
		l.running.Add(1)
		go l.greet(conn)
	}
	l.mu.Lock()
	if l.stopped {
		err = ErrReplaced
	}
	l.mu.Unlock()
	if l.ctx.Err() != nil {
		err = ErrClosed
	}
	l.err = fmt.Errorf("shm: accept: %w", err)
	close(l.over)
}

// greet makes a pipe with one who has connected.
func (l *Listener) greet(conn *net.UnixConn) {
	defer l.running.Done()
	p := l.welcome(conn)
	l.mu.Lock()
	l.greeting--
	l.mu.Unlock()
	if p == nil {
		_ = conn.Close()
		return
	}
	l.pipes <- p // has room for all there may be
}

func (l *Listener) welcome(conn *net.UnixConn) *Pipe {
	user, err := admit(conn, &l.opts)
	if err != nil {
		l.refuse(conn, statusNotAllowed)
		return nil
	}
	p, err := l.meet(conn, user)
	if err == nil && l.ctx.Err() != nil {
		_ = p.Close() // which closes conn too
		return nil
	}
	if err != nil {
		return nil
	}
	p.run(user)
	return p
}

// meet does what a peer wants: to be a pipe, or to replace us.
func (l *Listener) meet(conn *net.UnixConn, user Peer) (*Pipe, error) {
	defer bounded(l.ctx, conn)()
	from, err := receiveOffer(conn)
	if err != nil {
		if l.isLost() { // to one that died before it could ask for that
			l.stop()
		}
		return nil, err
	}
	if from.greeting[greetStatus] == statusReplace {
		closeAll(from.fds)
		if user.UID == os.Geteuid() {
			l.stop()
		}
		return nil, ErrReplaced
	}
	if !l.come() {
		closeAll(from.fds)
		l.refuse(conn, statusOverloaded)
		return nil, ErrOverloaded
	}
	p, err := greet(conn, &l.opts, from)
	if err != nil {
		l.gone()
		return nil, err
	}
	p.onClose = l.gone
	return p, nil
}

// come counts one more pipe, if there may be one.
func (l *Listener) come() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peers >= l.opts.MaxPeers {
		return false
	}
	l.peers++
	return true
}

// refuse tells a peer why it is not wanted.
func (l *Listener) refuse(conn *net.UnixConn, status uint64) {
	g := greeting{greetMagic: magic, greetVersion: version, greetStatus: status}
	_ = conn.SetDeadline(time.Now().Add(greetTimeout))
	_, _ = conn.Write(g.bytes())
}

// gone is told that a pipe is closed.
func (l *Listener) gone() {
	l.mu.Lock()
	l.peers--
	l.mu.Unlock()
}

// stop ends listening because another process does. Who has connected before is
// still accepted.
func (l *Listener) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	_ = l.ln.SetDeadline(time.Now().Add(lastCall))
}

// lastCall is how long a listener that was replaced takes those that had found its
// socket just before.
const lastCall = 50 * time.Millisecond

// Dial makes a pipe with the process that listens at path, which must be of one of
// the users of Options.UIDs. The caller closes it.
func Dial(ctx context.Context, path string, o Options) (*Pipe, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("shm: dial %s: %w", path, err)
	}
	p, err := attach(ctx, conn, &o)
	if err != nil {
		return nil, fmt.Errorf("shm: dial %s: %w", path, err)
	}
	return p, nil
}

func dial(ctx context.Context, path string) (*net.UnixConn, error) {
	d, err := openFolder(filepath.Dir(path), false)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", d.path(filepath.Base(path)))
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}
