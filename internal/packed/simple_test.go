package packed

import "errors"

// simplePack is the format's description written down, as the model that the
// kernels are compared with.
func simplePack(src []byte) []byte {
	var out []byte
	zeros := func(word []byte) (n int) {
		for _, b := range word {
			if b == 0 {
				n++
			}
		}
		return n
	}
	for len(src) > 0 {
		word := src[:8]
		src = src[8:]
		at := len(out)
		out = append(out, 0)
		for i, b := range word {
			if b != 0 {
				out[at] |= 1 << i
				out = append(out, b)
			}
		}
		run := 0
		switch zeros(word) {
		case 8:
			for run < 255 && len(src) > 8*run && zeros(src[8*run:][:8]) == 8 {
				run++
			}
			out = append(out, byte(run))
		case 0:
			for run < 255 && len(src) > 8*run && zeros(src[8*run:][:8]) <= 1 {
				run++
			}
			out = append(out, byte(run))
			out = append(out, src[:8*run]...)
		}
		src = src[8*run:]
	}
	return out
}

var errSimpleCut = errors.New("cut")

// simpleUnpack unpacks all of src. With an error it returns what it has
// unpacked so far: whole words only.
func simpleUnpack(src []byte) ([]byte, error) {
	var out []byte
	for len(src) > 0 {
		tag := src[0]
		src = src[1:]
		var word [8]byte
		for i := range word {
			if tag>>i&1 == 0 {
				continue
			}
			if len(src) == 0 {
				return out, errSimpleCut
			}
			word[i] = src[0]
			src = src[1:]
		}
		out = append(out, word[:]...)
		if tag != 0 && tag != 0xff {
			continue
		}
		if len(src) == 0 {
			return out, errSimpleCut
		}
		run := int(src[0])
		src = src[1:]
		if tag == 0 {
			out = append(out, make([]byte, 8*run)...)
			continue
		}
		if len(src) < 8*run {
			return append(out, src[:len(src)&^7]...), errSimpleCut
		}
		out = append(out, src[:8*run]...)
		src = src[8*run:]
	}
	return out, nil
}
