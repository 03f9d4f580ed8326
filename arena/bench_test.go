package arena

import (
	"fmt"
	"path/filepath"
	"testing"
)

var sink []byte

func BenchmarkPool(b *testing.B) {
	for _, size := range []int{512, 4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			p := NewPool(PoolOptions{})
			b.ReportAllocs()
			for b.Loop() {
				m, err := p.Allocate(size)
				if err != nil {
					b.Fatal(err)
				}
				m[0] = 1
				p.Free(m, 8)
			}
		})
	}
	b.Run("4096/dirty", func(b *testing.B) { // a small message's whole life: all of it written, all of it cleared
		p := NewPool(PoolOptions{})
		b.ReportAllocs()
		for b.Loop() {
			m, err := p.Allocate(4 << 10)
			if err != nil {
				b.Fatal(err)
			}
			p.Free(m, len(m))
		}
	})
	b.Run("4096/parallel", func(b *testing.B) {
		p := NewPool(PoolOptions{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m, err := p.Allocate(4 << 10)
				if err != nil {
					b.Error(err)
					return
				}
				m[0] = 1
				p.Free(m, 8)
			}
		})
	})
}

func BenchmarkMake4096(b *testing.B) { // what a pool saves
	b.ReportAllocs()
	for b.Loop() {
		sink = make([]byte, 4<<10)
	}
}

func BenchmarkReserve(b *testing.B) {
	r, err := NewReserve(64 << 20)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for _, used := range []int{64, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%d", used), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				seg, err := r.Allocate(8)
				if err == nil && len(seg) < used {
					seg, err = r.Grow(seg, used)
				}
				if err != nil {
					b.Fatal(err)
				}
				r.Free(seg, used)
			}
		})
	}
}

func BenchmarkFile(b *testing.B) { // 1 MiB from nothing to its name; the disk's sync is most of it
	path := filepath.Join(b.TempDir(), "f")
	b.SetBytes(1 << 20)
	for b.Loop() {
		a, err := CreateFile(path, FileOptions{})
		if err != nil {
			b.Fatal(err)
		}
		seg, err := a.Allocate(1 << 20)
		if err != nil {
			b.Fatal(err)
		}
		fill(seg[:1<<20], 1)
		if err := a.Commit(built(seg, 1<<20)); err != nil {
			b.Fatal(err)
		}
		a.Free(seg, 1<<20)
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
