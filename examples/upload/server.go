package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"

	"github.com/fairlead-go/fairlead/examples/upload/upload"
)

// uploads is Uploads into a folder.
type uploads struct{ root *os.Root }

// progressEvery is after how many bytes a client is told of them.
const progressEvery = 1 << 20

// Shutdown is called when nobody holds the object any more.
func (u uploads) Shutdown() { u.root.Close() }

func (u uploads) Begin(_ context.Context, call upload.UploadsBeginCall) error {
	name := call.Params().Name()
	if _, err := u.root.Lstat(name); err == nil {
		return fmt.Errorf("there is a file %q", name)
	}
	root, err := u.root.OpenRoot(".") // its own, for it may outlive this object
	if err != nil {
		return err
	}
	part := name + ".part"
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return errors.Join(err, root.Close())
	}
	call.Results().SetFile(upload.ServeWriter(&writer{
		root: root, name: name, part: part, file: f, sum: sha256.New(),
		progress: call.Params().Progress().Retain(), // beyond this call
	}))
	return nil
}

// writer is a Writer. Its calls come one after the other.
type writer struct {
	root       *os.Root
	name, part string
	file       *os.File // nil once it is done
	sum        hash.Hash
	size, told uint64
	progress   upload.Progress
}

func (w *writer) Write(ctx context.Context, call upload.WriterWriteCall) error {
	if w.file == nil {
		return errors.New("the file is done")
	}
	b := call.Params().Bytes() // where they arrived
	if _, err := w.file.Write(b); err != nil {
		return err
	}
	w.sum.Write(b)
	w.size += uint64(len(b))
	if w.size-w.told < progressEvery {
		return nil
	}
	return w.tell(ctx)
}

func (w *writer) Done(ctx context.Context, call upload.WriterDoneCall) error {
	if w.file == nil {
		return errors.New("the file is done")
	}
	err := w.file.Close()
	w.file = nil
	if err == nil {
		err = w.root.Rename(w.part, w.name)
	}
	if err != nil {
		return err
	}
	call.Results().SetSize(w.size)
	call.Results().SetSha256(w.sum.Sum(nil))
	if err := w.tell(ctx); err != nil {
		return err
	}
	return w.progress.WaitStreaming(ctx) // the client has seen it all
}

// tell tells the client how much there is. It does not wait until the client has
// seen it, only when it is far behind; and as a handler that waits lets the next
// one begin, it comes last.
func (w *writer) tell(ctx context.Context) error {
	w.told = w.size
	if w.progress.IsNull() {
		return nil
	}
	written := w.size
	return w.progress.Written(ctx, func(p upload.ProgressWrittenParamsBuilder) { p.SetBytes(written) })
}

// Shutdown is called when nobody holds the writer any more, also because the
// client is gone.
func (w *writer) Shutdown() {
	w.progress.Release()
	if w.file != nil {
		w.file.Close()
		w.root.Remove(w.part)
	}
	w.root.Close()
}
