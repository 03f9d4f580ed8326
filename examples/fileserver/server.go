package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"

	"github.com/fairlead-go/fairlead/examples/fileserver/fileserver"
)

// folder is a Folder: one of the file system, out of which no path and no link
// leads.
type folder struct{ root *os.Root }

// serveFolder gives the capability of a folder. Whoever gets it, gets all that
// is in the folder, and nothing else.
func serveFolder(path string) (fileserver.Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return fileserver.Folder{}, err
	}
	return fileserver.ServeFolder(folder{root}), nil
}

// Shutdown is called when nobody holds the folder any more.
func (f folder) Shutdown() { f.root.Close() }

func (f folder) List(_ context.Context, call fileserver.FolderListCall) error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	list := call.Results().NewEntries(len(entries))
	for i, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		list.At(i).SetName(e.Name())
		list.At(i).SetIsFolder(e.IsDir())
		if !e.IsDir() {
			list.At(i).SetSize(uint64(info.Size()))
		}
	}
	return nil
}

func (f folder) Open(_ context.Context, call fileserver.FolderOpenCall) error {
	file, err := f.root.Open(call.Params().Path())
	if err != nil {
		return err
	}
	call.Results().SetFile(fileserver.ServeFile(openFile{file}))
	return nil
}

func (f folder) Enter(_ context.Context, call fileserver.FolderEnterCall) error {
	root, err := f.root.OpenRoot(call.Params().Path())
	if err != nil {
		return err
	}
	call.Results().SetFolder(fileserver.ServeFolder(folder{root}))
	return nil
}

// Store reads from a File that the caller gives: one of its own, of this server
// or of a third. To this code they are all the same.
func (f folder) Store(ctx context.Context, call fileserver.FolderStoreCall) error {
	source := call.Params().File()
	name := call.Params().Path()
	call.Go() // the folder is free for others while this waits
	to, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, &reader{ctx, source, 0})
	if err := errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, f.root.Remove(name))
	}
	call.Results().SetSize(uint64(n))
	return nil
}

// openFile is a File.
type openFile struct{ *os.File }

// maxRead bounds what one call gives.
const maxRead = 1 << 20

// Shutdown is called when nobody holds the file any more.
func (f openFile) Shutdown() { f.Close() }

// AttachedFile lets a client on the same machine read without calls: over a unix
// socket it gets the open file itself, which was opened for reading. That of a
// folder would lead out of it.
func (f openFile) AttachedFile() *os.File {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return f.File
}

func (f openFile) Size(_ context.Context, call fileserver.FileSizeCall) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	call.Results().SetSize(uint64(info.Size()))
	return nil
}

func (f openFile) Read(_ context.Context, call fileserver.FileReadCall) error {
	offset, count := call.Params().Offset(), call.Params().Count()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a folder", path.Base(f.Name()))
	case offset > math.MaxInt64 || int64(offset) >= info.Size():
		return nil
	}
	// Straight into the message.
	data := call.Results().NewData(int(min(int64(count), maxRead, info.Size()-int64(offset))))
	_, err = f.ReadAt(data, int64(offset))
	return err
}

// reader reads a File, wherever it is.
type reader struct {
	ctx  context.Context
	file fileserver.File
	at   uint64
}

func (r *reader) Read(p []byte) (int, error) {
	f := r.file.Read(r.ctx, func(q fileserver.FileReadParamsBuilder) {
		q.SetOffset(r.at)
		q.SetCount(uint32(min(len(p), maxRead)))
	})
	defer f.Release()
	res, err := f.Wait(r.ctx)
	if err != nil {
		return 0, err
	}
	n := copy(p, res.Data())
	r.at += uint64(n)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
