// Package dynamic reads and builds messages by the names of a schema that is
// loaded at run time, without generated code.
//
//	mod, err := dynamic.Load("addressbook.capnp")
//	book, err := mod.New("AddressBook", map[string]any{
//		"people": []any{map[string]any{"name": "Alice", "phones": []any{map[string]any{"number": "555-1212", "type": "mobile"}}}},
//	})
//	defer book.Message().Release()
//
//	alice := book.List("people").Struct(0)
//	alice.Set("employment.school", "MIT")
//	fmt.Println(alice.Which("employment"), alice.Text("name"))
//	fmt.Println(book)                            // as the capnp tool prints it
//	err = framing.Write(w, book.Message())       // or sent by any pipe
//
//	msg, err := framing.Read(r)
//	defer msg.Release()
//	got, err := mod.Read(msg, "AddressBook")
//	for person := range got.List("people").Structs() {
//		fmt.Println(person.Text("name"))
//	}
//	err = got.Err()
//
// # Values
//
// [Struct] and [List] read where the message lies, [StructBuilder] and
// [ListBuilder] build in place. All are small values that refer to their
// message, and are valid until its Release. Fields are named by their name or by
// a path through groups and structs, "employment.school". A [Field] is a name
// that was looked up once, for loops over many values:
//
//	id, err := personType.Field("id")
//	for person := range got.List("people").Structs() {
//		sum += id.Int(person)
//	}
//
// Typed getters and setters (Int, Text, SetInt, SetText …) allocate nothing but
// the copies of texts; Get and Set take and give any value, which Go puts on the
// heap where it is no small number.
//
// # Maps, Go structs, text and JSON
//
// [Struct.Map] copies a value to a map[string]any, [Struct.To] to a Go struct,
// and [Module.New] and [StructBuilder.Assign] take both; nothing is lost on the
// way but members of unions that the schema does not know. Values print as the
// capnp tool prints them, and they are text and JSON both ways.
//
// # Faults
//
// Getters return values and setters nothing. An unknown name, a value of the
// wrong type or out of range, or a getter for a member of a union that is not
// set becomes the fault of the message, if it has none: Err of the message and of
// all values in it gives the first fault, with the path of the field and what is
// allowed there. A message that has one is not sent, and not copied without its
// fault. Only an index that a list does not have panics, as that of a slice does.
//
// # Goroutines
//
// Modules, types and fields may be used from any goroutine. Values may be as
// their message may: see package segment.
package dynamic
