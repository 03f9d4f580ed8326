package oracle

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// process is one run of the peer.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	pipe io.ReadCloser
	errs tail
	hung atomic.Bool
}

// tail keeps the first bytes of what the peer writes to its standard error.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 2048 - len(t.buf); room > 0 {
		t.buf = append(t.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func startProcess(path string) (*process, error) {
	p := &process{cmd: exec.Command(path)}
	p.cmd.Stderr = &p.errs
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	if p.pipe, err = p.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	p.out = bufio.NewReaderSize(p.pipe, 1<<18)
	return p, nil
}

// stop kills the peer and waits for it. It returns how the peer ended.
func (p *process) stop() string {
	// Closing the input lets a healthy peer end by itself; a sick one is killed.
	// Both may find it gone already, which is the state that is wanted.
	p.in.Close()
	p.cmd.Process.Kill()
	err := p.cmd.Wait()
	p.errs.mu.Lock()
	defer p.errs.mu.Unlock()
	return fmt.Sprintf("%v %s", err, p.errs.buf)
}

// ask sends the requests and fills answers until all are answered or the peer
// is gone. It returns how many were answered, in order. A peer that answers
// nothing for patience is killed and marked as hung.
func (p *process) ask(reqs []Request, answers []Answer, patience time.Duration) (int, error) {
	var progress atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		w := bufio.NewWriterSize(p.in, 1<<18)
		var scratch [headerBytes]byte
		for i := range reqs {
			if reqs[i].writeTo(w, &scratch) != nil {
				return // the reader sees the same end and reports it
			}
		}
		w.Flush()
	}()
	go func() {
		defer wg.Done()
		tick := time.NewTicker(patience / 4)
		defer tick.Stop()
		last, still := int64(0), 0
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if now := progress.Load(); now != last {
					last, still = now, 0
				} else if still++; still >= 4 {
					p.hung.Store(true)
					p.cmd.Process.Kill()
					return
				}
			}
		}
	}()
	var err error
	n := 0
	for ; n < len(reqs); n++ {
		if answers[n], err = readAnswer(p.out); err != nil {
			// The writer may wait for a peer that no longer reads.
			p.in.Close()
			p.cmd.Process.Kill()
			break
		}
		progress.Add(1)
	}
	close(done)
	wg.Wait()
	return n, err
}
