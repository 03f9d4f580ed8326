// Package spin has what waits have in common that look for a while before they sleep.
// To be woken takes several times as long as the way of a small message does, but who
// looks needs a processor, which may be what the other side waits for.
package spin

import (
	"runtime"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

const (
	// misses is after how many spins in vain a wait sleeps at once.
	misses = 3
	// mostShort is how many short sleeps it takes at most until a spin is tried again.
	mostShort = 1024
)

// Allowed tells whether spinning can help: the other side needs a processor
// meanwhile, and the collector of this process a P.
func Allowed() bool { return mem.Processors() > 1 && runtime.GOMAXPROCS(0) > 1 }

// A Patience decides whether a wait begins with spinning. After a few spins in vain
// it does not, until a sleep was so short that a spin would have done. Where the
// other side needs the processor that we spin on, spinning is in vain though sleeps
// are short, and so it is tried again ever more rarely.
type Patience struct {
	misses int // spins in vain, the last ones
	short  int // sleeps that were short, since
	enough int // of them to try again
}

// Spent tells that spinning is of no use now.
func (p *Patience) Spent() bool { return p.misses >= misses }

// Hit is told that a spin was not in vain.
func (p *Patience) Hit() { *p = Patience{} }

// Missed is told that one was.
func (p *Patience) Missed() {
	if p.misses++; p.Spent() {
		p.short, p.enough = 0, min(max(1, 2*p.enough), mostShort)
	}
}

// Slept is told how long a wait took that did not spin, and how long a spin takes.
func (p *Patience) Slept(d, budget time.Duration) {
	if !p.Spent() || d > budget {
		return
	}
	if p.short++; p.short >= p.enough {
		p.misses = misses - 1
	}
}
