package encoding

import (
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/schema/protogen"
)

// protobufWorks: building makes new Go structs, as Protocol Buffers' users do;
// encoding appends to a buffer that is kept; reading unmarshals into a message
// that is kept and looks at every field.
func protobufWorks(s shape) works {
	switch {
	case s.segmented:
		return nil // the format has no segments
	case s.a != nil:
		return protobufA(s.model)
	case s.people != nil:
		return protobufBook(s.model)
	default:
		return protobufBlob(s.model)
	}
}

func protobufBuildA(a *recordA) *protogen.A {
	return &protogen.A{
		Name:     a.name,
		BirthDay: a.birthDay,
		Phone:    a.phone,
		Siblings: a.siblings,
		Spouse:   a.spouse,
		Money:    a.money,
	}
}

func protobufSumA(a *protogen.A) uint64 {
	return textSum(a.Name) + uint64(a.BirthDay) + textSum(a.Phone) +
		uint64(int64(a.Siblings)) + bit(a.Spouse) + math.Float64bits(a.Money)
}

func protobufHashA(encoded []byte) (uint64, error) {
	var a protogen.A
	if err := proto.Unmarshal(encoded, &a); err != nil {
		return 0, err
	}
	h := fnvOffset
	h.recordA(a.Name, a.BirthDay, a.Phone, a.Siblings, a.Spouse, a.Money)
	return uint64(h), nil
}

func protobufA(m model) works {
	encoded, err := proto.Marshal(protobufBuildA(m.a))
	must(err)
	check := func() (harness.Answer, error) {
		values, err := protobufHashA(encoded)
		return answer(values), err
	}
	var buf []byte
	var into protogen.A
	return works{
		"build": {check, func(n int) {
			for range n {
				keep = protobufBuildA(m.a)
			}
		}},
		"encode": {check, func(n int) {
			for range n {
				var err error
				buf, err = proto.MarshalOptions{}.MarshalAppend(buf[:0], protobufBuildA(m.a))
				must(err)
			}
		}},
		"read": {func() (harness.Answer, error) {
			if err := proto.Unmarshal(encoded, &into); err != nil {
				return harness.Answer{}, err
			}
			if err := checkSum(m, protobufSumA(&into)); err != nil {
				return harness.Answer{}, err
			}
			return check()
		}, func(n int) {
			for range n {
				must(proto.Unmarshal(encoded, &into))
				sink += protobufSumA(&into)
			}
		}},
	}
}

func protobufBuildBook(people []person) *protogen.AddressBook {
	book := &protogen.AddressBook{People: make([]*protogen.Person, len(people))}
	for i := range people {
		p := &people[i]
		q := &protogen.Person{
			Id:     p.id,
			Name:   p.name,
			Email:  p.email,
			Phones: make([]*protogen.Person_PhoneNumber, len(p.phones)),
		}
		for j := range p.phones {
			q.Phones[j] = &protogen.Person_PhoneNumber{
				Number: p.phones[j].number,
				Type:   protogen.Person_PhoneType(p.phones[j].kind),
			}
		}
		switch p.employment {
		case jobNone:
			q.Employment = &protogen.Person_Unemployed{Unemployed: &protogen.Person_Unit{}}
		case jobEmployer:
			q.Employment = &protogen.Person_Employer{Employer: p.workplace}
		case jobSchool:
			q.Employment = &protogen.Person_School{School: p.workplace}
		case jobSelf:
			q.Employment = &protogen.Person_SelfEmployed{SelfEmployed: &protogen.Person_Unit{}}
		}
		book.People[i] = q
	}
	return book
}

func protobufJob(p *protogen.Person) (employment, string) {
	switch e := p.Employment.(type) {
	case *protogen.Person_Employer:
		return jobEmployer, e.Employer
	case *protogen.Person_School:
		return jobSchool, e.School
	case *protogen.Person_SelfEmployed:
		return jobSelf, ""
	default:
		return jobNone, ""
	}
}

func protobufSumBook(book *protogen.AddressBook) uint64 {
	var sum uint64
	for _, p := range book.People {
		sum += uint64(p.Id) + textSum(p.Name) + textSum(p.Email)
		for _, n := range p.Phones {
			sum += textSum(n.Number) + uint64(n.Type)
		}
		which, workplace := protobufJob(p)
		sum += uint64(which) + textSum(workplace)
	}
	return sum
}

func protobufHashBook(encoded []byte) (uint64, error) {
	var book protogen.AddressBook
	if err := proto.Unmarshal(encoded, &book); err != nil {
		return 0, err
	}
	h := fnvOffset
	h.uint64(uint64(len(book.People)))
	for _, p := range book.People {
		h.person(p.Id, p.Name, p.Email, len(p.Phones))
		for _, n := range p.Phones {
			h.phone(n.Number, uint16(n.Type))
		}
		which, workplace := protobufJob(p)
		h.job(uint16(which), workplace)
	}
	return uint64(h), nil
}

func protobufBook(m model) works {
	encoded, err := proto.Marshal(protobufBuildBook(m.people))
	must(err)
	check := func() (harness.Answer, error) {
		values, err := protobufHashBook(encoded)
		return answer(values), err
	}
	var buf []byte
	var into protogen.AddressBook
	return works{
		"build": {check, func(n int) {
			for range n {
				keep = protobufBuildBook(m.people)
			}
		}},
		"encode": {check, func(n int) {
			for range n {
				var err error
				buf, err = proto.MarshalOptions{}.MarshalAppend(buf[:0], protobufBuildBook(m.people))
				must(err)
			}
		}},
		"read": {func() (harness.Answer, error) {
			if err := proto.Unmarshal(encoded, &into); err != nil {
				return harness.Answer{}, err
			}
			if err := checkSum(m, protobufSumBook(&into)); err != nil {
				return harness.Answer{}, err
			}
			return check()
		}, func(n int) {
			for range n {
				must(proto.Unmarshal(encoded, &into))
				sink += protobufSumBook(&into)
			}
		}},
	}
}

func protobufBlob(m model) works {
	encoded, err := proto.Marshal(&protogen.Blob{Data: m.blob})
	must(err)
	check := func() (harness.Answer, error) {
		var b protogen.Blob
		err := proto.Unmarshal(encoded, &b)
		return answer(model{blob: b.Data}.values()), err
	}
	var buf []byte
	var into protogen.Blob
	conn := new(socket)
	return works{
		"build": {check, func(n int) {
			for range n {
				keep = &protogen.Blob{Data: m.blob}
			}
		}},
		"encode": {check, func(n int) {
			for range n {
				var err error
				buf, err = proto.MarshalOptions{}.MarshalAppend(buf[:0], &protogen.Blob{Data: m.blob})
				must(err)
				_, err = conn.Write(buf)
				must(err)
			}
		}},
		"read": {func() (harness.Answer, error) {
			if err := proto.Unmarshal(encoded, &into); err != nil {
				return harness.Answer{}, err
			}
			if err := checkSum(m, dataSum(into.Data)); err != nil {
				return harness.Answer{}, err
			}
			return check()
		}, func(n int) {
			for range n {
				must(proto.Unmarshal(encoded, &into))
				sink += dataSum(into.Data)
			}
		}},
	}
}
