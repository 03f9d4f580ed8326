package framing_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing/iotest"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// A scroll is one stream of notes.
type scroll struct {
	*chaos
	format framing.Format
	notes  []note
	msgs   []*segment.Message
	sizes  []int64 // of their segments
	stream []byte  // all of them
	ends   []int   // of each in the stream
	all    sync.WaitGroup
}

// scroll is one session of a format: a stream is written in some ways, breaks perhaps,
// and is read in some ways.
func (c *chaos) scroll(f framing.Format, rnd *rand.Rand) {
	v := &scroll{chaos: c, format: f}
	v.make(rnd)
	switch rnd.IntN(3) {
	case 0:
		v.over(rnd)
	case 1:
		v.inFile(rnd)
	case 2:
		v.inMemory(rnd)
	}
	v.all.Wait()
	for _, m := range v.msgs {
		m.Release()
	}
}

func (v *scroll) flat() bool { return v.format == framing.Flat || v.format == framing.FlatPacked }

// make makes the notes and the stream.
func (v *scroll) make(rnd *rand.Rand) {
	begin := func(hint int) *segment.Message { return segment.NewSized(v.pool, hint) }
	n := rnd.IntN(30)
	if v.flat() {
		n = rnd.IntN(2)
	}
	from := v.ids.Add(1)
	for i := range n {
		k := note{from: from, n: uint64(i + 1), size: someSize(rnd)}
		k.faulty = rnd.IntN(20) == 0
		if k.faulty {
			k.size = 0
		}
		msg := v.build(rnd, k, begin)
		if v.flat() && msg.Segments() > 1 {
			msg.Release()
			msg = segment.NewSized(heap{}, 2*k.size+100)
			if k.write(msg); msg.Segments() > 1 {
				v.t.Errorf("%d bytes take %d segments", k.size, msg.Segments())
			}
		}
		b, err := framing.Append(v.stream, msg, v.format)
		if err != nil {
			v.t.Error(err)
		}
		v.stream = b
		v.notes = append(v.notes, k)
		v.msgs = append(v.msgs, msg)
		v.sizes = append(v.sizes, msg.SizeBytes())
		v.ends = append(v.ends, len(b))
	}
}

// write writes the stream in several ways. The error is that of the writer.
func (v *scroll) write(w io.Writer, rnd *rand.Rand) error {
	e := framing.NewEncoder(w, framing.EncoderOptions{Format: v.format})
	for _, m := range v.msgs {
		if rnd.IntN(8) == 0 {
			broken := segment.New(heap{})
			broken.Fail(errNote)
			if err := e.Encode(broken); !errors.Is(err, errNote) {
				return err
			}
		}
		var err error
		way := rnd.IntN(6)
		if way < 2 {
			if err = e.Flush(); err != nil {
				return err
			}
		}
		switch {
		case way == 0 && v.format == framing.Binary:
			err = framing.Write(w, m)
		case way == 1:
			var b []byte
			if b, err = framing.Append(nil, m, v.format); err == nil {
				_, err = w.Write(b)
			}
		default:
			if err = e.Encode(m); err == nil && v.flat() {
				if err := e.Encode(m); !errors.Is(err, framing.ErrFlat) {
					v.t.Errorf("a second message on a flat stream: %v", err)
				}
			}
			if err != nil {
				if again := e.Encode(m); again != err {
					v.t.Errorf("after %v: %v", err, again)
				}
			}
		}
		if err == nil && rnd.IntN(4) == 0 {
			err = e.Flush()
		}
		if err != nil {
			return err
		}
	}
	return e.Flush()
}

// begin is where note i begins in the stream.
func (v *scroll) begin(i int) int {
	if i == 0 {
		return 0
	}
	return v.ends[i-1]
}

// A scan is one reading of a stream.
type scan struct {
	*scroll
	o       framing.DecoderOptions
	rnd     *rand.Rand
	how     string
	came    int  // notes that came or were left out
	inPlace bool // the limit of a message does not matter
	short   bool // what came of a flat stream is its beginning
}

func (v *scroll) scan(how string, rnd *rand.Rand) *scan {
	s := &scan{scroll: v, rnd: rnd, how: how, o: framing.DecoderOptions{Format: v.format, Verify: rnd.IntN(3) == 0}}
	if rnd.IntN(4) == 0 {
		s.o.Limits.MessageBytes = 20_000
	}
	return s
}

// plain is without options, as some of the functions are.
func (s *scan) plain() *scan {
	s.o = framing.DecoderOptions{}
	return s
}

// got takes the next note.
func (s *scan) got(msg *segment.Message) {
	i := s.came
	s.came++
	if i >= len(s.notes) {
		s.t.Errorf("%s: %d notes came of %d", s.how, s.came, len(s.notes))
		msg.Release()
		return
	}
	if s.flat() && msg.SizeBytes() < s.sizes[i] {
		s.short = true // what is cut between two words is taken for whole
		msg.Release()
		return
	}
	k := s.notes[i]
	if again, err := framing.Append(nil, msg, s.format); err != nil || !bytes.Equal(again, s.stream[s.begin(i):s.ends[i]]) {
		s.t.Errorf("%s: note %d is another: %v", s.how, i, err)
	}
	look := func() {
		if is, ok := readNote(msg); !ok || is.n != k.n || is.from != k.from || is.faulty != k.faulty {
			s.t.Errorf("%s: %+v is %+v", s.how, k, is)
		}
		msg.Release()
	}
	if s.rnd.IntN(4) == 0 {
		s.all.Go(look)
	} else {
		look()
	}
}

// decode reads until the end, and gives the error at it.
func (s *scan) decode(d *framing.Decoder) error {
	for {
		msg, err := d.Decode()
		if err == nil {
			s.got(msg)
			if at := d.Offset(); !s.short && s.came <= len(s.ends) && at != int64(s.ends[s.came-1]) {
				s.t.Errorf("%s: offset %d behind note %d, want %d", s.how, at, s.came-1, s.ends[s.came-1])
			}
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if s.o.Verify && s.came < len(s.notes) && (s.notes[s.came].faulty || s.flat()) && errors.Is(err, segment.ErrMalformed) {
			s.at(err)
			s.short = s.flat() // perhaps
			s.came++
			continue
		}
		if _, again := d.Decode(); again != err {
			s.t.Errorf("%s: after %v: %v", s.how, err, again)
		}
		return err
	}
}

// at looks whether an error says where it is.
func (s *scan) at(err error) {
	var at *framing.Error
	if s.flat() {
		return // there is one message
	}
	if !errors.As(err, &at) || at.Offset != int64(s.begin(s.came)) {
		s.t.Errorf("%s: %v, want it at %d", s.how, err, s.begin(s.came))
	}
}

// end looks at how a reading ended that was given the first n bytes.
func (s *scan) end(err error, n int) {
	limit := s.o.Limits.MessageBytes
	if errors.Is(err, segment.ErrLimit) && !s.inPlace && limit > 0 && s.came < len(s.notes) && s.sizes[s.came] > limit {
		s.at(err)
		return
	}
	whole := 0
	for whole < len(s.ends) && s.ends[whole] <= n && (s.inPlace || limit == 0 || s.sizes[whole] <= limit) {
		whole++
	}
	cut := n > s.begin(whole)
	switch {
	case s.short && cut && err == io.EOF:
		return
	case s.short && !s.notes[0].faulty:
		s.t.Errorf("%s: a whole message came as its beginning, or malformed", s.how)
	case errors.Is(err, errRough):
		if s.flat() {
			whole = 0 // its end never came
		}
	case cut && errors.Is(err, io.ErrUnexpectedEOF):
	case !cut && err == io.EOF:
	default:
		s.t.Errorf("%s: %v at the end of %d bytes of %d, behind note %d", s.how, err, n, len(s.stream), whole)
	}
	if err != io.EOF {
		s.at(err)
	}
	if s.came != whole {
		s.t.Errorf("%s: %d notes came of %d: %v", s.how, s.came, whole, err)
	}
}

// inMemory reads the stream, or its beginning, from memory.
func (v *scroll) inMemory(rnd *rand.Rand) {
	var b bytes.Buffer
	if err := v.write(&b, rnd); err != nil || !bytes.Equal(b.Bytes(), v.stream) {
		v.t.Errorf("an Encoder's %d bytes are not the %d of Append: %v", b.Len(), len(v.stream), err)
	}
	for range 4 {
		cut := v.stream
		if rnd.IntN(2) == 0 {
			cut = cut[:rnd.IntN(len(cut)+1)]
		}
		v.readBytes(rnd, cut)
	}
}

// readBytes reads the beginning of the stream in one of the ways.
func (v *scroll) readBytes(rnd *rand.Rand, cut []byte) {
	ways := 3
	if v.format == framing.Binary {
		ways = 6
	}
	switch rnd.IntN(ways) {
	case 0:
		s := v.scan("NewSliceDecoder", rnd)
		s.inPlace = v.format == framing.Binary || v.format == framing.Flat
		s.end(s.decode(framing.NewSliceDecoder(cut, s.o)), len(cut))
	case 1:
		s := v.scan("NewDecoder of bytes", rnd)
		s.end(s.decode(framing.NewDecoder(bytes.NewReader(cut), s.o)), len(cut))
	case 2:
		s := v.scan("NewDecoder of parts", rnd)
		var r io.Reader = randomReader{bytes.NewReader(cut), rnd}
		if rnd.IntN(2) == 0 {
			r = iotest.DataErrReader(r)
		}
		s.end(s.decode(framing.NewDecoder(r, s.o)), len(cut))
	case 3:
		s := v.scan("Unmarshal", rnd).plain()
		rest := cut
		for {
			msg, next, err := framing.Unmarshal(rest)
			if err != nil {
				s.endOfOne(err, len(cut))
				return
			}
			s.got(msg)
			rest = next
		}
	case 4:
		s := v.scan("Reopen", rnd).plain()
		msg, _, err := framing.Unmarshal([]byte{4: 1, 15: 0})
		if err != nil {
			v.t.Error(err)
		}
		defer msg.Release()
		rest := cut
		for {
			next, err := framing.Reopen(msg, rest)
			if err != nil {
				s.endOfOne(err, len(cut))
				return
			}
			if is, ok := readNote(msg); !ok || s.came >= len(v.notes) || is.n != v.notes[s.came].n {
				v.t.Errorf("Reopen: note %d is %+v", s.came, is)
			}
			s.came++
			rest = next
		}
	case 5:
		s := v.scan("Read", rnd).plain()
		r := bytes.NewReader(cut)
		for {
			msg, err := framing.Read(randomReader{r, rnd})
			if err != nil {
				s.endOfOne(err, len(cut))
				return
			}
			s.got(msg)
			if at := len(cut) - r.Len(); at != v.ends[s.came-1] {
				v.t.Errorf("Read took %d bytes, want %d", at, v.ends[s.came-1])
			}
		}
	}
}

// endOfOne is end for functions that know of one message only.
func (s *scan) endOfOne(err error, n int) {
	var at *framing.Error
	if errors.As(err, &at) {
		if at.Offset != 0 {
			s.t.Errorf("%s: %v, want it at 0", s.how, err)
		}
		err = &framing.Error{Offset: int64(s.begin(s.came)), Err: at.Err}
	}
	s.end(err, n)
}

// inFile reads the stream, or its beginning, from a file that is closed at any time.
func (v *scroll) inFile(rnd *rand.Rand) {
	file, err := os.CreateTemp(v.t.TempDir(), "")
	if err != nil {
		v.t.Error(err)
		return
	}
	cut := len(v.stream)
	if err := v.write(file, rnd); err != nil {
		v.t.Error(err)
	}
	if rnd.IntN(2) == 0 {
		cut = rnd.IntN(cut + 1)
		if err := file.Truncate(int64(cut)); err != nil {
			v.t.Error(err)
		}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		v.t.Error(err)
	}
	s := v.scan("NewDecoder of a file", rnd)
	s.end(s.decode(framing.NewDecoder(file, s.o)), cut)
	if err := file.Close(); err != nil {
		v.t.Error(err)
	}
	f, err := framing.Open(file.Name())
	if err != nil {
		v.t.Error(err)
		return
	}
	if !bytes.Equal(f.Bytes(), v.stream[:cut]) {
		v.t.Error("the file has other bytes")
	}
	early := rnd.IntN(2) == 0
	var reading sync.WaitGroup
	for range 1 + rnd.IntN(3) {
		own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		reading.Go(func() {
			var err error
			s := v.scan("Decoder of a file", own)
			s.inPlace = v.format == framing.Binary || v.format == framing.Flat
			if v.format == framing.Binary && own.IntN(3) == 0 {
				s.plain().how = "Messages of a file"
				err = io.EOF
				for msg, e := range f.Messages() {
					if err = e; err != nil {
						break
					}
					s.got(msg)
					err = io.EOF
				}
			} else {
				err = s.decode(f.Decoder(s.o))
			}
			if errors.Is(err, framing.ErrClosed) && early {
				s.at(err)
				return
			}
			s.end(err, cut)
		})
	}
	if early {
		time.Sleep(time.Duration(rnd.IntN(500)) * time.Microsecond)
	} else {
		reading.Wait()
	}
	if err := f.Close(); err != nil {
		v.t.Error(err)
	}
	reading.Wait()
	v.all.Wait()
	if n := f.Holds(); n != 0 {
		v.t.Errorf("a closed file whose messages are released has %d holders", n)
	}
}

// A tally counts what was read from a connection, whose reads run into deadlines.
type tally struct {
	net.Conn
	rnd  *rand.Rand
	late bool // deadlines are set
	n    int
}

func (c *tally) Read(p []byte) (int, error) {
	if c.late {
		var d time.Time
		if c.rnd.IntN(2) == 0 {
			d = time.Now().Add(time.Duration(c.rnd.IntN(100)) * time.Microsecond)
		}
		_ = c.SetReadDeadline(d) // fails where the other end is closed
	}
	n, err := c.Conn.Read(p)
	c.n += n
	return n, err
}

// over reads the stream from a connection while it is written.
func (v *scroll) over(rnd *rand.Rand) {
	x, y := conns(v.t, []string{"tcp", "unix", "net.Pipe"}[rnd.IntN(3)])
	roughly := func(c net.Conn) net.Conn {
		if rnd.IntN(2) == 0 {
			return newRough(rnd, c, func() {})
		}
		return c
	}
	to, from := roughly(x), roughly(y)
	s := v.scan("NewDecoder of a connection", rnd)
	alone := v.format == framing.Binary && rnd.IntN(4) == 0
	read := &tally{Conn: from, rnd: rnd, late: !alone}
	wrote := make(chan error, 1)
	own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
	v.all.Go(func() {
		err := v.write(to, own)
		_ = x.Close()
		wrote <- err
	})
	var err error
	if alone {
		s.plain().how = "Read of a connection"
		for err == nil {
			var msg *segment.Message
			if msg, err = framing.Read(read); err == nil {
				s.got(msg)
				if read.n != v.ends[s.came-1] {
					v.t.Errorf("Read took %d bytes, want %d", read.n, v.ends[s.came-1])
				}
			}
		}
		s.endOfOne(err, read.n)
	} else {
		err = s.decode(framing.NewDecoder(read, s.o))
		s.end(err, read.n)
	}
	_ = y.Close()
	werr := <-wrote
	if (werr == nil) != (read.n == len(v.stream)) && errors.Is(err, io.EOF) {
		v.t.Errorf("%d bytes of %d came, the writer says %v", read.n, len(v.stream), werr)
	}
	if werr != nil && err == io.EOF && !errors.Is(werr, errRough) && !errors.Is(werr, io.ErrShortWrite) {
		v.t.Errorf("writing: %v", werr)
	}
}
