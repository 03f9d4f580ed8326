package segment_test

import "golang.org/x/sys/unix"

// guarded gives n regions of memory that end where an access faults, and so
// finds a read past the end that the Go heap would hide.
func guarded(n, size int) (regions [][]byte, done func()) {
	page := unix.Getpagesize()
	size = (size + page - 1) / page * page
	var maps [][]byte
	for range n {
		b, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			panic(err)
		}
		for _, guard := range [][]byte{b[:page], b[page+size:]} {
			if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
				panic(err)
			}
		}
		maps = append(maps, b)
		regions = append(regions, b[page:page+size:page+size])
	}
	return regions, func() {
		for _, b := range maps {
			if err := unix.Munmap(b); err != nil {
				panic(err)
			}
		}
	}
}

// placer gives a function that moves up to n segments to the ends of guarded
// regions of a page.
func placer(n int) (place func([][]byte) [][]byte, done func()) {
	regions, done := guarded(n, 1)
	out := make([][]byte, n)
	return func(segs [][]byte) [][]byte {
		for i, s := range segs {
			out[i] = regions[i][len(regions[i])-len(s):]
			copy(out[i], s)
		}
		return out[:len(segs)]
	}, done
}
