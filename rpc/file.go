package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// ErrNoFile is matched by the error of [Client.AttachedFile] for a capability
// that has no file, or whose file did not come along.
var ErrNoFile = errors.New("rpc: the capability has no file")

// AttachedFile gives a file that the capability has beside its methods: a
// descriptor of the same open file that its server has, whose position it shares.
// The caller closes it. It waits until c is no promise any more, or ctx ends.
// Without a file the error matches [ErrNoFile], and says where it stayed.
//
// A server has a file if its object has a method AttachedFile() *os.File: see
// [Server.Object]. It comes along with the capability over connections whose
// transport carries files, a unix socket on Linux, to a side that takes them: see
// [Limits]. So it does with peers of the C++ library, where it is what getFd
// gives. It stays after the connection is lost.
//
// What is done to a file is no call: no wrapper sees it or can take it back.
// Therefore [Intercept] and [Revocable] keep the files of what they stand before
// to themselves, and so does a [Membrane] without AllowFiles. A [Reconnect]ing
// client has the file of what it is connected to, but does not pass it on.
func (c Client) AttachedFile(ctx context.Context) (*os.File, error) {
	if err := c.WaitResolved(ctx); err != nil {
		return nil, err
	}
	in, _ := c.innermost()
	switch t := in.t.(type) {
	case *wrapped:
		to, err := t.behind()
		if err != nil {
			return nil, err
		}
		defer to.Release()
		return to.AttachedFile(ctx)
	case *reconnecting:
		return t.attachedFile(ctx)
	}
	f, err := in.file()
	if err != nil {
		return nil, err
	}
	if f, err = mem.DuplicateFile(f); err != nil {
		return nil, fmt.Errorf("rpc: the file of a capability: %w", err)
	}
	return f, nil
}

// file gives the file of a capability that is no promise. It is lent, and may be
// closed at any time.
func (c Client) file() (*os.File, error) {
	switch t := c.t.(type) {
	case nil:
		return nil, noFile("it is null")
	case *object:
		if f := t.file(); f != nil {
			return f, nil
		}
		return nil, noFile("its object has none")
	case *importCap:
		t.c.mu.Lock()
		f := t.file
		t.c.mu.Unlock()
		if f != nil {
			return f, nil
		}
		return nil, noFile(t.c.whyNoFile())
	case *wrapped:
		to, err := t.behind()
		if err != nil {
			return nil, err
		}
		defer to.Release()
		in, isOpen := to.innermost()
		if !isOpen {
			return in.file()
		}
		return nil, noFile("it stands before a promise")
	case *intercepted, *revocable:
		return nil, noFile("what it stands before keeps it")
	}
	return nil, noFile("it stands before others")
}

// noFile is why a capability has no file. It is asked for each that is exported, and
// so a constant, which takes no memory, where that can be.
type noFile string

func (why noFile) Error() string { return ErrNoFile.Error() + ": " + string(why) }
func (why noFile) Unwrap() error { return ErrNoFile }

// file asks the program for the file of its object.
func (o *object) file() (f *os.File) {
	s, ok := o.server.Object.(interface{ AttachedFile() *os.File })
	if !ok {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			logger := o.server.Logger
			if logger == nil {
				logger = slog.Default()
			}
			logger.Error("rpc: AttachedFile panicked", "panic", v)
			f = nil
		}
	}()
	return s.AttachedFile()
}

// behind gives what a membrane that files may pass stands before. The caller
// releases it.
func (w *wrapped) behind() (Client, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	switch {
	case w.m.revoked != nil:
		return Client{}, w.m.revoked
	case !w.m.AllowFiles:
		return Client{}, noFile("a membrane keeps it")
	}
	return w.to.Retain(), nil
}

// attachedFile is that of what it is connected to, now or soon.
func (r *reconnecting) attachedFile(ctx context.Context) (*os.File, error) {
	for {
		r.mu.Lock()
		var boot Client
		if r.alive() {
			boot = r.boot.Retain()
		}
		r.mu.Unlock()
		if boot.t != nil {
			defer boot.Release()
			return boot.AttachedFile(ctx)
		}
		// A call makes it connect, whatever comes of it there.
		f := Client{r}.NewCall(ctx, DescribeMethod, segment.Size{}).Send()
		_, err := f.Wait(ctx)
		f.Release()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, ErrUnimplemented)) {
			return nil, err
		}
	}
}
