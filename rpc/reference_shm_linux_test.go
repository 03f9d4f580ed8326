//go:build !purego

package rpc_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// TestDataByReference has calls with the same large data, which a server sends back in
// part: over shared memory neither side copies them.
func TestDataByReference(t *testing.T) {
	const size = 1 << 20
	one := segment.Size{Ptrs: 1}
	method := rpc.Method{Interface: 0xd0d0d0d0d0d0d0d0, Ordinal: 1}
	near, far := shmPair(t)
	server := rpc.NewConn(far, rpc.ConnOptions{Bootstrap: rpc.Serve(rpc.Server{
		Interface: method.Interface,
		Dispatch: func(_ context.Context, call *rpc.Call) error {
			params := call.Params().Message().Retain()
			call.NewResults(one).Ptr(0).SetExternalData(call.Params().Data(0)[8:], params.Release)
			return nil
		},
	})})
	client := rpc.NewConn(near, rpc.ConnOptions{})
	defer client.Close()
	defer server.Close()
	echo := client.Bootstrap()
	defer echo.Release()

	held := client.NewMessage(size + 64)
	defer held.Release()
	data := held.RootBuilder().NewData(size)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>8)
	}
	for n := range 100 {
		r := echo.NewCall(t.Context(), method, one)
		held.Retain()
		r.Params().Ptr(0).SetExternalData(data[:size-8*n], held.Release)
		f := r.Send()
		res, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Data(0); !bytes.Equal(got, data[8:size-8*n]) {
			t.Fatalf("call %d: %d bytes came back that are not those that were sent", n, len(got))
		}
		f.Release()
	}
	for _, end := range []rpc.Transport{near, far} {
		if s := end.(*shm.Pipe).Stats(); s.Copied != 0 {
			t.Errorf("%d messages were copied: %+v", s.Copied, s)
		}
	}
}
