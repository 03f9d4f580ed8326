package syntax

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseValue(t *testing.T) {
	for _, tt := range []struct{ name, src, want, err string }{
		{"struct", ` ( a = 1, b = [x, y.z], c = (d = "e") ) # end`, `(a=1 b=[x member(y z)] c=(d="e"))`, ""},
		{"empty struct", "()", "()", ""},
		{"list", "[1, -2]", "[1 -2]", ""},
		{"single value in parentheses", "(5)", "5", ""},
		{"trailing comma", "(a = 1,)", "(a=1)", ""},
		{"enumerant", "foo", "foo", ""},
		{"nothing", " # foo", "", "1:7: Parse error: expected a value, found the end of the file."},
		{"not closed", "(a = 1", "", "1:7: Parse error: expected ',' or ')', found the end of the file. '(' was opened at 1:1."},
		{"two values", "(a = 1)\n [2]", "", "2:2-3: Parse error: expected the end of the value, found '['."},
		{
			"several errors", "(a = , b = 1 2, c = 0x)", "",
			"1:2-5: Parse error: expected a value or a type, found ','.\n" +
				"1:14-15: Parse error: expected ',' or ')', found '2'.\n" +
				"1:23: Parse error: 0x must be followed by hexadecimal digits.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, errs := ParseValue("t.capnp", []byte(tt.src))
			if got := short(errs.Error()); got != tt.err {
				t.Fatalf("errors\n%s\nwant\n%s", got, tt.err)
			}
			if tt.err != "" {
				if f.Value != nil {
					t.Errorf("value %s beside errors", dumpExpr(f.Value))
				}
				return
			}
			if got := dumpExpr(f.Value); got != tt.want {
				t.Errorf("value %s, want %s", got, tt.want)
			}
		})
	}
}

func TestValueReader(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
		offsets   string
		err       error
	}{
		{"nothing", "", nil, "", io.EOF},
		{"blanks and comments", " \n # (\n ", nil, "", io.EOF},
		{"two values", "(a = 1)(b = 2)", []string{"(a = 1)", "(b = 2)"}, "0 7", io.EOF},
		{"blanks between", "  (a = 1) # x (\n\n(b = 2)\n", []string{"(a = 1)", "(b = 2)"}, "2 17", io.EOF},
		{"nested", "(a = (b = [(c = 1)]))[1, [2]]", []string{"(a = (b = [(c = 1)]))", "[1, [2]]"}, "0 21", io.EOF},
		{"brackets in strings", `(a = ")\")\\", b = 1)()`, []string{`(a = ")\")\\", b = 1)`, "()"}, "0 21", io.EOF},
		{"brackets in comments", "(a # )\n = 1)", []string{"(a # )\n = 1)"}, "0", io.EOF},
		{"brackets in back-ticks", "(a = `)\n)()", []string{"(a = `)\n)", "()"}, "0 9", io.EOF},
		{"a string not closed", "(a = \"b)\n)(c = 1)", []string{"(a = \"b)\n)", "(c = 1)"}, "0 10", io.EOF},
		{"a word", "foo (a = 1) bar", []string{"foo (a = 1)", "bar"}, "0 12", io.EOF},
		{"closing first", ")(a = 1)", []string{")", "(a = 1)"}, "0 1", io.EOF},
		{"not closed", "(a = 1)\n(b = ", []string{"(a = 1)"}, "0", io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":   strings.NewReader(tt.src),
				"by bytes":  iotest.OneByteReader(strings.NewReader(tt.src)),
				"EOF early": iotest.DataErrReader(strings.NewReader(tt.src)),
			} {
				v := NewValueReader(r)
				var got []string
				var offsets []string
				var err error
				for {
					var text []byte
					if text, err = v.Next(); err != nil {
						break
					}
					got = append(got, string(text))
					offsets = append(offsets, strconv.FormatInt(v.Offset(), 10))
				}
				if strings.Join(got, "|") != strings.Join(tt.want, "|") || strings.Join(offsets, " ") != tt.offsets {
					t.Errorf("%s: values %q at %v, want %q at %s", how, got, offsets, tt.want, tt.offsets)
				}
				if !errors.Is(err, tt.err) {
					t.Errorf("%s: error %v, want %v", how, err, tt.err)
				}
				if _, again := v.Next(); !errors.Is(again, tt.err) {
					t.Errorf("%s: then %v, want %v", how, again, tt.err)
				}
			}
		})
	}
}

// TestValueReaderLong reads values of many sizes through the reader's buffer.
func TestValueReaderLong(t *testing.T) {
	var src bytes.Buffer
	var want []string
	for n := 1; n < 200_000; n = n*5/4 + 1 {
		s := `(a = "` + strings.Repeat("x", n) + strconv.Itoa(n) + `")`
		want = append(want, s)
		src.WriteString(s + strings.Repeat(" ", n%777))
	}
	all := src.String()
	v := NewValueReader(iotest.HalfReader(&src))
	for i, w := range want {
		text, err := v.Next()
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != w || !strings.HasPrefix(all[v.Offset():], w) {
			t.Fatalf("value %d of %d bytes at %d is not the one of %d bytes", i, len(text), v.Offset(), len(w))
		}
	}
	if _, err := v.Next(); err != io.EOF {
		t.Errorf("error %v at the end", err)
	}
}

func TestValueReaderErrors(t *testing.T) {
	fault := errors.New("the disk is gone")
	v := NewValueReader(io.MultiReader(strings.NewReader("(a = 1)("), iotest.ErrReader(fault)))
	if text, err := v.Next(); err != nil || string(text) != "(a = 1)" {
		t.Fatalf("%q, %v", text, err)
	}
	if _, err := v.Next(); !errors.Is(err, fault) {
		t.Errorf("error %v, want that of the reader", err)
	}

	v = NewValueReader(stuck{})
	if _, err := v.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v of a reader that gives nothing", err)
	}

	v = NewValueReader(endless{})
	v.limit = 1 << 20
	if _, err := v.Next(); err == nil || !strings.Contains(err.Error(), "longer than the limit") {
		t.Errorf("error %v of a value without end", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '('
	}
	return len(b), nil
}
