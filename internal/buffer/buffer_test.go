package buffer_test

import (
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/internal/buffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClasses(t *testing.T) {
	p := buffer.NewPool(12, 26)
	last := -1
	for n := 1; n <= 64<<20; n += 1 + n/37 {
		class, size := p.Class(n)
		if size < n || size%8 != 0 || n > 4096 && size > n+n/4 {
			t.Fatalf("%d bytes get a buffer of %d", n, size)
		}
		if class < last {
			t.Fatalf("%d bytes are of class %d, fewer of %d", n, class, last)
		}
		if again, whole := p.Class(size); again != class || whole != size {
			t.Fatalf("class %d has buffers of %d bytes, which are of class %d with %d", class, size, again, whole)
		}
		last = class
	}
	if class, size := p.Class(64 << 20); size != 64<<20 || class != 56 {
		t.Errorf("the largest class is %d with %d bytes", class, size)
	}
}

func TestLastHolderGivesBack(t *testing.T) {
	for _, n := range []int{0, 1, 512, 513, 4096, 4097, 100_001} {
		p := buffer.NewPool(9, 12)
		b, fresh := p.Get(n)
		if !fresh || len(b.Mem) < n || len(b.Mem)%8 != 0 || !aligned(b.Mem) {
			t.Errorf("for %d bytes: %d at %p, fresh %v", n, len(b.Mem), b.Mem, fresh)
		}
		if !b.Sole() || p.Outstanding() != 1 {
			t.Errorf("sole %v, %d outstanding", b.Sole(), p.Outstanding())
		}
		b.Retain()
		if b.Sole() {
			t.Error("two holders and sole")
		}
		b.Release()
		if !b.Sole() || p.Outstanding() != 1 {
			t.Errorf("after one of two releases: sole %v, %d outstanding", b.Sole(), p.Outstanding())
		}
		b.Mem[0] = 1
		b.Release()
		if p.Outstanding() != 0 {
			t.Errorf("%d outstanding after the last release", p.Outstanding())
		}
		if buffer.Debugging && b.Mem[0] == 1 {
			t.Error("released memory is not poisoned")
		}
	}
}

func TestForsakenIsNotUsedAgain(t *testing.T) {
	p := buffer.NewPool(9, 12)
	b, _ := p.Get(1000)
	kept := &b.Mem[0]
	b.Forsake()
	if p.Outstanding() != 0 {
		t.Errorf("%d outstanding", p.Outstanding())
	}
	for range 10 {
		if b, fresh := p.Get(1000); !fresh || &b.Mem[0] == kept {
			t.Fatal("the memory that somebody keeps was handed out")
		}
	}
}

func aligned(mem []byte) bool { return reflect.ValueOf(mem).Pointer()%8 == 0 }

func BenchmarkGetRelease(b *testing.B) {
	p := buffer.NewPool(9, 26)
	for b.Loop() {
		x, _ := p.Get(64 << 10)
		x.Release()
	}
}
