package convert_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/json"
	"github.com/fairlead-go/fairlead/internal/text"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

const source = `@0xf0e1d2c3b4a59687;
struct Node {
  name @0 :Text;
  number @1 :Int32;
  children @2 :List(Node);
  data @3 :Data;
  bits @4 :List(Bool);
  any @5 :AnyPointer;
}
`

// codecs gives the codecs of text and JSON for the struct Node.
func codecs(tb testing.TB) (asText, asJSON convert.Codec) {
	tb.Helper()
	req, err := compile.Source("node.capnp", []byte(source), compile.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		tb.Fatal(err)
	}
	typ, err := compile.Type("Node", req.Files[0].ID, reg)
	if err != nil {
		tb.Fatal(err)
	}
	n, _ := reg.Node(typ.ID)
	parse := func(build func([]byte, segment.StructBuilder) error) func([]byte) (*segment.Message, error) {
		return func(b []byte) (*segment.Message, error) {
			msg := segment.New(arena.Pool())
			err := build(b, msg.NewRoot(segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs}))
			if err != nil {
				msg.Release()
				return nil, err
			}
			return msg, nil
		}
	}
	const most = 1 << 20 // so that what amplifies is at its end soon
	texts, jsons := text.New(reg), json.New(reg)
	asText = convert.Codec{
		Append: func(dst []byte, s segment.Struct) ([]byte, error) {
			return texts.AppendStruct(dst, typ, s, text.Options{Short: true, MaxBytes: most})
		},
		Parse: parse(func(b []byte, root segment.StructBuilder) error {
			return compile.BuildStruct("value", b, typ, reg, root)
		}),
	}
	asJSON = convert.Codec{
		Append: func(dst []byte, s segment.Struct) ([]byte, error) {
			return jsons.AppendStruct(dst, typ, s, json.Options{Short: true, MaxBytes: most})
		},
		Parse: parse(func(b []byte, root segment.StructBuilder) error {
			return jsons.DecodeStruct(b, typ, root, json.DecodeOptions{MaxBytes: most})
		}),
	}
	return asText, asJSON
}

// converter gives options for all pairs of formats.
func converter(tb testing.TB) func(from, to convert.Format) convert.Options {
	asText, asJSON := codecs(tb)
	of := func(f convert.Format) convert.Codec {
		if f == convert.JSON {
			return asJSON
		}
		return asText
	}
	return func(from, to convert.Format) convert.Options {
		return convert.Options{From: from, To: to, FromCodec: of(from), ToCodec: of(to), Quiet: true}
	}
}

func run(in string, o convert.Options) (string, error) {
	var out bytes.Buffer
	err := convert.Run(&out, strings.NewReader(in), o)
	return out.String(), err
}

const values = `(name = "a", number = 1)
(name = "b", number = 2, children = [(name = "c", number = 3), (number = 4)], data = "\000\377", bits = [true, false, true])
(number = 5)
`

// TestPairs converts text to each format, that to each other, and back.
func TestPairs(t *testing.T) {
	with := converter(t)
	for _, from := range convert.Formats {
		in := values
		switch from.Format {
		case convert.Flat, convert.FlatPacked, convert.Canonical: // of one message
			_, in, _ = strings.Cut(values, "\n")
			in, _, _ = strings.Cut(in, "\n")
			in += "\n"
		}
		first, err := run(in, with(convert.Text, from.Format))
		if err != nil {
			t.Fatalf("text:%s: %v", from.Format, err)
		}
		for _, to := range convert.Formats {
			t.Run(string(from.Format)+":"+string(to.Format), func(t *testing.T) {
				out, err := run(first, with(from.Format, to.Format))
				if err != nil {
					t.Fatal(err)
				}
				if from.Format == to.Format && out != first {
					t.Errorf("%q became %q", first, out)
				}
				if one := in != values; !one {
					switch to.Format {
					case convert.Flat, convert.FlatPacked, convert.Canonical:
						return // nothing tells where its messages end
					}
				}
				back, err := run(out, with(to.Format, convert.Text))
				if err != nil || back != in {
					t.Errorf("back: %v\n%s\nwant\n%s", err, back, in)
				}
			})
		}
	}
}

// TestBrokenInTheMiddle writes what comes before what is broken, and tells where
// that begins.
func TestBrokenInTheMiddle(t *testing.T) {
	with := converter(t)
	two, err := run("(number = 1)(number = 2)", with(convert.Text, convert.Binary))
	if err != nil {
		t.Fatal(err)
	}
	one := two[:len(two)/2]
	broken := one[:8] + "\x05" + one[9:] // a root pointer of no kind
	for _, tc := range []struct {
		name     string
		from, to convert.Format
		in, out  string
		offset   int64
		message  int
		is       error
	}{
		{"cut", convert.Binary, convert.Text, two + one[:len(one)-1], "(number = 1)\n(number = 2)\n", int64(len(two)), 3, io.ErrUnexpectedEOF},
		{"cut in the table", convert.Binary, convert.Text, two + one[:5], "(number = 1)\n(number = 2)\n", int64(len(two)), 3, io.ErrUnexpectedEOF},
		{"malformed", convert.Binary, convert.Text, one + broken + one, "(number = 1)\n", int64(len(one)), 2, segment.ErrMalformed},
		{"malformed to binary", convert.Binary, convert.Binary, one + broken + one, one, int64(len(one)), 2, segment.ErrMalformed},
		{"malformed to canonical", convert.Binary, convert.Canonical, one + broken + one, "", int64(len(one)), 2, segment.ErrMalformed},
		{"malformed to JSON", convert.Binary, convert.JSON, one + broken, "", int64(len(one)), 2, segment.ErrMalformed},
		{"text", convert.Text, convert.Text, "(number = 1) \n  (numbr = 2) (number = 3)", "(number = 1)\n", 16, 2, nil},
		{"open text", convert.Text, convert.Text, "(number = 1) (number = 2", "(number = 1)\n", 13, 2, io.ErrUnexpectedEOF},
		{"no text", convert.Text, convert.Text, "(number = 1) what (number = 2)", "(number = 1)\n", 13, 2, nil},
		{"JSON", convert.JSON, convert.Text, `{"number": 1} {"number": "x"} {}`, "(number = 1)\n", 14, 2, nil},
		{"open JSON", convert.JSON, convert.Text, `{"number": 1}{"name": "}`, "(number = 1)\n", 13, 2, io.ErrUnexpectedEOF},
		{"no JSON", convert.JSON, convert.Text, `{"number": 1} ] {}`, "(number = 1)\n", 14, 2, nil},
		{"not canonical", convert.Canonical, convert.Binary, one[8:] + "\x00\x00\x00\x00\x00\x00\x00\x00", "", 0, 1, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := tc.out
			if want == "" && tc.message == 2 {
				want, _ = run(one, with(tc.from, tc.to))
			}
			out, err := run(tc.in, with(tc.from, tc.to))
			var at *convert.Error
			if !errors.As(err, &at) || at.Offset != tc.offset || at.Message != tc.message {
				t.Fatalf("error %v; want message %d, at byte %d", err, tc.message, tc.offset)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("error %v; want %v", err, tc.is)
			}
			if out != want {
				t.Errorf("wrote %q; want %q", out, want)
			}
		})
	}
}

// TestPieces reads every format in pieces, which must not matter.
func TestPieces(t *testing.T) {
	with := converter(t)
	for _, f := range []convert.Format{convert.Binary, convert.Packed, convert.Text, convert.JSON} {
		t.Run(string(f), func(t *testing.T) {
			in, err := run(strings.Repeat(values, 50), with(convert.Text, f))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []io.Reader{
				iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in)), iotest.HalfReader(strings.NewReader(in)),
			} {
				var out bytes.Buffer
				if err := convert.Run(&out, r, with(f, convert.Text)); err != nil || out.String() != strings.Repeat(values, 50) {
					t.Errorf("%v, and %d bytes", err, out.Len())
				}
			}
		})
	}
}

// TestPrompt has each message leave before the next one arrives.
func TestPrompt(t *testing.T) {
	with := converter(t)
	lines := strings.SplitAfter(strings.TrimSuffix(values, "\n"), "\n")
	for _, from := range []convert.Format{convert.Binary, convert.Packed, convert.Text, convert.JSON} {
		for _, to := range []convert.Format{convert.Binary, convert.Packed, convert.Canonical, convert.Text, convert.JSON} {
			t.Run(string(from)+":"+string(to), func(t *testing.T) {
				o := with(from, to)
				o.Quiet = false
				inR, inW := io.Pipe()
				outR, outW := io.Pipe()
				done := make(chan error, 1)
				go func() {
					err := convert.Run(outW, inR, o)
					outW.CloseWithError(err)
					done <- err
				}()
				for _, line := range lines {
					in, err := run(line, with(convert.Text, from))
					if err != nil {
						t.Fatal(err)
					}
					want, err := run(line, with(convert.Text, to))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := io.WriteString(inW, in); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, len(want))
					if _, err := io.ReadFull(outR, got); err != nil || string(got) != want {
						t.Fatalf("%v, %q; want %q", err, got, want)
					}
				}
				inW.Close()
				if rest, err := io.ReadAll(outR); err != nil || len(rest) > 0 {
					t.Errorf("%v, and more: %q", err, rest)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// a meter gives the same message again and again, and takes what is made of it.
type meter struct {
	msg         string
	pos, left   int
	read, wrote int
	behind      int // the most that was read and not yet written when more was read
}

func (m *meter) Read(b []byte) (int, error) {
	m.behind = max(m.behind, m.read-m.wrote)
	if m.left == 0 {
		return 0, io.EOF
	}
	n := copy(b, m.msg[m.pos:])
	if m.pos += n; m.pos == len(m.msg) {
		m.pos = 0
		m.left--
	}
	m.read += n
	return n, nil
}

func (m *meter) Write(b []byte) (int, error) {
	m.wrote += len(b)
	return len(b), nil
}

// TestMemory converts a long stream, of which only a little may be held at a time.
func TestMemory(t *testing.T) {
	with := converter(t)
	for _, f := range []convert.Format{convert.Binary, convert.Packed, convert.Text, convert.JSON} {
		t.Run(string(f), func(t *testing.T) {
			msg, err := run(values, with(convert.Text, f))
			if err != nil {
				t.Fatal(err)
			}
			m := &meter{msg: msg, left: 5000}
			if err := convert.Run(m, m, with(f, f)); err != nil {
				t.Fatal(err)
			}
			if m.wrote != 5000*len(msg) || m.behind > 1<<10 {
				t.Errorf("of %d bytes %d were written, and up to %d held back", m.read, m.wrote, m.behind)
			}
		})
	}
}

// TestFullDisk gives the error of a write, which is no fault of the input.
func TestFullDisk(t *testing.T) {
	with := converter(t)
	errFull := errors.New("no space left")
	err := convert.Run(fullDisk{errFull}, strings.NewReader(values), with(convert.Text, convert.Binary))
	var at *convert.Error
	if !errors.Is(err, errFull) || errors.As(err, &at) {
		t.Errorf("error %v; want only %v", err, errFull)
	}
}

type fullDisk struct{ err error }

func (w fullDisk) Write([]byte) (int, error) { return 0, w.err }

// TestAmplifying ends with messages whose pointers lead to the same again.
func TestAmplifying(t *testing.T) {
	with := converter(t)
	const (
		size = 1<<32 | 2<<48 // of structs with one word of data and two pointers
		list = 1 | 7<<32 | 3<<35
		tag  = 1<<2 | size
		back = 0xfffffff0 // 4 words back
	)
	messages := map[string][]byte{
		"amplifying": amplifier(8, 30),
		// The root's children are a struct whose children are that struct.
		"cyclic": appendWords(nil, []uint64{size, 0, 0, list, tag, 0, 0, list | back}),
	}
	for _, to := range convert.Formats {
		for name, m := range messages {
			t.Run(name+" to "+string(to.Format), func(t *testing.T) {
				framed := appendWords(nil, []uint64{uint64(len(m)/8) << 32})
				_, err := run(string(framed)+string(m), with(convert.Binary, to.Format))
				var at *convert.Error
				if !errors.As(err, &at) || at.Offset != 0 {
					t.Errorf("error %v; want one at byte 0", err)
				}
				if name == "cyclic" && !errors.Is(err, segment.ErrLimit) {
					t.Errorf("error %v; want a limit", err)
				}
			})
		}
	}
}

func appendWords(b []byte, words []uint64) []byte {
	for _, w := range words {
		for i := range 8 {
			b = append(b, byte(w>>(8*i)))
		}
	}
	return b
}

// amplifier makes a message of few words that reads as wide to the power of deep
// Nodes, whose pointer 1 is the list of their children.
func amplifier(wide, deep int) []byte {
	const data, ptrs = 1, 4
	size := uint64(data)<<32 | uint64(ptrs)<<48
	words := append([]uint64{size}, make([]uint64, data+ptrs)...) // the root and its struct
	structs := []int{1}                                           // those whose lists come next
	for range deep {
		list := len(words)
		n := wide * (data + ptrs)
		for _, s := range structs {
			p := s + data + 1
			words[p] = 1 | uint64(uint32(list-p-1)<<2) | 7<<32 | uint64(n)<<35
		}
		words = append(words, uint64(wide)<<2|size)
		structs = structs[:0]
		for i := range wide {
			structs = append(structs, len(words)+i*(data+ptrs))
		}
		words = append(words, make([]uint64, n)...)
	}
	return appendWords(nil, words)
}

// TestSegments reads what is written in small segments.
func TestSegments(t *testing.T) {
	with := converter(t)
	big := `(name = "` + strings.Repeat("x", 20_000) + `", children = [(name = "y"), (data = "zz"), ()])` + "\n"
	want, err := run(big, with(convert.Text, convert.Text))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []int{0, 1, 2, 7, 100, 1 << 20, 1 << 30} {
		o := with(convert.Text, convert.Binary)
		o.SegmentWords = words
		out, err := run(big, o)
		if err != nil {
			t.Fatal(err)
		}
		msg, _, err := framing.Unmarshal([]byte(out))
		if err != nil {
			t.Fatal(err)
		}
		if n := msg.Segments(); (n == 1) != (words >= 1<<20) {
			t.Errorf("%d words: %d segments", words, n)
		}
		msg.Release()
		if back, err := run(out, with(convert.Binary, convert.Text)); err != nil || back != want {
			t.Errorf("%d words: %v, %d bytes", words, err, len(back))
		}
	}
}

// TestCapability keeps the index of a capability.
func TestCapability(t *testing.T) {
	with := converter(t)
	msg := segment.New(arena.Pool())
	defer msg.Release()
	msg.NewRoot(segment.Size{Ptrs: 1}).Ptr(0).SetCapability(7)
	in, err := framing.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run(string(in), with(convert.Binary, convert.Binary)); err != nil || out != string(in) {
		t.Errorf("%v: %x became %x", err, in, out)
	}
}
