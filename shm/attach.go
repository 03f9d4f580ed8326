package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/internal/mem"
)

const (
	regionName = "fairlead-shm"
	// greetTimeout is how long two ends may take to become a pipe.
	greetTimeout = 5 * time.Second
	greetBytes   = 64
	// The region and two doorbells.
	greetDescriptors = 3
)

// The words of a greeting. Both ends send one; with it come the descriptors of the
// end's first region and of its doorbells, for receivers and for senders.
const (
	greetMagic = iota
	greetVersion
	greetStatus
	greetSize     // of the first region
	greetMaxBytes // of the peer's regions that this end maps
	greetGeneration
)

// What a listener answers instead.
const (
	statusOK = iota
	statusOverloaded
	statusNotAllowed
	statusReplace // a request: stop listening, another process does
)

type greeting [greetBytes / 8]uint64

func (g *greeting) bytes() []byte {
	b := make([]byte, greetBytes)
	for i, w := range g {
		binary.NativeEndian.PutUint64(b[8*i:], w)
	}
	return b
}

// receiveOffer reads the peer's greeting, and the descriptors that came with it.
func receiveOffer(conn *net.UnixConn) (*offer, error) {
	b := make([]byte, greetBytes)
	fds, err := mem.ReceiveDescriptors(conn, b, greetDescriptors)
	if err != nil {
		return nil, fmt.Errorf("%w: greeting: %w", ErrDisconnected, err)
	}
	from := &offer{fds: fds}
	for i := range from.greeting {
		from.greeting[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	if from.greeting[greetMagic] != magic || from.greeting[greetVersion] != version {
		closeAll(fds)
		return nil, corrupt("its greeting is %#x version %d, want %#x version %d",
			from.greeting[greetMagic], from.greeting[greetVersion], uint64(magic), version)
	}
	return from, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = os.NewFile(uintptr(fd), "").Close()
	}
}

// bounded gives conn the deadline of ctx, and at most the timeout of a greeting.
// The function that it returns ends that.
func bounded(ctx context.Context, conn *net.UnixConn) func() {
	_ = conn.SetDeadline(time.Now().Add(greetTimeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(deadline.Past) })
	return func() {
		stop()
		_ = conn.SetDeadline(time.Time{})
	}
}

// Attach makes a pipe over f, one of the two files of [Pair], and takes f over in
// every case. The other end has to be attached too, by another process or
// goroutine, for which Attach waits at most 5 seconds.
func Attach(ctx context.Context, f *os.File, o Options) (*Pipe, error) {
	if err := o.check(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c, err := net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("shm: attach: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%w: attach: %s is no unix socket", ErrAuth, f.Name()), c.Close())
	}
	return attach(ctx, conn, &o)
}

// attach makes a pipe over conn, which it takes over in every case. The options
// were checked.
func attach(ctx context.Context, conn *net.UnixConn, o *Options) (*Pipe, error) {
	user, err := admit(conn, o)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	free := bounded(ctx, conn)
	p, err := greet(conn, o, nil)
	free()
	if ctx.Err() != nil {
		err = fmt.Errorf("shm: attach: %w", ctx.Err())
		if p != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	p.run(user)
	return p, nil
}

// admit tells who the peer is, and whether it may be.
func admit(conn *net.UnixConn, o *Options) (Peer, error) {
	cred, err := mem.PeerCredentials(conn)
	if err != nil {
		return Peer{}, fmt.Errorf("shm: attach: %w", err)
	}
	if !o.allowed(cred.UID) {
		return Peer{}, fmt.Errorf("%w: the peer is of user %d, want one of %v", ErrAuth, cred.UID, o.UIDs)
	}
	return Peer{PID: cred.PID, UID: cred.UID, GID: cred.GID}, nil
}

// run starts the goroutine of a pipe.
func (p *Pipe) run(user Peer) {
	p.user = user
	p.out.gauge.set(countPeerPID, uint64(user.PID))
	if user.PID != os.Getpid() {
		// The end of the socket tells of a death too, but not while a child that the
		// peer has forked holds it. Where there is no such thing as a pidfd of a peer,
		// that has to do.
		p.process, _ = mem.PeerProcess(p.conn)
	}
	p.running.Add(1)
	go p.listen()
	point("attach.running")
	if p.process != nil {
		p.running.Add(1)
		go p.mourn()
	}
}

// mourn waits for the death of the peer.
func (p *Pipe) mourn() {
	defer p.running.Done()
	if p.process.Wait() == nil {
		p.end(errGone)
	}
}

// An offer is the greeting of a peer, and the descriptors that came with it.
type offer struct {
	greeting
	fds []int
}

// greet makes a pipe of what the two ends have to offer. theirs is nil if it was
// not received yet; its descriptors are taken over.
func greet(conn *net.UnixConn, o *Options, theirs *offer) (*Pipe, error) {
	p, own, err := newEnd(conn, o)
	if own != nil && theirs == nil {
		var e error
		theirs, e = receiveOffer(conn)
		switch {
		case e == nil && theirs.greeting[greetStatus] != statusOK:
			err = nil // it has hung up, perhaps before it had our offer, and says why
		case err == nil:
			err = e
		}
	}
	if err == nil {
		err = p.meet(o, own, theirs)
		theirs = nil
	}
	if theirs != nil {
		closeAll(theirs.fds)
	}
	if err != nil && own != nil {
		return nil, errors.Join(err, own.Release(), p.closeBells())
	}
	return p, err
}

// newEnd makes our part of a pipe and offers it to the peer.
func newEnd(conn *net.UnixConn, o *Options) (*Pipe, *mem.Shared, error) {
	own, err := mem.NewShared(regionName, firstRegionBytes, mem.SharedOptions{Populate: true, Huge: o.HugePages})
	if err != nil {
		return nil, nil, fmt.Errorf("shm: attach: %w", err)
	}
	point("attach.region")
	p := &Pipe{conn: conn, limits: o.Limits, manual: o.ManualFlush}
	fds := []int{own.Descriptor()}
	for _, bell := range []**mem.Doorbell{&p.receiveBell, &p.sendBell} {
		var far int
		if *bell, far, err = mem.NewDoorbell(); err != nil {
			err = fmt.Errorf("shm: attach: %w", err)
			break
		}
		fds = append(fds, far)
	}
	point("attach.bells")
	if err == nil {
		p.own, err = wordsOf(own.Bytes())
	}
	if err == nil {
		p.own.begin()
		point("attach.header")
		g := greeting{greetMagic: magic, greetVersion: version, greetSize: firstRegionBytes, greetMaxBytes: uint64(o.MaxBytes)}
		if err = mem.SendDescriptors(conn, g.bytes(), fds...); err != nil {
			err = disconnected(err)
		}
	}
	point("attach.offered")
	closeAll(fds[1:])
	return p, own, err
}

// closeBells closes the doorbells that there are.
func (p *Pipe) closeBells() error {
	var err error
	for _, bell := range []*mem.Doorbell{p.receiveBell, p.sendBell} {
		if bell != nil {
			err = errors.Join(err, bell.Close())
		}
	}
	return err
}

// meet takes what the peer offers.
func (p *Pipe) meet(o *Options, own *mem.Shared, from *offer) error {
	g, fds := from.greeting, from.fds
	var err error
	switch {
	case g[greetStatus] == statusOverloaded:
		err = fmt.Errorf("%w: the listener has as many as it may have", ErrOverloaded)
	case g[greetStatus] == statusNotAllowed:
		err = fmt.Errorf("%w: the listener does not admit user %d", ErrAuth, os.Geteuid())
	case g[greetStatus] != statusOK || len(fds) != greetDescriptors:
		err = corrupt("its greeting has status %d and %d descriptors", g[greetStatus], len(fds))
	case g[greetSize] < atBlocks || g[greetSize] > uint64(o.MaxBytes) || g[greetMaxBytes] < firstRegionBytes:
		err = corrupt("its first region has %d bytes, and it maps %d", g[greetSize], g[greetMaxBytes])
	}
	if err != nil {
		closeAll(fds)
		return err
	}
	point("attach.greeted")
	theirs, err := mem.OpenShared(fds[0], mem.OpenOptions{Size: int(g[greetSize]), Populate: true})
	if err != nil {
		closeAll(fds[1:])
		return disconnected(err)
	}
	point("attach.mapped")
	if err = p.receiveBell.Connect(fds[1]); err != nil {
		closeAll(fds[2:])
	} else {
		err = p.sendBell.Connect(fds[2])
	}
	if err != nil {
		return errors.Join(disconnected(err), theirs.Release())
	}
	point("attach.connected")
	if p.peer, err = wordsOf(theirs.Bytes()); err == nil {
		err = p.peer.checkHeader()
	}
	if err != nil {
		return errors.Join(err, theirs.Release())
	}
	point("attach.checked")
	p.start(o, own, theirs, min(uint64(o.MaxBytes), g[greetMaxBytes]))
	return nil
}

// start makes the two sides of a pipe.
func (p *Pipe) start(o *Options, own, theirs *mem.Shared, most uint64) {
	out := &p.out
	out.pipe, out.own, out.peer = p, &p.own, &p.peer
	out.store.begin(own, o)
	out.store.max = int64(most)
	out.store.announce, out.store.withdraw = p.announce, p.withdraw
	out.loans.begin()
	out.gauge = gaugeOf(p.own.w)
	out.wait.begin(p, p.sendBell, p.own.sendSleep, o.Wait, p.readyToSend)
	out.wait.armed = p.ask
	in := &p.in
	in.pipe, in.own, in.peer = p, &p.own, &p.peer
	in.regions = []*mem.Shared{theirs}
	in.setRange(0, theirs.Bytes())
	in.gauge = out.gauge
	in.size, in.max, in.unsealed = int64(len(theirs.Bytes())), o.MaxBytes, o.Unsealed
	in.wait.begin(p, p.receiveBell, p.own.receiveSleep, o.Wait, p.readyToReceive)
	p.memory = memory{out: out}
	for c := range p.small {
		p.small[c] = memory{out: out, least: classBytes(c)}
	}
}
