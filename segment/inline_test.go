package segment_test

import (
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// mustInline are the functions that a program calls for each field and each
// element, with what they may cost. The compiler inlines up to 80, and into a
// large function only up to 20.
var mustInline = map[string]int{
	"Struct.Bool": 33, "Struct.Uint8": 21, "Struct.Uint16": 25, "Struct.Uint32": 25, "Struct.Uint64": 25,
	"Struct.Int8": 40, "Struct.Int16": 40, "Struct.Int32": 40, "Struct.Int64": 40,
	"Struct.Float32": 34, "Struct.Float64": 34,
	"Struct.Ptr": 40, "Struct.Has": 70, "Struct.TextBytes": 70,
	"StructBuilder.SetBool": 80, "StructBuilder.SetUint8": 20, "StructBuilder.SetUint16": 24,
	"StructBuilder.SetUint32": 24, "StructBuilder.SetUint64": 24,
	"StructBuilder.SetInt8": 40, "StructBuilder.SetInt16": 40, "StructBuilder.SetInt32": 40, "StructBuilder.SetInt64": 40,
	"StructBuilder.SetFloat32": 33, "StructBuilder.SetFloat64": 33,
	"StructBuilder.Ptr": 80, "StructBuilder.Reader": 30,
	"PtrBuilder.Reader": 20, "Ptr.IsNull": 40, "Bools.At": 80, "Ptrs.At": 80,
	"List.Len": 20, "ListBuilder.Reader": 40, "BoolsBuilder.Len": 20,
}

func TestGettersInline(t *testing.T) {
	if !NativeViews {
		t.Skip("the costs are those of the build with unsafe")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("SKIPPED: there is no go command to ask what it inlines")
	}
	if strconv.IntSize != 64 {
		t.Skip("the costs are those of 64-bit machines")
	}
	out, err := exec.Command(goTool, "build", "-gcflags=-m=2", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	can := map[string]int{}
	cannot := map[string]string{}
	yes := regexp.MustCompile(`: can inline ([^ ]+) with cost (\d+)`)
	no := regexp.MustCompile(`: cannot inline ([^ ]+): (.*)`)
	for line := range strings.Lines(string(out)) {
		line = strings.NewReplacer("(*", "", ")", "").Replace(line)
		if m := yes.FindStringSubmatch(line); m != nil {
			can[m[1]], _ = strconv.Atoi(m[2])
		} else if m := no.FindStringSubmatch(line); m != nil {
			cannot[m[1]] = m[2]
		}
	}
	if len(can) == 0 {
		t.Fatalf("%s tells of no inlining:\n%s", runtime.Version(), out)
	}
	for name, limit := range mustInline {
		cost, ok := can[name]
		switch {
		case !ok:
			t.Errorf("%s is not inlined: %s", name, cannot[name])
		case cost > limit:
			t.Errorf("%s costs %d, at most %d is allowed", name, cost, limit)
		}
	}
}

// The elements of generic lists are inlined where they are used, and so are the
// methods of generated code that call a worker of this package.
func TestGenericElementsInline(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil || !NativeViews || strconv.IntSize != 64 {
		t.Skip("SKIPPED: no go command, or another build than the one with unsafe on 64 bits")
	}
	out, err := exec.Command(goTool, "build", "-gcflags=-m", "-o", t.TempDir(), "./testdata/inline").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, name := range []string{"point.label", "pointBuilder.setLabel", "pointBuilder.newRest"} {
		if !strings.Contains(string(out), "inlining call to "+name+"\n") {
			t.Errorf("%s is not inlined into its caller:\n%s", name, out)
		}
	}
	for _, name := range []string{"Structs[", "Numbers[", "StructsBuilder[", "NumbersBuilder["} {
		found := false
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "inlining call to segment."+name) && strings.Contains(line, ".At") {
				found = true
			}
		}
		if !found {
			t.Errorf("%s…].At is not inlined into its caller:\n%s", name, out)
		}
	}
}
