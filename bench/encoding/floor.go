package encoding

import (
	"net"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// floorWorks is what cannot be beaten by much: to build or encode, one copy
// of bytes that lie ready, as many as Cap'n Proto's message of the shape has;
// to read, the same additions over plain Go values; to pack and unpack, one
// copy of the unpacked bytes; for the blob, handing the slice over uncopied.
func floorWorks(s shape, framed []byte) works {
	m := s.model
	values := m.values()
	dst := make([]byte, len(framed))
	copied := work{func() (harness.Answer, error) {
		clear(dst)
		copy(dst, framed)
		return answer(values), checkSame("copy", dst, framed)
	}, func(n int) {
		for range n {
			copy(dst, framed)
		}
		sink += uint64(dst[0])
	}}
	w := works{
		"build":  copied,
		"encode": copied,
		"pack":   copied,
		"unpack": copied,
		"read": {func() (harness.Answer, error) {
			return answer(values), nil
		}, func(n int) {
			for range n {
				sink += m.sum()
			}
		}},
	}
	if m.blob == nil {
		return w
	}
	w["build"] = work{func() (harness.Answer, error) {
		return answer(values), nil
	}, func(n int) {
		for range n {
			sink += dataSum(m.blob)
		}
	}}
	conn := new(socket)
	one := make([][]byte, 1)
	var buffers net.Buffers
	w["encode"] = work{func() (harness.Answer, error) {
		kept := new(capture)
		_, err := kept.Write(m.blob)
		return answer(model{blob: kept.bytes}.values()), err
	}, func(n int) {
		for range n {
			one[0] = m.blob
			buffers = one
			_, err := buffers.WriteTo(conn)
			must(err)
		}
	}}
	return w
}
