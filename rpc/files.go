package rpc

import (
	"context"
	"os"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// fileTransport is what a transport has that carries files. See [Transport].
type fileTransport interface {
	MaxFiles() int
	SendFiles(ctx context.Context, msg *segment.Message, files []*os.File) error
	RecvFiles(ctx context.Context, most int) (*segment.Message, []*os.File, error)
}

// conveyor is what a connection has for the files that ride with its messages.
type conveyor struct {
	carrier  fileTransport // nil if the transport carries none
	carries  int           // in a message that is sent
	takes    int           // in one that is received
	received []*os.File    // with the message that is handled; the reader's

	// Guarded by the connection's lock.
	out  map[*segment.Message][]*os.File // with those that are enqueued; lent
	held int                             // by imports
}

// carryFiles looks whether the transport carries files.
func (c *Conn) carryFiles() {
	if t, ok := c.t.(fileTransport); ok && t.MaxFiles() > 0 {
		c.files.carrier, c.files.carries = t, min(t.MaxFiles(), noAttachedFd)
		c.files.takes = max(0, min(c.limits.Files, c.files.carries))
	}
}

// noAttachedFd is the index that says that there is no file.
const noAttachedFd = 255

// recv waits for the next message.
func (c *Conn) recv(ctx context.Context) (*segment.Message, error) {
	if c.files.takes == 0 {
		return c.t.Recv(ctx)
	}
	m, files, err := c.files.carrier.RecvFiles(ctx, c.files.takes)
	c.files.received = files
	return m, err
}

// dropFiles closes what nobody has taken of the files that were received. Only
// the reader may call it.
func (c *Conn) dropFiles() {
	for _, f := range c.files.received {
		if f != nil {
			_ = f.Close() // nothing was written to it
		}
	}
	c.files.received = nil
}

// takeHosted makes a capability ours that the peer hosts, with its file.
func (c *Conn) takeHosted(d wire.CapDescriptor, id uint32) (Client, error) {
	cl, err := c.takeImport(id, false)
	at := int(d.AttachedFd())
	if at >= len(c.files.received) || c.files.received[at] == nil {
		return cl, err
	}
	if i, ok := cl.t.(*importCap); ok {
		c.mu.Lock()
		// It may have come before, without its file or with it.
		if i.file == nil && c.files.held < c.limits.HeldFiles {
			i.file, c.files.received[at] = c.files.received[at], nil
			c.files.held++
		}
		c.mu.Unlock()
	}
	return cl, err
}

// takeFile gives the file of an import that nobody holds any more, to be closed
// without the lock, which the caller has.
func (i *importCap) takeFile() *os.File {
	f := i.file
	if f != nil {
		i.file = nil
		i.c.files.held--
	}
	return f
}

// fileToSend gives the file of a capability that the peer may get.
func (c *Conn) fileToSend(in Client, open bool) *os.File {
	if c.files.carrier == nil || open {
		return nil
	}
	if i, ok := in.t.(*importCap); ok && i.c == c {
		return nil // it goes back to where it came from
	}
	f, _ := in.file()
	return f
}

// attach lets the files of exported capabilities leave with m, which is about to
// be enqueued. They live as long as the capabilities, which m or the table of
// exports holds. The caller has the lock.
func (c *Conn) attach(m *segment.Message, caps []outCap) {
	var files []*os.File
	for i := range caps {
		if f := caps[i].file; f != nil && len(files) < c.files.carries {
			caps[i].desc.SetAttachedFd(uint8(len(files)))
			files = append(files, f)
		}
	}
	if files == nil {
		return
	}
	if c.files.out == nil {
		c.files.out = map[*segment.Message][]*os.File{}
	}
	c.files.out[m] = files
}

// whyNoFile tells why an import may have none.
func (c *Conn) whyNoFile() string {
	switch {
	case c.files.carrier == nil:
		return "it came over a transport that carries no files"
	case c.files.takes == 0:
		return "its connection takes no files (Limits.Files)"
	}
	return "it came without one"
}
