package demo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/tree"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// helloTimeout is how long a connection may stay without its token.
	helloTimeout = 10 * time.Second
	// maxUnhashed is how many bytes the worker holds before it stops reading.
	// One message more can be on top.
	maxUnhashed = 64 << 20
)

// workerLimits admit the largest file that the producer sends, with its head.
func workerLimits() segment.Limits {
	const bytes = tree.MaxFileBytes + 1<<20
	return segment.Limits{TraversalWords: bytes / 8, MessageBytes: bytes, Segments: 8, Depth: 4}
}

// Worker is the second process: it listens on a transport, writes its address as
// one line to stdout, and serves connections until stdin ends, which is how it
// learns that the first process has gone. The first line of stdin is the token
// that a connection must know. What the transport has on disk is in dir, which
// must not exist: the worker makes it once it has its token, and removes it.
func Worker(ctx context.Context, transport, dir string, stdin io.Reader, stdout io.Writer) error {
	t, err := transportNamed(transport)
	if err != nil {
		return err
	}
	in := bufio.NewReader(stdin)
	line, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("demo: worker: no token: %w", err)
	}
	token, err := hex.DecodeString(strings.TrimSpace(line))
	if err != nil || len(token) == 0 {
		return fmt.Errorf("demo: worker: a token of %d bytes that is not hexadecimal", len(line))
	}
	told := ctx // to end, by a signal
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Of mode 0700, so that nobody else can come before the worker.
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("demo: worker: %w", err)
	}
	defer os.RemoveAll(dir)
	go func() {
		_, _ = io.Copy(io.Discard, in) // whatever ends it, nobody is there any more
		cancel()
	}()
	ln, err := t.Listen(ctx, dir)
	if err != nil {
		return fmt.Errorf("demo: worker: %w", err)
	}
	defer ln.Close()
	if _, err := fmt.Fprintln(stdout, ln.Addr()); err != nil {
		return fmt.Errorf("demo: worker: %w", err)
	}
	err = ln.Serve(ctx, &worker{token: token})
	if told.Err() != nil {
		return fmt.Errorf("demo: worker: %w", context.Cause(told))
	}
	if err != nil {
		return fmt.Errorf("demo: worker: %w", err)
	}
	return nil
}

// worker counts over all connections, for the producer may need several.
type worker struct {
	token []byte

	mu      sync.Mutex
	started bool
	mallocs uint64 // when the first connection was admitted
	copied  uint64 // of connections that have ended
}

// serveAll answers whoever connects, until the context ends.
func (w *worker) serveAll(ctx context.Context, accept func(context.Context) (Pipe, error)) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		pipe, err := accept(ctx)
		if ctx.Err() != nil {
			if pipe != nil {
				_ = pipe.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		serving.Go(func() { w.serve(ctx, pipe) })
	}
}

// serve answers one connection. Its end, however it comes, is the producer's to
// judge: it knows what was not answered.
func (w *worker) serve(ctx context.Context, pipe Pipe) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer pipe.Close()
	if !w.admit(ctx, pipe) {
		return
	}
	s := &server{worker: w, pipe: pipe, work: make(chan *segment.Message)}
	s.room.L = &s.mu
	var hashers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		hashers.Go(func() { s.hash(ctx, cancel) })
	}
	s.read(ctx)
	close(s.work)
	hashers.Wait()
	w.mu.Lock()
	w.copied += pipe.Copied()
	w.mu.Unlock()
}

// admit reads the hello message, which has to come soon and to hold the token.
func (w *worker) admit(ctx context.Context, pipe Pipe) bool {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	msg, err := pipe.Recv(ctx)
	if err != nil {
		return false
	}
	defer msg.Release()
	hello := wire.RootMessage(msg)
	return hello.Which() == wire.MessageHello && w.knows(hello.Hello())
}

// knows tells whether a token is the worker's.
func (w *worker) knows(token []byte) bool {
	if subtle.ConstantTimeCompare(token, w.token) != 1 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started {
		w.started, w.mallocs = true, mallocs()
	}
	return true
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// server is one connection: a reader, some hashers, and what they hold between
// them.
type server struct {
	worker *worker
	pipe   Pipe
	work   chan *segment.Message

	mu      sync.Mutex
	room    sync.Cond // held or pending became less
	held    int64     // bytes of messages read and not released
	pending int       // messages read and not answered
}

// read hands files to the hashers until the stream ends.
func (s *server) read(ctx context.Context) {
	for {
		msg, err := s.pipe.Recv(ctx)
		if err != nil {
			return
		}
		switch wire.RootMessage(msg).Which() {
		case wire.MessageFile:
			s.take(msg.SizeBytes())
			s.work <- msg
		case wire.MessageStats:
			msg.Release()
			if s.stats(ctx) != nil {
				return
			}
		default:
			msg.Release()
			return
		}
	}
}

// take waits for room and counts a message in.
func (s *server) take(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.held > 0 && s.held+size > maxUnhashed {
		s.room.Wait()
	}
	s.held += size
	s.pending++
}

// hash answers files. When nothing else is pending it flushes, so that answers
// leave together while there is work and at once when there is none.
func (s *server) hash(ctx context.Context, cancel func()) {
	for msg := range s.work {
		size := msg.SizeBytes()
		a := examine(wire.RootMessage(msg).File(), msg)
		msg.Release()
		err := s.pipe.Send(ctx, newAnswer(s.pipe, &a))
		s.mu.Lock()
		s.held -= size
		s.pending--
		last := s.pending == 0
		s.room.Broadcast()
		s.mu.Unlock()
		if err == nil && last {
			err = s.pipe.Flush()
		}
		if err != nil {
			cancel() // ends the reader; what is left is drained
		}
	}
}

// examine hashes the content of a file where it lies in msg and counts its lines. A
// malformed message gives an answer whose hash is not right.
func examine(f wire.File, msg *segment.Message) answer {
	content := f.Content()
	a := answer{
		slot:  f.Slot(),
		id:    f.ID(),
		size:  uint64(len(content)),
		lines: uint64(bytes.Count(content, []byte{'\n'})),
		hash:  sha256.Sum256(content),
	}
	a.hashOK = bytes.Equal(a.hash[:], f.Hash()) && a.size == f.Size() && msg.Err() == nil
	return a
}

// stats waits until all files are answered and then sends the worker's figures.
func (s *server) stats(ctx context.Context) error {
	s.mu.Lock()
	for s.pending > 0 {
		s.room.Wait()
	}
	s.mu.Unlock()
	msg, m := newMessage(s.pipe)
	s.worker.tell(m.NewStats(), s.pipe.Copied())
	return errors.Join(s.pipe.Send(ctx, msg), s.pipe.Flush())
}

// tell writes the worker's figures, with what the connection that asks has copied.
func (w *worker) tell(b wire.StatsBuilder, copied uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.SetCopied(w.copied + copied)
	b.SetAllocations(mallocs() - w.mallocs)
}
