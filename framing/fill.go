package framing

import (
	"errors"
	"fmt"
	"io"
)

// fill makes the first n bytes of the message under way be there. Asked with
// growing n for one message, it stops at each n as at the end of a piece, which
// no packed run may cross. After an error of a deadline it may be asked again.
func (d *Decoder) fill(n int) error {
	if d.end-d.start >= n && d.format == Binary {
		return nil
	}
	return d.fillSlow(n)
}

func (d *Decoder) fillSlow(n int) error {
	for {
		have := d.end - d.start
		if have > n || n <= d.pieces {
			return nil
		}
		if have == n && !d.unpack.AwaitsCount() {
			if !d.unpack.AtBoundary() {
				return malformed("a packed run goes %d words past the end of the message's %s", d.unpack.RunLeft(), pieceName(n))
			}
			d.pieces = n // asked again, the next piece may have begun
			return nil
		}
		if have < n {
			d.makeRoom(n)
		}
		if err := d.more(d.start + n); err != nil {
			if err != io.EOF {
				return err
			}
			if d.end == d.start && (d.format == Binary || d.taken == d.offset) {
				return io.EOF
			}
			return io.ErrUnexpectedEOF
		}
	}
}

func pieceName(n int) string {
	if n == wordBytes {
		return "first word"
	}
	return "segment table or content"
}

// makeRoom makes place for at least one more word of a message of n bytes, and
// for all of them if the stream has earned it.
func (d *Decoder) makeRoom(n int) {
	have := d.end - d.start
	if d.buf == nil {
		d.relocate(d.roomFor(n, have))
		return
	}
	room := len(d.buf.Mem) - d.end
	if d.start+n <= len(d.buf.Mem) {
		// It fits. But a small rest of a buffer makes small reads.
		if room >= d.window/4 || have > cheapCopy {
			return
		}
		d.relocate(d.roomFor(n, have))
		return
	}
	size := d.roomFor(n, have)
	if size < n && room >= wordBytes {
		return // what comes next is its proof
	}
	d.relocate(size)
}

// roomFor is how large a buffer the message under way gets: all of its n bytes
// if what was delivered, or lies in memory, stands for them; else twice what
// it has.
func (d *Decoder) roomFor(n, have int) int {
	if n <= sharedFrame {
		if d.exact {
			return n
		}
		return max(n, d.window)
	}
	size := min(int64(n), max(2*int64(have), d.received+unproven))
	if size < int64(n) {
		size = min(int64(n), max(size, int64(have)+int64(d.known())))
	}
	return int(size+wordBytes-1) &^ (wordBytes - 1)
}

// relocate moves the message under way to the front of a buffer of at least
// size bytes: of this one if nobody else is in it.
func (d *Decoder) relocate(size int) {
	if d.buf != nil && d.buf.Sole() && size <= len(d.buf.Mem) {
		d.end = copy(d.buf.Mem, d.buf.Mem[d.start:d.end])
		d.start = 0
		return
	}
	b, fresh := buffers.Get(size)
	if fresh {
		d.allocated++
	}
	if d.buf != nil {
		d.end = copy(b.Mem, d.buf.Mem[d.start:d.end])
		d.buf.Release()
	}
	d.buf, d.start = b, 0
}

// more gets bytes into the buffer, as many as there are at once. Up to the
// offset upto they belong to the message under way. The error io.EOF says that
// there are no more.
func (d *Decoder) more(upto int) error {
	if !d.format.packed() {
		to := min(upto, len(d.buf.Mem))
		if !d.exact && !d.format.flat() && upto-d.start <= sharedFrame {
			to = min(max(upto, d.end+d.window), len(d.buf.Mem))
		}
		n, err := d.read(d.buf.Mem[d.end:to])
		d.end += n
		d.received += int64(n)
		return err
	}
	dst := d.buf.Mem[d.end:min(upto, len(d.buf.Mem))]
	if len(d.src) == 0 && (d.unpack.RunLeft() == 0 || len(dst) == 0) {
		if err := d.readPacked(); err != nil {
			return err
		}
	}
	nd, ns := d.unpack.Unpack(dst[:len(dst)&^(wordBytes-1)], d.src)
	if nd == 0 && ns == 0 {
		// A run of raw words, which a run of zeros isn't, needs bytes.
		return d.readPacked()
	}
	d.src = d.src[ns:]
	d.end += nd
	d.received += int64(nd)
	d.taken += int64(ns)
	return nil
}

// readPacked fetches bytes to be unpacked.
func (d *Decoder) readPacked() error {
	if d.r == nil {
		return io.EOF
	}
	if d.in == nil || len(d.in.Mem) < d.window {
		if d.in != nil {
			d.in.Release()
		}
		d.in, _ = buffers.Get(d.window)
	}
	n, err := d.read(d.in.Mem[:d.window])
	d.src = d.in.Mem[:n]
	return err
}

// maxEmptyReads is how often a reader may deliver neither bytes nor an error.
const maxEmptyReads = 100

// read is one read that delivers something. One that fills all that it was given
// opens the window wider, for there is more where it came from.
func (d *Decoder) read(p []byte) (int, error) {
	if err := d.readErr; err != nil {
		d.readErr = nil
		return 0, err
	}
	for range maxEmptyReads {
		n, err := d.r.Read(p)
		d.reads++
		if n < 0 || n > len(p) {
			return 0, fmt.Errorf("framing: the reader says that it read %d bytes into %d", n, len(p))
		}
		if n > 0 {
			if n == len(p) && n >= d.window/4 {
				d.window = min(4*d.window, maxWindow)
			}
			d.readErr = err
			return n, nil
		}
		if errors.Is(err, io.EOF) {
			// Some wrap it; only here it is known to mean the end.
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}
