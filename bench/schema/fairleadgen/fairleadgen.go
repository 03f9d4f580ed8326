// Package fairleadgen has the types of bench.capnp in the manner of generated
// code: handles of package segment under names of their own, whose methods
// know the places of the fields and inline to them.
package fairleadgen

import "github.com/fairlead-go/fairlead/segment"

// PhoneType is the enum Person.PhoneNumber.Type.
type PhoneType uint16

// The enumerants of PhoneType.
const (
	PhoneTypeMobile PhoneType = iota
	PhoneTypeHome
	PhoneTypeWork
)

// EmploymentWhich tells the member of the union Person.employment.
type EmploymentWhich uint16

// The members of the union.
const (
	EmploymentUnemployed EmploymentWhich = iota
	EmploymentEmployer
	EmploymentSchool
	EmploymentSelfEmployed
)

// AddressBook reads the struct of this name.
type AddressBook segment.Struct

// RootAddressBook reads the root of msg.
func RootAddressBook(msg *segment.Message) AddressBook { return AddressBook(msg.Root().Struct()) }

// People gives the field people.
func (s AddressBook) People() segment.Structs[Person] {
	return segment.ReadStructs[Person](segment.Struct(s).Ptr(0))
}

// AddressBookBuilder builds the struct of this name.
type AddressBookBuilder segment.StructBuilder

// NewRootAddressBook makes a new struct the root of msg.
func NewRootAddressBook(msg *segment.Message) AddressBookBuilder {
	return AddressBookBuilder(msg.NewRoot(segment.Size{Ptrs: 1}))
}

// NewPeople gives the field people n new elements.
func (s AddressBookBuilder) NewPeople(n int) segment.StructsBuilder[PersonBuilder] {
	return segment.NewStructs[PersonBuilder](segment.StructBuilder(s).Ptr(0), segment.Size{DataWords: 1, Ptrs: 4}, n)
}

// Person reads the struct of this name.
type Person segment.Struct

// ID gives the field id.
func (s Person) ID() uint32 { return segment.Struct(s).Uint32(0) }

// NameBytes gives the field name without copying it.
func (s Person) NameBytes() []byte { return segment.Struct(s).TextBytes(0) }

// EmailBytes gives the field email without copying it.
func (s Person) EmailBytes() []byte { return segment.Struct(s).TextBytes(1) }

// Phones gives the field phones.
func (s Person) Phones() segment.Structs[PhoneNumber] {
	return segment.ReadStructs[PhoneNumber](segment.Struct(s).Ptr(2))
}

// Employment gives the group employment.
func (s Person) Employment() Employment { return Employment(s) }

// Employment reads the group Person.employment.
type Employment segment.Struct

// Which tells which member is set.
func (s Employment) Which() EmploymentWhich { return EmploymentWhich(segment.Struct(s).Uint16(4)) }

// EmployerBytes gives the member employer without copying it.
func (s Employment) EmployerBytes() []byte { return segment.Struct(s).TextBytes(3) }

// SchoolBytes gives the member school without copying it.
func (s Employment) SchoolBytes() []byte { return segment.Struct(s).TextBytes(3) }

// PersonBuilder builds the struct of this name.
type PersonBuilder segment.StructBuilder

// SetID sets the field id.
func (s PersonBuilder) SetID(v uint32) { segment.StructBuilder(s).SetUint32(0, v) }

// SetName sets the field name.
func (s PersonBuilder) SetName(v string) { segment.StructBuilder(s).SetText(0, v) }

// SetEmail sets the field email.
func (s PersonBuilder) SetEmail(v string) { segment.StructBuilder(s).SetText(1, v) }

// NewPhones gives the field phones n new elements.
func (s PersonBuilder) NewPhones(n int) segment.StructsBuilder[PhoneNumberBuilder] {
	return segment.NewStructs[PhoneNumberBuilder](segment.StructBuilder(s).Ptr(2), segment.Size{DataWords: 1, Ptrs: 1}, n)
}

// Employment gives the group employment.
func (s PersonBuilder) Employment() EmploymentBuilder { return EmploymentBuilder(s) }

// EmploymentBuilder builds the group Person.employment.
type EmploymentBuilder segment.StructBuilder

// SetUnemployed selects the member unemployed.
func (s EmploymentBuilder) SetUnemployed() {
	segment.StructBuilder(s).SetUint16(4, uint16(EmploymentUnemployed))
}

// SetEmployer selects the member employer and sets it.
func (s EmploymentBuilder) SetEmployer(v string) {
	segment.StructBuilder(s).SetUint16(4, uint16(EmploymentEmployer))
	segment.StructBuilder(s).SetText(3, v)
}

// SetSchool selects the member school and sets it.
func (s EmploymentBuilder) SetSchool(v string) {
	segment.StructBuilder(s).SetUint16(4, uint16(EmploymentSchool))
	segment.StructBuilder(s).SetText(3, v)
}

// SetSelfEmployed selects the member selfEmployed.
func (s EmploymentBuilder) SetSelfEmployed() {
	segment.StructBuilder(s).SetUint16(4, uint16(EmploymentSelfEmployed))
}

// PhoneNumber reads the struct of this name.
type PhoneNumber segment.Struct

// NumberBytes gives the field number without copying it.
func (s PhoneNumber) NumberBytes() []byte { return segment.Struct(s).TextBytes(0) }

// Type gives the field type.
func (s PhoneNumber) Type() PhoneType { return PhoneType(segment.Struct(s).Uint16(0)) }

// PhoneNumberBuilder builds the struct of this name.
type PhoneNumberBuilder segment.StructBuilder

// SetNumber sets the field number.
func (s PhoneNumberBuilder) SetNumber(v string) { segment.StructBuilder(s).SetText(0, v) }

// SetType sets the field type.
func (s PhoneNumberBuilder) SetType(v PhoneType) { segment.StructBuilder(s).SetUint16(0, uint16(v)) }

// A reads the struct of this name.
type A segment.Struct

// RootA reads the root of msg.
func RootA(msg *segment.Message) A { return A(msg.Root().Struct()) }

// NameBytes gives the field name without copying it.
func (s A) NameBytes() []byte { return segment.Struct(s).TextBytes(0) }

// BirthDay gives the field birthDay.
func (s A) BirthDay() int64 { return segment.Struct(s).Int64(0) }

// PhoneBytes gives the field phone without copying it.
func (s A) PhoneBytes() []byte { return segment.Struct(s).TextBytes(1) }

// Siblings gives the field siblings.
func (s A) Siblings() int32 { return segment.Struct(s).Int32(8) }

// Spouse gives the field spouse.
func (s A) Spouse() bool { return segment.Struct(s).Bool(96) }

// Money gives the field money.
func (s A) Money() float64 { return segment.Struct(s).Float64(16) }

// ABuilder builds the struct of this name.
type ABuilder segment.StructBuilder

// NewRootA makes a new struct the root of msg.
func NewRootA(msg *segment.Message) ABuilder {
	return ABuilder(msg.NewRoot(segment.Size{DataWords: 3, Ptrs: 2}))
}

// SetName sets the field name.
func (s ABuilder) SetName(v string) { segment.StructBuilder(s).SetText(0, v) }

// SetBirthDay sets the field birthDay.
func (s ABuilder) SetBirthDay(v int64) { segment.StructBuilder(s).SetInt64(0, v) }

// SetPhone sets the field phone.
func (s ABuilder) SetPhone(v string) { segment.StructBuilder(s).SetText(1, v) }

// SetSiblings sets the field siblings.
func (s ABuilder) SetSiblings(v int32) { segment.StructBuilder(s).SetInt32(8, v) }

// SetSpouse sets the field spouse.
func (s ABuilder) SetSpouse(v bool) { segment.StructBuilder(s).SetBool(96, v) }

// SetMoney sets the field money.
func (s ABuilder) SetMoney(v float64) { segment.StructBuilder(s).SetFloat64(16, v) }

// Blob reads the struct of this name.
type Blob segment.Struct

// RootBlob reads the root of msg.
func RootBlob(msg *segment.Message) Blob { return Blob(msg.Root().Struct()) }

// Data gives the field data without copying it.
func (s Blob) Data() []byte { return segment.Struct(s).Data(0) }

// BlobBuilder builds the struct of this name.
type BlobBuilder segment.StructBuilder

// NewRootBlob makes a new struct the root of msg.
func NewRootBlob(msg *segment.Message) BlobBuilder {
	return BlobBuilder(msg.NewRoot(segment.Size{Ptrs: 1}))
}

// SetExternalData gives the field data the bytes v without copying them.
func (s BlobBuilder) SetExternalData(v []byte, release func()) {
	segment.StructBuilder(s).SetExternalData(0, v, release)
}
