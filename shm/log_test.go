package shm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

func needSharedMemory(t testing.TB) {
	t.Helper()
	if !mem.SharedSupported() {
		t.Skip("SKIPPED: no shared memory on this system")
	}
}

func openLog(t testing.TB, path string, o LogOptions) *Log {
	t.Helper()
	needSharedMemory(t)
	l, err := OpenLog(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func readLog(t testing.TB, path string, o LogReaderOptions) *LogReader {
	t.Helper()
	r, err := ReadLog(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// numbered builds a message with a number, and data that follows from it.
func numbered(msg *segment.Message, n uint64) *segment.Message {
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetUint64(0, n)
	root.SetData(0, dataOf(n))
	return msg
}

// dataOf is between 0 and some 3000 bytes, of each the same for a number.
func dataOf(n uint64) []byte {
	b := make([]byte, n*n*37%3001)
	for i := range b {
		b[i] = byte(n) + byte(i)
	}
	return b
}

func checkNumbered(msg *segment.Message, want uint64) error {
	root := msg.Root().Struct()
	n, data := root.Uint64(0), root.Data(0)
	if err := msg.Err(); err != nil {
		return err
	}
	if n != want || !bytes.Equal(data, dataOf(want)) {
		return fmt.Errorf("message %d with %d bytes, want %d with %d", n, len(data), want, len(dataOf(want)))
	}
	return nil
}

// expect reads messages from to the one before to, and then the end of the log.
func expect(t testing.TB, r *LogReader, from, to uint64) {
	t.Helper()
	for n := from; n < to; n++ {
		msg, err := r.Next(t.Context())
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if err := checkNumbered(msg, n); err != nil {
			t.Errorf("message %d: %v", n, err)
		}
		msg.Release()
	}
	if msg, err := r.Next(t.Context()); err != io.EOF {
		t.Fatalf("after message %d: %v and %v, want the end", to-1, msg, err)
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{})
	r := readLog(t, path, LogReaderOptions{})
	expect(t, r, 1, 1)
	const many = 500 // so that the file grows, and is mapped anew
	for n := uint64(1); n <= many; n++ {
		if err := l.Append(numbered(l.NewMessage(0), n)); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.Stats(); s.Messages != many || s.Copied != 0 || s.Skipped != 0 || s.Torn != 0 {
		t.Errorf("%+v", s)
	}
	expect(t, r, 1, many+1)
	if err := errors.Join(l.Sync(), l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != l.Stats().Bytes || info.Mode().Perm() != 0o600 {
		t.Errorf("%v of %d bytes, %v, want %d", info.Mode(), info.Size(), err, l.Stats().Bytes)
	}
	late := l.NewMessage(0)
	defer late.Release()
	late.RootBuilder()
	for name, err := range map[string]error{
		"append": l.Append(numbered(segment.New(arena.Pool()), 1)),
		"build":  late.Err(),
		"flush":  l.Flush(),
		"sync":   l.Sync(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
	// The next one goes on where the first ended.
	l = openLog(t, path, LogOptions{})
	if err := l.Append(numbered(l.NewMessage(1<<20), many+1)); err != nil {
		t.Fatal(err)
	}
	expect(t, r, many+1, many+2)
	expect(t, readLog(t, path, LogReaderOptions{Copy: true}), 1, many+2)
}

func TestLogOfAllKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{})
	pooled := func() *segment.Message { return segment.New(arena.Pool()) }
	for n, build := range []func() *segment.Message{
		func() *segment.Message { return l.NewMessage(0) },
		pooled,
		func() *segment.Message { return l.NewMessage(100_000) },
		func() *segment.Message { // of many segments
			msg := segment.New(tiny{})
			numbered(msg, 5)
			return msg
		},
		func() *segment.Message { // with data from elsewhere
			msg := l.NewMessage(0)
			msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1}).Ptr(0).SetExternalData(dataOf(6), nil)
			return msg
		},
		func() *segment.Message { // that becomes much longer than it was at first
			msg := l.NewMessage(8)
			for range 10 {
				msg.NewRoot(segment.Size{Ptrs: 1}).SetData(0, make([]byte, 50_000))
			}
			return msg
		},
	} {
		if err := l.Append(numbered(build(), uint64(n)+1)); err != nil {
			t.Errorf("message %d: %v", n+1, err)
		}
	}
	expect(t, readLog(t, path, LogReaderOptions{}), 1, 7)
	expect(t, readLog(t, path, LogReaderOptions{Copy: true}), 1, 7)
	empty := segment.New(arena.Pool())
	if err := l.Append(empty); err != nil {
		t.Errorf("an empty message: %v", err)
	}
	bad := numbered(l.NewMessage(0), 1)
	mine := errors.New("mine")
	bad.Fail(mine)
	before := l.Stats()
	if err := l.Append(bad); !errors.Is(err, mine) || l.Stats() != before {
		t.Errorf("a message with a fault: %v, %+v", err, l.Stats())
	}
}

// tiny is an arena of small segments.
type tiny struct{}

func (tiny) Allocate(n int) ([]byte, error) { return make([]byte, max(n, 64)), nil }
func (tiny) Free([]byte, int)               {}

// Messages that are built at the same time, thrown away, kept and held.
func TestLogBuilding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{})
	first := numbered(l.NewMessage(0), 1)
	second := numbered(l.NewMessage(0), 2) // in the heap
	third := numbered(l.NewMessage(0), 3)
	if err := l.Append(first.Retain()); err != nil {
		t.Fatal(err)
	}
	dropped := l.NewMessage(0)
	dropped.NewRoot(segment.Size{DataWords: 100})
	copy(dropped.Segment(0)[8:], bytes.Repeat([]byte{7}, 800))
	dropped.Release()
	clean := l.NewMessage(0)
	if root := clean.NewRoot(segment.Size{DataWords: 100}).Reader(); root.Uint64(0) != 0 || root.Uint64(792) != 0 {
		t.Error("a message begins with what another had there")
	}
	clean.Release()
	fourth := numbered(l.NewMessage(0), 4)   // in the memory of the one that was dropped
	if err := l.Append(second); err != nil { // takes the place away from the fourth
		t.Fatal(err)
	}
	fourth.Root().Struct() // still readable
	if err := errors.Join(l.Append(third), l.Append(fourth)); err != nil {
		t.Fatal(err)
	}
	s := l.Stats()
	if s.Messages != 4 || s.Copied == 0 || s.Skipped == 0 {
		t.Errorf("%+v", s)
	}
	// What was appended is readable until it is released, even after Close.
	kept := numbered(l.NewMessage(0), 5)
	if err := errors.Join(l.Append(kept.Retain()), l.Close()); err != nil {
		t.Fatal(err)
	}
	late := l.NewMessage(0)
	if err := checkNumbered(first, 1); err != nil {
		t.Error(err)
	}
	if err := checkNumbered(kept, 5); err != nil {
		t.Error(err)
	}
	expect(t, readLog(t, path, LogReaderOptions{}), 1, 6)
	first.Release()
	kept.Release()
	late.Release()
	if l.data != nil {
		t.Error("the memory was not given back")
	}
}

// A message that is being built when the log is closed stays writable: nothing of it
// reaches the file, which has become shorter.
func TestLogClosedWhileBuilding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{})
	msg := l.NewMessage(200_000)
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	root.SetData(0, bytes.Repeat([]byte{7}, 150_000))
	if err := l.Append(msg); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if l.data != nil {
		t.Error("the memory was not given back")
	}
	if info, err := os.Stat(path); err != nil || info.Size() != atLogRecords {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}

func TestLogFollow(t *testing.T) {
	for _, c := range []struct {
		name string
		bell bool
		copy bool
	}{{"inotify", true, false}, {"polling", false, false}, {"copies", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			l := openLog(t, path, LogOptions{})
			r := readLog(t, path, LogReaderOptions{Follow: true, Copy: c.copy})
			if !c.bell {
				if err := r.bell.Close(); err != nil {
					t.Fatal(err)
				}
				r.bell = nil
			}
			const many = 2000
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			read := make(chan error, 1)
			go func() {
				for n := uint64(1); n <= many; n++ {
					msg, err := r.Next(ctx)
					if err == nil {
						err = checkNumbered(msg, n)
						msg.Release()
					}
					if err != nil {
						read <- fmt.Errorf("message %d: %w", n, err)
						return
					}
				}
				read <- nil
			}()
			for n := uint64(1); n <= many; n++ {
				if n%100 == 0 {
					time.Sleep(time.Millisecond) // so that the reader sleeps
				}
				if n == many/2 { // the writer changes
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
					l = openLog(t, path, LogOptions{})
				}
				if err := l.Append(numbered(l.NewMessage(0), n)); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-read; err != nil {
				t.Error(err)
			}
			ended, end := context.WithCancel(ctx)
			time.AfterFunc(time.Millisecond, end)
			if _, err := r.Next(ended); !errors.Is(err, context.Canceled) {
				t.Errorf("context that ends: %v", err)
			}
			if _, err := r.Next(ended); !errors.Is(err, context.Canceled) {
				t.Errorf("context that has ended: %v", err)
			}
			go r.Close()
			if _, err := r.Next(ctx); !errors.Is(err, ErrClosed) {
				t.Errorf("closed meanwhile: %v", err)
			}
			if _, err := r.Next(ctx); !errors.Is(err, ErrClosed) {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

func TestLogManualFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{ManualFlush: true})
	r := readLog(t, path, LogReaderOptions{Follow: true})
	slept := make(chan error, 1)
	go func() {
		msg, err := r.Next(t.Context())
		msg.Release()
		slept <- err
	}()
	if err := errors.Join(l.Append(numbered(l.NewMessage(0), 1)), l.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := <-slept; err != nil {
		t.Error(err)
	}
	var bell [8]byte
	if _, err := l.file.ReadAt(bell[:], atLogBell); err != nil || bell[0] != 1 {
		t.Errorf("rung %d times, %v, want once", bell[0], err)
	}
}

func TestLogPosition(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{})
	for n := uint64(1); n <= 20; n++ {
		if err := l.Append(numbered(l.NewMessage(0), n)); err != nil {
			t.Fatal(err)
		}
	}
	r := readLog(t, path, LogReaderOptions{})
	for n := uint64(1); n <= 20; n++ {
		expect(t, readLog(t, path, LogReaderOptions{From: r.Position()}), n, 21)
		msg, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		msg.Release()
	}
	for _, p := range []LogPosition{{Offset: -8}, {Offset: 8}, {Offset: atLogRecords + 4}, {Offset: 1 << 40}, {Sequence: 3}} {
		if _, err := ReadLog(path, LogReaderOptions{From: p}); err == nil {
			t.Errorf("%+v: no error", p)
		}
	}
	inside := LogPosition{Offset: atLogRecords + 8, Sequence: 0}
	if _, err := readLog(t, path, LogReaderOptions{From: inside}).Next(t.Context()); !errors.Is(err, ErrCorruptLog) {
		t.Errorf("inside a record: %v", err)
	}
}

func TestLogFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{MaxBytes: 100_000})
	n := uint64(0)
	var err error
	for ; err == nil; n++ {
		err = l.Append(numbered(l.NewMessage(0), n+1))
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("message %d: %v", n, err)
	}
	if err := l.Append(numbered(segment.New(arena.Pool()), 999)); !errors.Is(err, ErrFull) { // 2000 bytes
		t.Errorf("copied: %v", err)
	}
	expect(t, readLog(t, path, LogReaderOptions{}), 1, n)
}

func TestOpenLogRefuses(t *testing.T) {
	needSharedMemory(t)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := filepath.Join(dir, "good")
	l := openLog(t, good, LogOptions{})
	if err := l.Append(numbered(l.NewMessage(0), 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(good, LogOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("twice: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(word int, v uint64) []byte {
		b := bytes.Clone(data)
		binary.LittleEndian.PutUint64(b[8*word:], v)
		return b
	}
	for name, data := range map[string][]byte{
		"short text":       []byte("hello"),
		"long text":        bytes.Repeat([]byte("hello "), 2000),
		"other magic":      changed(0, logMagic+1),
		"other version":    changed(1, 2),
		"other number":     changed(2, 7),
		"zeros, then text": append(make([]byte, 8192), "hello"...),
	} {
		path := write(name, data)
		if _, err := OpenLog(path, LogOptions{}); !errors.Is(err, ErrCorruptLog) {
			t.Errorf("open %s: %v", name, err)
		}
		if _, err := ReadLog(path, LogReaderOptions{}); !errors.Is(err, ErrCorruptLog) {
			t.Errorf("read %s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
			t.Errorf("%s was changed", name)
		}
	}
	if _, err := OpenLog(dir, LogOptions{}); !errors.Is(err, ErrCorruptLog) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := ReadLog(dir, LogReaderOptions{}); !errors.Is(err, ErrCorruptLog) {
		t.Errorf("read a folder: %v", err)
	}
	if _, err := ReadLog(filepath.Join(dir, "none"), LogReaderOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read nothing: %v", err)
	}
	for _, o := range []LogOptions{{MaxBytes: 1}, {MaxBytes: -1}, {Perm: os.ModeDir}} {
		if _, err := OpenLog(filepath.Join(dir, "x"), o); err == nil || !strings.Contains(err.Error(), "options") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// After a failure of the machine any part of what was not synced may be missing.
func TestLogTornTail(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	l := openLog(t, path, LogOptions{})
	ends := []int64{}
	for n := uint64(1); n <= 10; n++ {
		if err := l.Append(numbered(l.NewMessage(0), n)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, l.Stats().Bytes)
		if n == 4 {
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(atLogRecords); at < int64(len(whole)); at += 24 {
		for name, tear := range map[string]func(b []byte) []byte{
			"bit":     func(b []byte) []byte { b[at] ^= 4; return b },
			"zeros":   func(b []byte) []byte { clear(b[at:min(at+512, int64(len(b)))]); return b },
			"shorter": func(b []byte) []byte { return b[:at] },
		} {
			if at < ends[3] && name != "shorter" {
				continue // that was on the disk
			}
			kept := uint64(0)
			for kept < 10 && ends[kept] <= at {
				kept++
			}
			b := tear(bytes.Clone(whole))
			if bytes.Equal(b, whole) {
				continue
			}
			torn := filepath.Join(dir, "torn")
			if err := os.WriteFile(torn, b, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := OpenLog(torn, LogOptions{MaxBytes: 1 << 20})
			if err != nil {
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			before := int64(atLogRecords)
			if kept > 0 {
				before = ends[kept-1]
			}
			if s := l.Stats(); s.Torn != ends[9]-before {
				t.Errorf("%s at %d: %d bytes torn, want %d", name, at, s.Torn, ends[9]-before)
			}
			if err := errors.Join(l.Append(numbered(l.NewMessage(0), kept+1)), l.Close()); err != nil {
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			r, err := ReadLog(torn, LogReaderOptions{Copy: true})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, r, 1, kept+2)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLogShortenedWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, path, LogOptions{})
	for n := uint64(1); n <= 50; n++ {
		if err := l.Append(numbered(l.NewMessage(0), n)); err != nil {
			t.Fatal(err)
		}
	}
	inPlace := readLog(t, path, LogReaderOptions{Follow: true})
	copying := readLog(t, path, LogReaderOptions{Copy: true})
	held, err := inPlace.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copied, err := copying.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := inPlace.Next(t.Context()); !errors.Is(err, ErrCorruptLog) {
			t.Errorf("next: %v", err)
		}
		if _, err := copying.Next(t.Context()); !errors.Is(err, ErrCorruptLog) {
			t.Errorf("next copy: %v", err)
		}
	}
	if err := inPlace.Guard(func() error { return checkNumbered(held, 1) }); !errors.Is(err, ErrCorruptLog) {
		t.Errorf("reading what is gone: %v", err)
	}
	if err := checkNumbered(copied, 1); err != nil {
		t.Errorf("a copy: %v", err)
	}
	held.Release()
	copied.Release()
	// The writer's own page is gone too: give it its file back, or Close faults.
	if err := os.Truncate(path, int64(len(l.data))); err != nil {
		t.Fatal(err)
	}
}

func FuzzLogReader(f *testing.F) {
	needSharedMemory(f)
	path := filepath.Join(f.TempDir(), "log")
	l, err := OpenLog(path, LogOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for n := uint64(1); n <= 3; n++ {
		if err := l.Append(numbered(l.NewMessage(0), n)); err != nil {
			f.Fatal(err)
		}
	}
	if err := errors.Join(l.Append(numbered(segment.New(tiny{}), 5)), l.Close()); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[atLogRecords:], uint64(len(data)), false)
	f.Add(data[atLogRecords:], uint64(len(data)), true)
	f.Add([]byte{}, uint64(1<<63), true)
	f.Fuzz(func(t *testing.T, records []byte, end uint64, copied bool) {
		// The header stays, or nothing behind it would ever be looked at.
		file := append(bytes.Clone(data[:atLogRecords]), records...)
		binary.LittleEndian.PutUint64(file[atLogEnd:], end)
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := ReadLog(path, LogReaderOptions{Copy: copied})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for messages := 0; ; messages++ {
			msg, err := r.Next(t.Context())
			if err != nil {
				if msg != nil {
					t.Error("a message and an error")
				}
				break
			}
			if messages > len(records)/recordHeadBytes {
				t.Fatal("more messages than there is room for")
			}
			_ = msg.Verify()
			_ = msg.Root().Struct().Data(0)
			msg.Release()
		}
		l, err := OpenLog(path, LogOptions{MaxBytes: 1 << 26})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Append(numbered(l.NewMessage(0), 1)), l.Close()); err != nil {
			t.Fatal(err)
		}
	})
}
