package reference

// hash is FNV-1a, which the C++ program computes, too.
type hash uint64

const fnvOffset hash = 14695981039346656037

func (h *hash) octet(b byte) { *h = (*h ^ hash(b)) * 1099511628211 }

func (h *hash) number(x uint64) {
	for range 8 {
		h.octet(byte(x))
		x >>= 8
	}
}

func (h *hash) bytes(b []byte) {
	for _, c := range b {
		h.octet(c)
	}
}

func (h *hash) text(b []byte) {
	h.number(uint64(len(b)))
	h.bytes(b)
}
