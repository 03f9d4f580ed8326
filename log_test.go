package fairlead_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
)

// A lines is what a log has, of whose writers some go on for a while.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

// The connections of the front door tell its logger what they have to tell, and a
// panic of a handler is told to somebody in every case.
func TestConnectionsLog(t *testing.T) {
	for _, given := range []bool{true, false} {
		name := "without a logger"
		if given {
			name = "with a logger"
		}
		t.Run(name, func(t *testing.T) {
			var ours, standard lines
			old := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&standard, nil)))
			defer slog.SetDefault(old)
			var o fairlead.Options
			if given {
				o.Logger = slog.New(slog.NewTextHandler(&ours, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
			l, err := fairlead.Listen("unix://"+t.TempDir()+"/s.sock", o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() {
				served <- l.ServeRPC(ctx, rpc.Serve(rpc.Server{Dispatch: func(context.Context, *rpc.Call) error { panic("a secret") }}))
			}()
			conn, err := fairlead.DialRPC(ctx, l.URL(), o)
			if err != nil {
				t.Fatal(err)
			}
			boot := conn.Bootstrap()
			f := boot.NewCall(ctx, double, one).Send()
			if _, err := f.Wait(ctx); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v", err)
			}
			f.Release()
			boot.Release()
			conn.Close()
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
			panics, begins, ends := ours.count("a handler panicked"), ours.count("rpc: connected"), ours.count(`msg="rpc: disconnected"`)
			if given && (panics != 1 || begins != 2 || ends != 2) || !given && panics+begins+ends != 0 {
				t.Errorf("the logger is told %d panics, %d beginnings and %d ends", panics, begins, ends)
			}
			if n := standard.count("a handler panicked"); (n == 0) != given {
				t.Errorf("the standard log is told %d panics", n)
			}
		})
	}
}
