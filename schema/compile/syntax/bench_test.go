package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// longSchema makes a schema of about this many lines.
func longSchema(lines int) []byte {
	var b strings.Builder
	b.WriteString("@0x8000000000000001;\n\nusing Cxx = import \"/capnp/c++.capnp\";\n")
	for n := 0; strings.Count(b.String(), "\n") < lines; {
		for range 20 {
			n++
			fmt.Fprintf(&b, `
struct Record%d {
  # What the record number %d is about, in a doc comment of one line.

  identifier @0 :UInt64;
  displayName @1 :Text = "a name";
  # The name that people see.

  children @2 :List(Record%d);
  location :group {
    latitude @3 :Float64 = -1.5;
    longitude @4 :Float64;
  }
  union {
    none @5 :Void;
    some @6 :Pair(Text, List(Data)) $annotated("x");
  }
}

enum Color%d { red @0; green @1; blue @2; }

interface Service%d {
  look @0 (key :Text, limit :UInt32 = 10) -> (found :List(Record%d));
}
`, n, n, n, n, n, n)
		}
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	src := longSchema(10_000)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := Parse("t.capnp", src); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	src := longSchema(10_000)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Format("t.capnp", src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseValue(b *testing.B) {
	src := []byte("[" + strings.Repeat(`(name = "a name", ids = [1, 22, 333], where = (x = -1.5, y = blue)), `, 1000) + "]")
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := ParseValue("v", src); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
