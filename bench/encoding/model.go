package encoding

import (
	"fmt"
	"math"
	"strings"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// The values that every contestant writes and reads. They are prepared before
// anything is timed; cpp/encoding.c++ makes the same ones by the same rules.

type recordA struct {
	name     string // 16 bytes
	birthDay int64
	phone    string // 10 bytes
	siblings int32
	spouse   bool
	money    float64
}

type phoneType uint16

const (
	phoneMobile phoneType = iota
	phoneHome
	phoneWork
)

type phoneNumber struct {
	number string
	kind   phoneType
}

type employment uint16

const (
	jobNone employment = iota
	jobEmployer
	jobSchool
	jobSelf
)

type person struct {
	id         uint32
	name       string
	email      string
	phones     []phoneNumber
	employment employment
	workplace  string // of an employer or a school
}

// model is the data of one shape of message; exactly one field is set.
type model struct {
	a      *recordA
	people []person
	blob   []byte
}

const blobSize = 1 << 20

func modelA() model {
	return model{a: &recordA{
		name:     "Grace B. Hopper.",
		birthDay: 1131494400123456789,
		phone:    "5550123456",
		siblings: 2,
		spouse:   true,
		money:    1234567.8125,
	}}
}

// modelBook2 is the sample of Cap'n Proto's documentation.
func modelBook2() model {
	return model{people: []person{
		{
			id: 123, name: "Alice", email: "alice@example.com",
			phones:     []phoneNumber{{"555-1212", phoneMobile}},
			employment: jobSchool, workplace: "MIT",
		},
		{
			id: 456, name: "Bob", email: "bob@example.com",
			phones:     []phoneNumber{{"555-4567", phoneHome}, {"555-7654", phoneWork}},
			employment: jobNone,
		},
	}}
}

var (
	firstNames = []string{"Ada", "Grace", "Barbara", "Margaret", "Radia", "Frances", "Jean", "Katherine"}
	lastNames  = []string{"Lovelace", "Hopper", "Liskov", "Hamilton", "Perlman", "Allen", "Bartik", "Johnson", "Goldwasser"}
)

func modelBook(n int) model {
	people := make([]person, n)
	for i := range people {
		first, last := firstNames[i%len(firstNames)], lastNames[i%len(lastNames)]
		p := &people[i]
		p.id = uint32(i*7919 + 1)
		p.name = first + " " + last
		p.email = fmt.Sprintf("%s.%s%d@example.com", strings.ToLower(first), strings.ToLower(last), i)
		for k := range 1 + i%2 {
			p.phones = append(p.phones, phoneNumber{fmt.Sprintf("555-%04d", (i*37+k*11)%10000), phoneType((i + k) % 3)})
		}
		p.employment = employment(i % 4)
		switch p.employment {
		case jobEmployer:
			p.workplace = fmt.Sprintf("Company %d", i)
		case jobSchool:
			p.workplace = fmt.Sprintf("School %d", i)
		}
	}
	return model{people: people}
}

func modelBlob() model {
	blob := make([]byte, blobSize)
	for i := range blob {
		blob[i] = byte(i*7 + i>>8)
	}
	return model{blob: blob}
}

// hash is FNV-1a of 64 bits.
type hash uint64

const (
	fnvOffset hash = 14695981039346656037
	fnvPrime  hash = 1099511628211
)

func (h *hash) uint64(x uint64) {
	for range 8 {
		*h = (*h ^ hash(x&0xff)) * fnvPrime
		x >>= 8
	}
}

func (h *hash) text(s string) {
	h.uint64(uint64(len(s)))
	for i := range len(s) {
		*h = (*h ^ hash(s[i])) * fnvPrime
	}
}

func (h *hash) recordA(name string, birthDay int64, phone string, siblings int32, spouse bool, money float64) {
	h.text(name)
	h.uint64(uint64(birthDay))
	h.text(phone)
	h.uint64(uint64(int64(siblings)))
	h.uint64(bit(spouse))
	h.uint64(math.Float64bits(money))
}

// person feeds what comes before the phones; phone and job follow it.
func (h *hash) person(id uint32, name, email string, phones int) {
	h.uint64(uint64(id))
	h.text(name)
	h.text(email)
	h.uint64(uint64(phones))
}

func (h *hash) phone(number string, kind uint16) {
	h.text(number)
	h.uint64(uint64(kind))
}

func (h *hash) job(which uint16, workplace string) {
	h.uint64(uint64(which))
	h.text(workplace)
}

// hashBytes hashes an encoded message, for comparison between contestants of
// one format.
func hashBytes(pieces ...[]byte) uint64 {
	h := fnvOffset
	for _, p := range pieces {
		for _, c := range p {
			h = (h ^ hash(c)) * fnvPrime
		}
	}
	return uint64(h)
}

// values hashes every value of the model in its order.
func (m model) values() uint64 {
	h := fnvOffset
	switch {
	case m.a != nil:
		h.recordA(m.a.name, m.a.birthDay, m.a.phone, m.a.siblings, m.a.spouse, m.a.money)
	case m.people != nil:
		h.uint64(uint64(len(m.people)))
		for _, p := range m.people {
			h.person(p.id, p.name, p.email, len(p.phones))
			for _, n := range p.phones {
				h.phone(n.number, uint16(n.kind))
			}
			h.job(uint16(p.employment), p.workplace)
		}
	default:
		h.text(string(m.blob))
	}
	return uint64(h)
}

// What a timed read does with each value: it adds it up. Of a text or data it
// adds the length and the first byte, so that the bytes must be at hand; of
// data the last one too.

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func textSum[T string | []byte](s T) uint64 {
	if len(s) == 0 {
		return 0
	}
	return uint64(len(s)) + uint64(s[0])
}

func dataSum(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return uint64(len(b)) + uint64(b[0]) + uint64(b[len(b)-1])
}

// sum is what a timed read of the model comes to. It is the floor of reading:
// the same additions over plain Go values.
func (m model) sum() uint64 {
	switch {
	case m.a != nil:
		return textSum(m.a.name) + uint64(m.a.birthDay) + textSum(m.a.phone) +
			uint64(int64(m.a.siblings)) + bit(m.a.spouse) + math.Float64bits(m.a.money)
	case m.people != nil:
		var sum uint64
		for i := range m.people {
			p := &m.people[i]
			sum += uint64(p.id) + textSum(p.name) + textSum(p.email)
			for j := range p.phones {
				sum += textSum(p.phones[j].number) + uint64(p.phones[j].kind)
			}
			sum += uint64(p.employment) + textSum(p.workplace)
		}
		return sum
	default:
		return dataSum(m.blob)
	}
}

// answer is what a check that found these values and encoded bytes reports.
// Without bytes the encoding is not compared.
func answer(values uint64, encoded ...[]byte) harness.Answer {
	a := harness.Answer{Values: values}
	if len(encoded) > 0 {
		a.Bytes = hashBytes(encoded...)
		for _, e := range encoded {
			a.Size += len(e)
		}
	}
	return a
}
