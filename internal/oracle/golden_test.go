package oracle

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden messages and layout.txt anew with the peer")

// convert runs the capnp tool over a golden text.
func convert(t *testing.T, tool, text string, root Type, to string, more ...string) []byte {
	t.Helper()
	args := append([]string{"convert", "text:" + to}, more...)
	args = append(args, "testdata/test.capnp", root.String())
	cmd := exec.Command(tool, args...)
	cmd.Stdin = strings.NewReader(text)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("capnp %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// goldenForms makes every form of one golden with the peer.
func goldenForms(t *testing.T, o *Oracle, tool, text string, root Type) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{
		"bin":        convert(t, tool, text, root, "binary"),
		"packed":     convert(t, tool, text, root, "packed"),
		"flat":       convert(t, tool, text, root, "flat"),
		"flatpacked": convert(t, tool, text, root, "flat-packed"),
		"canonical":  convert(t, tool, text, root, "canonical"),
	}
	for _, n := range SegmentSizes {
		forms[fmt.Sprintf("seg%d", n)] = convert(t, tool, text, root, "binary", fmt.Sprintf("--segment-size=%d", n))
	}
	dump, a := o.Walk(root, forms["bin"])
	if a.Kind != OK {
		t.Fatalf("walk: %v %s", a.Kind, a.Text)
	}
	forms["dump"] = []byte(dump)
	return forms
}

// TestGoldensAreThePeers makes each golden again and compares it with what is
// checked in. With -update it writes what it made.
func TestGoldensAreThePeers(t *testing.T) {
	o := Start(t)
	tool, err := CapnpTool()
	if err != nil {
		Missing(t, err)
	}
	texts, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(texts) < 12 {
		t.Fatalf("%d golden texts, want at least 12 (%v)", len(texts), err)
	}
	for _, file := range texts {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root, err := rootOf(string(text))
			if err != nil {
				t.Fatal(err)
			}
			for ext, want := range goldenForms(t, o, tool, string(text), root) {
				path := filepath.Join("testdata/golden", name+"."+ext)
				if *update {
					if err := os.WriteFile(path, want, 0o644); err != nil {
						t.Fatal(err)
					}
					continue
				}
				got, err := os.ReadFile(path)
				if err != nil {
					t.Errorf("%v (run with -update)", err)
				} else if !bytes.Equal(got, want) {
					t.Errorf("%s differs from what the peer makes of the text (run with -update)", path)
				}
			}
		})
	}
}

func TestLayoutIsThePeers(t *testing.T) {
	o := Start(t)
	text := o.LayoutText()
	if _, err := parseLayout(text); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/layout.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != layoutText {
		t.Error("testdata/layout.txt differs from the peer's layout of test.capnp (run with -update)")
	}
}

// TestEveryFormDumpsAlike reads each golden in each of its forms.
func TestEveryFormDumpsAlike(t *testing.T) {
	o := Start(t)
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		t.Run(g.Name, func(t *testing.T) {
			forms := map[string][]byte{"bin": g.Binary, "flat": oneSegment(g.Flat), "canonical": oneSegment(g.Canonical)}
			forms["double far"] = doubleFar(t, g.Binary)
			for n, b := range g.Segmented {
				forms["double far from segments"] = doubleFar(t, b)
				forms[fmt.Sprintf("seg%d", n)] = b
			}
			unpacked, used, a := o.Unpack(0, 0, g.Packed)
			if a.Kind != OK || used != len(g.Packed) {
				t.Fatalf("packed: %v %s, %d of %d bytes", a.Kind, a.Text, used, len(g.Packed))
			}
			forms["packed"] = unpacked
			flat, _, a := o.Unpack(Raw, uint32(len(g.Flat)), g.FlatPacked)
			if a.Kind != OK {
				t.Fatalf("flat-packed: %v %s", a.Kind, a.Text)
			}
			forms["flatpacked"] = oneSegment(flat)
			for name, b := range forms {
				if dump, a := o.Walk(g.Root, b); a.Kind != OK || dump != g.Dump {
					t.Errorf("%s: %v %s\n%s\nwant\n%s", name, a.Kind, a.Text, dump, g.Dump)
				}
			}
		})
	}
}

// TestGoldensCoverTheEncoding counts what the segmented goldens hold, so that a
// change of the texts cannot lose a kind of pointer unseen.
func TestGoldensCoverTheEncoding(t *testing.T) {
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, g := range goldens {
		for _, msg := range [][]byte{
			g.Binary, g.Segmented[1], g.Segmented[2], g.Segmented[8], g.Segmented[64], doubleFar(t, g.Binary),
		} {
			countPointers(t, msg, seen)
		}
	}
	for _, kind := range []string{
		"struct", "empty struct", "far", "double far",
		"list 0", "list 1", "list 2", "list 3", "list 4", "list 5", "list 6", "list 7",
	} {
		if seen[kind] == 0 {
			t.Errorf("no golden has a pointer of kind %q", kind)
		}
	}
	t.Log(seen)
}

// oneSegment puts a segment table before a flat message.
func oneSegment(flat []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(flat)/8))
	return append(b, flat...)
}
