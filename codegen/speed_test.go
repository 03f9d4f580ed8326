package codegen_test

import (
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/codegen/internal/addressbook"
	"github.com/fairlead-go/fairlead/codegen/internal/kinds"
	"github.com/fairlead-go/fairlead/segment"
)

// mustInline are methods that a program calls for each field, by package.
// Those not among them are one call away from what does the work: lists, which
// are generic, and the members of unions that are pointers.
var mustInline = map[string][]string{
	"addressbook": {
		"Person.ID", "Person.Name", "Person.NameBytes", "Person.HasName", "Person.Employment",
		"PersonEmployment.Which", "PersonEmployment.School", "PersonEmployment.SchoolBytes", "PersonPhoneNumber.Type",
		"PersonBuilder.SetID", "PersonBuilder.SetName", "PersonBuilder.Employment", "PersonBuilder.Reader",
		"PersonEmploymentBuilder.SetUnemployed", "PersonPhoneNumberBuilder.SetType", "NewPerson",
	},
	"kinds": {
		"Plain.Flag", "Plain.Int8", "Plain.Int16", "Plain.Int32", "Plain.Int64", "Plain.Uint8", "Plain.Uint16", "Plain.Uint32", "Plain.Uint64",
		"Plain.Float32", "Plain.Float64", "Plain.Text", "Plain.TextBytes", "Plain.Data", "Plain.Flavour", "Plain.Inner", "Plain.Any",
		"PlainBuilder.SetFlag", "PlainBuilder.SetInt8", "PlainBuilder.SetInt64", "PlainBuilder.SetUint32", "PlainBuilder.SetFloat32",
		"PlainBuilder.SetFloat64", "PlainBuilder.SetText", "PlainBuilder.SetFlavour", "PlainBuilder.NewInner", "PlainBuilder.Any",
		"Defaults.Flag", "Defaults.Int8", "Defaults.Int64", "Defaults.Uint64", "Defaults.Float32", "Defaults.Float64", "Defaults.Flavour",
		"DefaultsBuilder.SetInt64", "DefaultsBuilder.SetFloat64", "DefaultsBuilder.SetFlavour",
		"Choice.Number", "ChoiceBuilder.SetNumber", "ChoiceBuilder.SetNone", "Choice.Pair", "Choice.After", "ChoiceBuilder.After",
	},
}

func TestAccessorsInline(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil || strconv.IntSize != 64 {
		t.Skip("SKIPPED: no go command, or not a 64-bit machine, which the costs are those of")
	}
	yes := regexp.MustCompile(`: can inline ([^ ]+)`)
	for pkg, want := range mustInline {
		out, err := exec.Command(goTool, "build", "-gcflags=-m=2", "./internal/"+pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		can := map[string]bool{}
		for line := range strings.Lines(string(out)) {
			if m := yes.FindStringSubmatch(line); m != nil {
				can[m[1]] = true
			}
		}
		if len(can) == 0 {
			t.Fatalf("%s tells of no inlining:\n%s", runtime.Version(), out)
		}
		for _, name := range want {
			if !can[name] {
				t.Errorf("%s.%s is not inlined", pkg, name)
			}
		}
	}
}

// Building and reading take nothing from the heap; text is copied only by the
// getters that give strings.
func TestAllocations(t *testing.T) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	var sum int
	work := func() {
		msg.Reset()
		people := addressbook.NewRootAddressBook(msg).NewPeople(2)
		for i := range people.Len() {
			p := people.At(i)
			p.SetID(uint32(i))
			p.SetName("Alice")
			p.NewPhones(1).At(0).SetType(addressbook.PersonPhoneNumberTypeWork)
			p.Employment().SetSchool("MIT")
		}
		for p := range addressbook.RootAddressBook(msg).People().All() {
			sum += int(p.ID()) + len(p.NameBytes()) + len(p.Employment().SchoolBytes())
			for n := range p.Phones().All() {
				sum += int(n.Type())
			}
		}
		c := kinds.Defaults(kinds.Choice{})
		sum += len(c.TextBytes()) + len(c.Data()) + c.Ints().Len() + int(c.Point().X())
	}
	if n := testing.AllocsPerRun(100, work); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
	if err := msg.Err(); err != nil || sum == 0 {
		t.Errorf("sum %d, %v", sum, err)
	}
}
