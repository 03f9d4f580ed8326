package shm

import (
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// Wait is how a call waits for the peer.
type Wait uint8

const (
	// Adaptive spins for some 20 µs, then sleeps. Where waits have proved to be
	// longer it sleeps at once, until one is short again. It never spins where
	// there is one processor only.
	Adaptive Wait = iota
	// Spin does not sleep, but for a sender that is short of memory: the least
	// latency, for a processor that it keeps busy. With one processor, or
	// GOMAXPROCS=1, it is as Adaptive.
	Spin
	// Sleep sleeps at once.
	Sleep
)

func (w Wait) String() string {
	switch w {
	case Adaptive:
		return "adaptive"
	case Spin:
		return "spin"
	case Sleep:
		return "sleep"
	}
	return fmt.Sprintf("Wait(%d)", uint8(w))
}

// The defaults of Options.
const (
	DefaultMaxPeers = 64
	defaultMaxBytes = 1 << (28 + 2*(math.MaxUint>>63)) // 1 GiB, or 256 MiB where an int has 32 bits
)

// Options says how pipes work. The zero value is useful.
type Options struct {
	// Limits bound what reading a received message may cost; zero fields mean
	// the defaults. MessageBytes does not count here, for receiving takes no
	// memory.
	Limits segment.Limits
	// Wait is how calls wait for the peer. Default Adaptive.
	Wait Wait
	// MaxBytes is how much memory the regions of one end of a pipe may take, ours
	// and the peer's each. Default 1 GiB, on 32-bit systems 256 MiB. A message
	// that is built while ours are full is built in the heap, and copied once
	// there is room.
	MaxBytes int64
	// ManualFlush makes Send only collect: the peer is woken by Flush, or by a
	// call that has to wait. A peer that is awake sees messages at once in any
	// case.
	ManualFlush bool
	// HugePages asks the system to back regions with huge pages, where
	// /sys/kernel/mm/transparent_hugepage/shmem_enabled lets it.
	HugePages bool
	// HugeFolder, if not empty, is a folder of a tmpfs that is mounted with huge=, or
	// of a hugetlbfs: regions beside the first are files there, in multiples of its
	// pages. They have no name, so that nothing of them outlives both processes. Such
	// a file cannot be sealed: this end passes on a descriptor that is for reading
	// only, and the peer must have the option Unsealed.
	HugeFolder string
	// Unsealed accepts regions of the peer's HugeFolder. It is checked that they are
	// files without a name, of the size that was announced and with storage for all
	// of it. But nothing keeps the peer from shortening one, and then reading a
	// message kills this process: it is for peers that are trusted as it is itself.
	Unsealed bool
	// UIDs are the users whose processes may be the peer. Default: the user of
	// this process.
	UIDs []int
	// MaxPeers is how many pipes of a Listener may be open at once, those that
	// are being made included. Default 64.
	MaxPeers int
	// Replace makes Listen take a path over from a process that listens there, if
	// it is of the same user. The pipes of that listener go on; it accepts no
	// more. See [Listener].
	Replace bool

	unit int // of the sizes of regions in HugeFolder
}

// check tells whether the options can be used, and fills in the defaults.
func (o *Options) check() error {
	if !mem.SharedSupported() {
		return ErrUnsupported
	}
	switch {
	case o.Wait > Sleep:
		return fmt.Errorf("shm: options: no such Wait: %d", o.Wait)
	case o.MaxBytes < 0 || o.MaxBytes > 0 && o.MaxBytes < firstRegionBytes || o.MaxBytes > math.MaxInt:
		return fmt.Errorf("shm: options: MaxBytes is %d, want at least %d", o.MaxBytes, firstRegionBytes)
	case o.MaxPeers < 0:
		return fmt.Errorf("shm: options: MaxPeers is %d", o.MaxPeers)
	}
	if o.HugeFolder != "" {
		unit, err := mem.FolderUnit(o.HugeFolder)
		if err != nil {
			return fmt.Errorf("shm: options: HugeFolder: %w", err)
		}
		o.unit = unit
	}
	o.Limits = o.Limits.WithDefaults()
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxPeers == 0 {
		o.MaxPeers = DefaultMaxPeers
	}
	if len(o.UIDs) == 0 {
		o.UIDs = []int{os.Geteuid()}
	}
	return nil
}

func (o *Options) allowed(uid int) bool { return slices.Contains(o.UIDs, uid) }
