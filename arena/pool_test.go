package arena

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func addr(mem []byte) uintptr { return reflect.ValueOf(mem).Pointer() }

func checkOutstanding(t *testing.T, a interface{ Outstanding() (int64, int64) }, blocks, length int64) {
	t.Helper()
	if gotBlocks, gotBytes := a.Outstanding(); gotBlocks != blocks || gotBytes != length {
		t.Errorf("outstanding %d blocks with %d bytes, want %d with %d", gotBlocks, gotBytes, blocks, length)
	}
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if p == nil || !strings.Contains(fmt.Sprint(p), want) {
			t.Errorf("panic %v, want one with %q", p, want)
		}
	}()
	f()
}

func fill(mem []byte, v byte) {
	page := bytes.Repeat([]byte{v}, 4096)
	for i := 0; i < len(mem); {
		i += copy(mem[i:], page)
	}
}

// modes are the two kinds of pool, for tests of what they have in common.
func modes(t *testing.T, f func(t *testing.T, p *Pooled)) {
	t.Run("default", func(t *testing.T) { f(t, NewPool(PoolOptions{})) })
	t.Run("debug", func(t *testing.T) {
		f(t, NewPool(PoolOptions{Debug: true, Report: func(r Report) { t.Errorf("reported: %v", r) }}))
	})
}

func TestPoolSizes(t *testing.T) {
	modes(t, func(t *testing.T, p *Pooled) {
		for _, c := range []struct{ ask, want int }{
			{8, 512},
			{512, 512},
			{520, 1024},
			{1024, 1024},
			{4096, 4096},
			{4104, 8192},
			{2<<20 + 8, 4 << 20},
			{4 << 20, 4 << 20},
			{4<<20 + 8, 4<<20 + largeStep},
			{9 << 20, 9 << 20},
		} {
			mem, err := p.Allocate(c.ask)
			if err != nil {
				t.Fatalf("%d bytes: %v", c.ask, err)
			}
			checkBlock(t, mem, c.ask)
			if len(mem) != c.want {
				t.Errorf("%d bytes asked: got %d, want %d", c.ask, len(mem), c.want)
			}
			checkOutstanding(t, p, 1, int64(len(mem)))
			p.Free(mem, 0)
			checkOutstanding(t, p, 0, 0)
		}
	})
}

// Every class, used and cleared twice, so that each conversion both ways runs on
// a block that comes back.
func TestPoolEveryClass(t *testing.T) {
	p := NewPool(PoolOptions{})
	for size := 1 << minShift; size <= 1<<maxShift; size *= 2 {
		for round := range 8 {
			mem, err := p.Allocate(size)
			if err != nil {
				t.Fatal(err)
			}
			checkBlock(t, mem, size)
			if len(mem) != size {
				t.Fatalf("class of %d: got %d", size, len(mem))
			}
			used := size >> (round % 4)
			fill(mem[:used], 0xee)
			p.Free(mem, used)
		}
	}
	checkOutstanding(t, p, 0, 0)
}

func TestPoolUsesAgain(t *testing.T) {
	p := NewPool(PoolOptions{})
	seen := map[uintptr]bool{}
	again := false
	for range 100 { // a sync.Pool may forget, and does at random under the race detector
		mem, err := p.Allocate(4096)
		if err != nil {
			t.Fatal(err)
		}
		again = again || seen[addr(mem)]
		seen[addr(mem)] = true
		p.Free(mem, 0)
	}
	if !again {
		t.Error("100 blocks after each other, and none came back")
	}
}

func TestPoolRefuses(t *testing.T) {
	modes(t, func(t *testing.T, p *Pooled) {
		for _, n := range []int{0, -8, maxSegment + 8, -maxSegment} {
			mem, err := p.Allocate(n)
			if !errors.Is(err, ErrFull) || mem != nil {
				t.Errorf("%d bytes: %d, %v", n, len(mem), err)
			} else if !strings.Contains(err.Error(), fmt.Sprint(n)) || !strings.Contains(err.Error(), fmt.Sprint(maxSegment)) {
				t.Errorf("%q names neither size nor limit", err)
			}
		}
		checkOutstanding(t, p, 0, 0)
	})
}

func TestPoolMaxClass(t *testing.T) {
	for _, c := range []struct{ max, limit int }{{0, 4 << 20}, {-1, 4 << 20}, {1, 512}, {512, 512}, {5000, 8192}, {1 << 30, 4 << 20}} {
		if got := NewPool(PoolOptions{MaxClass: c.max}).limit; got != c.limit {
			t.Errorf("MaxClass %d: largest class %d, want %d", c.max, got, c.limit)
		}
	}
	p := NewPool(PoolOptions{MaxClass: 1024})
	mem, err := p.Allocate(2048)
	if err != nil {
		t.Fatal(err)
	}
	checkBlock(t, mem, 2048)
	checkOutstanding(t, p, 1, int64(len(mem)))
	p.Free(mem, 8)
	checkOutstanding(t, p, 0, 0)
}

func TestPoolMisuse(t *testing.T) {
	p := NewPool(PoolOptions{})
	mem, err := p.Allocate(4096)
	if err != nil {
		t.Fatal(err)
	}
	mustPanic(t, "no block of the pool", func() { p.Free(mem[:4088], 0) })
	mustPanic(t, "no block of the pool", func() { p.Free(nil, 0) })
	mustPanic(t, "no block of the pool", func() { p.Free(make([]byte, 4<<20+8), 0) })
	mustPanic(t, "used", func() { p.Free(mem, 4097) })
	mustPanic(t, "used", func() { p.Free(mem, -1) })
	checkOutstanding(t, p, 1, 4096)
	p.Free(mem, 0)
}

func TestPoolAllocatesNothing(t *testing.T) {
	for _, size := range []int{512, 4096, 1 << 20} {
		p := NewPool(PoolOptions{})
		got := testing.AllocsPerRun(1000, func() {
			mem, err := p.Allocate(size)
			if err != nil {
				t.Fatal(err)
			}
			mem[0] = 1
			p.Free(mem, 8)
		})
		// A collection during the run empties a sync.Pool, which AllocsPerRun
		// rounds away; the race detector makes it forget on purpose.
		if got != 0 && !raceEnabled {
			t.Errorf("%d bytes: %v allocations", size, got)
		}
	}
}

// Random use against a model: what is out never overlaps, is zero when it comes,
// keeps what its owner wrote, and is counted.
func TestPoolModel(t *testing.T) {
	model := func(p *Pooled) func(t *rapid.T) {
		return func(t *rapid.T) {
			type block struct {
				mem  []byte
				used int
				mark byte
			}
			var out []block
			var length int64
			next := byte(1)
			t.Repeat(map[string]func(*rapid.T){
				"allocate": func(t *rapid.T) {
					n := 8 * rapid.OneOf(rapid.IntRange(1, 1024), rapid.IntRange(1, 5<<20/8)).Draw(t, "words")
					mem, err := p.Allocate(n)
					if err != nil {
						t.Fatalf("%d bytes: %v", n, err)
					}
					checkBlock(t, mem, n)
					for _, b := range out {
						if addr(mem) < addr(b.mem)+uintptr(len(b.mem)) && addr(b.mem) < addr(mem)+uintptr(len(mem)) {
							t.Fatalf("%d bytes at %#x overlap %d at %#x", len(mem), addr(mem), len(b.mem), addr(b.mem))
						}
					}
					used := rapid.IntRange(0, len(mem)/8).Draw(t, "used") * 8
					fill(mem[:used], next)
					out = append(out, block{mem, used, next})
					length += int64(len(mem))
					next = next%255 + 1
				},
				"free": func(t *rapid.T) {
					if len(out) == 0 {
						t.Skip("nothing is out")
					}
					i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
					b := out[i]
					out = append(out[:i], out[i+1:]...)
					if j := firstNot(b.mem[:b.used], bytes.Repeat([]byte{b.mark}, 4096)); j >= 0 {
						t.Fatalf("byte %d of a block became %#x, its owner wrote %#x", j, b.mem[j], b.mark)
					}
					length -= int64(len(b.mem))
					p.Free(b.mem, b.used)
				},
				"": func(t *rapid.T) {
					if n, l := p.Outstanding(); n != int64(len(out)) || l != length {
						t.Fatalf("outstanding %d with %d bytes, want %d with %d", n, l, len(out), length)
					}
				},
			})
			for _, b := range out {
				p.Free(b.mem, b.used)
			}
		}
	}
	modes(t, func(t *testing.T, p *Pooled) { rapid.Check(t, model(p)) })
}

func TestPoolConcurrently(t *testing.T) {
	modes(t, func(t *testing.T, p *Pooled) {
		const workers, rounds = 8, 400
		handover := make(chan []byte, workers) // freed by another goroutine than allocated
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(w), 7))
				mine := bytes.Repeat([]byte{byte(w + 1)}, 4096)
				for range rounds {
					n := 8 * (1 + rnd.IntN(2048))
					mem, err := p.Allocate(n)
					if err != nil {
						t.Error(err)
						return
					}
					if i := firstNot(mem, zeroPage); i >= 0 {
						t.Errorf("byte %d of %d is %#x", i, len(mem), mem[i])
						return
					}
					fill(mem[:n], byte(w+1))
					if i := firstNot(mem[:n], mine); i >= 0 {
						t.Errorf("byte %d of %d became %#x", i, n, mem[i])
						return
					}
					select {
					case handover <- mem:
					case other := <-handover:
						p.Free(other, len(other))
						p.Free(mem, n)
					default:
						p.Free(mem, n)
					}
				}
			})
		}
		wg.Wait()
		close(handover)
		for mem := range handover {
			p.Free(mem, len(mem))
		}
		checkOutstanding(t, p, 0, 0)
	})
}

func TestSharedPool(t *testing.T) {
	if first, second := Pool(), Pool(); first != second {
		t.Error("the shared pool is not shared")
	}
	if !Pool().Zeroed() {
		t.Error("not zeroed")
	}
}

func init() {
	children["debugging"] = func() { fmt.Print(Pool().Debugging()) }
}

func TestSharedPoolEnvironment(t *testing.T) {
	for value, want := range map[string]string{"1": "true", "true": "true", "0": "false", "": "false", "loud": "false"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), quickExit, childEnv+"=debugging", "FAIRLEAD_DEBUG="+value)
		out, err := cmd.Output()
		if err != nil || string(out) != want {
			t.Errorf("FAIRLEAD_DEBUG=%q: debugging %s, %v, want %s", value, out, err, want)
		}
	}
}

// A block that is kept is not out, and its message has it again.
func TestPoolKeeps(t *testing.T) {
	p := NewPool(PoolOptions{})
	mem, err := p.Allocate(4096)
	if err != nil {
		t.Fatal(err)
	}
	fill(mem[:100], 1)
	if !p.Keep(mem, 100) {
		t.Fatal("a block of 4 KiB is not kept")
	}
	checkOutstanding(t, p, 0, 0)
	if !bytes.Equal(mem, make([]byte, 4096)) {
		t.Error("a block is kept that is not zero")
	}
	p.Take(mem)
	checkOutstanding(t, p, 1, 4096)
	p.Free(mem, 0)
	checkOutstanding(t, p, 0, 0)

	for _, c := range []struct {
		o    PoolOptions
		size int
	}{{PoolOptions{}, 512}, {PoolOptions{}, 8192}, {PoolOptions{}, 8 << 20}, {PoolOptions{MaxClass: 1024}, 4096}, {PoolOptions{Debug: true}, 4096}} {
		p := NewPool(c.o)
		mem, err := p.Allocate(c.size)
		if err != nil {
			t.Fatal(err)
		}
		if p.Keep(mem, 0) {
			t.Errorf("a block of %d bytes of a pool %+v is kept", len(mem), c.o)
		}
		p.Free(mem, 0)
		checkOutstanding(t, p, 0, 0)
	}
}
