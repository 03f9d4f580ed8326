package segment

// maxExternal leaves room below what readers accept for the segments that the
// message itself grows by.
const maxExternal = DefaultSegments - 63

// SetExternalData lets the pointer refer to bytes without copying them: they
// become a segment of their own, which leaves with the message as it lies
// there. v must stay unchanged until release is called, once, when the message
// no longer needs it; release may be nil. The message reads v and never writes
// it.
//
// v must start at a multiple of 8 bytes and is at most 2^29 - 1 bytes long. A
// segment is a whole number of words: where len(v) is not a multiple of 8, the
// bytes behind it up to the next multiple must be within cap(v) and zero. Data
// that is not so, or that would be one segment too many for readers with the
// default limits, is copied into the message, release is called at once, and
// false is returned. External data that the pointer is set away from still
// leaves with the message.
func (p PtrBuilder) SetExternalData(v []byte, release func()) (uncopied bool) {
	return p.external(v, release)
}

// SetExternalText is [PtrBuilder.SetExternalData] for text whose NUL is the last
// byte of v. Without the NUL, as a mapped file mostly is, it is copied.
func (p PtrBuilder) SetExternalText(v []byte, release func()) (uncopied bool) {
	if len(v) == 0 || v[len(v)-1] != 0 {
		p.SetText(string(v))
		if release != nil {
			release()
		}
		return false
	}
	return p.external(v, release)
}

func (p PtrBuilder) external(v []byte, release func()) bool {
	n := len(v)
	padded := (n + 7) &^ 7
	if p.seg == nil || n == 0 || n > maxListLen || len(p.seg.msg.segs) >= maxExternal || !aligned(v) || cap(v) < padded || !allZero(v[n:padded]) {
		p.SetData(v)
		if release != nil {
			release()
		}
		return false
	}
	m := p.seg.msg
	if err := m.Err(); err != nil {
		if release != nil {
			release()
		}
		return false
	}
	s := m.newSeg()
	s.bind(v[:padded:padded])
	s.words = int64(padded / wordBytes)
	s.foreign, s.release = true, release
	clearPtr(p.seg, p.at)
	linkTo(p.seg, p.at, target{s, 0, listWord(Byte, uint32(n))})
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
