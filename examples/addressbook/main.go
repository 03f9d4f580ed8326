// Addressbook is Cap'n Proto's sample of messages: an address book that is
// written, sent through bytes, and read again.
//
// It runs twice: with the Go code that is generated from addressbook.capnp, and
// with that schema loaded as text while the program runs.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/examples/addressbook/addressbook"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen addressbook/addressbook.capnp

func main() {
	for _, run := range []func(io.Writer) error{generated, byName} {
		if err := run(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// generated uses the generated types.
func generated(w io.Writer) error {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	write(addressbook.NewRootAddressBook(msg))
	frame, err := framing.Marshal(msg) // the first fault of the building comes out here
	if err != nil {
		return err
	}
	fmt.Fprintln(w, len(frame), "bytes")

	got, _, err := framing.Unmarshal(frame) // in place: no decoding
	if err != nil {
		return err
	}
	defer got.Release()
	read(w, addressbook.RootAddressBook(got))
	if err := got.Err(); err != nil { // was anything in it malformed?
		return err
	}

	// Generated code carries its schema, with which a message prints itself.
	mod, err := dynamic.Loader{}.Unpack(addressbook.Schema)
	if err != nil {
		return err
	}
	return show(w, mod, got)
}

func write(book addressbook.AddressBookBuilder) {
	people := book.NewPeople(2)

	alice := people.At(0)
	alice.SetID(123)
	alice.SetName("Alice")
	alice.SetEmail("alice@example.com")
	phone := alice.NewPhones(1).At(0)
	phone.SetNumber("555-1212")
	phone.SetType(addressbook.PhoneTypeMobile)
	alice.Employment().SetSchool("MIT") // selects the union's member

	bob := people.At(1)
	bob.SetID(456)
	bob.SetName("Bob")
	bob.SetEmail("bob@example.com")
	phones := bob.NewPhones(2)
	phones.At(0).SetNumber("555-4567")
	phones.At(0).SetType(addressbook.PhoneTypeHome)
	phones.At(1).SetNumber("555-7654")
	phones.At(1).SetType(addressbook.PhoneTypeWork)
	bob.Employment().SetUnemployed()
}

func read(w io.Writer, book addressbook.AddressBook) {
	for person := range book.People().All() {
		fmt.Fprintf(w, "%s <%s>\n", person.Name(), person.Email())
		for phone := range person.Phones().All() {
			fmt.Fprintf(w, "  %v phone: %s\n", phone.Type(), phone.Number())
		}
		switch e := person.Employment(); e.Which() {
		case addressbook.EmploymentUnemployed:
			fmt.Fprintln(w, "  unemployed")
		case addressbook.EmploymentEmployer:
			fmt.Fprintln(w, "  works for", e.Employer())
		case addressbook.EmploymentSchool:
			fmt.Fprintln(w, "  student at", e.School())
		case addressbook.EmploymentSelfEmployed:
			fmt.Fprintln(w, "  self-employed")
		}
	}
}

// show prints an address book in the two forms that any message has.
func show(w io.Writer, mod *dynamic.Module, msg *segment.Message) error {
	book, err := mod.Read(msg, "AddressBook")
	if err != nil {
		return err
	}
	json, err := book.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%v\n%s\n", book, json)
	return err
}
