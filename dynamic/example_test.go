package dynamic_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/framing"
)

func Example() {
	mod, err := dynamic.Load("testdata/addressbook.capnp")
	if err != nil {
		log.Fatal(err)
	}
	book, err := mod.New("AddressBook", map[string]any{
		"people": []any{map[string]any{
			"name":   "Alice",
			"phones": []any{map[string]any{"number": "555-1212", "type": "mobile"}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer book.Message().Release()

	alice := book.List("people").Struct(0)
	alice.Set("employment.school", "MIT")
	fmt.Println(alice.Which("employment"), alice.Text("name"))

	again, err := mod.New("AddressBook", book.Map())
	if err != nil {
		log.Fatal(err)
	}
	defer again.Message().Release()
	fmt.Println(again)

	alice.Set("emial", "alice@example.com")
	fmt.Println(book.Err())
	// Output:
	// school Alice
	// ( people = [
	//     ( id = 0,
	//       name = "Alice",
	//       phones = [
	//         (number = "555-1212", type = mobile) ],
	//       employment = (school = "MIT") ) ] )
	// dynamic: Person.emial: no such field; did you mean email?
}

// A message that was received is read the same way. A field that is looked up
// once is got without its name.
func ExampleType_Field() {
	mod, err := dynamic.Load("testdata/addressbook.capnp")
	if err != nil {
		log.Fatal(err)
	}
	built, err := mod.New("AddressBook", map[string]any{"people": []map[string]any{{"id": 1}, {"id": 2}, {"id": 39}}})
	if err != nil {
		log.Fatal(err)
	}
	defer built.Message().Release()
	frame, err := framing.Marshal(built.Message())
	if err != nil {
		log.Fatal(err)
	}

	msg, _, err := framing.Unmarshal(frame)
	if err != nil {
		log.Fatal(err)
	}
	defer msg.Release()
	book, err := mod.Read(msg, "AddressBook")
	if err != nil {
		log.Fatal(err)
	}
	people := book.List("people")
	id, err := people.Type().Elem().Field("id")
	if err != nil {
		log.Fatal(err)
	}
	sum := int64(0)
	for p := range people.Structs() {
		sum += id.Int(p)
	}
	fmt.Println(sum, book.Err())
	// Output: 42 <nil>
}

// A map and a Go struct are interchangeable.
func ExampleStruct_To() {
	mod, err := dynamic.Load("testdata/addressbook.capnp")
	if err != nil {
		log.Fatal(err)
	}
	type person struct {
		ID         uint32
		FullName   string `capnp:"name"`
		Employment struct {
			Which    string `capnp:",which"`
			Employer string
		}
	}
	alice := person{ID: 7, FullName: "Alice"}
	alice.Employment.Employer = "Example Ltd."
	b, err := mod.New("Person", alice)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Message().Release()
	fmt.Println(b.Short())

	b.Set("employment.selfEmployed", nil)
	if err := b.To(&alice); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", alice)
	// Output:
	// (id = 7, name = "Alice", employment = (employer = "Example Ltd."))
	// {ID:7 FullName:Alice Employment:{Which:selfEmployed Employer:}}
}

func ExampleError() {
	mod, err := dynamic.Load("testdata/addressbook.capnp")
	if err != nil {
		log.Fatal(err)
	}
	_, err = mod.New("AddressBook", map[string]any{
		"people": []any{map[string]any{"phones": []any{map[string]any{"type": "mobil"}}}},
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, dynamic.ErrName))
	// Output:
	// dynamic: AddressBook.people[0].phones[0].type: no enumerant "mobil"; did you mean mobile?
	// true
}
