package encoding

import (
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/schema/flatgen"
)

// flatbuffersWorks: one builder and its vectors of offsets are kept between
// iterations. Building already yields the encoded bytes, so build and encode
// differ only where there is a socket to write to. Readers are objects on the
// stack or kept.
func flatbuffersWorks(s shape) works {
	switch {
	case s.segmented:
		return nil // the format has no segments
	case s.a != nil:
		return flatbuffersA(s.model)
	case s.people != nil:
		return flatbuffersBook(s.model)
	default:
		return flatbuffersBlob(s.model)
	}
}

func flatbuffersBuildA(b *flatbuffers.Builder, a *recordA) []byte {
	b.Reset()
	name := b.CreateString(a.name)
	phone := b.CreateString(a.phone)
	flatgen.AStart(b)
	flatgen.AAddBirthDay(b, a.birthDay)
	flatgen.AAddMoney(b, a.money)
	flatgen.AAddName(b, name)
	flatgen.AAddPhone(b, phone)
	flatgen.AAddSiblings(b, a.siblings)
	flatgen.AAddSpouse(b, a.spouse)
	b.Finish(flatgen.AEnd(b))
	return b.FinishedBytes()
}

func flatbuffersSumA(encoded []byte) uint64 {
	var a flatgen.A
	a.Init(encoded, flatbuffers.GetUOffsetT(encoded))
	return textSum(a.Name()) + uint64(a.BirthDay()) + textSum(a.Phone()) +
		uint64(int64(a.Siblings())) + bit(a.Spouse()) + math.Float64bits(a.Money())
}

func flatbuffersHashA(encoded []byte) uint64 {
	a := flatgen.GetRootAsA(encoded, 0)
	h := fnvOffset
	h.recordA(string(a.Name()), a.BirthDay(), string(a.Phone()), a.Siblings(), a.Spouse(), a.Money())
	return uint64(h)
}

func flatbuffersA(m model) works {
	b := flatbuffers.NewBuilder(1 << 10)
	encoded := append([]byte(nil), flatbuffersBuildA(b, m.a)...)
	check := func() (harness.Answer, error) {
		return answer(flatbuffersHashA(flatbuffersBuildA(b, m.a))), nil
	}
	build := work{check, func(n int) {
		for range n {
			sink += uint64(len(flatbuffersBuildA(b, m.a)))
		}
	}}
	return works{
		"build":  build,
		"encode": build,
		"read": {func() (harness.Answer, error) {
			return answer(flatbuffersHashA(encoded)), checkSum(m, flatbuffersSumA(encoded))
		}, func(n int) {
			for range n {
				sink += flatbuffersSumA(encoded)
			}
		}},
	}
}

// flatbuffersBookBuilder builds address books. FlatBuffers writes children before
// parents, so the offsets of people and phones wait in kept slices.
type flatbuffersBookBuilder struct {
	b      *flatbuffers.Builder
	people []flatbuffers.UOffsetT
	phones []flatbuffers.UOffsetT
}

func (f *flatbuffersBookBuilder) vector(offsets []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	f.b.StartVector(flatbuffers.SizeUOffsetT, len(offsets), flatbuffers.SizeUOffsetT)
	for i := len(offsets) - 1; i >= 0; i-- {
		f.b.PrependUOffsetT(offsets[i])
	}
	return f.b.EndVector(len(offsets))
}

func (f *flatbuffersBookBuilder) build(people []person) []byte {
	b := f.b
	b.Reset()
	f.people = f.people[:0]
	for i := range people {
		p := &people[i]
		f.phones = f.phones[:0]
		for j := range p.phones {
			number := b.CreateString(p.phones[j].number)
			flatgen.PhoneNumberStart(b)
			flatgen.PhoneNumberAddNumber(b, number)
			flatgen.PhoneNumberAddType(b, flatgen.PhoneType(p.phones[j].kind))
			f.phones = append(f.phones, flatgen.PhoneNumberEnd(b))
		}
		phones := f.vector(f.phones)
		name := b.CreateString(p.name)
		email := b.CreateString(p.email)
		var workplace flatbuffers.UOffsetT
		if p.workplace != "" {
			workplace = b.CreateString(p.workplace)
		}
		flatgen.PersonStart(b)
		flatgen.PersonAddId(b, p.id)
		flatgen.PersonAddName(b, name)
		flatgen.PersonAddEmail(b, email)
		flatgen.PersonAddPhones(b, phones)
		flatgen.PersonAddEmployment(b, flatgen.Employment(p.employment))
		if workplace != 0 {
			flatgen.PersonAddEmploymentName(b, workplace)
		}
		f.people = append(f.people, flatgen.PersonEnd(b))
	}
	list := f.vector(f.people)
	flatgen.AddressBookStart(b)
	flatgen.AddressBookAddPeople(b, list)
	b.Finish(flatgen.AddressBookEnd(b))
	return b.FinishedBytes()
}

func flatbuffersSumBook(encoded []byte) uint64 {
	var book flatgen.AddressBook
	var p flatgen.Person
	var n flatgen.PhoneNumber
	book.Init(encoded, flatbuffers.GetUOffsetT(encoded))
	var sum uint64
	for i := range book.PeopleLength() {
		book.People(&p, i)
		sum += uint64(p.Id()) + textSum(p.Name()) + textSum(p.Email())
		for j := range p.PhonesLength() {
			p.Phones(&n, j)
			sum += textSum(n.Number()) + uint64(n.Type())
		}
		sum += uint64(p.Employment()) + textSum(p.EmploymentName())
	}
	return sum
}

func flatbuffersHashBook(encoded []byte) uint64 {
	book := flatgen.GetRootAsAddressBook(encoded, 0)
	var p flatgen.Person
	var n flatgen.PhoneNumber
	h := fnvOffset
	h.uint64(uint64(book.PeopleLength()))
	for i := range book.PeopleLength() {
		book.People(&p, i)
		h.person(p.Id(), string(p.Name()), string(p.Email()), p.PhonesLength())
		for j := range p.PhonesLength() {
			p.Phones(&n, j)
			h.phone(string(n.Number()), uint16(n.Type()))
		}
		h.job(uint16(p.Employment()), string(p.EmploymentName()))
	}
	return uint64(h)
}

func flatbuffersBook(m model) works {
	f := &flatbuffersBookBuilder{b: flatbuffers.NewBuilder(1 << 10)}
	encoded := append([]byte(nil), f.build(m.people)...)
	build := work{func() (harness.Answer, error) {
		return answer(flatbuffersHashBook(f.build(m.people))), nil
	}, func(n int) {
		for range n {
			sink += uint64(len(f.build(m.people)))
		}
	}}
	return works{
		"build":  build,
		"encode": build,
		"read": {func() (harness.Answer, error) {
			return answer(flatbuffersHashBook(encoded)), checkSum(m, flatbuffersSumBook(encoded))
		}, func(n int) {
			for range n {
				sink += flatbuffersSumBook(encoded)
			}
		}},
	}
}

func flatbuffersBuildBlob(b *flatbuffers.Builder, blob []byte) []byte {
	b.Reset()
	data := b.CreateByteVector(blob)
	flatgen.BlobStart(b)
	flatgen.BlobAddData(b, data)
	b.Finish(flatgen.BlobEnd(b))
	return b.FinishedBytes()
}

func flatbuffersSumBlob(encoded []byte) uint64 {
	var blob flatgen.Blob
	blob.Init(encoded, flatbuffers.GetUOffsetT(encoded))
	return dataSum(blob.DataBytes())
}

func flatbuffersBlob(m model) works {
	b := flatbuffers.NewBuilder(2 * blobSize)
	encoded := append([]byte(nil), flatbuffersBuildBlob(b, m.blob)...)
	check := func() (harness.Answer, error) {
		got := flatgen.GetRootAsBlob(flatbuffersBuildBlob(b, m.blob), 0).DataBytes()
		return answer(model{blob: got}.values()), nil
	}
	conn := new(socket)
	return works{
		"build": {check, func(n int) {
			for range n {
				sink += uint64(len(flatbuffersBuildBlob(b, m.blob)))
			}
		}},
		"encode": {check, func(n int) {
			for range n {
				_, err := conn.Write(flatbuffersBuildBlob(b, m.blob))
				must(err)
			}
		}},
		"read": {func() (harness.Answer, error) {
			got := flatgen.GetRootAsBlob(encoded, 0).DataBytes()
			return answer(model{blob: got}.values()), checkSum(m, flatbuffersSumBlob(encoded))
		}, func(n int) {
			for range n {
				sink += flatbuffersSumBlob(encoded)
			}
		}},
	}
}
