package byname

import (
	"fmt"
	"runtime"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/schema"
	"github.com/fairlead-go/fairlead/bench/schema/fairleadgen"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// book2 is an address book of two people with three phones.
func book2() map[string]any {
	type m = map[string]any
	return m{"people": []any{
		m{
			"id": uint32(123), "name": "Alice", "email": "alice@example.com",
			"phones":     []any{m{"number": "555-1212", "type": "mobile"}},
			"employment": m{"school": "MIT"},
		},
		m{
			"id": uint32(456), "name": "Bob", "email": "bob@example.com",
			"phones":     []any{m{"number": "555-4567", "type": "home"}, m{"number": "555-7654", "type": "work"}},
			"employment": m{"unemployed": nil},
		},
	}}
}

// values are the cases of values by name.
func values() ([]harness.Case, error) {
	req, err := compile.Source("bench.capnp", schema.Capnp, compile.Options{})
	if err != nil {
		return nil, err
	}
	mod, err := dynamic.Loader{}.Request(req)
	if err != nil {
		return nil, err
	}
	typ, err := mod.Type("AddressBook")
	if err != nil {
		return nil, err
	}
	kept, err := typ.New(book2())
	if err != nil {
		return nil, err
	}
	want := harness.Answer{Values: uint64(readTyped(kept.Message()))}
	built := func(msg *segment.Message, err error) (harness.Answer, error) {
		if err != nil {
			return harness.Answer{}, err
		}
		defer msg.Release()
		return harness.Answer{Values: uint64(readTyped(msg))}, msg.Err()
	}
	m := book2()
	byMap := func() (*segment.Message, error) {
		b, err := typ.New(m)
		return b.Message(), err
	}
	byName := func() (*segment.Message, error) {
		b, err := typ.New(nil)
		if err == nil {
			err = build(b)
		}
		return b.Message(), err
	}
	typed := func() (*segment.Message, error) {
		msg := segment.New(arena.Pool())
		buildTyped(msg)
		return msg, nil
	}
	builder := func(who string, build func() (*segment.Message, error)) harness.Contestant {
		return harness.Local(who, func() (harness.Answer, error) { return built(build()) }, func(n int) {
			for range n {
				msg, _ := build() // Check has seen its error
				msg.Release()
			}
		})
	}
	reader := func(who string, read func() int) harness.Contestant {
		return harness.Local(who, func() (harness.Answer, error) { return harness.Answer{Values: uint64(read())}, kept.Err() }, func(n int) {
			sum := 0
			for range n {
				sum += read()
			}
			runtime.KeepAlive(sum)
		})
	}
	floor := func() int { return readTyped(kept.Message()) }
	return []harness.Case{
		{Name: "dynamic/build", Want: want, Contestants: []harness.Contestant{builder("fairlead", byName), builder("floor", typed)}},
		{Name: "dynamic/frommap", Want: want, Contestants: []harness.Contestant{builder("fairlead", byMap), builder("floor", typed)}},
		{Name: "dynamic/read", Want: want, Contestants: []harness.Contestant{
			reader("fairlead", func() int { return read(kept.Reader()) }), reader("floor", floor),
		}},
		{Name: "dynamic/tomap", Want: want, Contestants: []harness.Contestant{
			reader("fairlead", func() int { return readMap(kept.Map()) }), reader("floor", floor),
		}},
	}, nil
}

// build fills a book by the names of its fields.
func build(b dynamic.StructBuilder) error {
	people := b.InitList("people", 2)
	alice := people.Struct(0)
	alice.SetUint("id", 123)
	alice.SetText("name", "Alice")
	alice.SetText("email", "alice@example.com")
	phone := alice.InitList("phones", 1).Struct(0)
	phone.SetText("number", "555-1212")
	phone.Set("type", "mobile")
	alice.SetText("employment.school", "MIT")
	bob := people.Struct(1)
	bob.SetUint("id", 456)
	bob.SetText("name", "Bob")
	bob.SetText("email", "bob@example.com")
	phones := bob.InitList("phones", 2)
	phone = phones.Struct(0)
	phone.SetText("number", "555-4567")
	phone.Set("type", "home")
	phone = phones.Struct(1)
	phone.SetText("number", "555-7654")
	phone.Set("type", "work")
	bob.Set("employment.unemployed", nil)
	return b.Err()
}

func buildTyped(msg *segment.Message) {
	people := fairleadgen.NewRootAddressBook(msg).NewPeople(2)
	alice := people.At(0)
	alice.SetID(123)
	alice.SetName("Alice")
	alice.SetEmail("alice@example.com")
	phone := alice.NewPhones(1).At(0)
	phone.SetNumber("555-1212")
	phone.SetType(fairleadgen.PersonPhoneNumberTypeMobile)
	alice.Employment().SetSchool("MIT")
	bob := people.At(1)
	bob.SetID(456)
	bob.SetName("Bob")
	bob.SetEmail("bob@example.com")
	phones := bob.NewPhones(2)
	phone = phones.At(0)
	phone.SetNumber("555-4567")
	phone.SetType(fairleadgen.PersonPhoneNumberTypeHome)
	phone = phones.At(1)
	phone.SetNumber("555-7654")
	phone.SetType(fairleadgen.PersonPhoneNumberTypeWork)
	bob.Employment().SetUnemployed()
}

// The readers take every field, texts as copies, and sum it up alike.

func person(id uint64, name, email string) int { return int(id) + len(name) + 3*len(email) }

func phone(number string, kind int) int { return 5*len(number) + 7*(kind+1) }

func job(which int, place string) int { return 11*which + 13*len(place) }

func read(book dynamic.Struct) (sum int) {
	for p := range book.List("people").Structs() {
		sum += person(p.Uint("id"), p.Text("name"), p.Text("email"))
		for q := range p.List("phones").Structs() {
			sum += phone(q.Text("number"), int(q.Enum("type").Number()))
		}
		switch e := p.Struct("employment"); e.Which() {
		case "employer":
			sum += job(1, e.Text("employer"))
		case "school":
			sum += job(2, e.Text("school"))
		case "selfEmployed":
			sum += job(3, "")
		}
	}
	return sum
}

func readTyped(msg *segment.Message) (sum int) {
	for p := range fairleadgen.RootAddressBook(msg).People().All() {
		sum += person(uint64(p.ID()), string(p.NameBytes()), string(p.EmailBytes()))
		for q := range p.Phones().All() {
			sum += phone(string(q.NumberBytes()), int(q.Type()))
		}
		switch e := p.Employment(); e.Which() {
		case fairleadgen.PersonEmploymentEmployer:
			sum += job(1, string(e.EmployerBytes()))
		case fairleadgen.PersonEmploymentSchool:
			sum += job(2, string(e.SchoolBytes()))
		case fairleadgen.PersonEmploymentSelfEmployed:
			sum += job(3, "")
		}
	}
	return sum
}

var phoneTypes = map[string]int{"mobile": 0, "home": 1, "work": 2}

func readMap(book map[string]any) (sum int) {
	for _, p := range book["people"].([]any) {
		p := p.(map[string]any)
		sum += person(uint64(p["id"].(uint32)), p["name"].(string), p["email"].(string))
		for _, q := range p["phones"].([]any) {
			q := q.(map[string]any)
			sum += phone(q["number"].(string), phoneTypes[fmt.Sprint(q["type"])])
		}
		for which, v := range p["employment"].(map[string]any) {
			place, _ := v.(string)
			switch which {
			case "employer":
				sum += job(1, place)
			case "school":
				sum += job(2, place)
			case "selfEmployed":
				sum += job(3, "")
			}
		}
	}
	return sum
}
