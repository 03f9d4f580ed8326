package text

import (
	"bytes"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/schema"
)

var update = flag.Bool("update", false, "write testdata/golden anew with the capnp tool")

// TestGolden compares what is printed with what the tool printed when the files
// were written, for messages that are kept beside them.
func TestGolden(t *testing.T) {
	for _, name := range []string{"kinds", "annotated"} {
		reg, named := load(t, name)
		if *update {
			writeGolden(t, name, reg, named)
		}
		printer := New(reg)
		files, err := filepath.Glob("testdata/golden/" + name + ".*.bin")
		if err != nil || len(files) < 5 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, file := range files {
			base := strings.TrimSuffix(file, ".bin")
			n := named[strings.TrimPrefix(filepath.Ext(base), ".")]
			if n == nil {
				t.Fatalf("%s: no such struct", file)
			}
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for ext, o := range map[string]Options{".pretty": {}, ".short": {Short: true}} {
				want, err := os.ReadFile(base + ext)
				if err != nil {
					t.Fatal(err)
				}
				if got := printAll(t, printer, n, in, o); !bytes.Equal(got, want) {
					t.Errorf("%s%s: %s", base, ext, difference(got, want))
				}
			}
		}
	}
}

func printAll(t *testing.T, printer *Printer, n *schema.Node, in []byte, o Options) []byte {
	d := framing.NewSliceDecoder(in, framing.DecoderOptions{})
	var out []byte
	for {
		m, err := d.Decode()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out, err = printer.AppendStruct(out, structType(n), m.Root().Struct(), o); err != nil {
			t.Fatal(err)
		}
		out = append(out, '\n')
		m.Release()
	}
}

func writeGolden(t *testing.T, name string, reg *schema.Registry, named map[string]*schema.Node) {
	tool := randval.NewTool(t)
	src, err := randval.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	file := tool.Schema(t, name, src)
	if err := os.MkdirAll("testdata/golden", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range named {
		if n.Kind != schema.KindStruct || n.Struct.DataWords+n.Struct.Ptrs == 0 || n.Generic {
			continue
		}
		fill := randval.New(reg, rand.New(rand.NewPCG(2, uint64(n.ID))), randval.Options{Any: true, Depth: 4})
		var in []byte
		for range 3 {
			m, err := fill.Message(n.ID)
			if err != nil {
				t.Fatal(err)
			}
			if in, err = framing.Append(in, m, framing.Binary); err != nil {
				t.Fatal(err)
			}
			m.Release()
		}
		pretty, err := tool.Run(in, "decode", "--quiet", file, n.Name())
		if err != nil {
			t.Fatal(err)
		}
		short, err := tool.Run(in, "decode", "--quiet", "--short", file, n.Name())
		if err != nil {
			t.Fatal(err)
		}
		base := "testdata/golden/" + name + "." + n.Name()
		for ext, b := range map[string][]byte{".bin": in, ".pretty": pretty, ".short": short} {
			if err := os.WriteFile(base+ext, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
