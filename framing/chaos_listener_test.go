package framing_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// A listener is a goroutine that receives.
type listener struct {
	*end
	rnd   *rand.Rand
	alone bool
	last  map[uint64]uint64 // note of each speaker
}

// recv receives in one of the ways.
func (h *listener) recv(ctx context.Context) (err error) {
	one := func(msg *segment.Message, err error) error {
		if err == nil {
			h.got(msg, nil, 0)
		}
		return err
	}
	if h.most >= 0 {
		msg, files, err := h.p.RecvFiles(ctx, h.most)
		if err == nil {
			h.got(msg, files, h.most)
		}
		return err
	}
	switch h.rnd.IntN(6) {
	default:
		return one(h.p.Recv(ctx))
	case 0:
		msgs := make([]*segment.Message, 1+h.rnd.IntN(9))
		n, err := h.p.RecvAll(ctx, msgs)
		for _, m := range msgs[:n] {
			h.got(m, nil, 0)
		}
		if (err == nil) != (n > 0) {
			h.t.Errorf("RecvAll: %d messages, %v", n, err)
		}
		return err
	case 1:
		n := h.rnd.IntN(5)
		ended := true
		for msg, e := range h.p.Messages(ctx) {
			if err = one(msg, e); n == 0 {
				ended = false
				break
			}
			n--
		}
		if ended && err == nil {
			return io.EOF
		}
		return err
	case 2:
		most := h.rnd.IntN(chaosFiles)
		msg, files, err := h.p.RecvFiles(ctx, most)
		if err == nil {
			h.got(msg, files, -1)
		}
		if len(files) > most {
			h.t.Errorf("%d files came, want %d at most", len(files), most)
		}
		return err
	case 3:
		if !h.alone || !h.p.Buffered() {
			return nil
		}
		was := h.p.Stats().Reads
		err := one(h.p.Recv(context.Background()))
		if is := h.p.Stats().Reads; is != was {
			h.t.Errorf("%d reads for a message that was there", is-was)
		}
		return err
	}
}

// listen receives until the pipe ends.
func (h *listener) listen() {
	for {
		ctx, cancel := moment(h.rnd)
		err := h.recv(ctx)
		cancel()
		var at *framing.Error
		switch {
		case err == nil:
		case err == io.EOF:
			if !h.trouble.Load() {
				h.t.Error("an end that nobody made")
			}
			h.mu.Lock()
			h.atEnd = true
			h.mu.Unlock()
			return
		case errors.Is(err, segment.ErrMalformed) && h.o.VerifyOnRecv && errors.As(err, &at):
			h.failures.Add(1)
			h.mu.Lock()
			h.leftOut++
			h.mu.Unlock()
			h.came.Add(1)
		case errors.Is(err, segment.ErrLimit) && h.o.Limits.MessageBytes > 0 && errors.As(err, &at),
			errors.Is(err, io.ErrUnexpectedEOF) && h.trouble.Load() && errors.As(err, &at):
			h.failures.Add(1)
			return
		case h.isOver(ctx, "Recv", err):
			if !errors.Is(err, framing.ErrClosed) && !errors.As(err, &at) {
				h.t.Errorf("%v does not say where", err)
			}
			return
		}
		if h.rnd.IntN(30) == 0 {
			time.Sleep(time.Duration(h.rnd.IntN(1000)) * time.Microsecond)
		}
	}
}

// got takes a message with its files, of which there may be so many; -1 if it may
// have lost some.
func (h *listener) got(msg *segment.Message, files []*os.File, most int) {
	k, ok := readNote(msg)
	if !ok {
		h.t.Errorf("note %d of %d is wrong", k.n, k.from)
	}
	if k.faulty && h.o.VerifyOnRecv {
		h.t.Errorf("note %d of %d is faulty", k.n, k.from)
	}
	if k.n <= h.last[k.from] {
		h.t.Errorf("note %d of %d came after %d", k.n, k.from, h.last[k.from])
	}
	h.last[k.from] = k.n
	h.check(k, files, most)
	h.came.Add(1)
	keep := h.rnd.IntN(20)
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.heard[k.from]
	if of == nil {
		of = make(map[uint64]bool)
		h.heard[k.from] = of
	}
	if of[k.n] {
		h.t.Errorf("note %d of %d came twice", k.n, k.from)
	}
	of[k.n] = true
	switch keep {
	case 0:
		h.kept[msg] = k
	case 1, 2:
		h.all.Go(func() { h.release(msg, k) })
	default:
		msg.Release()
	}
}

// release looks at a message again before it does that.
func (e *end) release(msg *segment.Message, k note) {
	if again, ok := readNote(msg); !ok || again != k {
		e.t.Errorf("%+v is %+v while it is held", k, again)
	}
	msg.Release()
}

// check looks whether files are those of a note, and closes them.
func (e *end) check(k note, files []*os.File, most int) {
	var want []string
	for i := range e.files[:closedFile] {
		if k.files>>i&1 != 0 {
			want = append(want, strconv.Itoa(i))
		}
	}
	if k.files>>closedFile&1 == 0 {
		for i := closedFile + 1; i < chaosFiles; i++ {
			if k.files>>i&1 != 0 {
				want = append(want, strconv.Itoa(i))
			}
		}
	}
	if most < 0 {
		most = len(files)
	}
	var names []string
	for _, f := range files {
		var b [2]byte
		n, err := f.ReadAt(b[:], 0)
		if err != io.EOF {
			e.t.Errorf("a file that came: %v", err)
		}
		names = append(names, string(b[:n]))
		_ = f.Close()
	}
	if !slices.Equal(names, want[:min(most, len(want))]) {
		e.t.Errorf("with note %d of %d came files %q of %q, at most %d", k.n, k.from, names, want, most)
	}
}
