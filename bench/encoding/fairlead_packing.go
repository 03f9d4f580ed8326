package encoding

import (
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/packed"
)

// fairleadPacking adds pack and unpack. As the C++ contestant does, the one
// packs a message into memory that lies ready, the other is the bare codec
// from memory to memory.
func fairleadPacking(w works, m model, framed []byte) {
	msg, err := fairleadDecode(framed)
	must(err)
	packedBytes, err := framing.Append(nil, msg, framing.Packed)
	must(err)
	buf := make([]byte, 0, packed.MaxLen(len(framed)))
	w["pack"] = work{func() (harness.Answer, error) {
		out, err := framing.Append(buf[:0], msg, framing.Packed)
		return answer(m.values(), out), err
	}, func(n int) {
		for range n {
			_, err := framing.Append(buf[:0], msg, framing.Packed)
			must(err)
		}
	}}
	dst := make([]byte, len(framed))
	w["unpack"] = work{func() (harness.Answer, error) {
		clear(dst)
		unpackMessage(dst, packedBytes)
		return answer(m.values(), dst), checkSame("unpack", dst, framed)
	}, func(n int) {
		for range n {
			unpackMessage(dst, packedBytes)
		}
	}}
}

// unpackMessage unpacks a message of one segment: its table first, as runs do
// not go on from there into the segment.
func unpackMessage(dst, src []byte) {
	const table = 8
	var u packed.Unpacker
	_, taken := u.Unpack(dst[:table], src)
	if u.AwaitsCount() || !u.AtBoundary() {
		panic("encoding: the packed table does not end at a boundary")
	}
	u.Unpack(dst[table:], src[taken:])
	sink += uint64(dst[table])
}

// fairleadDecoderWorks unpacks as a user does: a decoder of packed bytes in
// memory gives a message, which is released.
func fairleadDecoderWorks(s shape, framed []byte) works {
	msg, err := fairleadDecode(framed)
	must(err)
	defer msg.Release()
	packedBytes, err := framing.Append(nil, msg, framing.Packed)
	must(err)
	return works{"unpack": {func() (harness.Answer, error) {
		msg, err := framing.NewSliceDecoder(packedBytes, framing.DecoderOptions{Format: framing.Packed}).Decode()
		if err != nil {
			return harness.Answer{}, err
		}
		defer msg.Release()
		out, err := framing.Marshal(msg)
		return answer(s.values(), out), err
	}, func(n int) {
		for range n {
			msg, err := framing.NewSliceDecoder(packedBytes, framing.DecoderOptions{Format: framing.Packed}).Decode()
			must(err)
			msg.Release()
		}
	}}}
}
