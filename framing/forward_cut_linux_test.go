package framing_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// A message that was read from a mapped file lies in the file with its first
// segment too. Forwarding it after the file was cut ended the process.
func TestForwardAMessageOfAFileCutShort(t *testing.T) {
	write := func(msg *segment.Message) error { return framing.Write(io.Discard, msg) }
	for _, c := range []struct {
		name    string
		forward func(t *testing.T, msg *segment.Message) error
	}{
		{"Write", func(_ *testing.T, msg *segment.Message) error { return write(msg) }},
		{"Marshal", func(_ *testing.T, msg *segment.Message) error {
			_, err := framing.Marshal(msg)
			return err
		}},
		{"Append", appendFormat(framing.Binary)},
		{"Append packed", appendFormat(framing.Packed)},
		{"Append flat", appendFormat(framing.Flat)},
		{"Append flat-packed", appendFormat(framing.FlatPacked)},
		{"Encoder", encodeFormat(framing.Binary)},
		{"packed Encoder", encodeFormat(framing.Packed)},
		{"Pipe over unix", sendOver("unix")},
		{"Pipe over TCP", sendOver("tcp")},
		{"Pipe over TLS", sendOver("tls")},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeakPool(t)
			path := writeFile(t, encode(t, framing.Binary, raw(t, 1, 1250)))
			f, err := framing.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if n := f.Holds(); n != 0 {
					t.Errorf("%d holders in the end", n)
				}
			}()
			msg, err := f.Decoder(framing.DecoderOptions{}).Decode()
			if err != nil {
				t.Fatal(err)
			}
			defer msg.Release()
			if err := write(msg); err != nil {
				t.Fatalf("before it is cut: %v", err)
			}
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			skipUnlessGone(t, f)
			if err := c.forward(t, msg); !errors.Is(err, framing.ErrCorrupt) {
				t.Errorf("%v, want ErrCorrupt", err)
			}
		})
	}
}

func appendFormat(f framing.Format) func(*testing.T, *segment.Message) error {
	return func(t *testing.T, msg *segment.Message) error {
		b, err := framing.Append([]byte("before"), msg, f)
		if string(b) != "before" {
			t.Errorf("%d bytes came back, want those that were there", len(b))
		}
		return err
	}
}

func encodeFormat(f framing.Format) func(*testing.T, *segment.Message) error {
	return func(t *testing.T, msg *segment.Message) error {
		var out counter
		e := framing.NewEncoder(&out, framing.EncoderOptions{Format: f})
		err := e.Encode(msg)
		if ferr := e.Flush(); ferr != nil || out != 0 {
			t.Errorf("then %d bytes were written: %v", out, ferr)
		}
		return err
	}
}

// counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// sendOver also checks that the pipe goes on with the next message.
func sendOver(network string) func(*testing.T, *segment.Message) error {
	return func(t *testing.T, msg *segment.Message) error {
		a, b := pipes(t, network, framing.PipeOptions{})
		done := make(chan struct{})
		go func() { // completes a handshake, if there is one
			defer close(done)
			if n, s := recvText(t, b); n != 5 || s != "goes on" {
				t.Errorf("got %d %q", n, s)
			}
		}()
		err := a.Send(t.Context(), msg.Retain())
		sendText(t, a, 5, "goes on")
		<-done
		return err
	}
}
