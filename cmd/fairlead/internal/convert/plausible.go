package convert

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// likelihood is how likely bytes are the beginning of a stream of some format.
type likelihood uint8

const (
	impossible likelihood = iota
	unlikely
	likely
)

// plausible looks at what a stream of format f begins with. If it can't be one
// that is an error, and if it is unlikely a warning; both name the format that
// it looks like.
func plausible(f Format, prefix []byte) (warning string, err error) {
	prefix = prefix[:min(len(prefix), 1<<10)]
	is := judge(f, prefix)
	if is == likely {
		return "", nil
	}
	seems := ""
	for _, guess := range []Format{Binary, Text, JSON, Packed, Flat, FlatPacked} {
		if judge(guess, prefix) == likely {
			seems = fmt.Sprintf("; it looks like %q", guess)
			break
		}
	}
	if is == unlikely {
		return fmt.Sprintf("the input is hardly in %q format%s", f, seems), nil
	}
	return "", fmt.Errorf("convert: the input is not in %q format%s (--quiet converts it all the same)", f, seems)
}

func judge(f Format, prefix []byte) likelihood {
	switch f {
	case Binary:
		return judgeFramed(prefix)
	case Packed:
		return judgePacked(prefix, judgeFramed)
	case FlatPacked:
		return judgePacked(prefix, judgeFlat)
	case Text:
		return judgeText(prefix, '(')
	case JSON:
		return judgeText(prefix, '{')
	}
	return judgeFlat(prefix)
}

// judgeFlat looks at one segment.
func judgeFlat(prefix []byte) likelihood { return judgeRoot(prefix, 1) }

// judgeRoot looks at the root pointer, if the prefix reaches it.
func judgeRoot(prefix []byte, segments uint32) likelihood {
	if len(prefix) < 8 {
		return likely
	}
	w := binary.LittleEndian.Uint64(prefix)
	if w&3 == 2 && uint32(w>>32) < segments && segments > 1 {
		return likely
	}
	off := int32(uint32(w)) >> 2
	data, ptrs := uint16(w>>32), uint16(w>>48)
	switch {
	case w&3 != 0 || off < -1 || off == -1 && (data != 0 || ptrs != 0):
		return impossible
	case off >= 1<<27 || int(data)+int(ptrs) > 2048:
		return unlikely
	}
	return likely
}

// judgeFramed looks at a segment table.
func judgeFramed(prefix []byte) likelihood {
	if len(prefix) < 8 {
		return likely
	}
	segments := binary.LittleEndian.Uint32(prefix) + 1
	switch {
	case segments == 0 || segments > 1<<16:
		return impossible
	case segments > 256 || binary.LittleEndian.Uint32(prefix[4:]) > 1<<27:
		return unlikely
	}
	table := int(4+4*segments+7) &^ 7
	if len(prefix) < table+8 {
		return likely
	}
	return judgeRoot(prefix[table:], segments)
}

// judgeText looks at text whose values begin with a bracket.
func judgeText(prefix []byte, open byte) likelihood {
	for {
		prefix = bytes.TrimLeft(prefix, " \t\r\n\v\f")
		if len(prefix) == 0 {
			return likely
		}
		if prefix[0] != '#' {
			break
		}
		i := bytes.IndexByte(prefix, '\n')
		if i < 0 {
			return likely
		}
		prefix = prefix[i:]
	}
	if prefix[0] != open {
		return impossible
	}
	for _, c := range prefix {
		if c == '"' || c == '\'' {
			break
		}
		if c < ' ' && (c < '\t' || c > '\r') || c == 0x7f {
			return impossible
		}
	}
	return likely
}

// judgePacked unpacks what the prefix has, and looks at it.
func judgePacked(prefix []byte, unpacked func([]byte) likelihood) likelihood {
	var words []byte
	for len(prefix) > 0 {
		tag := prefix[0]
		word := make([]byte, 8)
		n := 1
		for i := range word {
			if tag>>i&1 == 0 {
				continue
			}
			if n >= len(prefix) {
				return unpacked(words)
			}
			if prefix[n] == 0 && tag != 0xff {
				return impossible // a packer leaves zeros out
			}
			word[i] = prefix[n]
			n++
		}
		words = append(words, word...)
		if tag == 0 || tag == 0xff {
			if n >= len(prefix) {
				return unpacked(words)
			}
			run := 8 * int(prefix[n])
			n++
			if tag == 0 {
				words = append(words, make([]byte, run)...)
			} else {
				run = min(run, len(prefix)-n)
				words = append(words, prefix[n:n+run]...)
				n += run
			}
		}
		prefix = prefix[n:]
	}
	return unpacked(words)
}
