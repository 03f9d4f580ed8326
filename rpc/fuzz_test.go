package rpc_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// FuzzConn gives a live connection whatever messages the bytes are: each a count
// of words, in two bytes, and as many words, the message's only segment. The
// connection ends in the end, and keeps nothing.
func FuzzConn(f *testing.F) {
	var seed []byte
	say := func(build func(wire.MessageBuilder)) {
		m := segment.New(arena.Pool())
		defer m.Release()
		build(wire.NewRootMessage(m))
		frame, err := framing.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		seed = binary.LittleEndian.AppendUint16(seed, uint16((len(frame)-8)/8))
		seed = append(seed, frame[8:]...)
	}
	say(func(m wire.MessageBuilder) { m.NewBootstrap() })
	calls := func(id uint32, method rpc.Method, more ...func(wire.CallBuilder)) {
		say(func(m wire.MessageBuilder) {
			c := m.NewCall()
			c.SetQuestionID(id)
			c.NewTarget().NewPromisedAnswer()
			c.SetInterfaceID(method.Interface)
			c.SetMethodID(method.Ordinal)
			c.NewParams().Content().NewStruct(size).SetUint64(0, 21)
			for _, f := range more {
				f(c)
			}
		})
	}
	bootstrap := len(seed)
	for i, method := range lifecycleMethods {
		calls(uint32(i+1), method, senderHosted(uint32(i)))
	}
	f.Add(append([]byte(nil), seed...))
	seed = seed[:bootstrap]
	calls(1, promiseOf)
	calls(2, resolveTo, senderPromise(3))
	calls(3, echo, pipelined(1, 0))
	say(func(m wire.MessageBuilder) {
		r := m.NewResolve()
		r.SetPromiseID(3)
		r.NewCap().SetReceiverHosted(0)
	})
	say(func(m wire.MessageBuilder) {
		d := m.NewDisembargo()
		d.NewTarget().SetImportedCap(1)
		d.Context().SetSenderLoopback(0)
	})
	say(func(m wire.MessageBuilder) { m.NewFinish().SetQuestionID(1) })
	say(func(m wire.MessageBuilder) { m.NewRelease().SetReferenceCount(1) })
	f.Add(append([]byte(nil), seed...))
	seed = seed[:bootstrap]
	calls(1, use, senderHosted(5))
	say(func(m wire.MessageBuilder) { m.NewReturn().NewResults().Content().NewStruct(size) })
	calls(2, tailTo, senderHosted(5))
	say(func(m wire.MessageBuilder) { r := m.NewReturn(); r.SetAnswerID(1); r.SetResultsSentElsewhere() })
	say(func(m wire.MessageBuilder) { m.NewUnimplemented().NewCall().SetQuestionID(2) })
	say(func(m wire.MessageBuilder) { m.NewAbort().SetReason("enough") })
	f.Add(append([]byte(nil), seed...))
	seed = seed[:bootstrap]
	for i, id := range []func(segment.PtrBuilder){
		func(p segment.PtrBuilder) { p.SetText("a") },
		func(p segment.PtrBuilder) { p.SetText("b") },
		func(p segment.PtrBuilder) { p.NewStruct(size) },
		func(p segment.PtrBuilder) { p.SetCapability(1) },
	} {
		say(func(m wire.MessageBuilder) {
			b := m.NewBootstrap()
			b.SetQuestionID(uint32(50 + i))
			id(b.DeprecatedObjectID())
		})
	}
	calls(1, rpc.RestoreMethod)
	calls(2, rpc.NamesMethod)
	calls(3, rpc.RestoreMethod, pipelined(50))
	calls(4, echo, pipelined(50))
	calls(5, rpc.SaveMethod)
	f.Add(seed)

	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHost()
		ours, theirs := newMemory()
		exports := rpc.Exports{Listed: true, Restore: func(_ *rpc.Conn, id segment.Ptr) (rpc.Client, error) {
			if id.Kind() != segment.KindStruct {
				return rpc.Client{}, nil
			}
			return h.serve(), nil
		}}
		exports.Set("a", h.serve())
		conn := rpc.NewConn(ours, rpc.ConnOptions{Bootstrap: h.serve(), Exports: &exports, Restorer: double})
		for len(b) >= 2 {
			words := int(binary.LittleEndian.Uint16(b))
			b = b[2:]
			n := min(8*words, len(b)/8*8)
			frame := make([]byte, 8, 8+n)
			binary.LittleEndian.PutUint32(frame[4:], uint32(n/8))
			_ = theirs.out.put(append(frame, b[:n]...))
			b = b[n:]
		}
		theirs.out.close() // the peer goes when all is read
		select {
		case <-conn.Done():
		case <-time.After(*patience):
			t.Fatal("the connection has not ended")
		}
		_ = conn.Close()
		exports.Release()
		h.gone(t)
	})
}
