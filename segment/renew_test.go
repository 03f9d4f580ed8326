package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// TestRenew builds messages one after the other with one Message, in new memory each
// time, some over several segments.
func TestRenew(t *testing.T) {
	c := &checking{first: 64}
	m := New(promising{c})
	for i := range uint64(50) {
		root := m.NewRoot(Size{DataWords: 1, Ptrs: 1})
		root.SetUint64(0, i)
		data := root.NewData(0, int(i)*40)
		for j, b := range data {
			if b != 0 {
				t.Fatalf("message %d: byte %d is %d at first", i, j, b)
			}
			data[j] = 1
		}
		r := m.Root().Struct()
		if r.Uint64(0) != i || len(r.Data(0)) != int(i)*40 || m.Err() != nil {
			t.Fatalf("message %d has %d and %d bytes: %v", i, r.Uint64(0), len(r.Data(0)), m.Err())
		}
		if i%10 == 9 {
			m.Fail(ErrMalformed)
		}
		m.Renew(int(i) * 20)
		if c.out != 0 || c.fault != nil || m.Segments() != 0 || m.Err() != nil {
			t.Fatalf("after message %d: %d segments out and %d in, %v, %v", i, c.out, m.Segments(), c.fault, m.Err())
		}
	}
	m.Release()
	if n := testing.AllocsPerRun(100, func() {
		m := New(still)
		for range 10 {
			m.NewRoot(Size{DataWords: 1})
			m.Renew(0)
		}
		m.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// still gives the same memory each time.
var still = &same{make([]byte, 4096)}

type same struct{ mem []byte }

func (s *same) Allocate(int) ([]byte, error) { return s.mem, nil }
func (s *same) Free(_ []byte, used int)      { clear(s.mem[:used]) }

func TestRenewPanics(t *testing.T) {
	built := New(promising{&checking{}})
	built.NewRoot(Size{DataWords: 1})
	read, err := FromSegments([][]byte{make([]byte, 8)})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Message{"read": read, "held by another": built.Retain()} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			m.Renew(0)
		})
	}
	built.Release()
	built.Release()
	read.Release()
}
