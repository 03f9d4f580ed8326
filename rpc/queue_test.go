package rpc_test

import (
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

// A message that is larger than what may wait to be written goes where nothing
// else waits.
func TestMessageLargerThanTheQueue(t *testing.T) {
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			v := meet(t, w, served(t, copies), rpc.Limits{QueuedBytes: 64 << 10})
			boot := v.a.Bootstrap()
			defer boot.Release()
			for range 3 {
				r := boot.NewCall(t.Context(), echo, size)
				r.Params().Ptr(0).NewData(1 << 20)[1<<20-1] = 7
				f := r.Send()
				s, err := f.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if d := s.Ptr(0).Data(); len(d) != 1<<20 || d[1<<20-1] != 7 {
					t.Errorf("%d bytes came back, or others", len(d))
				}
				f.Release()
			}
		})
	}
}

// copies answers with a copy of the data.
func copies(_ context.Context, c *rpc.Call) error {
	c.NewResults(size).Ptr(0).SetData(c.Params().Ptr(0).Data())
	return nil
}
