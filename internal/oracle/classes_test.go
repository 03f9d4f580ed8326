package oracle

import (
	"os"
	"strings"
	"testing"
)

// Each class takes the message that it explains, and lets none of its
// neighbours through.
func TestClasses(t *testing.T) {
	ok := func(payload string) Result { return Result{Payload: payload} }
	bad := func(k Kind, payload string) Result { return Result{Kind: k, Payload: payload} }
	seg := func(ws ...uint64) [][]byte { return segmentsOf(ws...) }
	for _, tt := range []struct {
		name string
		d    Difference
		want string
	}{
		{"crash", Difference{Op: OpCopy, Peers: bad(Crashed, "")}, classPeer},
		{"bools", Difference{Op: OpWalk, Ours: bad(Malformed, "{\nflags:!malformed\n}"), Peers: ok("{\nflags:[2 0 1]\n}")}, classBools},
		{"numbers are no bools", Difference{Op: OpWalk, Ours: bad(Malformed, "{\nflags:!malformed\n}"), Peers: ok("{\nflags:[2 0 2]\n}")}, ""},
		{"bools and something else", Difference{Op: OpWalk, Ours: bad(Malformed, "flags:!malformed\nx=1"), Peers: ok("flags:[1 0]\nx=2")}, ""},
		{"bools under another name", Difference{Op: OpWalk, Ours: bad(Malformed, "flags:!malformed"), Peers: ok("bits:[1 0]")}, ""},
		{"voids of bits", Difference{Op: OpWalk, Ours: ok("units:[3]"), Peers: bad(Malformed, "units:!malformed")}, classVoidBits},
		{"a number is no list of Void", Difference{Op: OpWalk, Ours: ok("units:[3 1]"), Peers: bad(Malformed, "units:!malformed")}, ""},
		{"values differ", Difference{Op: OpWalk, Ours: ok("x=1"), Peers: ok("x=2")}, ""},
		{"we take what the peer does not", Difference{Op: OpWalk, Ours: ok("x:t00"), Peers: bad(Malformed, "x:!malformed")}, ""},
		{"the peer takes what we do not", Difference{Op: OpWalk, Ours: bad(Malformed, "x:!malformed"), Peers: ok("x:t00")}, ""},
		{"a limit too early", Difference{Op: OpWalk, Ours: bad(Limit, "x:!limit"), Peers: ok("x:t00")}, ""},
		{"depth in a walk", Difference{Op: OpWalk, Ours: bad(Nesting, "x:!nesting"), Peers: ok("x:{")}, ""},
		{"depth in a copy", Difference{Op: OpCopy, Ours: bad(Nesting, ""), Peers: ok("")}, classDepth},
		{"depth of ours is deeper", Difference{Op: OpCopy, Ours: ok(""), Peers: bad(Nesting, "")}, ""},
		{"depth of a capability", Difference{Op: OpSize, Case: Case{Segments: seg(3)}, Ours: ok("1"), Peers: bad(Nesting, "")}, classCapDepth},
		{"depth without a capability", Difference{Op: OpSize, Case: Case{Segments: seg(7)}, Ours: ok("1"), Peers: bad(Nesting, "")}, ""},
		{"depth of something else", Difference{Op: OpSize, AnyKind: Nesting, Case: Case{Segments: seg(3)}, Ours: ok("1"), Peers: bad(Nesting, "")}, ""},
		{"sizes", Difference{Op: OpSize, Ours: ok("3"), Peers: ok("4")}, ""},
		{"size of voids", Difference{Op: OpSize, Ours: bad(Limit, ""), Peers: ok("4")}, classVoids},
		{"equality", Difference{Op: OpEqual, Ours: ok("equal"), Peers: ok("different")}, ""},
		{"equality, with a fault in what was compared", Difference{Op: OpEqual, AnyKind: Malformed, Ours: ok("different"), Peers: bad(Malformed, "")}, classEqual},
		{"equality, with a fault from nowhere", Difference{Op: OpEqual, Case: Case{Nesting: 64}, Ours: ok("different"), Peers: bad(Malformed, "")}, ""},
		{"canonical bytes", Difference{Op: OpCanonical, Ours: ok("0abcdefgh"), Peers: ok("0abcdefgi")}, ""},
		{"second segment", Difference{Op: OpCanonical, Case: Case{Segments: [][]byte{seg(0)[0], nil}}, Ours: ok("0a"), Peers: ok("1a")}, classEmptySecond},
		{"second segment in use", Difference{Op: OpCanonical, Case: Case{Segments: [][]byte{seg(0)[0], seg(0)[0]}}, Ours: ok("0a"), Peers: ok("1a")}, ""},
		{
			"unread bits",
			Difference{
				Op: OpCanonical, Case: Case{Segments: seg(listPtr(9, 0, 5))},
				Ours: ok("0" + string(seg(listPtr(0, 0, 5))[0])), Peers: ok("1" + string(seg(listPtr(0, 0, 5))[0])),
			},
			classUnread,
		},
		{
			"bits that are read",
			Difference{
				Op: OpCanonical, Case: Case{Segments: seg(listPtr(9, 2, 5))},
				Ours: ok("0" + string(seg(listPtr(0, 2, 5))[0])), Peers: ok("1" + string(seg(listPtr(0, 2, 5))[0])),
			},
			"",
		},
		{
			"doubled pad",
			Difference{
				Op: OpSize, Case: Case{Segments: seg(farPtr(0, 1, true), farPtr(0, 3, true), 0)},
				Ours: bad(Malformed, ""), Peers: ok("0"),
			},
			classDoublePad,
		},
		{
			"a pad as it should be",
			Difference{
				Op: OpSize, Case: Case{Segments: seg(farPtr(0, 1, true), farPtr(0, 3, false), 0)},
				Ours: bad(Malformed, ""), Peers: ok("0"),
			},
			"",
		},
		{
			"far to an empty segment",
			Difference{
				Op: OpSize, Case: Case{Segments: [][]byte{seg(farPtr(0, 1, true), farPtr(1, 0, false), 1)[0], nil}},
				Ours: ok("0"), Peers: bad(Malformed, ""),
			},
			classEmptyFar,
		},
		{
			"far to a segment that is not empty",
			Difference{
				Op: OpSize, Case: Case{Segments: [][]byte{seg(farPtr(0, 1, true), farPtr(1, 0, false), 1)[0], seg(0)[0]}},
				Ours: ok("0"), Peers: bad(Malformed, ""),
			},
			"",
		},
	} {
		if got := classify(&tt.d); got != tt.want {
			t.Errorf("%s: class %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestClassesAreDocumented looks for each class in DIFFERENCES.md.
func TestClassesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("DIFFERENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{
		classPeer, classEmptySecond, classDepth, classCapDepth, classVoids, classWhole, classBools,
		classVoidBits, classFarCap, classDoublePad, classEmptyFar, classOrder, classEqual, classUnread,
	} {
		if !strings.Contains(string(text), "\n### "+class+"\n") {
			t.Errorf("DIFFERENCES.md has no heading %q", class)
		}
	}
}
