// Package pretty lays out nested lists and records as the capnp tool does, in
// its text form and in its JSON.
//
// A list is printed in one line while its items are short, and with one item a
// line once one of them is not:
//
//	[1, 2, 3]
//	[ "a text that takes more room than that",
//	  "b" ]
//
// Whether it breaks is known only after an item was printed. A [Writer] writes
// every list as if it stayed in one line, keeps where its items start, and on
// the first item that is too long opens the gaps of all lists around it in one
// move: a list breaks only together with those it lies in. So nothing is built
// beside the output, and what is moved is short.
package pretty

import (
	"errors"
	"fmt"
	"math"
)

// MaxNested limits how deep groups may nest, and default values with what is in
// them: the limits of a message do not bound those.
const MaxNested = 256

var (
	// ErrTooLong is matched by the error of output that would exceed its limit.
	ErrTooLong = errors.New("output exceeds its limit")
	// ErrTooDeep is matched by the error of groups or default values that nest
	// more than MaxNested deep.
	ErrTooDeep = errors.New("nested too deeply")
)

// Style is what the text form and JSON do differently.
type Style struct {
	// Short puts everything in one line.
	Short bool
	// Delim stands between items in one line; it ends in a space unless Short.
	Delim string
	// Item is the longest item, in bytes, of a list in one line, and Total, if
	// not 0, the most that the items of a record may have together.
	Item, Total int
	// Alone keeps a list of one item in one line whatever its length.
	Alone bool
}

// Writer appends to Buf, from Start on; leaves are appended to Buf directly,
// between Item and EndItem. It is for one goroutine.
type Writer struct {
	Buf   []byte
	Style Style
	// Max limits how long Buf may get, in bytes. What was printed is somewhat
	// longer when it is noticed.
	Max int
	// Err is the first error, of the limit or of the caller. It stops Item.
	Err error

	nesting Nesting
	levels  []level
	marks   []int // where the items of the levels that may still break start
	decided int   // levels[:decided] are broken, or alone
}

type level struct {
	indent   int // of its items, in bytes
	mark     int // index of its first mark
	item     int // start of the item that is being written
	sum      int // of the items' lengths
	n        int // items started
	record   bool
	prefixed bool // something stands before the list in its line
	alone    bool // never breaks
	broken   bool
}

// Fail keeps err, unless there is an error already.
func (w *Writer) Fail(err error) {
	if w.Err == nil {
		w.Err = err
	}
}

// Start makes w append to dst, at most most bytes. Of an earlier use only the
// memory for the levels stays.
func (w *Writer) Start(dst []byte, style Style, most int) {
	*w = Writer{Buf: dst, Style: style, Max: len(dst) + min(most, math.MaxInt-len(dst)), levels: w.levels[:0], marks: w.marks[:0]}
	if cap(w.marks) > 1<<16 {
		w.marks = nil
	}
}

// Finish gives Buf, which the Writer forgets, and the first error.
func (w *Writer) Finish() ([]byte, error) {
	buf := w.Buf
	w.Buf = nil
	return buf, w.Err
}

// Nesting is how deep a Writer is in what the message's limits do not bound.
type Nesting struct {
	levels    int
	inDefault bool
}

// Nest counts a level that the message's limits do not bound, until Unnest. It
// reports false, and the level is not to be printed, if that is one too many.
func (w *Writer) Nest() bool {
	w.nesting.levels++
	if w.nesting.levels > MaxNested {
		w.Fail(fmt.Errorf("%w: more than %d levels of groups or default values", ErrTooDeep, MaxNested))
		return false
	}
	return true
}

// Unnest ends a level of Nest.
func (w *Writer) Unnest() { w.nesting.levels-- }

// InDefault reports whether what is printed lies in a default value, whose
// levels are for Nest to count.
func (w *Writer) InDefault() bool { return w.nesting.inDefault }

// Follow says that what is printed now lies behind a pointer of the message,
// which counts its own depth, or of a default value. Its result is for Return.
func (w *Writer) Follow(isDefault bool) Nesting {
	around := w.nesting
	if isDefault {
		w.nesting.inDefault = true
	} else if !around.inDefault {
		w.nesting.levels = 0
	}
	return around
}

// Return ends what Follow began.
func (w *Writer) Return(around Nesting) { w.nesting = around }

// Open starts a list or a record, whose opening bracket the caller writes
// before and whose closing bracket after Close. n is its number of items, of
// use where the style has Alone; indent is how far its items are indented,
// and prefixed says that something but white space stands before the bracket.
func (w *Writer) Open(n, indent int, record, prefixed bool) {
	w.levels = append(w.levels, level{
		indent: indent, mark: len(w.marks), record: record, prefixed: prefixed,
		alone: w.Style.Short || w.Style.Alone && n <= 1,
	})
}

// Item starts the next item. It reports false when the caller should stop.
func (w *Writer) Item() bool {
	if len(w.Buf) > w.Max || w.Err != nil {
		w.full()
		return false
	}
	lv := &w.levels[len(w.levels)-1]
	switch {
	case lv.broken:
		w.gap(lv)
	case lv.n > 0:
		w.Buf = append(w.Buf, w.Style.Delim...)
	}
	lv.n++
	lv.item = len(w.Buf)
	if !lv.alone && !lv.broken {
		w.marks = append(w.marks, lv.item)
	}
	return true
}

//go:noinline
func (w *Writer) full() {
	w.Fail(fmt.Errorf("%w of %d bytes", ErrTooLong, w.Max))
}

// gap starts an item on a line of its own.
func (w *Writer) gap(lv *level) {
	switch {
	case lv.n > 0:
		w.Buf = append(w.Buf, ',', '\n')
	case lv.prefixed:
		w.Buf = append(w.Buf, '\n')
	default:
		w.Buf = append(w.Buf, ' ')
		return
	}
	w.Buf = appendSpaces(w.Buf, lv.indent)
}

// EndItem ends the item that Item started.
func (w *Writer) EndItem() {
	if len(w.levels) <= w.decided {
		return
	}
	lv := &w.levels[len(w.levels)-1]
	if lv.alone {
		return
	}
	n := len(w.Buf) - lv.item
	lv.sum += n
	if n > w.Style.Item || lv.record && w.Style.Total != 0 && lv.sum > w.Style.Total {
		w.split()
	}
}

// Close ends the list that Open started.
func (w *Writer) Close() {
	top := len(w.levels) - 1
	lv := &w.levels[top]
	if lv.broken {
		w.Buf = append(w.Buf, ' ')
	}
	w.marks = w.marks[:min(lv.mark, len(w.marks))]
	w.levels = w.levels[:top]
	w.decided = min(w.decided, top)
}

// Long says that n bytes are about to be written to the item at hand: if they
// do not fit in a line, the lists around break now, before there is more to move.
func (w *Writer) Long(n int) {
	if n > w.Style.Item && len(w.levels) > w.decided {
		w.split()
	}
}

// Reserve reports whether Buf may take n more bytes.
func (w *Writer) Reserve(n int) bool {
	if w.Err == nil && (n > math.MaxInt-len(w.Buf) || len(w.Buf)+n > w.Max) {
		w.full()
	}
	return w.Err == nil
}

// split breaks every open list that is not broken yet and can be: it makes room
// in front of their items, whose starts the marks are, from the last to the first.
func (w *Writer) split() {
	levels := w.levels[w.decided:]
	w.decided = len(w.levels)
	shift := 0
	for i := range levels {
		lv := &levels[i]
		if lv.alone {
			continue
		}
		lv.broken = true
		shift += (lv.n-1)*lv.indent + 1
		if lv.prefixed {
			shift += lv.indent
		}
	}
	end := len(w.Buf)
	if end+shift > w.Max {
		w.full()
		w.marks = w.marks[:0]
		return
	}
	w.Buf = grow(w.Buf, shift)
	buf := w.Buf
	last := len(w.marks)
	for i := len(levels) - 1; i >= 0; i-- {
		lv := &levels[i]
		if lv.alone {
			continue
		}
		for k := last - 1; k >= lv.mark; k-- {
			start := w.marks[k]
			copy(buf[start+shift:], buf[start:end])
			end = start
			to := start + shift
			switch {
			case k > lv.mark: // ", " becomes ",\n" and the indent
				spaces(buf[to-lv.indent : to])
				buf[to-lv.indent-1] = '\n'
				buf[to-lv.indent-2] = ','
				end -= 2
				shift -= lv.indent
			case lv.prefixed:
				spaces(buf[to-lv.indent : to])
				buf[to-lv.indent-1] = '\n'
				shift -= lv.indent + 1
			default:
				buf[to-1] = ' '
				shift--
			}
		}
		last = lv.mark
	}
	w.marks = w.marks[:0]
}

func grow(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = append(b, make([]byte, n)...)
		return b
	}
	return b[:len(b)+n]
}

func spaces(b []byte) {
	for i := range b {
		b[i] = ' '
	}
}

func appendSpaces(b []byte, n int) []byte {
	const some = "                                                                "
	for n > len(some) {
		b = append(b, some...)
		n -= len(some)
	}
	return append(b, some[:n]...)
}
