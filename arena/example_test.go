package arena_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairlead-go/fairlead/arena"
)

// Messages do this for you: segment.New(arena.Pool()) allocates when the first
// object is built and frees on Release.
func Example() {
	pool := arena.Pool()
	segment, err := pool.Allocate(1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	n := copy(segment, "built where it will be sent from")
	fmt.Println(len(segment), string(segment[:n]))
	pool.Free(segment, n)
	// Output: 1024 built where it will be sent from
}

// A leak test compares what is out before and after.
func ExamplePooled_Outstanding() {
	pool := arena.NewPool(arena.PoolOptions{})
	segment, err := pool.Allocate(4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pool.Outstanding())
	pool.Free(segment, 0)
	fmt.Println(pool.Outstanding())
	// Output:
	// 1 4096
	// 0 0
}

// A debug pool finds who still writes to memory that was given back.
func ExamplePooled_Check() {
	pool := arena.NewPool(arena.PoolOptions{
		Debug: true,
		Report: func(r arena.Report) {
			fmt.Println(r.Fault, "at offset", r.Offset, "of", r.Bytes)
		},
	})
	segment, err := pool.Allocate(512)
	if err != nil {
		fmt.Println(err)
		return
	}
	pool.Free(segment, 0)
	segment[100] = 1 // too late
	fmt.Println(pool.Check())
	// Output:
	// write through a stale view at offset 100 of 512
	// 1
}

// A reserve grows one segment in place, so that nothing is ever copied.
func ExampleNewReserve() {
	reserve, err := arena.NewReserve(1 << 30)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reserve.Close()
	segment, err := reserve.Allocate(8)
	if err != nil {
		fmt.Println(err)
		return
	}
	longer, err := reserve.Grow(segment, 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(longer) >= 1<<20, &longer[0] == &segment[0])
	reserve.Free(longer, 0)
	// Output: true true
}

// A message that does not fit into a fixed buffer gets an error that says so.
func ExampleNewFixed() {
	fixed, err := arena.NewFixed(make([]byte, 64))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = fixed.Allocate(72)
	fmt.Println(err, errors.Is(err, arena.ErrFull))
	// Output: arena: full: fixed: 72 bytes asked, the buffer has 64 true
}

// words stands for a *segment.Message of one segment.
type words []byte

func (w words) ToSegments() ([][]byte, error) { return [][]byte{w}, nil }

// What is built is the file; Commit puts it in place at one instant.
func ExampleCreateFile() {
	dir, err := os.MkdirTemp("", "fairlead")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "frames.capnp")
	file, err := arena.CreateFile(path, arena.FileOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	segment, err := file.Allocate(16)
	if err != nil {
		fmt.Println(err)
		return
	}
	copy(segment, "sixteen letters.")
	if err := file.Commit(words(segment[:16])); err != nil {
		fmt.Println(err)
		return
	}
	file.Free(segment, 16)
	framed, err := os.ReadFile(path)
	fmt.Printf("%v %q %v\n", framed[:8], framed[8:], err)
	// Output: [0 0 0 0 2 0 0 0] "sixteen letters." <nil>
}
