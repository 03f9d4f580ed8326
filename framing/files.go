package framing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// MaxFiles is how many files a message of this pipe can carry: 253 over a unix
// socket on Linux, and else 0.
func (p *Pipe) MaxFiles() int {
	if p.unix == nil {
		return 0
	}
	return mem.MaxDescriptors
}

// SendFiles is [Pipe.Send] of a message that files ride along with: their
// descriptors, of which the receiver gets others. They stay the caller's, who
// keeps them open until Flush. One that is closed by then does not go, nor do
// those behind it; nor does any where the kernel has none left, or too many of
// this user's are on their way (its limit of open files). The message goes in
// every case.
//
// Where [Pipe.MaxFiles] is less than there are files, nothing is sent, and the
// error matches [errors.ErrUnsupported].
func (p *Pipe) SendFiles(ctx context.Context, msg *segment.Message, files []*os.File) error {
	err := p.sendFiles(ctx, msg, files)
	if err != nil {
		p.stats.errors.Add(1)
	}
	return err
}

func (p *Pipe) sendFiles(ctx context.Context, msg *segment.Message, files []*os.File) error {
	if most := p.MaxFiles(); len(files) > most {
		msg.Release()
		return fmt.Errorf("framing: send: %d files with a message, at most %d here: %w", len(files), most, errors.ErrUnsupported)
	}
	return p.send(ctx, msg, files)
}

// RecvFiles is [Pipe.Recv] with up to most of the files that ride along with the
// message. They are the caller's, who closes them. What comes beyond that is
// closed at once, as is what comes with a message that Recv takes. Files ride
// with the first byte of a message, as those of the C++ library do; others are
// closed.
func (p *Pipe) RecvFiles(ctx context.Context, most int) (*segment.Message, []*os.File, error) {
	if p.unix == nil || most < 0 {
		most = 0
	}
	msg, files, err := p.recv(ctx, most)
	if err != nil && err != io.EOF {
		p.stats.errors.Add(1)
	}
	return msg, files, err
}

// filesIn is the files that have arrived. It belongs to the one who receives.
type filesIn struct {
	reader mem.FileReader
	most   int // that the one who receives wants with a message; 0 reads without any

	last     []*os.File // came with the last read
	from, to int64      // what that read of the stream
	mine     []*os.File // ride with the message under way
}

// read is a read of the connection.
//
// The kernel gives the descriptors of one write only, together with bytes of that
// write at the end of what is read. They ride with its first byte, and nothing
// else was written with the message that this begins: so it is the last one that
// begins in the bytes of this read.
func (f *filesIn) read(d *Decoder, b []byte) (n int, err error) {
	// The message under way goes on behind the bytes of the read before, and so
	// none begins there behind its own beginning.
	f.settle(d.offset)
	n, files, err := f.reader.Read(b, f.most)
	f.last, f.from, f.to = files, d.received, d.received+int64(n)
	return n, err
}

// settle tells whose the files of the last read are: those of the message that
// begins at the offset begin, or nobody's.
func (f *filesIn) settle(begin int64) {
	switch {
	case f.last == nil:
		return
	case f.from <= begin && begin < f.to && f.mine == nil:
		f.mine = f.last
	default:
		closeFiles(f.last)
	}
	f.last = nil
}

// take gives the files of the message that lies from begin to end, and closes
// those that turn out to be nobody's.
func (f *filesIn) take(begin, end int64) []*os.File {
	if f.to <= end {
		f.settle(begin)
	}
	files := f.mine
	f.mine = nil
	if n := f.most; len(files) > n {
		closeFiles(files[n:])
		files = files[:n:n]
	}
	return files
}

// any tells whether there are files to be settled or taken.
func (f *filesIn) any() bool { return f.last != nil || f.mine != nil }

// drop closes all.
func (f *filesIn) drop() {
	closeFiles(f.last)
	closeFiles(f.mine)
	f.last, f.mine = nil, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // there is nothing to be written
	}
}

// filesOut is files that ride with an entry of a batch.
type filesOut struct {
	entry int
	files []*os.File
}

// addWith is add of a message with files. It has entries of its own, so that
// nothing is written together with its beginning.
func (b *batch) addWith(segs [][]byte, files []*os.File) (refers bool, err error) {
	was := b.open
	b.open = false
	entry := len(b.vec)
	refers, err = b.add(segs, Binary)
	if err != nil {
		b.open = was
		return false, err
	}
	b.open = false
	b.files = append(b.files, filesOut{entry, files})
	return refers, nil
}

// writeFiles is writeTo where files are to be sent.
func (b *batch) writeFiles(c *net.UnixConn) error {
	for len(b.files) > 0 {
		f := b.files[0]
		if ahead := f.entry - (len(b.vec) - len(b.left)); ahead > 0 {
			before := b.left[:ahead]
			b.writes++
			_, err := before.WriteTo(c)
			b.left = b.left[ahead-len(before):]
			if err != nil {
				return err
			}
		}
		b.writes++
		n, sent, err := mem.WriteFiles(c, b.left[0], f.files)
		if n > 0 {
			b.sentFiles += uint64(sent)
			b.files[0] = filesOut{}
			b.files = b.files[1:]
			b.left[0] = b.left[0][n:]
			if len(b.left[0]) == 0 {
				b.left[0] = nil
				b.left = b.left[1:]
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// filesOf gives the files that rode with the message that began at begin and has
// been decoded, or has not.
func (p *Pipe) filesOf(begin int64, err error) []*os.File {
	end := p.dec.offset
	if end == begin {
		return nil
	}
	files := p.filesIn.take(begin, end)
	if err != nil { // it was left out, because it is faulty
		closeFiles(files)
		return nil
	}
	p.stats.receivedFiles.Add(uint64(len(files)))
	return files
}
