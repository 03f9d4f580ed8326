package interop_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/zmq"
)

// TestStreams: many messages without a pause, which leave and arrive together.
func TestStreams(t *testing.T) {
	for _, tc := range []struct {
		name  string
		count int
		rest  []string // of each message, behind its number
	}{
		{"small", 20_000, []string{"-", "616263"}},
		{"about the size that is written from where it lies", 2000, []string{"#2048:1", "#2049:2", "-"}},
		{"about the size that is read into memory of its own", 1000, []string{"#8191:3", "#8192:4", "61", "#8193:5"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, kind := range kinds {
				t.Run(kind, func(t *testing.T) {
					p := startPeer(t, kind)
					t.Run("from them", func(t *testing.T) {
						s := open(t, zmq.Pull, zmq.Options{})
						name := p.open(t, "PUSH")
						meet(t, s, p, name, "tcp", true)
						p.begin(behind([]string{"flood", name, fmt.Sprint(tc.count)}, tc.rest)...)
						want := toldAll(frames(tc.rest))
						for i := range tc.count {
							got, err := s.Recv(within(t))
							if err != nil {
								t.Fatal(err)
							}
							if string(got[0]) != string(number(i)) || !slices.Equal(toldAll(got[1:]), want) {
								t.Fatalf("message %d is %.100q", i, got)
							}
						}
						if _, err := p.end(); err != nil {
							t.Error(err)
						}
					})
					t.Run("to them", func(t *testing.T) {
						s := open(t, zmq.Push, zmq.Options{})
						name := p.open(t, "PULL")
						meet(t, s, p, name, "tcp", false)
						p.begin(behind([]string{"drain", name, fmt.Sprint(tc.count)}, tc.rest)...)
						for i := range tc.count {
							if err := s.Send(within(t), append([][]byte{number(i)}, frames(tc.rest)...)...); err != nil {
								t.Fatal(err)
							}
						}
						if _, err := p.end(); err != nil {
							t.Error(err)
						}
					})
				})
			}
		})
	}
}
