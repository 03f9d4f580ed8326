package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/segment"
)

const (
	maxTextShown = 60 // bytes of text in a line
	maxDataShown = 24 // bytes of other data in a line
)

type printer struct {
	out    io.Writer
	opts   Options
	err    error // of out
	faults int
	left   int // pointers that may still be printed in this message
	msg    *message
}

func (p *printer) linef(depth int, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, strings.Repeat("  ", min(depth, 100))+format+"\n", args...)
	}
}

func (p *printer) fault(depth int, format string, args ...any) {
	p.faults++
	p.linef(depth, "FAULT: "+format, args...)
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// message prints one message: its segments, its tree, and the library's verdict.
func (p *printer) message(n int, m *message) {
	p.msg, p.left = m, p.opts.Pointers
	before := p.faults
	p.linef(0, "message %d at byte %d: %s in the input, %s, %s", n, m.at, plural(int64(m.end-m.at), "byte"),
		plural(int64(len(m.segs)), "segment"), plural(int64(m.words()), "word"))
	if m.packed {
		p.linef(1, "places are those of the unpacked message")
	}
	for i, s := range m.segs {
		p.linef(1, "segment %d at byte %d: %s", i, m.starts[i], plural(int64(len(s)/wordBytes), "word"))
	}
	if len(m.segs[0]) < wordBytes {
		p.fault(1, "at byte %d: an empty first segment, and so no root pointer", m.starts[0])
	} else {
		p.pointer(1, "root", 0, 0)
	}
	p.verdict(m, p.faults-before)
}

// verdict prints what a reader of the library would meet. A fault that was not
// met on the way, because printing stopped before it, counts too.
func (p *printer) verdict(m *message, found int) {
	err := verdict(m)
	if err == nil {
		p.linef(1, "sound")
		return
	}
	if found == 0 {
		p.faults++
	}
	place := ""
	var f *segment.Fault
	if errors.As(err, &f) && int(f.Segment) < len(m.segs) {
		place = fmt.Sprintf(" (byte %d)", m.byteAt(f.Segment, f.Word))
	}
	p.linef(1, "not sound: %v%s", err, place)
}

// pointer prints a pointer and what it leads to.
func (p *printer) pointer(depth int, name string, seg uint32, word int64) {
	m := p.msg
	v := m.load(seg, word)
	at := fmt.Sprintf("%s %d:%d (byte %d)", name, seg, word, m.byteAt(seg, word))
	if p.left == 0 {
		p.linef(depth, "%s: … stopped after %d pointers", at, p.opts.Pointers)
		p.left = -1
	}
	if p.left < 0 {
		return
	}
	p.left--
	if v == 0 {
		p.linef(depth, "%s: null", at)
		return
	}
	t, err := m.resolve(seg, word, v)
	if err != nil {
		p.fault(depth, "%s: %v", at, err)
		return
	}
	if t.kind() == kindOther {
		p.other(depth, at, t)
		return
	}
	if err := m.check(t); err != nil {
		p.fault(depth, "%s: a %s of %v%s", at, kindName(t), err, t.way)
		return
	}
	if depth > p.opts.Depth {
		p.linef(depth, "%s: %s → %d:%d%s … deeper than %d", at, kindName(t), t.seg, t.word, t.way, p.opts.Depth)
		return
	}
	if t.kind() == kindStruct {
		p.linef(depth, "%s: struct → %d:%d%s, %s, %s", at, t.seg, t.word, t.way, plural(t.data(), "data word"), plural(t.ptrs(), "pointer"))
		p.structure(depth+1, t.seg, t.word, t.data(), t.ptrs())
		return
	}
	p.list(depth, at, t)
}

func kindName(t target) string {
	if t.kind() == kindStruct {
		return "struct"
	}
	return elemNames[t.elem()] + " list"
}

func (p *printer) other(depth int, at string, t target) {
	if uint32(t.pointer) != kindOther {
		p.fault(depth, "%s: unknown pointer %#016x", at, uint64(t.pointer))
		return
	}
	p.linef(depth, "%s: capability %d%s", at, t.upper(), t.way)
}

// structure prints the sections of a struct.
func (p *printer) structure(depth int, seg uint32, word, data, ptrs int64) {
	if data > 0 {
		var b strings.Builder
		shown := min(data, int64(p.opts.Elements))
		for i := range shown {
			fmt.Fprintf(&b, " %016x", uint64(p.msg.load(seg, word+i)))
		}
		if data > shown {
			fmt.Fprintf(&b, " … %d more", data-shown)
		}
		p.linef(depth, "data%s", b.String())
	}
	for i := range ptrs {
		if p.left < 0 {
			return
		}
		p.pointer(depth, fmt.Sprintf("pointer %d", i), seg, word+data+i)
	}
}

func (p *printer) list(depth int, at string, t target) {
	switch t.elem() {
	case elemComposite:
		p.composite(depth, at, t)
	case elemPointer:
		p.linef(depth, "%s: list → %d:%d%s of %s", at, t.seg, t.word, t.way, plural(t.count(), "pointer"))
		p.elements(depth+1, t.count(), func(i int64) {
			p.pointer(depth+1, fmt.Sprintf("[%d]", i), t.seg, t.word+i)
		})
	default:
		p.linef(depth, "%s: list → %d:%d%s of %s%s", at, t.seg, t.word, t.way, plural(t.count(), elemNames[t.elem()]+" element"), p.preview(t))
	}
}

// composite prints a list of structs, whose tag word gives their size.
func (p *printer) composite(depth int, at string, t target) {
	tag := p.msg.load(t.seg, t.word)
	n, each := tag.tagLen(), tag.data()+tag.ptrs()
	if tag.kind() != kindStruct {
		p.fault(depth, "%s: a struct list whose tag at %d:%d (byte %d) is no struct pointer: %016x",
			at, t.seg, t.word, p.msg.byteAt(t.seg, t.word), uint64(tag))
		return
	}
	if n*each > t.count() {
		p.fault(depth, "%s: a list of %d structs of %d words in %d words", at, n, each, t.count())
		return
	}
	p.linef(depth, "%s: list → %d:%d%s of %s, each %s, %s", at, t.seg, t.word, t.way,
		plural(n, "struct"), plural(tag.data(), "data word"), plural(tag.ptrs(), "pointer"))
	if each == 0 {
		return // any number of them, and nothing in them
	}
	p.elements(depth+1, n, func(i int64) {
		p.linef(depth+1, "[%d]", i)
		p.structure(depth+2, t.seg, t.word+1+i*each, tag.data(), tag.ptrs())
	})
}

func (p *printer) elements(depth int, n int64, each func(i int64)) {
	shown := min(n, int64(p.opts.Elements))
	for i := range shown {
		if p.left < 0 {
			return
		}
		each(i)
	}
	if n > shown {
		p.linef(depth, "… %d more", n-shown)
	}
}

// preview shows the first elements of a list of numbers, or the text that a list
// of bytes may be.
func (p *printer) preview(t target) string {
	from := t.word * wordBytes
	raw := p.msg.segs[t.seg][from : from+t.size()*wordBytes]
	switch {
	case t.count() == 0 || elemBits[t.elem()] == 0:
		return ""
	case t.elem() == elemByte:
		return ": " + previewBytes(raw[:t.count()])
	}
	var b strings.Builder
	shown := min(t.count(), int64(p.opts.Elements))
	for i := range shown {
		b.WriteByte(' ')
		switch width := elemBits[t.elem()] / 8; {
		case t.elem() == elemBit:
			fmt.Fprint(&b, raw[i/8]>>(i%8)&1)
		case width == 2:
			fmt.Fprint(&b, binary.LittleEndian.Uint16(raw[i*2:]))
		case width == 4:
			fmt.Fprint(&b, binary.LittleEndian.Uint32(raw[i*4:]))
		default:
			fmt.Fprint(&b, binary.LittleEndian.Uint64(raw[i*8:]))
		}
	}
	if t.count() > shown {
		b.WriteString(" …")
	}
	return ":" + b.String()
}

// previewBytes looks at no more than it shows, however long b is.
func previewBytes(b []byte) string {
	if text, ok := bytes.CutSuffix(b, []byte{0}); ok {
		more := ""
		if len(text) > maxTextShown {
			text, more = text[:maxTextShown], "…"
			for n := 1; n < utf8.UTFMax && !utf8.Valid(text); n++ {
				text = text[:len(text)-1] // of a character that was cut
			}
		}
		control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }
		if utf8.Valid(text) && !bytes.ContainsFunc(text, control) {
			return fmt.Sprintf("text %q%s", text, more)
		}
	}
	if len(b) > maxDataShown {
		return fmt.Sprintf("% x …", b[:maxDataShown])
	}
	return fmt.Sprintf("% x", b)
}
