package schema_test

import (
	"fmt"
	"log"

	"github.com/fairlead-go/fairlead/schema"
)

// point makes a struct by hand, which usually a compiler does.
func point(fields ...string) *schema.Node {
	const file, id = 0xb18ed04bd2a27d08, 0xd1e3a1b34e0e8e8f
	n := &schema.Node{
		ID: id, DisplayName: "geometry.capnp:Point", PrefixLen: 15, Scope: file,
		Kind: schema.KindStruct, Struct: &schema.Struct{DataWords: 2, ListEncoding: 7},
	}
	for i, name := range fields {
		n.Struct.Fields = append(n.Struct.Fields, schema.Field{
			Name: name, CodeOrder: uint16(i), Discriminant: schema.NoDiscriminant,
			Ordinal: uint16(i), HasOrdinal: true, Offset: uint32(i),
			Type: schema.Type{Kind: schema.Float32}, Default: schema.Value{Kind: schema.Float32},
		})
	}
	return n
}

func registry(nodes ...*schema.Node) *schema.Registry {
	r := schema.NewRegistry()
	if err := r.Add(nodes...); err != nil {
		log.Fatal(err)
	}
	return r
}

func ExampleRegistry_Add() {
	reg := schema.NewRegistry()
	err := reg.Add(point("x", "y", "z", "w", "v"))
	fmt.Println(err)
	// Output:
	// schema: invalid: node @0xd1e3a1b34e0e8e8f ("geometry.capnp:Point"): field "v": offset 4 × 32 bits, in a data section of 128 bits
}

func ExampleCompatible() {
	old, new := registry(point("x", "y")), registry(point("y", "top", "z"))
	for _, change := range schema.Compatible(old, new) {
		fmt.Println(change)
	}
	// Output:
	// geometry.capnp:Point.x: renamed to y (breaks source)
	// geometry.capnp:Point.y: the ordinal changed from @1 to @0 (breaks old data, old readers, source)
	// geometry.capnp:Point.z: field @2 is new (breaks nobody)
}

func ExampleNode_Field() {
	n := point("x", "y")
	f := n.Field("y")
	fmt.Println(f.Name, f.Type.Kind, "at byte", f.Offset*f.Type.Kind.Bits()/8)
	// Output: y Float32 at byte 4
}

func ExampleChildID() {
	fmt.Println(schema.ChildID(0xa93fc509624c72d9, "Node"))
	// Output: @0xe682ab4cf923a417
}
