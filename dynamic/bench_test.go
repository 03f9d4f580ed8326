package dynamic_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
)

// book2 is the sample of Cap'n Proto's documentation: two people with three
// phones.
func book2() map[string]any {
	return map[string]any{"people": []any{
		map[string]any{
			"id": 123, "name": "Alice", "email": "alice@example.com",
			"phones":     []any{map[string]any{"number": "555-1212", "type": "mobile"}},
			"employment": map[string]any{"school": "MIT"},
		},
		map[string]any{
			"id": 456, "name": "Bob", "email": "bob@example.com",
			"phones": []any{
				map[string]any{"number": "555-4567", "type": "home"},
				map[string]any{"number": "555-7654", "type": "work"},
			},
			"employment": map[string]any{"unemployed": nil},
		},
	}}
}

func buildByName(tb testing.TB, book dynamic.StructBuilder) {
	people := book.InitList("people", 2)
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
	if book.Err() != nil {
		tb.Fatal(book.Err())
	}
}

func BenchmarkBuildMap(b *testing.B) {
	t, err := load(b, "testdata/addressbook.capnp").Type("AddressBook")
	if err != nil {
		b.Fatal(err)
	}
	m := book2()
	b.ReportAllocs()
	for b.Loop() {
		book, err := t.New(m)
		if err != nil {
			b.Fatal(err)
		}
		book.Message().Release()
	}
}

func BenchmarkBuildByName(b *testing.B) {
	mod := load(b, "testdata/addressbook.capnp")
	b.ReportAllocs()
	for b.Loop() {
		book, err := mod.New("AddressBook", nil)
		if err != nil {
			b.Fatal(err)
		}
		buildByName(b, book)
		book.Message().Release()
	}
}

// readByName reads every field, copying each text as pycapnp does.
func readByName(tb testing.TB, book dynamic.Struct) int {
	n := 0
	for p := range book.List("people").Structs() {
		n += int(p.Uint("id")) + len(p.Text("name")) + len(p.Text("email"))
		for q := range p.List("phones").Structs() {
			n += len(q.Text("number")) + len(q.Enum("type").String())
		}
		switch e := p.Struct("employment"); e.Which() {
		case "school":
			n += len(e.Text("school"))
		case "employer":
			n += len(e.Text("employer"))
		}
	}
	if book.Err() != nil {
		tb.Fatal(book.Err())
	}
	return n
}

func BenchmarkReadByName(b *testing.B) {
	book, err := load(b, "testdata/addressbook.capnp").New("AddressBook", book2())
	if err != nil {
		b.Fatal(err)
	}
	defer book.Message().Release()
	b.ReportAllocs()
	for b.Loop() {
		readByName(b, book.Reader())
	}
}

func BenchmarkReadMap(b *testing.B) {
	book, err := load(b, "testdata/addressbook.capnp").New("AddressBook", book2())
	if err != nil {
		b.Fatal(err)
	}
	defer book.Message().Release()
	b.ReportAllocs()
	for b.Loop() {
		book.Map()
	}
}

type goPhone struct {
	Number string
	Type   string
}

type goPerson struct {
	ID         uint32
	Name       string
	Email      string
	Phones     []goPhone
	Employment struct {
		Which    string `capnp:",which"`
		Employer string
		School   string
	}
}

type goBook struct{ People []goPerson }

func BenchmarkBuildGo(b *testing.B) {
	mod := load(b, "testdata/addressbook.capnp")
	book, err := mod.New("AddressBook", book2())
	if err != nil {
		b.Fatal(err)
	}
	var g goBook
	if err := book.To(&g); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		book, err := mod.New("AddressBook", &g)
		if err != nil {
			b.Fatal(err)
		}
		book.Message().Release()
	}
}

func BenchmarkReadGo(b *testing.B) {
	book, err := load(b, "testdata/addressbook.capnp").New("AddressBook", book2())
	if err != nil {
		b.Fatal(err)
	}
	defer book.Message().Release()
	b.ReportAllocs()
	var g goBook
	for b.Loop() {
		if err := book.To(&g); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	book, err := load(b, "testdata/addressbook.capnp").New("AddressBook", book2())
	if err != nil {
		b.Fatal(err)
	}
	defer book.Message().Release()
	p := book.List("people").Struct(1).Reader()
	id, err := p.Type().Field("id")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("name", func(b *testing.B) {
		for b.Loop() {
			p.Uint("id")
		}
	})
	b.Run("field", func(b *testing.B) {
		for b.Loop() {
			id.Uint(p)
		}
	})
	b.Run("path", func(b *testing.B) {
		q := book.List("people").Struct(0).Reader()
		for b.Loop() {
			q.TextBytes("employment.school")
		}
	})
}
