package codegen_test

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/codegen/internal/kinds"
	"github.com/fairlead-go/fairlead/codegen/internal/other"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// build gives a new message, which is released with the test and must have no
// fault then.
func build(t *testing.T) *segment.Message {
	msg := segment.New(arena.Pool())
	t.Cleanup(func() {
		if err := msg.Err(); err != nil {
			t.Error(err)
		}
		msg.Release()
	})
	return msg
}

// is reports a value that is not the one wanted.
func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// decode prints a message of a type of kinds.capnp with the capnp tool.
func decode(t *testing.T, msg *segment.Message, typ string) string {
	t.Helper()
	var in bytes.Buffer
	if err := framing.Write(&in, msg); err != nil {
		t.Fatal(err)
	}
	return tool(t, &in, "decode", "--short", typ)
}

// tool runs the capnp tool on kinds.capnp.
func tool(t *testing.T, in *bytes.Buffer, verb string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("capnp"); err != nil {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal("the capnp tool is missing:", err)
		}
		t.Skip("SKIPPED: the capnp tool is not installed:", err)
	}
	std := t.TempDir()
	if err := os.WriteFile(std+"/go.capnp", goCapnp(t), 0o666); err != nil {
		t.Fatal(err)
	}
	if verb == "decode" || verb == "encode" {
		args = append(args[:len(args)-1:len(args)-1], "internal/kinds/kinds.capnp", args[len(args)-1])
	}
	cmd := exec.Command("capnp", append([]string{verb, "-I" + std}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("capnp %s %v: %v\n%s", verb, args, err, errs.Bytes())
	}
	return out.String()
}

// goCapnp is the standard schema of Go's annotations, for the tool.
func goCapnp(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../schema/compile/std/go.capnp")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func fillPlain(b kinds.PlainBuilder) {
	b.SetFlag(true)
	b.SetInt8(-8)
	b.SetInt16(-1600)
	b.SetInt32(-320000)
	b.SetInt64(math.MinInt64)
	b.SetUint8(200)
	b.SetUint16(60000)
	b.SetUint32(4e9)
	b.SetUint64(math.MaxUint64)
	b.SetFloat32(1.5)
	b.SetFloat64(-2.25)
	b.SetText("some text")
	b.SetData([]byte{1, 2, 3})
	b.SetFlavour(kinds.FlavourBitter)
	b.NewInner().SetText("inside")
	b.NewPoint().SetX(-3)
	b.Any().SetText("anything")
	other.NewOuterPoint(b.AnyStruct()).SetY(4)
	b.AnyList().NewList(segment.TwoBytes, 2)
}

func checkPlain(t *testing.T, r kinds.Plain) {
	t.Helper()
	is(t, "flag", r.Flag(), true)
	is(t, "int8", r.Int8(), -8)
	is(t, "int16", r.Int16(), -1600)
	is(t, "int32", r.Int32(), -320000)
	is(t, "int64", r.Int64(), math.MinInt64)
	is(t, "uint8", r.Uint8(), 200)
	is(t, "uint16", r.Uint16(), 60000)
	is(t, "uint32", r.Uint32(), 4e9)
	is(t, "uint64", r.Uint64(), math.MaxUint64)
	is(t, "float32", r.Float32(), 1.5)
	is(t, "float64", r.Float64(), -2.25)
	is(t, "text", r.Text(), "some text")
	is(t, "textBytes", string(r.TextBytes()), "some text")
	is(t, "data", string(r.Data()), "\x01\x02\x03")
	is(t, "flavour", r.Flavour(), kinds.FlavourBitter)
	is(t, "inner", r.Inner().Text(), "inside")
	is(t, "point", r.Point().X(), -3)
	is(t, "any", r.Any().Text(), "anything")
	is(t, "anyStruct", other.OuterPoint(r.AnyStruct().Struct()).Y(), 4)
	is(t, "anyList", r.AnyList().List().Len(), 2)
	is(t, "has", r.HasText() && r.HasData() && r.HasInner() && r.HasPoint() && r.HasAny() && r.HasAnyStruct() && r.HasAnyList(), true)
	is(t, "inner has", r.Inner().HasInner() || r.Inner().HasData() || r.Inner().HasAny(), false)
}

func TestPlain(t *testing.T) {
	msg := build(t)
	b := kinds.NewRootPlain(msg)
	fillPlain(b)
	checkPlain(t, kinds.RootPlain(msg))
	checkPlain(t, b.Reader())

	// Copied whole, edited in place, and given memory to fill.
	copied := build(t)
	outer := kinds.NewRootPlain(copied)
	outer.SetInner(b.Reader())
	checkPlain(t, outer.Reader().Inner())
	outer.Inner().SetInt8(1)
	outer.Inner().Inner().SetText("deeper")
	outer.Point().SetX(7)
	copy(outer.NewData(2), "ab")
	is(t, "inner after editing", outer.Reader().Inner().Int8(), 1)
	is(t, "inner's inner after editing", outer.Reader().Inner().Inner().Text(), "deeper")
	is(t, "point after editing", outer.Reader().Point().X(), 7)
	is(t, "data", string(outer.Reader().Data()), "ab")

	released := false
	external := make([]byte, 4096)
	external[0] = 'x'
	is(t, "uncopied", outer.SetExternalData(external, func() { released = true }), true)
	is(t, "external data", &outer.Reader().Data()[0], &external[0])
	is(t, "released", released, false)
}

func TestPlainAgainstTool(t *testing.T) {
	msg := build(t)
	fillPlain(kinds.NewRootPlain(msg))
	is(t, "capnp decode", decode(t, msg, "Plain"), `(nothing = void, flag = true, int8 = -8, int16 = -1600, int32 = -320000, int64 = -9223372036854775808, `+
		`uint8 = 200, uint16 = 60000, uint32 = 4000000000, uint64 = 18446744073709551615, float32 = 1.5, float64 = -2.25, `+
		`text = "some text", data = "\001\002\003", flavour = bitter, inner = (nothing = void, flag = false, int8 = 0, int16 = 0, int32 = 0, int64 = 0, `+
		`uint8 = 0, uint16 = 0, uint32 = 0, uint64 = 0, float32 = 0, float64 = 0, text = "inside", flavour = sweet), `+
		`point = (x = -3, y = 0), any = <opaque pointer>, anyStruct = <opaque pointer>, anyList = <opaque pointer>)`+"\n")

	in := bytes.NewBufferString(`(flag = true, int64 = -1, float32 = inf, text = "tool", data = 0x"00ff", flavour = silent, point = (x = 1, y = 2))`)
	got, err := framing.Read(bytes.NewBufferString(tool(t, in, "encode", "Plain")))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	r := kinds.RootPlain(got)
	is(t, "flag", r.Flag(), true)
	is(t, "int64", r.Int64(), -1)
	is(t, "float32", r.Float32(), float32(math.Inf(1)))
	is(t, "text", r.Text(), "tool")
	is(t, "data", string(r.Data()), "\x00\xff")
	is(t, "flavour", r.Flavour(), kinds.FlavourSilent)
	is(t, "point", r.Point().Y(), 2)
}

// checkDefaults checks a Defaults in which nothing is set.
func checkDefaults(t *testing.T, r kinds.Defaults) {
	t.Helper()
	is(t, "flag", r.Flag(), true)
	is(t, "int8", r.Int8(), -8)
	is(t, "int16", r.Int16(), -1600)
	is(t, "int32", r.Int32(), -320000)
	is(t, "int64", r.Int64(), math.MinInt64)
	is(t, "uint8", r.Uint8(), math.MaxUint8)
	is(t, "uint16", r.Uint16(), math.MaxUint16)
	is(t, "uint32", r.Uint32(), math.MaxUint32)
	is(t, "uint64", r.Uint64(), math.MaxUint64)
	is(t, "float32", r.Float32(), 1.5)
	is(t, "float64", r.Float64(), math.Inf(-1))
	is(t, "text", r.Text(), "a \"text\"\nof `two` lines")
	is(t, "textBytes", string(r.TextBytes()), r.Text())
	is(t, "data", string(r.Data()), "\x00\xff\x7f")
	is(t, "flavour", r.Flavour(), kinds.FlavourSour)
	is(t, "colour", r.Colour(), other.OuterColourBlue)
	is(t, "point", [2]int32{r.Point().X(), r.Point().Y()}, [2]int32{1, -1})
	is(t, "ints", slices.Equal(slices.Collect(r.Ints().All()), []int32{1, -2, 3}), true)
	is(t, "flags", slices.Equal(slices.Collect(r.Flags().All()), []bool{true, false, true}), true)
	is(t, "texts", strings.Join(slices.Collect(r.Texts().All()), ","), "a,b")
	is(t, "points", r.Points().Len(), 2)
	is(t, "points[1].y", r.Points().At(1).Y(), 6)
	is(t, "matrix", r.Matrix().Len(), 3)
	is(t, "matrix[0]", slices.Equal(slices.Collect(r.MatrixAt(0).All()), []uint8{1, 2}), true)
	is(t, "matrix[1]", r.MatrixAt(1).Len(), 0)
	is(t, "flavours", slices.Equal(slices.Collect(r.Flavours().All()), []kinds.Flavour{kinds.FlavourBitter, kinds.FlavourSweet}), true)
	is(t, "datas[1]", string(r.Datas().At(1)), "\x00")
	is(t, "has", r.HasText() || r.HasData() || r.HasPoint() || r.HasInts() || r.HasMatrix(), false)
}

func TestDefaults(t *testing.T) {
	checkDefaults(t, kinds.Defaults{}) // null
	msg := build(t)
	b := kinds.NewRootDefaults(msg)
	checkDefaults(t, b.Reader())

	// What is set is read back, zero too, which is not what lies in the message.
	b.SetFlag(false)
	b.SetInt8(0)
	b.SetInt64(0)
	b.SetUint64(0)
	b.SetFloat32(0)
	b.SetFloat64(0.5)
	b.SetText("")
	b.SetFlavour(kinds.FlavourSweet)
	b.SetColour(other.OuterColourRed)
	r := b.Reader()
	is(t, "flag", r.Flag(), false)
	is(t, "int8", r.Int8(), 0)
	is(t, "int64", r.Int64(), 0)
	is(t, "uint64", r.Uint64(), 0)
	is(t, "float32", r.Float32(), 0)
	is(t, "float64", r.Float64(), 0.5)
	is(t, "text", r.Text(), "")
	is(t, "textBytes", string(r.TextBytes()), "")
	is(t, "flavour", r.Flavour(), kinds.FlavourSweet)
	is(t, "colour", r.Colour(), other.OuterColourRed)

	// Editing a default in place edits a copy of it.
	b.Point().SetX(9)
	is(t, "edited point", [2]int32{r.Point().X(), r.Point().Y()}, [2]int32{9, -1})
	b.Ints().Set(0, 100)
	is(t, "edited ints", slices.Equal(slices.Collect(r.Ints().All()), []int32{100, -2, 3}), true)
	b.Points().At(0).SetY(8)
	is(t, "edited points", [2]int32{r.Points().At(0).X(), r.Points().At(0).Y()}, [2]int32{5, 8})
	b.MatrixAt(0).Set(1, 77)
	is(t, "edited matrix", r.MatrixAt(0).At(1), 77)
	b.Texts().At(0).SetText("z")
	is(t, "edited texts", strings.Join(slices.Collect(r.Texts().All()), ","), "z,b")
	checkDefaults(t, kinds.Defaults{})
}

// Constants and defaults may be read by many goroutines.
func TestDefaultsConcurrently(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				checkDefaults(t, kinds.Defaults{})
				is(t, "thePoint", kinds.ThePoint().X(), 3)
			}
		})
	}
	all.Wait()
}

// A list that is malformed reads as the default.
func TestDefaultOfMalformed(t *testing.T) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	b := kinds.NewRootDefaults(msg)
	segment.StructBuilder(b).Ptr(3).SetCapability(1) // ints
	segment.StructBuilder(b).Ptr(2).SetCapability(1) // point
	is(t, "ints", b.Reader().Ints().Len(), 3)
	is(t, "point", b.Reader().Point().Y(), -1)
	if msg.Err() == nil {
		t.Error("the fault is not kept")
	}
}

func TestDefaultsAgainstTool(t *testing.T) {
	msg := build(t)
	kinds.NewRootDefaults(msg)
	got := decode(t, msg, "Defaults")
	for _, want := range []string{
		`flag = true, int8 = -8, int16 = -1600, int32 = -320000, int64 = -9223372036854775808, uint8 = 255`,
		`float64 = -inf`, `colour = blue`, `flavour = sour`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("capnp decode gives %s, which has no %s", got, want)
		}
	}
}

func fillLists(b kinds.ListsBuilder) {
	b.NewVoids(1000)
	b.NewFlags(3).Set(1, true)
	b.NewInt8s(2).Set(1, -1)
	b.NewInt64s(2).Copy([]int64{1, math.MinInt64})
	b.NewFloat32s(1).Set(0, 0.5)
	b.NewTexts(2).At(1).SetText("two")
	b.NewDatas(1).At(0).SetData([]byte("d"))
	b.NewFlavours(2).Set(0, kinds.FlavourSour)
	fillPlain(b.NewPlains(2).At(1))
	b.NewPoints(1).At(0).SetX(1)
	b.NewMatrix(2)
	b.NewMatrixAt(1, 2).Set(1, 2.5)
	segment.NewNumbers[int16](b.NewCube(1).At(0).NewPtrs(2).At(1), 1).Set(0, 5)
	b.NewTextLists(1)
	b.NewTextListsAt(0, 1).At(0).SetText("nested")
	b.NewBoxes(1).At(0).Value().SetText("boxed")
}

func TestListsAgainstTool(t *testing.T) {
	msg := build(t)
	fillLists(kinds.NewRootLists(msg))
	is(t, "capnp decode", strings.Contains(decode(t, msg, "Lists"), `flags = [false, true, false], int8s = [0, -1], int64s = [1, -9223372036854775808], `+
		`float32s = [0.5], texts = ["", "two"], datas = ["d"], flavours = [sour, sweet]`), true)
}

func TestLists(t *testing.T) {
	b := kinds.NewRootLists(build(t))
	fillLists(b)
	copied := build(t)
	c := kinds.NewRootLists(copied)
	r := b.Reader()
	c.SetVoids(r.Voids())
	c.SetFlags(r.Flags())
	c.SetInt8s(r.Int8s())
	c.SetInt64s(r.Int64s())
	c.SetFloat32s(r.Float32s())
	c.SetTexts(r.Texts())
	c.SetDatas(r.Datas())
	c.SetFlavours(r.Flavours())
	c.SetPlains(r.Plains())
	c.SetPoints(r.Points())
	c.SetMatrix(r.Matrix())
	c.SetCube(r.Cube())
	c.SetTextLists(r.TextLists())
	c.SetBoxes(r.Boxes())
	c.Flags().Set(0, true)
	c.Matrix().At(0).NewList(segment.EightBytes, 3)
	c.MatrixAt(1).Set(0, 1)
	r = c.Reader()
	is(t, "voids", r.Voids().Len(), 1000)
	is(t, "flags", slices.Equal(slices.Collect(r.Flags().All()), []bool{true, true, false}), true)
	is(t, "int8s", r.Int8s().At(1), -1)
	is(t, "int64s", r.Int64s().At(1), math.MinInt64)
	is(t, "float32s", r.Float32s().At(0), 0.5)
	is(t, "texts", r.Texts().At(1), "two")
	is(t, "datas", string(r.Datas().At(0)), "d")
	is(t, "flavours", r.Flavours().At(0), kinds.FlavourSour)
	checkPlain(t, r.Plains().At(1))
	is(t, "points", r.Points().At(0).X(), 1)
	is(t, "matrix[0]", r.MatrixAt(0).Len(), 3)
	is(t, "matrix[1]", r.MatrixAt(1).At(0)+r.MatrixAt(1).At(1), 3.5)
	is(t, "cube", segment.ReadNumbers[int16](r.CubeAt(0).At(1)).At(0), 5)
	is(t, "textLists", r.TextListsAt(0).At(0), "nested")
	is(t, "boxes", r.Boxes().At(0).Value().Text(), "boxed")
	is(t, "has", r.HasVoids() && r.HasBoxes() && !r.HasNamed() && !r.HasCapabilities(), true)
}

// A struct of an older schema reads with the defaults of what it lacks, and
// grows when it is edited.
func TestEvolution(t *testing.T) {
	msg := build(t)
	old := kinds.NewOld(msg.RootBuilder())
	old.SetA(1)
	r := kinds.RootNew(msg)
	is(t, "a, b, c", [3]any{r.A(), r.B(), r.C()}, [3]any{int32(1), "b", int64(9)})

	holder := build(t)
	p := kinds.NewRootPlain(holder).AnyStruct()
	kinds.NewOld(p).SetA(2)
	grown := kinds.NewBuilder(p.Struct(segment.Size{DataWords: 2, Ptrs: 1}))
	grown.SetC(3)
	is(t, "a", grown.Reader().A(), 2)
	is(t, "c", grown.Reader().C(), 3)
}
