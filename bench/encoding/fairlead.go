package encoding

import (
	"errors"
	"math"

	"github.com/fairlead-go/fairlead/bench/schema/fairleadgen"
	"github.com/fairlead-go/fairlead/segment"
)

// fairleadTwins are the builds of Fairlead without unsafe code and assembly.
func fairleadTwins() []twin {
	return []twin{
		{tags: "purego", seats: []seat{
			{who: "fairlead-safe", as: "fairlead"},
			{who: "fairlead-safe-held", as: "fairlead-held", actions: []string{"read"}},
		}},
	}
}

// keptSegments is an arena over segments of [segmentBytes] that are kept and
// cleared as far as they were used. A list that is longer has a segment to
// itself; the doubling that a message asks for beyond that is refused, as the
// case is about many segments.
type keptSegments struct {
	free    [][]byte
	longest int // bytes of the longest segment that is granted
}

var errNoDoubling = errors.New("encoding: the arena keeps its segments small")

// Allocate returns a kept segment, or a new one.
func (k *keptSegments) Allocate(minBytes int) ([]byte, error) {
	if minBytes > k.longest {
		return nil, errNoDoubling
	}
	for i := len(k.free) - 1; i >= 0; i-- {
		// The few long ones are kept for those who need them.
		if mem := k.free[i]; len(mem) >= minBytes && (len(mem) == segmentBytes) == (minBytes <= segmentBytes) {
			last := len(k.free) - 1
			k.free[i] = k.free[last]
			k.free = k.free[:last]
			return mem, nil
		}
	}
	return make([]byte, max(minBytes, segmentBytes)), nil
}

// Free keeps the segment.
func (k *keptSegments) Free(mem []byte, used int) {
	clear(mem[:used])
	k.free = append(k.free, mem)
}

// Zeroed promises that the memory is zero.
func (k *keptSegments) Zeroed() bool { return true }

func fairleadBuildA(msg *segment.Message, a *recordA) {
	r := fairleadgen.NewRootA(msg)
	r.SetName(a.name)
	r.SetBirthDay(a.birthDay)
	r.SetPhone(a.phone)
	r.SetSiblings(a.siblings)
	r.SetSpouse(a.spouse)
	r.SetMoney(a.money)
}

func fairleadBuildBook(msg *segment.Message, people []person) {
	list := fairleadgen.NewRootAddressBook(msg).NewPeople(len(people))
	for i := range people {
		p, q := &people[i], list.At(i)
		q.SetID(p.id)
		q.SetName(p.name)
		q.SetEmail(p.email)
		phones := q.NewPhones(len(p.phones))
		for j := range p.phones {
			n := phones.At(j)
			n.SetNumber(p.phones[j].number)
			n.SetType(fairleadgen.PersonPhoneNumberType(p.phones[j].kind))
		}
		e := q.Employment()
		switch p.employment {
		case jobNone:
			e.SetUnemployed()
		case jobEmployer:
			e.SetEmployer(p.workplace)
		case jobSchool:
			e.SetSchool(p.workplace)
		case jobSelf:
			e.SetSelfEmployed()
		}
	}
}

// fairleadBuildBlob gives the message the blob without copying it.
func fairleadBuildBlob(msg *segment.Message, blob []byte) {
	fairleadgen.NewRootBlob(msg).SetExternalData(blob, nil)
}

func fairleadSumA(a fairleadgen.A) uint64 {
	return textSum(a.NameBytes()) + uint64(a.BirthDay()) + textSum(a.PhoneBytes()) +
		uint64(int64(a.Siblings())) + bit(a.Spouse()) + math.Float64bits(a.Money())
}

func fairleadSumBook(book fairleadgen.AddressBook) uint64 {
	var sum uint64
	people := book.People()
	for i := range people.Len() {
		p := people.At(i)
		sum += uint64(p.ID()) + textSum(p.NameBytes()) + textSum(p.EmailBytes())
		phones := p.Phones()
		for j := range phones.Len() {
			n := phones.At(j)
			sum += textSum(n.NumberBytes()) + uint64(n.Type())
		}
		e := p.Employment()
		which := e.Which()
		sum += uint64(which)
		switch which {
		case fairleadgen.PersonEmploymentEmployer:
			sum += textSum(e.EmployerBytes())
		case fairleadgen.PersonEmploymentSchool:
			sum += textSum(e.SchoolBytes())
		}
	}
	return sum
}

func fairleadSumBlob(b fairleadgen.Blob) uint64 { return dataSum(b.Data()) }

// fairleadHash hashes every value of a message of the shape of m.
func fairleadHash(m model, msg *segment.Message) (uint64, error) {
	h := fnvOffset
	switch {
	case m.a != nil:
		a := fairleadgen.RootA(msg)
		h.recordA(string(a.NameBytes()), a.BirthDay(), string(a.PhoneBytes()), a.Siblings(), a.Spouse(), a.Money())
	case m.people != nil:
		people := fairleadgen.RootAddressBook(msg).People()
		h.uint64(uint64(people.Len()))
		for p := range people.All() {
			h.person(p.ID(), string(p.NameBytes()), string(p.EmailBytes()), p.Phones().Len())
			for n := range p.Phones().All() {
				h.phone(string(n.NumberBytes()), uint16(n.Type()))
			}
			which, workplace := fairleadJob(p.Employment())
			h.job(uint16(which), string(workplace))
		}
	default:
		h.text(string(fairleadgen.RootBlob(msg).Data()))
	}
	return uint64(h), msg.Err()
}

func fairleadJob(e fairleadgen.PersonEmployment) (fairleadgen.PersonEmploymentWhich, []byte) {
	switch which := e.Which(); which {
	case fairleadgen.PersonEmploymentEmployer:
		return which, e.EmployerBytes()
	case fairleadgen.PersonEmploymentSchool:
		return which, e.SchoolBytes()
	default:
		return which, nil
	}
}

// fairleadSum reads every value of a message of the shape of m.
func fairleadSum(m model, msg *segment.Message) uint64 {
	switch {
	case m.a != nil:
		return fairleadSumA(fairleadgen.RootA(msg))
	case m.people != nil:
		return fairleadSumBook(fairleadgen.RootAddressBook(msg))
	default:
		return fairleadSumBlob(fairleadgen.RootBlob(msg))
	}
}
