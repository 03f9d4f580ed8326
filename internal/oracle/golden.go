package oracle

import (
	"embed"
	"fmt"
	"sort"
	"strings"
)

//go:embed testdata/golden
var goldenFiles embed.FS

// Golden is one message that the capnp tool wrote from a text of
// testdata/golden, in every form in which it writes.
type Golden struct {
	Name       string
	Root       Type
	Binary     []byte // one segment, framed
	Packed     []byte
	Flat       []byte // one segment without a table
	FlatPacked []byte
	Canonical  []byte
	Segmented  map[int][]byte // framed, by the preferred words a segment
	Dump       string         // the peer's dump of it
}

// SegmentSizes are the sizes of segments for which there are goldens.
var SegmentSizes = []int{1, 2, 8, 64}

// Goldens returns all golden messages, by name.
func Goldens() ([]Golden, error) {
	entries, err := goldenFiles.ReadDir("testdata/golden")
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	var out []Golden
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".txt")
		if !ok {
			continue
		}
		g, err := loadGolden(name)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

func loadGolden(name string) (Golden, error) {
	g := Golden{Name: name, Segmented: make(map[int][]byte)}
	text, err := goldenText(name)
	if err != nil {
		return g, err
	}
	if g.Root, err = rootOf(text); err != nil {
		return g, fmt.Errorf("oracle: golden %s: %w", name, err)
	}
	read := func(ext string) []byte {
		b, readErr := goldenFiles.ReadFile("testdata/golden/" + name + "." + ext)
		if readErr != nil && err == nil {
			err = fmt.Errorf("oracle: golden %s: %w", name, readErr)
		}
		return b
	}
	g.Binary, g.Packed = read("bin"), read("packed")
	g.Flat, g.FlatPacked = read("flat"), read("flatpacked")
	g.Canonical = read("canonical")
	g.Dump = string(read("dump"))
	for _, n := range SegmentSizes {
		g.Segmented[n] = read(fmt.Sprintf("seg%d", n))
	}
	return g, err
}

func goldenText(name string) (string, error) {
	b, err := goldenFiles.ReadFile("testdata/golden/" + name + ".txt")
	if err != nil {
		return "", fmt.Errorf("oracle: golden %s: %w", name, err)
	}
	return string(b), nil
}

// rootOf reads the type off a golden text's first line, a comment.
func rootOf(text string) (Type, error) {
	first, _, _ := strings.Cut(text, "\n")
	for t, name := range typeNames {
		if first == "# "+name {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("the first line %q names no root type", first)
}
