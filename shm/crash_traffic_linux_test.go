package shm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// A journal is what a party of the crash test notes in memory that outlives it.
// The words are written by the party only, but for the last.
type journal []mem.Word

// The words of a journal.
const (
	noteStage     = iota // how far the connection is; see the stages
	noteAttempted        // messages that Send was called for
	noteSent             // messages that Send returned from without an error
	noteReceived         // messages that were received and right
	noteReleased         // of these, how many were or are being released
	noteWrong            // 1 if a message was wrong, or an error unexpected
	noteFired            // 1 when the point is reached at which to be killed
	noteAccepted         // 1 when the survivor has the first pipe
	noteWords
)

// Stages of a party.
const (
	stageStarted = 1 + iota
	stageConnected
	stageDone
)

func (j journal) note(what int, v uint64) { j[what].Store(v) }
func (j journal) noted(what int) uint64   { return j[what].Load() }
func (j journal) add(what int, by uint64) { j.note(what, j.noted(what)+by) }

// crashData is byte i of what message k carries.
func crashData(k uint64, i int) byte { return byte(k*131 + uint64(i)*7 + uint64(i)>>8) }

func fillCrashData(b []byte, k uint64) {
	for i := range b {
		b[i] = crashData(k, i)
	}
}

// crashParts are the lengths of the data that message k carries: from what fits
// into a slot to what needs a region of its own.
func crashParts(k uint64) []int {
	switch k % 8 {
	case 0, 1:
		return []int{int(k/8) % 24}
	case 2:
		return []int{200}
	case 3:
		return []int{4000, 90}
	case 4:
		return []int{300, 3000, 9000, 70, 20000, 50, 40000, 11, 80000} // segment upon segment
	case 5:
		return []int{40 << 10}
	case 6:
		return []int{crashPart}
	}
	if k%64 == 63 {
		return []int{6 << 20}
	}
	return []int{1000}
}

// Every eighth message refers to part of another one: of a message of the sender's own,
// or of one that its peer has sent, which has number from. It begins at byte skip.
const (
	crashPart  = 3000
	crashWhole = 40 << 10 // what a message has of which others are part
	fromOwn    = 5        // the number by which the sender's own is filled
)

func crashSkip(k uint64) int { return int(k%4000) * 8 }

// referCrash fills a message that refers to data, which are those of message from.
func referCrash(m *segment.Message, k, from uint64, data []byte, release func()) {
	root := m.NewRoot(segment.Size{DataWords: 2, Ptrs: 1})
	root.SetUint64(0, k)
	root.SetUint64(8, from)
	root.Ptr(0).SetExternalData(data[crashSkip(k):][:crashPart], release)
}

// buildCrash fills a message of the pipe's memory with what number k says.
func buildCrash(m *segment.Message, k uint64) {
	parts := crashParts(k)
	root := m.NewRoot(segment.Size{DataWords: 1, Ptrs: uint16(len(parts))})
	root.SetUint64(0, k)
	for i, n := range parts {
		fillCrashData(root.NewData(uint16(i), n), k+uint64(i))
	}
}

// verifyCrash compares a received message with what number k says.
func verifyCrash(m *segment.Message, k uint64) error {
	root := m.Root().Struct()
	if got := root.Uint64(0); got != k {
		return fmt.Errorf("message %d came where %d was due", got, k)
	}
	number, skip := k, 0
	if from := root.Uint64(8); from != 0 {
		number, skip = from, crashSkip(k)
	}
	for i, n := range crashParts(k) {
		b := root.Data(uint16(i))
		if len(b) != n {
			return fmt.Errorf("message %d: part %d has %d bytes, want %d", k, i, len(b), n)
		}
		// Of large parts some; all of the others.
		step := 1 + n>>16
		for j := 0; j < n; j += step {
			if want := crashData(number+uint64(i), skip+j); b[j] != want {
				return fmt.Errorf("message %d: part %d: byte %d is %#x, want %#x", k, i, j, b[j], want)
			}
		}
	}
	return m.Err()
}

// A party sends and receives by one pipe, both at once, until that ends.
type party struct {
	pipe *Pipe
	journal
	random *rand.Rand
	// reached is told of the points of this file.
	reached func(point string)
	// quota ends it after as many messages each way; 0 means never.
	quota uint64

	held []heldMessage
	back chan heldMessage // received, of which parts are to be sent back
}

type heldMessage struct {
	m    *segment.Message
	k    uint64
	data []byte // of one that is to be sent back: one goroutine at a time reads a message
}

var errWrong = errors.New("wrong")

// run returns how sending and receiving ended.
func (p *party) run(ctx context.Context) (sending, receiving error) {
	var wg sync.WaitGroup
	p.back = make(chan heldMessage, 2)
	seed := p.random.Uint64()
	wg.Go(func() { sending = p.send(ctx, rand.New(rand.NewPCG(seed, 1))) })
	receiving = p.receive(ctx)
	wg.Wait()
	close(p.back)
	for h := range p.back {
		h.m.Release()
	}
	return sending, receiving
}

// send sends messages of the pipe and of a Writer.
func (p *party) send(ctx context.Context, random *rand.Rand) error {
	w := p.pipe.Writer()
	defer w.Close() // has no packs, and so nothing to tell
	own := p.pipe.NewMessage(crashWhole + 64)
	defer own.Release()
	whole := own.RootBuilder().NewData(crashWhole)
	fillCrashData(whole, fromOwn)
	for k := uint64(1); p.quota == 0 || k <= p.quota; k++ {
		if random.IntN(16) == 0 {
			m := p.pipe.NewMessage(random.IntN(100000))
			p.reached("abandon")
			m.Release()
		}
		p.reached("build")
		begin, send := p.pipe.NewMessage, p.pipe.Send
		if random.IntN(2) == 0 {
			begin, send = w.NewMessage, w.Send
		}
		m := begin(random.IntN(2) * 1200)
		if k%8 == 6 {
			select {
			case h := <-p.back:
				referCrash(m, k, h.k, h.data, h.m.Release)
			default:
				referCrash(m, k, fromOwn, whole, own.Retain().Release)
			}
		} else {
			buildCrash(m, k)
		}
		p.reached("built")
		p.note(noteAttempted, k)
		if err := send(ctx, m); err != nil {
			return err
		}
		p.note(noteSent, k)
		p.reached("sent")
		if random.IntN(64) == 0 {
			time.Sleep(time.Duration(random.IntN(200)) * time.Microsecond)
		}
	}
	return p.pipe.Flush()
}

// receive receives messages, some to be held and some by a Reader.
func (p *party) receive(ctx context.Context) error {
	r := p.pipe.Reader()
	defer r.Close()
	for k := uint64(1); p.quota == 0 || k <= p.quota; k++ {
		if p.random.IntN(4) == 0 {
			if err := p.read(ctx, r, k); err != nil {
				return err
			}
			continue
		}
		m, err := p.pipe.Recv(ctx)
		if err != nil {
			return err
		}
		p.reached("received")
		if err := verifyCrash(m, k); err != nil {
			m.Release()
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		p.note(noteReceived, k)
		if k%8 == 5 {
			select {
			case p.back <- heldMessage{m.Retain(), k, m.Root().Struct().Data(0)}:
			default:
				m.Release()
			}
		}
		p.held = append(p.held, heldMessage{m, k, nil})
		for keep := p.random.IntN(6); len(p.held) > keep; {
			if err := p.release(p.random.IntN(len(p.held))); err != nil {
				return err
			}
		}
		if p.random.IntN(64) == 0 {
			time.Sleep(time.Duration(p.random.IntN(200)) * time.Microsecond)
		}
	}
	return nil
}

// read receives a message by a Reader and gives it back.
func (p *party) read(ctx context.Context, r *Reader, k uint64) error {
	m, err := r.Next(ctx)
	if err != nil {
		return err
	}
	p.reached("received")
	if err := verifyCrash(m, k); err != nil {
		return fmt.Errorf("%w: %w", errWrong, err)
	}
	p.note(noteReceived, k)
	p.add(noteReleased, 1)
	p.reached("release")
	r.Done()
	p.reached("released")
	return nil
}

// release gives one of the held messages back, which is as it was.
func (p *party) release(i int) error {
	h := p.held[i]
	p.held = append(p.held[:i], p.held[i+1:]...)
	err := verifyCrash(h.m, h.k)
	p.add(noteReleased, 1)
	p.reached("release")
	h.m.Release()
	p.reached("released")
	if err != nil {
		return fmt.Errorf("%w: held: %w", errWrong, err)
	}
	return nil
}

// releaseAll gives all held messages back.
func (p *party) releaseAll() error {
	var first error
	for len(p.held) > 0 {
		if err := p.release(len(p.held) - 1); err != nil && first == nil {
			first = err
		}
	}
	return first
}
