package rpcbench

import (
	"context"
	"net"
	"runtime"
	"sync"
)

// floor is the client of a bare loop over a connection: frames of the sizes of
// Cap'n Proto's, and nothing else of an RPC. Where one goroutine calls it writes
// and reads itself. Where many do, whoever finds nobody writing writes for all,
// and a goroutine reads the replies.
type floor struct {
	link link
	conn net.Conn
	in   *floorIn
	out  []byte
	many *floorMany

	parts   [2][]byte // for writev, which moves buffers
	buffers net.Buffers
}

func floorLibrary() library {
	return library{
		serve: func(l link) (string, error) {
			return listenAndServe(l, func(c net.Conn) { go serveFloor(c) })
		},
		dial: func(ctx context.Context, l link) (caller, error) {
			c, err := dialConn(ctx, l)
			if err != nil {
				return nil, err
			}
			f := &floor{link: l, conn: c, in: newFloorIn(c, floorReturn)}
			if l.many {
				f.many = newFloorMany(c, f.in)
			}
			return f, nil
		},
	}
}

func (f *floor) close() error { return f.conn.Close() }

// ask makes a call that has no data.
func (f *floor) ask(op uint32, first, second int64) (head, error) {
	var call [floorCall]byte
	putHead(call[:], 0, 0, op, first, second)
	f.out = append(f.out[:0], call[:]...)
	if _, err := f.conn.Write(f.out); err != nil {
		return nil, err
	}
	h, _, err := f.in.next()
	return h, err
}

func (f *floor) add(a, b int64) (int64, error) {
	if f.many != nil {
		return f.many.add(a, b)
	}
	h, err := f.ask(floorAdd, a, b)
	if err != nil {
		return 0, err
	}
	return h.first(), nil
}

func (f *floor) addAll(pairs [][2]int64, sums []int64) error {
	f.out = f.out[:0]
	var call [floorCall]byte
	for i, p := range pairs {
		putHead(call[:], 0, uint32(i), floorAdd, p[0], p[1])
		f.out = append(f.out, call[:]...)
	}
	if _, err := f.conn.Write(f.out); err != nil {
		return err
	}
	for range pairs {
		h, _, err := f.in.next()
		if err != nil {
			return err
		}
		sums[h.slot()] = h.first()
	}
	return nil
}

// write writes a frame with data, which small ones have behind the head.
func (f *floor) write(op uint32, data []byte) error {
	var call [floorCall]byte
	putHead(call[:], len(data), 0, op, 0, 0)
	f.out = append(f.out[:0], call[:]...)
	if len(data) < floorBuffer/2 {
		f.out = append(f.out, data...)
		_, err := f.conn.Write(f.out)
		return err
	}
	f.parts[0], f.parts[1] = f.out, data
	f.buffers = f.parts[:]
	_, err := f.buffers.WriteTo(f.conn)
	return err
}

func (f *floor) echo(data []byte, look func([]byte)) error {
	if err := f.write(floorEcho, data); err != nil {
		return err
	}
	_, got, err := f.in.next()
	if err != nil {
		return err
	}
	look(got)
	return nil
}

// chain makes calls of add. Pipelined they are one write, and one of the replies.
func (f *floor) chain(start int64, pipelined bool) (int64, error) {
	if pipelined {
		var sums [chainAdds + 1]int64
		err := f.addAll([][2]int64{{start, 0}, {start, 1}, {start, chainAdds}}, sums[:])
		return sums[chainAdds], err
	}
	for _, plus := range [chainAdds + 1]int64{1, 1, 0} {
		var err error
		if start, err = f.add(start, plus); err != nil {
			return 0, err
		}
	}
	return start, nil
}

func (f *floor) stream(n int, whole bool, chunk func(int) []byte) (bytes, hash uint64, err error) {
	var all int64
	if whole {
		all = 1
	}
	if _, err := f.ask(floorOpen, 0, all); err != nil {
		return 0, 0, err
	}
	for i := range n {
		if err := f.write(floorPut, chunk(i)); err != nil {
			return 0, 0, err
		}
	}
	h, err := f.ask(floorDone, 0, 0)
	if err != nil {
		return 0, 0, err
	}
	return uint64(h.first()), uint64(h.second()), nil
}

// sleeper makes a connection of its own, which the server serves beside others.
func (f *floor) sleeper() (func(uint32) error, error) {
	c, err := dialConn(context.Background(), f.link)
	if err != nil {
		return nil, err
	}
	s := &floor{conn: c, in: newFloorIn(c, floorReturn)}
	return func(micros uint32) error {
		_, err := s.ask(floorSleep, int64(micros), 0)
		return err
	}, nil
}

// floorMany lets many goroutines call on a connection.
type floorMany struct {
	conn  net.Conn
	slots [inFlight]chan int64

	mu          sync.Mutex
	free        []uint32
	tail, spare []byte
	writing     bool
}

func newFloorMany(c net.Conn, in *floorIn) *floorMany {
	m := &floorMany{conn: c}
	for i := range m.slots {
		m.slots[i] = make(chan int64, 1)
		m.free = append(m.free, uint32(i))
	}
	go m.read(in)
	return m
}

// read gives the replies to those who wait.
func (m *floorMany) read(in *floorIn) {
	for {
		h, _, err := in.next()
		if err != nil || h.slot() >= inFlight {
			m.conn.Close()
			for _, s := range m.slots {
				close(s)
			}
			return
		}
		m.slots[h.slot()] <- h.first()
	}
}

func (m *floorMany) add(a, b int64) (int64, error) {
	var call [floorCall]byte
	m.mu.Lock()
	last := len(m.free) - 1
	slot := m.free[last] // at most inFlight goroutines call
	m.free = m.free[:last]
	alone := last == inFlight-1
	putHead(call[:], 0, slot, floorAdd, a, b)
	m.tail = append(m.tail, call[:]...)
	first := !m.writing
	m.writing = true
	m.mu.Unlock()
	if first {
		if !alone {
			runtime.Gosched() // others add theirs
		}
		if err := m.flush(); err != nil {
			return 0, err
		}
	}
	sum, ok := <-m.slots[slot]
	m.mu.Lock()
	m.free = append(m.free, slot)
	m.mu.Unlock()
	if !ok {
		return 0, errFloorEnd
	}
	return sum, nil
}

// flush writes until nothing more is there to be written.
func (m *floorMany) flush() error {
	for {
		m.mu.Lock()
		if len(m.tail) == 0 {
			m.writing = false
			m.mu.Unlock()
			return nil
		}
		out := m.tail
		m.tail = m.spare[:0]
		m.mu.Unlock()
		if _, err := m.conn.Write(out); err != nil {
			return err
		}
		m.spare = out
	}
}
