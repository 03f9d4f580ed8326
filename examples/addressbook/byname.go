package main

import (
	"embed"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

//go:embed addressbook/addressbook.capnp
var schemas embed.FS

// m is a value of a struct, by the names of its fields.
type m = map[string]any

var people = []m{
	{
		"id": 123, "name": "Alice", "email": "alice@example.com",
		"phones":     []m{{"number": "555-1212", "type": "mobile"}},
		"employment": m{"school": "MIT"},
	},
	{
		"id": 456, "name": "Bob", "email": "bob@example.com",
		"phones":     []m{{"number": "555-4567", "type": "home"}, {"number": "555-7654", "type": "work"}},
		"employment": m{"unemployed": nil},
	},
}

// byName does what generated does, with the schema that is compiled here, and
// with packed bytes.
func byName(w io.Writer) error {
	mod, err := dynamic.LoadFS(schemas, "addressbook/addressbook.capnp")
	if err != nil {
		return err
	}
	book, err := mod.New("AddressBook", m{"people": people})
	if err != nil {
		return err
	}
	defer book.Message().Release()
	packed, err := framing.Append(nil, book.Message(), framing.Packed)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, len(packed), "bytes, packed")

	for got, err := range framing.NewSliceDecoder(packed, framing.DecoderOptions{Format: framing.Packed}).Messages() {
		if err != nil {
			return err
		}
		err = readByName(w, mod, got)
		got.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func readByName(w io.Writer, mod *dynamic.Module, msg *segment.Message) error {
	book, err := mod.Read(msg, "AddressBook")
	if err != nil {
		return err
	}
	for person := range book.List("people").Structs() {
		fmt.Fprintf(w, "%s <%s>\n", person.Text("name"), person.Text("email"))
		for phone := range person.List("phones").Structs() {
			fmt.Fprintf(w, "  %v phone: %s\n", phone.Enum("type"), phone.Text("number"))
		}
		switch person.Which("employment") {
		case "unemployed":
			fmt.Fprintln(w, "  unemployed")
		case "employer":
			fmt.Fprintln(w, "  works for", person.Text("employment.employer"))
		case "school":
			fmt.Fprintln(w, "  student at", person.Text("employment.school"))
		case "selfEmployed":
			fmt.Fprintln(w, "  self-employed")
		}
	}
	if err := book.Err(); err != nil { // a name that there is not, or a malformed message
		return err
	}
	return show(w, mod, msg)
}
