package packed

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// dumpDir makes the benchmarks write their data to files, so that another
// implementation can be measured on the same bytes.
var dumpDir = flag.String("dump", "", "write the benchmarks' data to `DIR`")

var benchData = []struct {
	name string
	make func(r *rand.Rand) []byte
}{
	{"book", func(r *rand.Rand) []byte { return addressBook(r, 1000) }},
	// Too much for a branch predictor to learn by heart.
	{"book6000", func(r *rand.Rand) []byte { return addressBook(r, 6000) }},
	{"book2", func(r *rand.Rand) []byte { return addressBook(r, 2) }},
	{"smallints", func(r *rand.Rand) []byte {
		var b []byte
		for range 32 << 10 {
			b = binary.LittleEndian.AppendUint64(b, r.Uint64N(1<<(1+r.UintN(20))))
		}
		return b
	}},
	{"zero", func(r *rand.Rand) []byte { return make([]byte, 256<<10) }},
	{"random", func(r *rand.Rand) []byte {
		var b []byte
		for range 32 << 10 {
			b = binary.LittleEndian.AppendUint64(b, r.Uint64())
		}
		return b
	}},
}

func BenchmarkPack(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, src []byte) {
		dst := make([]byte, 0, MaxLen(len(src)))
		for b.Loop() {
			Append(dst, src)
		}
	})
}

func BenchmarkUnpack(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, src []byte) {
		packed := Append(nil, src)
		dst := make([]byte, len(src))
		for b.Loop() {
			var u Unpacker
			if nd, ns := u.Unpack(dst, packed); nd != len(dst) || ns != len(packed) {
				b.Fatalf("Unpack = %d, %d", nd, ns)
			}
		}
	})
}

// eachBenchmark measures each kernel on each kind of data; throughput is in
// unpacked bytes.
func eachBenchmark(b *testing.B, run func(b *testing.B, src []byte)) {
	for _, data := range benchData {
		src := data.make(rand.New(rand.NewPCG(11, 12)))
		if *dumpDir != "" {
			if err := os.WriteFile(filepath.Join(*dumpDir, data.name+".seg"), src, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		for _, name := range []string{"safe", "unsafe", "bmi2", "avx512"} {
			k, ok := kernels()[name]
			if !ok {
				continue
			}
			b.Run(data.name+"/"+name, func(b *testing.B) {
				use(b, k)
				b.SetBytes(int64(len(src)))
				run(b, src)
			})
		}
	}
}
