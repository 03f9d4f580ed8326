package syntax

import (
	"math"
	"strings"
	"testing"
)

var tokenNames = [...]string{
	"eof", "ident", "int", "float", "string", "backtick", "data", "op", "(", ")", "[", "]", ",", ";", "{", "}", "bad",
}

func TestTokens(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"nothing", "", ""},
		{"blanks", " \t\r\n\v\f", ""},
		{"identifiers", "foo _Bar b4z_9", "ident:foo ident:_Bar ident:b4z_9"},
		{"decimal", "0 7 12 18446744073709551615", "int:0 int:7 int:12 int:18446744073709551615"},
		{"hexadecimal", "0xfF 0x0", "int:0xfF int:0x0"},
		{"octal", "017", "int:017"},
		{"floats", "1.5 1. 1e5 1E+5 1.e-5 08.5 0.0", "float:1.5 float:1. float:1e5 float:1E+5 float:1.e-5 float:08.5 float:0.0"},
		{"operators are as long as possible", "=-5 -> @ $ :.x !", "op:=- int:5 op:-> op:@ op:$ op::. ident:x op:!"},
		{"all operator characters", "!$%&*+-./:<=>?@^|~", "op:!$%&*+-./:<=>?@^|~"},
		{"punctuation", "([,;{}])", "( [ , ; { } ] )"},
		{"string", `"a b" "" "\"\\"`, `string:"a b" string:"" string:"\"\\"`},
		{"string with raw bytes", "\"\xff\r\t\"", "string:\"\xff\r\t\""},
		{"back-tick", "`foo \"bar\" # x \n a", "backtick:`foo \"bar\" # x  ident:a"},
		{"back-tick to a carriage return", "`foo\r\n`bar\r`baz", "backtick:`foo backtick:`bar backtick:`baz"},
		{"data", "0x\"00 fF\n\t12 \"", "data:0x\"00 fF\n\t12 \""},
		{"comment", "a # b\nc # d", "ident:a ident:c"},
		{"comment with a carriage return inside", "# b\rc\nd", "ident:d"},
		{"byte order marks", "\xef\xbb\xbf a\xef\xbb\xbfb", "ident:a ident:b"},
		{"token against token", "a1b2\"c\"[3]", "ident:a1b2 string:\"c\" [ int:3 ]"},
		{"a bad token and the next", "'a' 0xg 1x", "bad:' ident:a bad:' bad:0x ident:g bad:1 ident:x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &lexer{src: tt.src}
			var got []string
			for {
				tok := l.next()
				if tok.kind == tokEOF {
					break
				}
				s := tokenNames[tok.kind]
				if len(s) > 1 {
					s += ":" + tt.src[tok.start:tok.end]
				}
				got = append(got, s)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("tokens %q, want %q", s, tt.want)
			}
		})
	}
}

func TestLiterals(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"zero", "0", "0"},
		{"decimal", "123", "123"},
		{"largest", "0xffffffffffffffff", "18446744073709551615"},
		{"octal", "0777", "511"},
		{"octal zero", "00", "0"},
		{"negative", "-5", "-5"},
		{"negative with a space", "- 5", "-5"},
		{"float", "1.5", "f1.5"},
		{"negative float", "-1.5e3", "f-1500"},
		{"float without fraction", "1.", "f1"},
		{"float too large", "1e400", "f+Inf"},
		{"float too small", "1e-400", "f0"},
		{"negative zero", "-0.0", "f-0"},
		{"minus infinity", "-inf", "f-Inf"},
		{"inf is a name", "inf", "inf"},
		{"plain string", `"abc"`, `"abc"`},
		{"escapes", `"\a\b\f\n\r\t\v\'\"\\\?"`, `"\a\b\f\n\r\t\v'\"\\?"`},
		{"hexadecimal escapes", `"\x41\x7Az"`, `"Azz"`},
		{"octal escapes", `"\1\12\1018"`, `"\x01\nA8"`},
		{"octal escape beyond a byte", `"\777"`, `"\xff"`},
		{"octal escape at the end", `"\1"`, `"\x01"`},
		{"adjacent strings", `"a" "b\n" "c"`, `"ab\nc"`},
		{"back-ticks", "`a\\n\"b\"\n  `c", `"a\\n\"b\"\nc\n"`},
		{"back-tick beside a string", "\"x\"`a\n\"y\"", `"xa\ny"`},
		{"data", `0x"00fF 7"`, ""},
		{"data with space", "0x\" 00 fF\n7a\"", "x00ff7a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, errs := ParseValue("v", []byte(tt.src))
			if tt.want == "" {
				if len(errs) == 0 {
					t.Fatalf("value %s, want an error", dumpExpr(f.Value))
				}
				return
			}
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if got := dumpExpr(f.Value); got != tt.want {
				t.Errorf("value %s, want %s", got, tt.want)
			}
		})
	}
}

func TestExprFloat(t *testing.T) {
	for _, tt := range []struct {
		src  string
		want float64
	}{{"5", 5}, {"-5", -5}, {"2.5", 2.5}, {"-inf", math.Inf(-1)}, {`"x"`, 0}} {
		f, errs := ParseValue("v", []byte(tt.src))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		if got := f.Value.Float(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.src, got, tt.want)
		}
	}
}

func TestDocComment(t *testing.T) {
	for _, tt := range []struct{ name, after, want string }{
		{"none", "", ""},
		{"end of a line", "\n", ""},
		{"same line", " # a\n", "a\n"},
		{"same line without space", "#a\n", "a\n"},
		{"next line", "\n# a\n", "a\n"},
		{"next line indented", "  \t\n \t # a\n", "a\n"},
		{"blank line between", "\n\n# a\n", ""},
		{"several lines", "\n# a\n#  b\n#\n#c\n", "a\n b\n\nc\n"},
		{"same line and the next", " # a\n  # b\n", "a\nb\n"},
		{"ends at a blank line", "\n# a\n\n# b\n", "a\n"},
		{"ends at something else", "\n# a\nfoo # b\n", "a\n"},
		{"something else first", " foo # a\n", ""},
		{"at the end of the file", "\n# a", "a\n"},
		{"empty at the end of the file", "\n#", "\n"},
		{"carriage return and newline", "\r\n# a\r\n# b\r\n", "a\r\nb\r\n"},
		{"carriage return alone", "\r# a\n", "a\n"},
		{"two carriage returns", "\r\r# a\n", ""},
		{"carriage return within the comments", "\n# a\n\r# b\n", "a\n"},
		{"byte order mark", "\n\xef\xbb\xbf# a\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := docComment(";"+tt.after, 1); got != tt.want {
				t.Errorf("doc %q, want %q", got, tt.want)
			}
		})
	}
}
