package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/tree"
	"github.com/fairlead-go/fairlead/segment"
)

func write(t *testing.T, root, rel, text string) string {
	t.Helper()
	path := filepath.Join(root, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// plainTree writes some dozens of files that nobody touches.
func plainTree(t *testing.T, root string) (files int, size int64) {
	t.Helper()
	for i := range 90 {
		text := strings.Repeat("line of text\n", i*i)
		write(t, root, fmt.Sprintf("d%d/f%02d.txt", i%15, i), text)
		files, size = files+1, size+int64(len(text))
	}
	return files, size
}

// results runs the demo with --json and reads what it prints.
func results(t *testing.T, o Options) ([]Result, error) {
	t.Helper()
	o.JSON = true
	if o.Worker == nil {
		o.Worker = secondProcess(t, asWorker)
	}
	var out bytes.Buffer
	runErr := Run(context.Background(), o, &out)
	var all []Result
	for line := range bytes.Lines(out.Bytes()) {
		var r Result
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, r)
	}
	return all, runErr
}

func TestEveryTransport(t *testing.T) {
	root := t.TempDir()
	files, size := plainTree(t, root)
	write(t, root, "empty", "")
	write(t, root, "no newline at the end", "x")
	write(t, root, "binary", string(make([]byte, 1<<20)))
	files, size = files+3, size+1+1<<20
	for _, window := range []int{1, 2, DefaultWindow} {
		all, err := results(t, Options{Dir: root, Window: window})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(Transports) {
			t.Fatalf("%d objects; want one for each of %d transports", len(all), len(Transports))
		}
		for i, r := range all {
			if r.Transport != Transports[i].Name || r.Files != files || r.Bytes != size || len(r.Skipped) != 0 {
				t.Errorf("window %d: %+v; want %s, %d files, %d bytes, none skipped", window, r, Transports[i].Name, files, size)
			}
			if r.MsgsPerS <= 0 || r.P50us <= 0 || r.P99us < r.P50us {
				t.Errorf("window %d: rates of %+v make no sense", window, r)
			}
		}
	}
}

func TestJSONKeys(t *testing.T) {
	root := t.TempDir()
	write(t, root, "f", "x\n")
	var out bytes.Buffer
	o := Options{Dir: root, JSON: true, Only: []string{"unix"}, Worker: secondProcess(t, asWorker)}
	if err := Run(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(out.Bytes(), &object); err != nil {
		t.Fatal(err)
	}
	want := []string{"bytes", "copied", "files", "mb_s", "msgs_s", "p50_us", "p99_us", "skipped", "transport"}
	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
		t.Errorf("keys = %q; want %q", got, want)
	}
	if _, ok := object["skipped"].([]any); !ok {
		t.Errorf("skipped = %v; want a list, empty or not", object["skipped"])
	}
}

func TestTables(t *testing.T) {
	root := t.TempDir()
	for i := range 14 {
		write(t, root, fmt.Sprintf("dir%02d/f", i), strings.Repeat("\n", i))
	}
	write(t, root, "large", strings.Repeat("x", 100))
	var out bytes.Buffer
	o := Options{Dir: root, MaxFileBytes: 99, Worker: secondProcess(t, asWorker)}
	if err := Run(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"transport", "unix", "tcp", "copies/msg", "allocs/msg", "large: 100 bytes, more than the limit of 99", "dir13", "dir02"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "dir01") || strings.Index(text, "dir13") > strings.Index(text, "dir12") {
		t.Errorf("want the twelve largest folders, largest first:\n%s", text)
	}
}

// A hook sees each file's message before it is sent.
type hook func(name string, msg *segment.Message)

type hookedPipe struct {
	Pipe
	hook hook
}

func (p hookedPipe) Send(ctx context.Context, msg *segment.Message) error {
	// The message is being built, so a reader of it looks at the same memory.
	if m := wire.RootMessage(msg); m.Which() == wire.MessageFile {
		p.hook(string(m.File().Path()), msg)
	}
	return p.Pipe.Send(ctx, msg)
}

// hooked is a transport whose sending side calls h. dials counts connections.
func hooked(t Transport, h hook, dials *atomic.Int32) Transport {
	dial := t.Dial
	t.Dial = func(ctx context.Context, addr string) (Pipe, error) {
		dials.Add(1)
		p, err := dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		return hookedPipe{p, h}, nil
	}
	return t
}

// runHooked runs a transport with a hook over the tree at root.
func runHooked(t *testing.T, tr Transport, root string, h hook) (*Result, int, error) {
	t.Helper()
	list, err := tree.List(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: root, Worker: secondProcess(t, asWorker)}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	r, err := runTransport(context.Background(), hooked(tr, h, &dials), list, o)
	return r, int(dials.Load()), err
}

// mapsFiles tells whether a change of an open file shows in its bytes, or they
// were read once, as with the build tag purego.
func mapsFiles(t *testing.T) bool {
	t.Helper()
	root := t.TempDir()
	path := write(t, root, "f", "x")
	var f tree.File
	if err := f.Open(root, "f", 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.WriteString("y")
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Bytes()[0] == 'y'
}

// TestFilesThatChange changes one file at the worst moment: after it was hashed
// and before the kernel takes it.
func TestFilesThatChange(t *testing.T) {
	const victim = "victim"
	mapped := mapsFiles(t)
	large := strings.Repeat("some content\n", 40000) // many pages, sent from the mapping
	small := strings.Repeat("some content\n", 900)   // some pages, joined with other messages
	for _, tc := range []struct {
		name    string
		content string
		unix    bool // whether only there the file can be changed so
		change  func(path string) error
		want    string
	}{
		{"shortened to nothing", large, true, func(p string) error { return os.Truncate(p, 0) }, "changed"},
		{"shortened", large, true, func(p string) error { return os.Truncate(p, 9) }, "changed"},
		{"shortened small", small, true, func(p string) error { return os.Truncate(p, 0) }, "changed"},
		{"longer", large, false, func(p string) error {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		}, "changed"},
		{"overwritten, its time set back", large, false, func(p string) error {
			info, err := os.Stat(p)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(p, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("SOME"), 5000)
			return errors.Join(err, f.Close(), os.Chtimes(p, time.Time{}, info.ModTime()))
		}, "changed"},
		{"removed", large, true, os.Remove, "vanished"},
	} {
		shows := !strings.Contains(tc.name, "its time set back") || mapped
		for _, tr := range Transports {
			t.Run(tc.name+" "+tr.Name, func(t *testing.T) {
				if !shows {
					t.Skip("the content is read once here, and nothing tells of the change")
				}
				if tc.unix && os.PathSeparator != '/' {
					t.Skip("this system keeps an open file as it is")
				}
				root := t.TempDir()
				files, _ := plainTree(t, root)
				path := write(t, root, victim, tc.content)
				changed := false
				r, dials, err := runHooked(t, tr, root, func(name string, _ *segment.Message) {
					if name == victim && !changed {
						changed = true
						if err := tc.change(path); err != nil {
							t.Error(err)
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if !changed {
					t.Fatal("the victim was never sent")
				}
				if r.Files != files {
					t.Errorf("%d files arrived; want the other %d", r.Files, files)
				}
				if len(r.Skipped) != 1 || r.Skipped[0].Path != victim || !strings.Contains(r.Skipped[0].Reason, tc.want) {
					t.Errorf("skipped = %+v; want the victim, %q", r.Skipped, tc.want)
				}
				if strings.HasPrefix(tc.name, "shortened") && mapped && dials < 2 {
					t.Errorf("%d connections; want a second after the first broke", dials)
				}
			})
		}
	}
}

// TestBeforeTheyAreOpened changes files between the walk and their turn.
func TestBeforeTheyAreOpened(t *testing.T) {
	root := t.TempDir()
	files, _ := plainTree(t, root)
	gone, folder := write(t, root, "gone", "x"), write(t, root, "folder", "x")
	list, err := tree.List(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(gone), os.Remove(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: root, Worker: secondProcess(t, asWorker)}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	r, err := runTransport(context.Background(), Transports[0], list, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Files != files || len(r.Skipped) != 2 || r.Skipped[0].Path != "folder" || r.Skipped[1].Path != "gone" {
		t.Errorf("%d files, skipped %+v; want %d and the two", r.Files, r.Skipped, files)
	}
}

// TestMismatch sends a hash that is not the content's.
func TestMismatch(t *testing.T) {
	root := t.TempDir()
	files, _ := plainTree(t, root)
	write(t, root, "victim", "text")
	r, _, err := runHooked(t, Transports[0], root, func(name string, msg *segment.Message) {
		if name == "victim" {
			wire.RootMessage(msg).File().Hash()[0] ^= 1
		}
	})
	if err == nil || !strings.Contains(err.Error(), `mismatch in "victim"`) {
		t.Errorf("err = %v; want a mismatch", err)
	}
	if r == nil || r.Files != files || len(r.Skipped) != 0 {
		t.Errorf("result = %+v; want the other %d files", r, files)
	}
}

func TestWorkerThatDies(t *testing.T) {
	root := t.TempDir()
	plainTree(t, root)
	all, err := results(t, Options{Dir: root, Worker: secondProcess(t, asQuitter)})
	if err == nil || len(all) != 0 {
		t.Fatalf("results = %+v, %v; want an error for each transport", all, err)
	}
	for _, tr := range Transports {
		// The cause, before the connection that broke by it.
		if want := "demo: " + tr.Name + ": the worker: exit status 1: quit after a message"; !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v; want %q in it", err, want)
		}
	}
}

func TestWorkerThatCannotStart(t *testing.T) {
	root := t.TempDir()
	write(t, root, "f", "x")
	for name, command := range map[string][]string{
		"no such program": {filepath.Join(root, "none")},
		"no address":      {secondProcess(t, "")[0], "-test.run=^$"},
	} {
		t.Run(name, func(t *testing.T) {
			if all, err := results(t, Options{Dir: root, Worker: command}); err == nil || len(all) != 0 {
				t.Errorf("results = %+v, %v; want an error", all, err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	root := t.TempDir()
	plainTree(t, root)
	ctx, cancel := context.WithCancel(context.Background())
	list, err := tree.List(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: root, Worker: secondProcess(t, asWorker)}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	sent := 0
	tr := hooked(Transports[0], func(string, *segment.Message) {
		if sent++; sent == 20 {
			cancel()
		}
	}, &dials)
	if _, err := runTransport(ctx, tr, list, o); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v; want context.Canceled", err)
	}
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		want string
	}{
		{"window too large", Options{Dir: ".", Window: 5000}, "5000"},
		{"negative window", Options{Dir: ".", Window: -1}, "-1"},
		{"file too large", Options{Dir: ".", MaxFileBytes: 1 << 40}, "1099511627776"},
		{"unknown transport", Options{Dir: ".", Only: []string{"pigeon"}}, "pigeon"},
		{"missing folder", Options{Dir: filepath.Join(t.TempDir(), "none")}, "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := results(t, tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v; want %q in it", err, tc.want)
			}
		})
	}
}

func TestStandardLibrary(t *testing.T) {
	dir, err := standardLibrary()
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fmt", "print.go")); err != nil {
		t.Errorf("no sources in %s: %v", dir, err)
	}
}
