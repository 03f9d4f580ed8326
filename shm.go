package fairlead

import (
	"context"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

var shmErrors = dialect{closed: shm.ErrClosed, disconnected: shm.ErrDisconnected}

// A shmPipe is a pipe through shared memory.
type shmPipe struct {
	*shm.Pipe
	arena  segment.Arena // nil is the pipe's own memory
	verify bool
}

func newShmPipe(p *shm.Pipe, o *Options) *shmPipe { return &shmPipe{p, o.Arena, o.VerifyOnRecv} }

func dialShm(ctx context.Context, t *target, o *Options) (Pipe, error) {
	p, err := shm.Dial(ctx, t.path, o.shm())
	if err != nil {
		return nil, err
	}
	return newShmPipe(p, o), nil
}

func (p *shmPipe) NewMessage(sizeHint int) *segment.Message {
	if p.arena != nil {
		return segment.NewSized(p.arena, sizeHint)
	}
	return p.Pipe.NewMessage(sizeHint)
}

func (p *shmPipe) Send(ctx context.Context, msg *segment.Message) error {
	return shmErrors.translate(p.Pipe.Send(ctx, msg))
}

func (p *shmPipe) Flush() error { return shmErrors.translate(p.Pipe.Flush()) }

func (p *shmPipe) Recv(ctx context.Context) (*segment.Message, error) {
	msg, err := p.Pipe.Recv(ctx)
	if err == nil && p.verify {
		if err = msg.Verify(); err != nil {
			msg.Release()
			return nil, err
		}
	}
	return msg, shmErrors.translate(err)
}

func (p *shmPipe) Close() error { return shmErrors.translate(p.Pipe.Close()) }

func (p *shmPipe) Peer() Peer {
	q := p.Pipe.Peer()
	return Peer{Process: &Process{UID: q.UID, GID: q.GID, PID: q.PID}}
}

func (p *shmPipe) Stats() Stats {
	s := p.Pipe.Stats()
	return Stats{
		Sent: s.Sent, SentBytes: s.SentBytes, Received: s.Received, ReceivedBytes: s.ReceivedBytes,
		Copied: s.Copied, Errors: s.Errors,
	}
}

type shmListener struct {
	ln  *shm.Listener
	opt Options
}

func listenShm(t *target, o *Options) (backend, string, error) {
	ln, err := shm.Listen(t.path, o.shm())
	if err != nil {
		return nil, "", err
	}
	return &shmListener{ln, *o}, t.url, nil
}

func (l *shmListener) accept(ctx context.Context, _ bool) (Pipe, error) {
	p, err := l.ln.Accept(ctx)
	if err != nil {
		return nil, shmErrors.translate(err)
	}
	return newShmPipe(p, &l.opt), nil
}

func (l *shmListener) close() error { return l.ln.Close() }
