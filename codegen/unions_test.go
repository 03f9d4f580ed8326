package codegen_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/codegen/internal/kinds"
	"github.com/fairlead-go/fairlead/codegen/internal/other"
	"github.com/fairlead-go/fairlead/schema"
)

var members = []struct {
	name  string
	which kinds.ChoiceWhich
	set   func(kinds.ChoiceBuilder)
	get   func(kinds.Choice) any
	want  any
	text  string // what the capnp tool prints of it
}{
	{"none", kinds.ChoiceNone, func(b kinds.ChoiceBuilder) { b.SetNone() }, func(kinds.Choice) any { return nil }, nil, "none = void"},
	{"number", kinds.ChoiceNumber, func(b kinds.ChoiceBuilder) { b.SetNumber(-5) }, func(r kinds.Choice) any { return r.Number() }, int64(-5), "number = -5"},
	{"words", kinds.ChoiceWords, func(b kinds.ChoiceBuilder) { b.SetWords("w") }, func(r kinds.Choice) any { return r.Words() }, "w", `words = "w"`},
	{"bytes", kinds.ChoiceBytes, func(b kinds.ChoiceBuilder) { b.SetBytes([]byte("b")) }, func(r kinds.Choice) any { return string(r.Bytes()) }, "b", `bytes = "b"`},
	{"new bytes", kinds.ChoiceBytes, func(b kinds.ChoiceBuilder) { b.NewBytes(1)[0] = 'n' }, func(r kinds.Choice) any { return string(r.Bytes()) }, "n", `bytes = "n"`},
	{"plain", kinds.ChoicePlain, func(b kinds.ChoiceBuilder) { b.Plain().SetInt8(1) }, func(r kinds.Choice) any { return r.Plain().Int8() }, int8(1), "int8 = 1"},
	{"new plain", kinds.ChoicePlain, func(b kinds.ChoiceBuilder) { b.NewPlain().SetInt8(2) }, func(r kinds.Choice) any { return r.Plain().Int8() }, int8(2), "int8 = 2"},
	{"numbers", kinds.ChoiceNumbers, func(b kinds.ChoiceBuilder) { b.NewNumbers(2).Set(1, 3) }, func(r kinds.Choice) any { return r.Numbers().At(1) }, int32(3), "numbers = [0, 3]"},
	{"any", kinds.ChoiceAny, func(b kinds.ChoiceBuilder) { b.Any().SetText("a") }, func(r kinds.Choice) any { return r.Any().Text() }, "a", "any = <opaque pointer>"},
	{"flag", kinds.ChoiceFlag, func(b kinds.ChoiceBuilder) { b.SetFlag(true) }, func(r kinds.Choice) any { return r.Flag() }, true, "flag = true"},
	{"flavour", kinds.ChoiceFlavour, func(b kinds.ChoiceBuilder) { b.SetFlavour(kinds.FlavourSour) }, func(r kinds.Choice) any { return r.Flavour() }, kinds.FlavourSour, "flavour = sour"},
	{"pair", kinds.ChoicePair, func(b kinds.ChoiceBuilder) { b.NewPair().SetMinus(0.5) }, func(r kinds.Choice) any { return r.Pair().Minus() }, 0.5, "pair = (left = 0, minus = 0.5)"},
	{"edited pair", kinds.ChoicePair, func(b kinds.ChoiceBuilder) { b.Pair().SetLeft(4) }, func(r kinds.Choice) any { return r.Pair().Left() }, int32(4), "pair = (left = 4, plus = 0)"},
	{"single", kinds.ChoiceSingle, func(b kinds.ChoiceBuilder) { b.NewSingle().SetTwo(2) }, func(r kinds.Choice) any { return r.Single().Two() }, uint8(2), "single = (two = 2)"},
}

func TestUnion(t *testing.T) {
	for _, tc := range members {
		t.Run(tc.name, func(t *testing.T) {
			// After any other member, of which nothing may be left to be seen.
			for _, first := range []func(kinds.ChoiceBuilder){
				func(kinds.ChoiceBuilder) {},
				func(b kinds.ChoiceBuilder) { b.SetNumber(-1) },
				func(b kinds.ChoiceBuilder) { b.SetWords("what was there") },
				func(b kinds.ChoiceBuilder) { p := b.NewPair(); p.SetLeft(-1); p.SetRight("right"); p.SetMinus(-1) },
			} {
				b := kinds.NewRootChoice(build(t))
				b.SetBefore(1234)
				first(b)
				tc.set(b)
				r := b.Reader()
				is(t, "which", r.Which(), tc.which)
				is(t, "builder's which", b.Which(), tc.which)
				is(t, "value", tc.get(r), tc.want)
				is(t, "before", r.Before(), 1234)
			}
		})
	}
}

func TestUnionAgainstTool(t *testing.T) {
	for _, tc := range members {
		msg := build(t)
		b := kinds.NewRootChoice(msg)
		b.SetNumber(-1)
		tc.set(b)
		if text := decode(t, msg, "Choice"); !strings.Contains(text, tc.text) {
			t.Errorf("%s: capnp decode gives %s, which has no %s", tc.name, text, tc.text)
		}
	}
}

// Editing a member that is selected keeps what it has.
func TestUnionEdit(t *testing.T) {
	b := kinds.NewRootChoice(build(t))
	b.NewPair().SetLeft(1)
	b.Pair().SetRight("r")
	is(t, "left", b.Reader().Pair().Left(), 1)
	b.NewPair()
	is(t, "left of the new pair", b.Reader().Pair().Left(), 0)
	is(t, "right of the new pair", b.Reader().Pair().HasRight(), false)

	b.NewPlain().SetInt8(1)
	b.Plain().SetInt16(2)
	is(t, "int8", b.Reader().Plain().Int8(), 1)
	b.NewNumbers(1).Set(0, 5)
	b.Numbers().Set(0, 6)
	is(t, "numbers", b.Reader().Numbers().At(0), 6)
	is(t, "has plain", b.Reader().HasPlain(), false)
	is(t, "has numbers", b.Reader().HasNumbers(), true)
	b.SetNone()
	is(t, "has numbers, not selected", b.Reader().HasNumbers(), false)
}

func TestWhichPrints(t *testing.T) {
	is(t, "known", kinds.ChoiceWords.String(), "words")
	is(t, "unknown", kinds.ChoiceWhich(99).String(), "99")
	is(t, "empty", kinds.Choice{}.Which(), kinds.ChoiceNone)
}

func TestGroup(t *testing.T) {
	b := kinds.NewRootChoice(build(t))
	is(t, "default", b.Reader().After().First(), 3)
	b.After().SetFirst(4)
	b.After().NewSecond(1).At(0).SetText("s")
	is(t, "first", b.Reader().After().First(), 4)
	is(t, "second", b.After().Reader().Second().At(0), "s")
}

func TestEnum(t *testing.T) {
	for _, tc := range []struct {
		v    kinds.Flavour
		text string
	}{
		{kinds.FlavourSweet, "sweet"},
		{kinds.FlavourBitter, "very bitter"}, // $Go.tag
		{kinds.FlavourSilent, ""},            // $Go.notag
		{77, "77"},
	} {
		is(t, "String", tc.v.String(), tc.text)
		v, ok := kinds.ParseFlavour(tc.text)
		is(t, "Parse "+tc.text, ok, tc.v < 4)
		if ok {
			is(t, "Parse "+tc.text, v, tc.v)
		}
	}
	is(t, "enum without values", kinds.Empty(3).String(), "3")
	is(t, "renamed", kinds.BriefKindBeeBee.String(), "b")
}

func TestConstants(t *testing.T) {
	const flag, small, big, pi, text = kinds.TheFlag, kinds.TheByte, kinds.TheCount, kinds.ThePi, kinds.TheText
	is(t, "theFlag", flag, true)
	is(t, "theByte", small, -128)
	is(t, "theCount", big, math.MaxUint64)
	is(t, "theRatio", kinds.TheRatio, float32(0.1))
	is(t, "thePi", pi, math.Pi)
	is(t, "theInf", kinds.TheInf, math.Inf(1))
	is(t, "theNan", math.IsNaN(float64(kinds.TheNan)), true)
	is(t, "theNegativeZero", math.Signbit(kinds.TheNegativeZero), true)
	is(t, "theText", text, "it's \"quoted\"\n")
	is(t, "theData", string(kinds.TheData()), "\xde\xad\xbe\xef")
	is(t, "theFlavour", kinds.TheFlavour, kinds.FlavourBitter)
	is(t, "theColour", kinds.TheColour, other.OuterColourGreen)
	is(t, "thePoint", [2]int32{kinds.ThePoint().X(), kinds.ThePoint().Y()}, [2]int32{3, 4})
	is(t, "theInts", slices.Equal(slices.Collect(kinds.TheInts().All()), []int16{1, 2, -3}), true)
	is(t, "thePlains", kinds.ThePlains().At(0).Text()+kinds.ThePlains().At(1).Inner().Text(), "onedeep")
	is(t, "theMatrix", kinds.TheMatrix().At(1).Texts().At(1), "c")
	is(t, "theBox", kinds.TheBox().Value().Text(), "boxed")
	is(t, "other.origin", other.Origin().X(), 0)
}

func TestGenerics(t *testing.T) {
	b := kinds.NewRootUses(build(t))
	b.Texts().Value().SetText("t")
	b.Texts().Next().Value().SetText("next")
	kinds.NewPlain(b.Plains().Value()).SetInt8(1)
	b.Lid().Of().SetData([]byte("d"))
	r := b.Reader()
	is(t, "texts", r.Texts().Value().Text()+r.Texts().Next().Value().Text(), "tnext")
	is(t, "plains", kinds.Plain(r.Plains().Value().Struct()).Int8(), 1)
	is(t, "lid", string(r.Lid().Of().Data()), "d")
}

// The constant Schema has the schema and what it needs of the file that it
// imports; files have no folders, so that generating from another one gives the same.
func TestSchemaConstant(t *testing.T) {
	req, err := schema.Unpack(kinds.Schema_)
	if err != nil {
		t.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		t.Fatal(err)
	}
	for id, name := range map[uint64]string{
		kinds.PlainTypeID:      "kinds.capnp:Plain",
		kinds.FlavourTypeID:    "kinds.capnp:Flavour",
		kinds.BothTypeID:       "kinds.capnp:Both",
		other.OuterPointTypeID: "other.capnp:Outer.Point",
		other.NamedTypeID:      "other.capnp:Named",
	} {
		n, ok := reg.Node(schema.ID(id))
		if !ok {
			t.Errorf("%s is not in the schema", name)
			continue
		}
		is(t, "display name", n.DisplayName, name)
	}
}
