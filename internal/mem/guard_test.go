package mem

import (
	"errors"
	"runtime"
	"testing"
)

func TestGuardPasses(t *testing.T) {
	b := make([]byte, 8)
	if err := Guard(b, func() error { return nil }); err != nil {
		t.Errorf("no fault: %v", err)
	}
	mine := errors.New("mine")
	if err := Guard(b, func() error { return mine }); err != mine {
		t.Errorf("the function's own error: %v", err)
	}
	if err := Guard(nil, func() error { return nil }); err != nil {
		t.Errorf("no memory: %v", err)
	}
}

func TestGuardLetsOtherPanicsGo(t *testing.T) {
	for name, f := range map[string]func() error{
		"value":       func() error { panic("mine") },
		"nil pointer": func() error { var p *int; *p = 1; return nil },
		"index":       func() error { b := []byte{}; i := 3; b[i] = 1; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = Guard(make([]byte, 8), f)
		})
	}
}

func TestGuardGoexit(t *testing.T) {
	done := make(chan struct{})
	returned := false
	go func() {
		defer close(done)
		_ = Guard(make([]byte, 8), func() error { runtime.Goexit(); return nil })
		returned = true
	}()
	<-done
	if returned {
		t.Error("Goexit was swallowed")
	}
}

func BenchmarkGuard(b *testing.B) {
	m := make([]byte, 8)
	for b.Loop() {
		if err := Guard(m, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
