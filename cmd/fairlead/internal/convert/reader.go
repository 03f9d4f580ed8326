package convert

import (
	"bufio"
	"errors"
	"io"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// Reader reads the messages of a stream one by one, for whoever does something
// else with them than to write them elsewhere.
type Reader struct {
	in   *bufio.Reader
	from source
	o    Options
	n    int // messages so far
}

// NewReader returns a reader of the messages of r, which are in the format
// o.From.
func NewReader(r io.Reader, o Options) *Reader {
	in := bufio.NewReaderSize(r, 64<<10)
	return &Reader{in: in, from: newSource(in, o), o: o}
}

// Next returns the next message, which the caller releases, or io.EOF. Any other
// error is that of the input itself, or an [*Error], and ends the stream.
func (r *Reader) Next() (*segment.Message, error) {
	if r.n == 0 && !r.o.Quiet {
		if err := r.o.look(r.in); err != nil {
			return nil, err
		}
	}
	msg, at, err := r.from.next()
	if err == io.EOF {
		return nil, err
	}
	r.n++
	if err == nil {
		return msg, nil
	}
	return nil, located(at, r.n, err)
}

// located says where in the input the message begins that err is about.
func located(at int64, n int, err error) error {
	var f *framing.Error
	if errors.As(err, &f) {
		err = f.Err // which knows the same offset
	}
	return &Error{at, n, err}
}

// Append appends a message in the format o.To, and leaves it to the caller. A
// fault of the message is an error.
func Append(dst []byte, msg *segment.Message, o Options) ([]byte, error) {
	dst, err := newAppender(o)(dst, msg)
	if err == nil {
		err = msg.Err()
	}
	return dst, err
}

// ReaderLimits are how much a message of so many bytes may cost those that read
// all of it.
func ReaderLimits(sizeBytes int64) segment.Limits {
	return segment.Limits{TraversalWords: readTimes*sizeBytes/8 + spareWords, Depth: maxDepth}
}
