package convert

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// TestReader reads messages one by one, and says where the one is that it cannot
// read.
func TestReader(t *testing.T) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	msg.NewRoot(segment.Size{DataWords: 1}).SetUint64(0, 7)
	one, err := framing.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(strings.NewReader(string(one)+string(one)+"cut"), Options{From: Binary, Quiet: true})
	for range 2 {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		packed, err := Append([]byte("before"), got, Options{To: Packed})
		want, wantErr := framing.Append([]byte("before"), msg, framing.Packed)
		if wantErr != nil {
			t.Fatal(wantErr)
		}
		if err != nil || string(packed) != string(want) {
			t.Errorf("Append = %x, %v; want %x", packed, err, want)
		}
		got.Release()
	}
	_, err = r.Next()
	var at *Error
	if !errors.As(err, &at) || at.Message != 3 || at.Offset != 2*int64(len(one)) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v; want that message 3 is cut", err)
	}
	if _, err := NewReader(strings.NewReader(""), Options{From: Binary}).Next(); err != io.EOF {
		t.Errorf("an empty stream: %v", err)
	}
}
