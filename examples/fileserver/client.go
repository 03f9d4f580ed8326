package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/fairlead-go/fairlead/examples/fileserver/fileserver"
)

// list writes what is in a folder. The one at a path is asked before it has been
// entered: over a network both calls leave together.
func list(ctx context.Context, in fileserver.Folder, path string, w io.Writer) error {
	if path != "" {
		enter := in.Enter(ctx, func(p fileserver.FolderEnterParamsBuilder) { p.SetPath(path) })
		defer enter.Release()
		in = enter.Folder()
	}
	f := in.List(ctx, nil)
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return err
	}
	for e := range res.Entries().All() {
		if e.IsFolder() {
			fmt.Fprintf(w, "%10s  %s/\n", "", e.Name())
		} else {
			fmt.Fprintf(w, "%10d  %s\n", e.Size(), e.Name())
		}
	}
	return nil
}

// get writes a file. It is read here if it came along, and else by calls.
func get(ctx context.Context, from fileserver.Folder, path string, w io.Writer) error {
	open := from.Open(ctx, func(p fileserver.FolderOpenParamsBuilder) { p.SetPath(path) })
	defer open.Release()
	var source io.Reader = &reader{ctx, open.File(), 0}
	if f, err := open.File().AttachedFile(ctx); err == nil {
		defer f.Close()
		source = io.NewSectionReader(f, 0, math.MaxInt64) // others may share its position
	}
	_, err := io.Copy(w, source)
	return err
}

// put stores a file of this side. It sends no bytes: it hands over the open
// file, and the server reads it by calls to here.
func put(ctx context.Context, to fileserver.Folder, name, path string) (uint64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	return store(ctx, to, path, fileserver.ServeFile(openFile{f}))
}

// copyFile stores a file of the server under another name. The same calls as in
// put stay with the server, because what comes home is the file itself.
func copyFile(ctx context.Context, in fileserver.Folder, from, to string) (uint64, error) {
	open := in.Open(ctx, func(p fileserver.FolderOpenParamsBuilder) { p.SetPath(from) })
	defer open.Release()
	return store(ctx, in, to, open.File().Retain())
}

// store takes the file over.
func store(ctx context.Context, to fileserver.Folder, path string, file fileserver.File) (uint64, error) {
	f := to.Store(ctx, func(p fileserver.FolderStoreParamsBuilder) {
		p.SetPath(path)
		p.SetFile(file)
	})
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.Size(), err
}
