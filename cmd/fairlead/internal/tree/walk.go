// Package tree reads a tree of files that nobody keeps still: it finds the
// regular files below a folder, and opens each as a mapping whose hash was taken
// under a guard.
//
// Whatever cannot be sent (a link, a device, a file without permission, one that
// changes under the reader) is a [Skip] with its reason, never an error for the
// tree as a whole.
package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Skip is a file or folder that was left out, and why.
type Skip struct {
	Path   string // relative to the root, in the bytes that the file system gave
	Reason string
}

// Listing is what a walk found below a root.
type Listing struct {
	Root  string   // absolute, symbolic links in it resolved
	Files []string // regular files, relative to Root, in the order of the walk
	Bytes int64    // their size together when they were listed
	Skips []Skip
}

// List walks the folder root. Symbolic links below it are reported and not
// followed; the root itself may be one. The error is for a root that is no
// readable folder, or for the context's end.
func List(ctx context.Context, root string) (*Listing, error) {
	abs, err := filepath.Abs(root)
	if err == nil {
		// A walk does not follow links, and its root may well be one.
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("tree: %w", err)
	}
	if info, err := os.Stat(abs); err != nil {
		return nil, fmt.Errorf("tree: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("tree: %q is not a folder", root)
	}
	l := &Listing{Root: abs}
	err = filepath.WalkDir(abs, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return l.visit(path, d, err)
	})
	if err != nil {
		return nil, fmt.Errorf("tree: %w", err)
	}
	return l, nil
}

func (l *Listing) visit(path string, d fs.DirEntry, err error) error {
	rel := path[min(len(path), len(l.Root)):]
	for rel != "" && os.IsPathSeparator(rel[0]) {
		rel = rel[1:]
	}
	switch {
	case err != nil && rel == "":
		return err
	case err != nil:
		l.skip(rel, reason(err))
	case d.IsDir():
	case !d.Type().IsRegular():
		l.skip(rel, kind(d.Type()))
	default:
		info, err := d.Info()
		if err != nil {
			l.skip(rel, reason(err))
			return nil
		}
		l.Files = append(l.Files, rel)
		l.Bytes += info.Size()
	}
	return nil
}

func (l *Listing) skip(rel, why string) { l.Skips = append(l.Skips, Skip{Path: rel, Reason: why}) }

// kind names what is not a regular file, as a reason.
func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link, not followed"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe (fifo)"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m.IsDir():
		return "a folder"
	}
	return "not a regular file"
}

// reason turns an error of the file system into words without the path, which
// stands beside it already.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "vanished before it was read"
	case errors.Is(err, fs.ErrPermission):
		return "not readable: permission denied"
	case isLink(err):
		return kind(fs.ModeSymlink)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return "not readable: " + err.Error()
}
