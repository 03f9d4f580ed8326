package fairlead_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/rpc"
)

// A shelf has a file beside its methods.
type shelf struct{ f *os.File }

func (s shelf) AttachedFile() *os.File { return s.f }

func (s shelf) Shutdown() { _ = s.f.Close() }

// TestFiles has a file cross by the transports that carry files, and not by the
// others.
func TestFiles(t *testing.T) {
	for _, w := range ways(t) {
		for _, most := range []int{0, 1} {
			name := w.name
			if most == 0 {
				name += ", none are taken"
			}
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "f")
				if err := os.WriteFile(path, []byte("on the shelf"), 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				boot := rpc.Serve(rpc.Server{Interface: 1, Object: shelf{f}, Dispatch: func(_ context.Context, call *rpc.Call) error {
					return call.Unimplemented()
				}})
				url, _ := serve(t, w, func(ctx context.Context, l *fairlead.Listener) error { return l.ServeRPC(ctx, boot) })
				w.dial.RPC.Limits.Files = most
				_, c := dial(t, w, url)
				got, err := c.AttachedFile(within(t))
				if crosses := w.name == "unix" && most > 0 && runtime.GOOS == "linux"; !crosses {
					if !errors.Is(err, rpc.ErrNoFile) {
						t.Errorf("%v, want none", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer got.Close()
				if b, err := io.ReadAll(got); err != nil || string(b) != "on the shelf" {
					t.Errorf("it says %q, %v", b, err)
				}
			})
		}
	}
}
