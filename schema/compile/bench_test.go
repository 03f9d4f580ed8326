package compile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/schema/compile"
)

// longSchema makes a schema of about the given number of lines, as people write
// them: structs of some fields with comments, groups, unions, enums and
// interfaces.
func longSchema(numLines int) []byte {
	var b strings.Builder
	b.WriteString("@0xfedcba9876543210;\n")
	for i, n := 0, 1; n < numLines; i++ {
		text := fmt.Sprintf(`
struct Record%[1]d {
  # A record of something, which refers to others.

  id @0 :UInt64;
  # What identifies it.
  name @1 :Text = "unknown";
  tags @2 :List(Text);
  next @3 :Record%[2]d;
  kind @4 :Kind = second;
  limits @5 :Limits = (low = -5, high = 10);

  enum Kind { first @0; second @1; third @2; }
  struct Limits { low @0 :Int32; high @1 :Int32 = 100; exact @2 :Bool; }

  state :union {
    idle @6 :Void;
    running :group {
      since @7 :Int64;
      by @8 :Text;
    }
    failed @9 :List(Record%[2]d);
  }
}

interface Service%[1]d {
  get @0 (id :UInt64, deep :Bool = true) -> (record :Record%[1]d);
  # Finds a record.
  put @1 (record :Record%[1]d) -> ();
  list @2 (from :Service%[2]d) -> (all :List(Record%[1]d));
}

const limit%[1]d :UInt32 = %[1]d;
`, i, i/2)
		n += strings.Count(text, "\n")
		b.WriteString(text)
	}
	return []byte(b.String())
}

func BenchmarkCompile10000Lines(b *testing.B) {
	text := longSchema(10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compile.Source("long.capnp", text, compile.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile10000LinesTool is the same in a run of the capnp tool.
func BenchmarkCompile10000LinesTool(b *testing.B) {
	capnp := tool(b)
	file := filepath.Join(b.TempDir(), "long.capnp")
	if err := os.WriteFile(file, longSchema(10_000), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := exec.Command(capnp, "compile", "-o-", file).Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileSmall(b *testing.B) {
	text, err := os.ReadFile("testdata/same/addressbook.capnp")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compile.Source("addressbook.capnp", text, compile.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
