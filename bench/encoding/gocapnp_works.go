package encoding

import (
	capnp "capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/packed"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// goCapnpWorks makes go-capnp's works; framed is the encoded shape.
func goCapnpWorks(s shape, framed []byte) works {
	m := s.model
	size := 2 * blobSize
	if s.segmented {
		size = segmentBytes
	}
	g := newGoCapnp(size)
	var build, encode, read func(n int)
	switch {
	case m.a != nil:
		build = func(n int) {
			for range n {
				must(g.buildA(m.a))
			}
		}
		encode = func(n int) {
			for range n {
				must(g.buildA(m.a))
				_, err := g.encode()
				must(err)
			}
		}
		read = func(n int) {
			for range n {
				sum, err := g.sumA(framed)
				must(err)
				sink += sum
			}
		}
	case m.people != nil:
		build = func(n int) {
			for range n {
				must(g.buildBook(m.people))
			}
		}
		encode = func(n int) {
			for range n {
				must(g.buildBook(m.people))
				_, err := g.encode()
				must(err)
			}
		}
		read = func(n int) {
			for range n {
				sum, err := g.sumBook(framed)
				must(err)
				sink += sum
			}
		}
	default:
		conn := new(socket)
		enc := capnp.NewEncoder(conn)
		build = func(n int) {
			for range n {
				must(g.buildBlob(m.blob))
			}
		}
		encode = func(n int) {
			for range n {
				must(g.buildBlob(m.blob))
				must(enc.Encode(&g.msg))
			}
		}
		read = func(n int) {
			for range n {
				sum, err := g.sumBlob(framed)
				must(err)
				sink += sum
			}
		}
	}
	checkBuild := func() (harness.Answer, error) {
		if err := g.build(m); err != nil {
			return harness.Answer{}, err
		}
		encoded, err := g.encode()
		if err != nil {
			return harness.Answer{}, err
		}
		values, err := goCapnpHash(m, encoded)
		if s.segmented {
			return answer(values), err // where the segments end is the library's choice
		}
		return answer(values, encoded), err
	}
	checkRead := func() (harness.Answer, error) {
		var sum uint64
		var err error
		switch {
		case m.a != nil:
			sum, err = g.sumA(framed)
		case m.people != nil:
			sum, err = g.sumBook(framed)
		default:
			sum, err = g.sumBlob(framed)
		}
		if err != nil {
			return harness.Answer{}, err
		}
		if err := checkSum(m, sum); err != nil {
			return harness.Answer{}, err
		}
		values, err := goCapnpHash(m, framed)
		return answer(values, framed), err
	}
	w := works{
		"build":  {checkBuild, build},
		"encode": {checkBuild, encode},
		"read":   {checkRead, read},
	}
	goCapnpPacking(w, m, framed)
	return w
}

func goCapnpPacking(w works, m model, framed []byte) {
	packedBytes := packed.Pack(nil, framed)
	dst := make([]byte, 0, len(framed)+len(framed)/8+64)
	w["pack"] = work{func() (harness.Answer, error) {
		dst = packed.Pack(dst[:0], framed)
		return answer(m.values(), dst), nil
	}, func(n int) {
		for range n {
			dst = packed.Pack(dst[:0], framed)
		}
	}}
	w["unpack"] = work{func() (harness.Answer, error) {
		out, err := packed.Unpack(dst[:0], packedBytes)
		if err != nil {
			return harness.Answer{}, err
		}
		return answer(m.values(), out), checkSame("unpack", out, framed)
	}, func(n int) {
		for range n {
			var err error
			dst, err = packed.Unpack(dst[:0], packedBytes)
			must(err)
		}
	}}
}
