package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// What goes over the socket besides the first greeting. Each message is 16 bytes:
// kind, number of a region, its size. A request is answered once it is done, so
// that there are never more than a few under way, and no write of an honest end
// blocks.
const (
	controlAdd    = 1 + iota // here is a region; its descriptor comes along
	controlDrop              // a region is gone
	controlHurry             // put what you give back into the release ring
	controlAnswer            // to any of them: done
)

const (
	controlBytes = 16
	// controlTimeout is how long the peer may leave the socket full.
	controlTimeout = time.Second
	// drainTime is how long what a peer has told is read after its end. All of it
	// lies ready then; the limit is for a socket that somebody else keeps open.
	drainTime = 500 * time.Millisecond
)

// control is the socket between two ends, after the greeting.
type control struct {
	mu         sync.Mutex
	unanswered int
	hurrying   bool // a request to hurry is under way
	again      bool // and another is to follow an answer, for what has happened since
}

// errUnanswered says that there cannot be another request now.
var errUnanswered = errors.New("shm: requests that the peer has not answered yet")

// tell writes a message to the peer.
func (p *Pipe) tell(kind, id uint32, size uint64, fds ...int) error {
	c := &p.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind != controlAnswer {
		if c.unanswered >= maxUnanswered {
			return fmt.Errorf("%w: %d", errUnanswered, c.unanswered)
		}
		c.unanswered++
	}
	var b [controlBytes]byte
	binary.NativeEndian.PutUint32(b[:], kind)
	binary.NativeEndian.PutUint32(b[4:], id)
	binary.NativeEndian.PutUint64(b[8:], size)
	if err := p.conn.SetWriteDeadline(time.Now().Add(controlTimeout)); err != nil {
		return disconnected(err)
	}
	point("control.tell")
	err := mem.SendDescriptors(p.conn, b[:], fds...)
	point("control.told")
	if err != nil && len(fds) > 0 && isShortage(err) {
		c.unanswered-- // the system has no room for a descriptor on its way
		return err
	}
	if err != nil {
		err = disconnected(err)
		p.end(err)
	}
	return err
}

// announce tells the peer of a region.
func (p *Pipe) announce(r *region) error {
	return p.tell(controlAdd, uint32(r.id), uint64(len(r.shared.Bytes())), r.shared.Descriptor())
}

// withdraw tells the peer that a region is gone.
func (p *Pipe) withdraw(id int) error { return p.tell(controlDrop, uint32(id), 0) }

// hurry asks the peer for the leases that it has not given back yet, though it is
// done with them.
func (p *Pipe) hurry() {
	c := &p.control
	c.mu.Lock()
	under := c.hurrying
	c.hurrying, c.again = true, under
	c.mu.Unlock()
	if under || p.tell(controlHurry, 0, 0) == nil {
		return
	}
	c.mu.Lock()
	c.hurrying, c.again = false, true // after the next answer there is room for it
	c.mu.Unlock()
}

// listen reads what the peer says until the end.
func (p *Pipe) listen() {
	defer p.running.Done()
	err := p.obey()
	if err == io.EOF {
		err = errGone
	}
	p.end(err)
	p.drained.Store(true)
	p.out.reclaim()
	p.in.mu.Lock()
	p.in.wait.signal()
	p.in.mu.Unlock()
}

// obey does what the peer says.
func (p *Pipe) obey() error {
	var b [controlBytes]byte
	for {
		fds, err := mem.ReceiveDescriptors(p.conn, b[:], 1)
		if err == io.EOF {
			return err
		}
		if err != nil {
			return disconnected(err)
		}
		point("control.heard")
		kind, id := binary.NativeEndian.Uint32(b[:]), binary.NativeEndian.Uint32(b[4:])
		size := binary.NativeEndian.Uint64(b[8:])
		if (kind == controlAdd) != (len(fds) == 1) {
			closeAll(fds)
			return corrupt("a request of kind %d comes with %d descriptors", kind, len(fds))
		}
		switch kind {
		case controlAdd:
			err = p.in.addRegion(int(id), size, fds[0])
		case controlDrop:
			err = p.in.dropRegion(int(id))
		case controlHurry:
			p.peek()
			p.rest()
		case controlAnswer:
			err = p.answered(b)
		default:
			return corrupt("a request of kind %d", kind)
		}
		if err != nil {
			return err
		}
		if kind != controlAnswer {
			// A peer that is gone hears no answer, and may have told more before.
			_ = p.tell(controlAnswer, id, uint64(kind))
		}
	}
}

// answered is told that the peer has done what it was asked.
func (p *Pipe) answered(b [controlBytes]byte) error {
	id, kind := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint64(b[8:])
	c := &p.control
	c.mu.Lock()
	bad := c.unanswered == 0
	c.unanswered--
	if kind == controlHurry {
		c.hurrying = false
	}
	again := c.again && !c.hurrying
	c.again = c.again && !again
	c.mu.Unlock()
	if again {
		p.hurry()
	}
	p.out.mu.Lock()
	if !bad && kind == controlDrop {
		bad = !p.out.store.known(int(id))
	}
	if kind == controlDrop || p.out.store.unheard {
		p.out.free()
	}
	p.out.mu.Unlock()
	if bad {
		return corrupt("an answer that nobody waits for, to a request of kind %d", kind)
	}
	return nil
}

// addRegion maps a region of the peer, and closes fd.
func (in *incoming) addRegion(id int, size uint64, fd int) error {
	in.mu.Lock()
	bad := id <= 0 || id >= maxRegions || in.known(id)
	room := in.max - in.size
	in.mu.Unlock()
	if bad || size == 0 || size > uint64(room) {
		closeAll([]int{fd})
		return corrupt("a region of %d bytes has number %d; %d bytes of %d are left", size, id, room, in.max)
	}
	s, err := mem.OpenShared(fd, mem.OpenOptions{
		Size: int(size), Populate: size <= mostRegionBytes, Unsealed: in.unsealed,
	})
	if err != nil {
		return fmt.Errorf("%w: region %d: %w", ErrDisconnected, id, err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	point("control.mapped")
	for id >= len(in.regions) {
		in.regions = append(in.regions, nil)
	}
	in.regions[id] = s
	in.setRange(id, s.Bytes())
	in.size += int64(size)
	in.wait.signal()
	if in.member != nil {
		in.member.poller.nudge()
	}
	return nil
}

// dropRegion gives up a region of the peer. Messages that are in it, which an
// honest peer would have waited for, keep it.
func (in *incoming) dropRegion(id int) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if id <= 0 || !in.known(id) {
		return corrupt("region %d is gone, which there was not", id)
	}
	s := in.regions[id]
	in.regions[id] = nil
	in.setRange(id, nil)
	in.size -= int64(len(s.Bytes()))
	point("control.dropped")
	if err := s.Release(); err != nil {
		return disconnected(err)
	}
	return nil
}
