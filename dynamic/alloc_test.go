package dynamic_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
)

// TestAllocs pins what costs no memory of the heap.
func TestAllocs(t *testing.T) {
	mod := load(t, "testdata/addressbook.capnp")
	book := build(t, mod, "AddressBook", book2())
	people := book.List("people")
	p := people.Struct(0)
	r := p.Reader()
	id, err := p.Type().Field("id")
	if err != nil {
		t.Fatal(err)
	}
	school, err := p.Type().Field("employment.school")
	if err != nil {
		t.Fatal(err)
	}
	s := build(t, all(t), "Scalars", nil)
	n := uint32(100000)
	f := 1.25
	sum := uint64(0)
	for name, do := range map[string]func(){
		"Uint":             func() { sum += r.Uint("id") },
		"Field.Uint":       func() { sum += id.Uint(r) },
		"TextBytes":        func() { sum += uint64(len(r.TextBytes("name"))) },
		"path":             func() { sum += uint64(len(r.TextBytes("employment.school"))) },
		"Field of a group": func() { sum += uint64(len(school.TextBytes(r))) },
		"Which":            func() { sum += uint64(len(r.Which("employment"))) },
		"Enum":             func() { sum += uint64(len(r.List("phones").Struct(0).Enum("type").String())) },
		"Structs": func() {
			for q := range book.Reader().List("people").Structs() {
				sum += q.Uint("id")
			}
		},
		"Set of a small":     func() { p.Set("id", uint8(n)) },
		"Set of a bool":      func() { s.Set("b", n&1 == 0) },
		"SetFloat":           func() { f++; s.SetFloat("f64", f) },
		"SetInt":             func() { s.SetInt("i64", int64(n)<<20) },
		"SetBool":            func() { s.SetBool("b", n&1 == 0) },
		"SetText":            func() { p.SetText("employment.school", "") },
		"Set of an enum":     func() { s.Set("e", "blue") },
		"SetUint":            func() { n++; p.SetUint("id", uint64(n)) },
		"Field.SetUint":      func() { n++; id.SetUint(p, uint64(n)) },
		"elements":           func() { people.Struct(1).SetUint("id", people.Struct(0).Uint("id")) },
		"Has":                func() { _ = r.Has("employment.school") },
		"numbers of a list":  func() { _ = dynamic.Numbers[uint16](dynamic.List{}) },
		"enumerant's number": func() { sum += uint64(s.Enum("e").Number()) },
	} {
		if got := testing.AllocsPerRun(100, do); got != 0 {
			t.Errorf("%s allocates %v times", name, got)
		}
	}
	sound(t, book)
	sound(t, s)
	if raceEnabled {
		return // the race detector's sync.Pool forgets messages at random
	}
	typ := typeOf(t, mod, "AddressBook")
	m := book2()
	if got := testing.AllocsPerRun(100, func() {
		b, err := typ.New(m)
		if err != nil {
			t.Fatal(err)
		}
		b.Message().Release()
	}); got != 0 {
		t.Errorf("New from a map allocates %v times", got)
	}
}
