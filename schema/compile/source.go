package compile

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// The standard schemas, each with the licence that it is published under.
//
//go:embed std
var standard embed.FS

var standardFolders = []string{"/usr/local/include", "/usr/include"}

// errEscapes is for a relative import that leads out of a file system.
var errEscapes = errors.New("it lies outside of the file system")

// folder is where files are looked for, and what their names start from.
type folder struct {
	path  string // absolute, or a path in fsys
	shown string // what stands in front of a file's name in error messages
	fsys  fs.FS  // nil for the operating system
	std   bool   // the standard schemas that are built in
}

// location is a file by its folder and the path from there, with slashes.
type location struct {
	in  *folder
	rel string
}

// key is the same for the same file, but for links.
func (l location) key() string {
	if l.in.fsys == nil {
		return filepath.Join(l.in.path, filepath.FromSlash(l.rel))
	}
	if l.in.std {
		return "\x00" + l.rel
	}
	return path.Join(l.in.path, l.rel)
}

func (l location) shown() string { return l.in.shown + l.rel }

// finder finds files by the names that users and imports give.
type finder struct {
	fsys     fs.FS
	imports  []*folder // where absolute imports are looked for, in order
	prefixes []*folder // folders that are left out at the start of names
	work     *folder   // the working directory, or the root of fsys
	top      *folder   // the root
}

func newFinder(opt Options) (*finder, error) {
	f := &finder{fsys: opt.FS}
	if f.fsys == nil {
		dir, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("compile: the working directory: %w", err)
		}
		root := "/"
		if v := filepath.VolumeName(dir); v != "" {
			root = v + `\`
		}
		f.work, f.top = &folder{path: dir}, &folder{path: root, shown: "/"}
	} else {
		f.work = &folder{path: ".", fsys: f.fsys}
		f.top = f.work
	}
	for _, p := range opt.ImportPaths {
		d, err := f.folder(p)
		if err != nil {
			return nil, err
		}
		f.imports = append(f.imports, d)
	}
	if !opt.NoStandardImports {
		if f.fsys == nil && runtime.GOOS != "windows" {
			for _, p := range standardFolders {
				f.imports = append(f.imports, &folder{path: p, shown: p + "/"})
			}
		}
		f.imports = append(f.imports, &folder{path: "std", fsys: standard, std: true})
	}
	for _, p := range opt.SrcPrefixes {
		d, err := f.folder(p)
		if err != nil {
			return nil, err
		}
		f.prefixes = append(f.prefixes, d)
	}
	return f, nil
}

// folder gives a folder that the user names.
func (f *finder) folder(name string) (*folder, error) {
	d := &folder{fsys: f.fsys}
	if f.fsys == nil {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, fmt.Errorf("compile: folder %q: %w", name, err)
		}
		d.path = abs
		d.shown = filepath.ToSlash(name)
	} else {
		d.path = path.Clean(name)
		if !fs.ValidPath(d.path) {
			return nil, fmt.Errorf("compile: folder %q: %w", name, errEscapes)
		}
		d.shown = d.path
	}
	if d.shown == "." || d.shown == "" {
		d.shown = ""
	} else if !strings.HasSuffix(d.shown, "/") {
		d.shown += "/"
	}
	return d, nil
}

// named locates a file that the user names.
func (f *finder) named(name string) (location, error) {
	if f.fsys == nil {
		abs, err := filepath.Abs(name)
		if err != nil {
			return location{}, fmt.Errorf("compile: %s: %w", name, err)
		}
		return f.at(abs), nil
	}
	p := path.Clean(name)
	if !fs.ValidPath(p) {
		return location{}, fmt.Errorf("compile: %s: %w", name, errEscapes)
	}
	return f.at(p), nil
}

// at names a file by the longest of the folders that it lies in.
func (f *finder) at(p string) location {
	best, rel := f.top, strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(p, f.top.path)), "/")
	if r, ok := below(f.work, p); ok {
		best, rel = f.work, r
	}
	found := false
	for _, d := range f.prefixes {
		if r, ok := below(d, p); ok && (!found || len(r) < len(rel)) {
			best, rel, found = d, r, true
		}
	}
	return location{best, rel}
}

// below gives the path from a folder to a file in it.
func below(d *folder, p string) (string, bool) {
	if d.fsys != nil && d.path == "." {
		return p, true
	}
	sep := "/"
	if d.fsys == nil {
		sep = string(filepath.Separator)
	}
	dir := d.path
	if !strings.HasSuffix(dir, sep) {
		dir += sep
	}
	rel, ok := strings.CutPrefix(p, dir)
	if d.fsys == nil {
		rel = filepath.ToSlash(rel)
	}
	return rel, ok
}

// relative locates a file by its path from the folder of another.
func (f *finder) relative(from location, name string) (location, error) {
	rel := path.Join(path.Dir(from.rel), name)
	if rel != ".." && !strings.HasPrefix(rel, "../") {
		return location{from.in, rel}, nil
	}
	if from.in.fsys == nil {
		return f.at(filepath.Join(from.in.path, filepath.FromSlash(rel))), nil
	}
	p := path.Join(from.in.path, rel)
	if !fs.ValidPath(p) || from.in.std {
		return location{}, errEscapes
	}
	return f.at(p), nil
}

// candidates gives where a file may be that an import or an embed names, in the
// order in which to look.
func (f *finder) candidates(from location, name string) ([]location, error) {
	rest, absolute := strings.CutPrefix(name, "/")
	if !absolute {
		loc, err := f.relative(from, name)
		return []location{loc}, err
	}
	rest = path.Clean(rest)
	if !fs.ValidPath(rest) {
		return nil, errEscapes
	}
	out := make([]location, len(f.imports))
	for i, d := range f.imports {
		out[i] = location{d, rest}
	}
	return out, nil
}

// open opens the first of the candidates that is there.
func (f *finder) open(from location, name string) (fs.File, error) {
	locs, err := f.candidates(from, name)
	if err != nil {
		return nil, err
	}
	for _, loc := range locs {
		file, err := loc.open()
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return nil, fs.ErrNotExist
}

// open opens a file for reading, which must be a regular one: others may never
// end.
func (l location) open() (fs.File, error) {
	var file fs.File
	var err error
	if l.in.fsys == nil {
		// Looked at first, for opening a named pipe would wait for its writer.
		name := l.key()
		if info, err := os.Stat(name); err != nil {
			return nil, err
		} else if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", l.shown())
		}
		file, err = os.Open(name)
	} else {
		file, err = l.in.fsys.Open(path.Join(l.in.path, l.rel))
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", l.shown())
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// readAll reads a file to its end, of limit bytes at most, and closes it.
func readAll(file fs.File, limit int64) ([]byte, error) {
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%d bytes are more than %d", info.Size(), limit)
	}
	// What Stat says may have changed since.
	text := make([]byte, 0, info.Size()+1)
	for {
		n, err := file.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
		if int64(len(text)) > limit {
			return nil, fmt.Errorf("it has more than %d bytes", limit)
		}
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
	}
}
