package arena

// A sync.Pool that holds a pointer allocates nothing, one that holds a slice
// does. The pointers are to arrays, one type a class, so that the conversions
// both ways are the language's own and checked.

// memory returns v, a block of class c from a sync.Pool, as a slice, and a fresh
// block if v is nil.
func memory(c int, v any) []byte {
	if v == nil {
		return make([]byte, 1<<(minShift+c))
	}
	switch c {
	case 0:
		return v.(*[512]byte)[:]
	case 1:
		return v.(*[1 << 10]byte)[:]
	case 2:
		return v.(*[2 << 10]byte)[:]
	case 3:
		return v.(*[4 << 10]byte)[:]
	case 4:
		return v.(*[8 << 10]byte)[:]
	case 5:
		return v.(*[16 << 10]byte)[:]
	case 6:
		return v.(*[32 << 10]byte)[:]
	case 7:
		return v.(*[64 << 10]byte)[:]
	case 8:
		return v.(*[128 << 10]byte)[:]
	case 9:
		return v.(*[256 << 10]byte)[:]
	case 10:
		return v.(*[512 << 10]byte)[:]
	case 11:
		return v.(*[1 << 20]byte)[:]
	case 12:
		return v.(*[2 << 20]byte)[:]
	default:
		return v.(*[4 << 20]byte)[:]
	}
}

// block returns mem, which has the length of class c, as what a sync.Pool holds.
func block(c int, mem []byte) any {
	switch c {
	case 0:
		return (*[512]byte)(mem)
	case 1:
		return (*[1 << 10]byte)(mem)
	case 2:
		return (*[2 << 10]byte)(mem)
	case 3:
		return (*[4 << 10]byte)(mem)
	case 4:
		return (*[8 << 10]byte)(mem)
	case 5:
		return (*[16 << 10]byte)(mem)
	case 6:
		return (*[32 << 10]byte)(mem)
	case 7:
		return (*[64 << 10]byte)(mem)
	case 8:
		return (*[128 << 10]byte)(mem)
	case 9:
		return (*[256 << 10]byte)(mem)
	case 10:
		return (*[512 << 10]byte)(mem)
	case 11:
		return (*[1 << 20]byte)(mem)
	case 12:
		return (*[2 << 20]byte)(mem)
	default:
		return (*[4 << 20]byte)(mem)
	}
}
