package framing_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

func writeFile(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "messages.capnp")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileMessages(t *testing.T) {
	a, b := text(segment.New(heap{}), 1, "one"), text(segment.New(heap{}), 2, "two")
	f, err := framing.Open(writeFile(t, encode(t, framing.Binary, a, b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // each iteration begins anew
		i := int64(0)
		for msg, err := range f.Messages() {
			if err != nil {
				t.Fatal(err)
			}
			i++
			if n, _ := readText(msg); n != i {
				t.Errorf("message %d reads %d", i, n)
			}
			if msg.Trust() != segment.Shared {
				t.Errorf("a message of a file is %v", msg.Trust())
			}
			msg.Release()
		}
		if i != 2 {
			t.Errorf("%d messages, want 2", i)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestFileIsReadInPlace(t *testing.T) {
	f, err := framing.Open(writeFile(t, encode(t, framing.Binary, raw(t, 1, 1000))))
	if err != nil {
		t.Fatal(err)
	}
	msg, err := f.Decoder(framing.DecoderOptions{}).Decode()
	if err != nil {
		t.Fatal(err)
	}
	segs, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	if &segs[0][0] != &f.Bytes()[8] {
		t.Error("the message was copied")
	}
	msg.Release()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestMessagesHoldTheirFile(t *testing.T) {
	for _, format := range formats {
		t.Run(format.String(), func(t *testing.T) {
			noLeak(t)
			want := raw(t, 1, 3000)
			f, err := framing.Open(writeFile(t, encode(t, format, want)))
			if err != nil {
				t.Fatal(err)
			}
			d := f.Decoder(framing.DecoderOptions{Format: format})
			msg, err := d.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := drained(t, f.Decoder(framing.DecoderOptions{Format: format})); len(got) != 1 || err != io.EOF {
				t.Errorf("%d messages and %v", len(got), err)
			}
			late := f.Decoder(framing.DecoderOptions{Format: format})
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			inPlace := 0
			if format == framing.Binary || format == framing.Flat {
				inPlace = 1
			}
			if n := f.Holds(); n != inPlace {
				t.Errorf("%d holders after Close, want %d", n, inPlace)
			}
			if !same(contents(t, msg), contents(t, want)) {
				t.Error("the message changed when the file was closed")
			}
			for _, d := range []*framing.Decoder{d, late, f.Decoder(framing.DecoderOptions{})} {
				if _, err := d.Decode(); !errors.Is(err, framing.ErrClosed) {
					t.Errorf("decoding a closed file: %v, want ErrClosed", err)
				}
			}
			msg.Release()
			if n := f.Holds(); n != 0 {
				t.Errorf("%d holders in the end", n)
			}
		})
	}
}

func TestOpenFaults(t *testing.T) {
	dir := t.TempDir()
	if _, err := framing.Open(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	if _, err := framing.Open(dir); err == nil {
		t.Error("a folder was opened")
	}
	empty, err := framing.Open(writeFile(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for range empty.Messages() {
		t.Error("a message in an empty file")
	}
	if err := empty.Close(); err != nil {
		t.Error(err)
	}
	if _, err := empty.Decoder(framing.DecoderOptions{}).Decode(); !errors.Is(err, framing.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}

// TestFileCutShort: a file that somebody shortens under its reader is an error
// of the decoder, and of what Guard runs, and does not end the program.
func TestFileCutShort(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be shortened here")
	}
	const words = 64 << 10
	path := writeFile(t, encode(t, framing.Binary, raw(t, 1, words), raw(t, 2, words)))
	f, err := framing.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	d := f.Decoder(framing.DecoderOptions{})
	msg, err := d.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	skipUnlessGone(t, f)
	if _, err := d.Decode(); !errors.Is(err, framing.ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
	segs, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	err = f.Guard(func() error {
		for _, c := range segs[0] {
			sum += int(c)
		}
		return nil
	})
	if !errors.Is(err, framing.ErrCorrupt) {
		t.Errorf("Guard: %v, want ErrCorrupt", err)
	}
	// A writer that copies in this process meets the fault too.
	var b bytes.Buffer
	if err := framing.Write(&b, msg); !errors.Is(err, framing.ErrCorrupt) {
		t.Errorf("Write: %v, want ErrCorrupt", err)
	}
	msg.Release()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// skipUnlessGone skips a test where a file is not mapped but was read, as it is
// on some systems and with the build tag purego.
func skipUnlessGone(t *testing.T, f *framing.File) {
	t.Helper()
	b := f.Bytes()
	var last byte
	if err := f.Guard(func() error { last = b[len(b)-1]; return nil }); err == nil {
		t.Skipf("the file was read into memory here: its last byte is %d", last)
	}
}

// TestExternalDataOfAFileCutShort: a message refers to a mapped file of the
// program, which is shortened before the message is sent.
func TestExternalDataOfAFileCutShort(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be shortened here")
	}
	for _, size := range []int{64 << 10, 1000} { // referred to, and copied
		path := writeFile(t, bytes.Repeat([]byte("content!"), 64<<10))
		f, err := framing.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		msg := segment.New(heap{})
		root := msg.NewRoot(segment.Size{Ptrs: 1})
		at := 256 << 10
		if !root.Ptr(0).SetExternalData(f.Bytes()[at:at+size], nil) {
			t.Fatal("the data was copied")
		}
		if err := os.Truncate(path, 4096); err != nil {
			t.Fatal(err)
		}
		skipUnlessGone(t, f)
		for _, format := range formats[:2] {
			e := framing.NewEncoder(io.Discard, framing.EncoderOptions{Format: format})
			err := e.Encode(msg)
			if err == nil {
				err = e.Flush()
			}
			if size < framing.Referred || format == framing.Packed {
				if !errors.Is(err, framing.ErrCorrupt) {
					t.Errorf("%v of %d bytes: %v, want ErrCorrupt", format, size, err)
				}
				// The stream is as it was.
				if err := e.Encode(raw(t, 1, 2)); err != nil {
					t.Error(err)
				}
				if err := e.Flush(); err != nil {
					t.Error(err)
				}
			}
			if _, err := framing.Append(nil, msg, format); !errors.Is(err, framing.ErrCorrupt) {
				t.Errorf("Append %v of %d bytes: %v, want ErrCorrupt", format, size, err)
			}
		}
		for _, network := range []string{"unix", "tls"} {
			t.Run(network, func(t *testing.T) {
				noLeakPool(t)
				a, b := pipes(t, network, framing.PipeOptions{})
				go func() { // completes the handshake, and sees no message
					m, err := b.Recv(t.Context())
					if err == nil {
						if n, _ := readText(m); n != 5 {
							t.Error("a message came whose content was gone")
						}
						m.Release()
					}
				}()
				err := a.Send(t.Context(), msg.Retain())
				if err == nil {
					err = a.Flush()
				}
				if size < framing.Referred {
					if !errors.Is(err, framing.ErrCorrupt) {
						t.Errorf("Send: %v, want ErrCorrupt", err)
					}
					sendText(t, a, 5, "goes on")
					return
				}
				if !errors.Is(err, framing.ErrDisconnected) {
					t.Errorf("Send: %v, want ErrDisconnected, for a part had left", err)
				}
			})
		}
		msg.Release()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
