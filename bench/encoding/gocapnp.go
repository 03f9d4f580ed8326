package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	capnp "capnproto.org/go/capnp/v3"

	"github.com/fairlead-go/fairlead/bench/schema/capnpgen"
)

// goCapnp builds with go-capnp in the way that was the fastest of those tried:
// one message that is reset, and an arena over segments that are kept, where
// the library's own arenas would clear or give them away on each reset. It
// encodes with an Encoder into a kept buffer. Reading uses a kept message as
// well, over an arena that finds the segment where it lies, at half the time of
// Unmarshal; text is read as bytes, which spares a copy.
type goCapnp struct {
	msg   capnp.Message
	arena capnpArena
	out   bytes.Buffer
	enc   *capnp.Encoder

	in    capnp.Message
	bytes received
}

// received is an arena of go-capnp over one segment that is only read.
type received []byte

var _ capnp.Arena = (*received)(nil)

// NumSegments returns 1.
func (r *received) NumSegments() int64 { return 1 }

// Data returns the segment; the library asks for no other.
func (r *received) Data(capnp.SegmentID) ([]byte, error) { return *r, nil }

// Allocate refuses.
func (r *received) Allocate(capnp.Size, map[capnp.SegmentID]*capnp.Segment) (capnp.SegmentID, []byte, error) {
	return 0, nil, errors.New("encoding: a message that is read does not grow")
}

// Release leaves the bytes to their owner.
func (r *received) Release() {}

// decode makes the framed bytes, whose table must have one segment, readable.
func (g *goCapnp) decode(framed []byte) (*capnp.Message, error) {
	if len(framed) < 8 || binary.LittleEndian.Uint32(framed) != 0 || uint64(binary.LittleEndian.Uint32(framed[4:]))*8 != uint64(len(framed)-8) {
		return nil, errors.New("encoding: not a message of one segment")
	}
	g.bytes = framed[8:]
	if _, err := g.in.Reset(nil); err != nil {
		return nil, err
	}
	g.in.Arena = &g.bytes
	return &g.in, nil
}

// capnpArena is an arena of go-capnp over kept segments of one size.
type capnpArena struct {
	segments     [][]byte
	used         int
	segmentBytes int
}

var _ capnp.Arena = (*capnpArena)(nil)

// NumSegments returns the number of segments in use.
func (a *capnpArena) NumSegments() int64 { return int64(a.used) }

// Data returns a segment, empty as the library expects at the start.
func (a *capnpArena) Data(id capnp.SegmentID) ([]byte, error) {
	if int64(id) >= int64(a.used) {
		return nil, errors.New("encoding: go-capnp asks for a segment that is not there")
	}
	return a.segments[id], nil
}

// Allocate returns the last segment while it has room, else the next.
func (a *capnpArena) Allocate(size capnp.Size, segs map[capnp.SegmentID]*capnp.Segment) (capnp.SegmentID, []byte, error) {
	if a.used > 0 {
		last := capnp.SegmentID(a.used - 1)
		data := a.segments[last]
		if s := segs[last]; s != nil {
			data = s.Data()
		}
		if cap(data)-len(data) >= int(size) {
			return last, data, nil
		}
	}
	if a.used == len(a.segments) {
		a.segments = append(a.segments, nil)
	}
	if cap(a.segments[a.used]) < int(size) {
		a.segments[a.used] = make([]byte, 0, max(a.segmentBytes, int(size)))
	}
	a.used++
	return capnp.SegmentID(a.used - 1), a.segments[a.used-1], nil
}

// Release makes the segments free for the next message.
func (a *capnpArena) Release() { a.used = 0 }

func newGoCapnp(segmentBytes int) *goCapnp {
	g := &goCapnp{arena: capnpArena{segmentBytes: segmentBytes}}
	g.enc = capnp.NewEncoder(&g.out)
	return g
}

// fresh starts a new message in the kept memory.
func (g *goCapnp) fresh() (*capnp.Segment, error) {
	g.arena.used = 0
	return g.msg.Reset(&g.arena)
}

// encode returns the framed message in the kept buffer.
func (g *goCapnp) encode() ([]byte, error) {
	g.out.Reset()
	err := g.enc.Encode(&g.msg)
	return g.out.Bytes(), err
}

func (g *goCapnp) buildA(a *recordA) error {
	seg, err := g.fresh()
	if err != nil {
		return err
	}
	r, err := capnpgen.NewRootA(seg)
	if err != nil {
		return err
	}
	if err := r.SetName(a.name); err != nil {
		return err
	}
	r.SetBirthDay(a.birthDay)
	if err := r.SetPhone(a.phone); err != nil {
		return err
	}
	r.SetSiblings(a.siblings)
	r.SetSpouse(a.spouse)
	r.SetMoney(a.money)
	return nil
}

func (g *goCapnp) buildBook(people []person) error {
	seg, err := g.fresh()
	if err != nil {
		return err
	}
	book, err := capnpgen.NewRootAddressBook(seg)
	if err != nil {
		return err
	}
	list, err := book.NewPeople(int32(len(people)))
	if err != nil {
		return err
	}
	for i := range people {
		p, q := &people[i], list.At(i)
		q.SetId(p.id)
		if err := q.SetName(p.name); err != nil {
			return err
		}
		if err := q.SetEmail(p.email); err != nil {
			return err
		}
		phones, err := q.NewPhones(int32(len(p.phones)))
		if err != nil {
			return err
		}
		for j := range p.phones {
			n := phones.At(j)
			if err := n.SetNumber(p.phones[j].number); err != nil {
				return err
			}
			n.SetType(capnpgen.Person_PhoneNumber_Type(p.phones[j].kind))
		}
		e := q.Employment()
		switch p.employment {
		case jobNone:
			e.SetUnemployed()
		case jobEmployer:
			err = e.SetEmployer(p.workplace)
		case jobSchool:
			err = e.SetSchool(p.workplace)
		case jobSelf:
			e.SetSelfEmployed()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *goCapnp) buildBlob(blob []byte) error {
	seg, err := g.fresh()
	if err != nil {
		return err
	}
	r, err := capnpgen.NewRootBlob(seg)
	if err != nil {
		return err
	}
	return r.SetData(blob)
}

func (g *goCapnp) sumA(framed []byte) (uint64, error) {
	msg, err := g.decode(framed)
	if err != nil {
		return 0, err
	}
	a, err := capnpgen.ReadRootA(msg)
	if err != nil {
		return 0, err
	}
	name, err := a.NameBytes()
	if err != nil {
		return 0, err
	}
	phone, err := a.PhoneBytes()
	if err != nil {
		return 0, err
	}
	return textSum(name) + uint64(a.BirthDay()) + textSum(phone) +
		uint64(int64(a.Siblings())) + bit(a.Spouse()) + math.Float64bits(a.Money()), nil
}

// goCapnpJob returns the union's member and the text of it, if it has one.
func goCapnpJob(p capnpgen.Person) (employment, []byte, error) {
	e := p.Employment()
	switch e.Which() {
	case capnpgen.Person_employment_Which_employer:
		b, err := e.EmployerBytes()
		return jobEmployer, b, err
	case capnpgen.Person_employment_Which_school:
		b, err := e.SchoolBytes()
		return jobSchool, b, err
	case capnpgen.Person_employment_Which_selfEmployed:
		return jobSelf, nil, nil
	default:
		return jobNone, nil, nil
	}
}

func goCapnpPeople(msg *capnp.Message) (capnpgen.Person_List, error) {
	book, err := capnpgen.ReadRootAddressBook(msg)
	if err != nil {
		return capnpgen.Person_List{}, err
	}
	return book.People()
}

func (g *goCapnp) sumBook(framed []byte) (uint64, error) {
	msg, err := g.decode(framed)
	if err != nil {
		return 0, err
	}
	people, err := goCapnpPeople(msg)
	if err != nil {
		return 0, err
	}
	var sum uint64
	for i := range people.Len() {
		p := people.At(i)
		name, err := p.NameBytes()
		if err != nil {
			return 0, err
		}
		email, err := p.EmailBytes()
		if err != nil {
			return 0, err
		}
		sum += uint64(p.Id()) + textSum(name) + textSum(email)
		phones, err := p.Phones()
		if err != nil {
			return 0, err
		}
		for j := range phones.Len() {
			n := phones.At(j)
			number, err := n.NumberBytes()
			if err != nil {
				return 0, err
			}
			sum += textSum(number) + uint64(n.Type())
		}
		which, workplace, err := goCapnpJob(p)
		if err != nil {
			return 0, err
		}
		sum += uint64(which) + textSum(workplace)
	}
	return sum, nil
}

func (g *goCapnp) sumBlob(framed []byte) (uint64, error) {
	msg, err := g.decode(framed)
	if err != nil {
		return 0, err
	}
	b, err := capnpgen.ReadRootBlob(msg)
	if err != nil {
		return 0, err
	}
	data, err := b.Data()
	return dataSum(data), err
}

// goCapnpHash hashes every value of a framed message of the shape of m. The
// other contestants of the format use it as well: what go-capnp reads out of
// their bytes must be what went in.
func goCapnpHash(m model, framed []byte) (uint64, error) {
	msg, err := capnp.Unmarshal(framed)
	if err != nil {
		return 0, err
	}
	h := fnvOffset
	switch {
	case m.a != nil:
		a, err := capnpgen.ReadRootA(msg)
		if err != nil {
			return 0, err
		}
		name, err := a.Name()
		if err != nil {
			return 0, err
		}
		phone, err := a.Phone()
		if err != nil {
			return 0, err
		}
		h.recordA(name, a.BirthDay(), phone, a.Siblings(), a.Spouse(), a.Money())
	case m.people != nil:
		if err := goCapnpHashBook(&h, msg); err != nil {
			return 0, err
		}
	default:
		b, err := capnpgen.ReadRootBlob(msg)
		if err != nil {
			return 0, err
		}
		data, err := b.Data()
		if err != nil {
			return 0, err
		}
		h.text(string(data))
	}
	return uint64(h), nil
}

func goCapnpHashBook(h *hash, msg *capnp.Message) error {
	people, err := goCapnpPeople(msg)
	if err != nil {
		return err
	}
	h.uint64(uint64(people.Len()))
	for i := range people.Len() {
		p := people.At(i)
		name, err := p.Name()
		if err != nil {
			return err
		}
		email, err := p.Email()
		if err != nil {
			return err
		}
		phones, err := p.Phones()
		if err != nil {
			return err
		}
		h.person(p.Id(), name, email, phones.Len())
		for j := range phones.Len() {
			number, err := phones.At(j).Number()
			if err != nil {
				return err
			}
			h.phone(number, uint16(phones.At(j).Type()))
		}
		which, workplace, err := goCapnpJob(p)
		if err != nil {
			return err
		}
		h.job(uint16(which), string(workplace))
	}
	return nil
}

// goCapnpFramed encodes the model in one segment with go-capnp.
func goCapnpFramed(m model) ([]byte, error) {
	g := newGoCapnp(2 * blobSize)
	if err := g.build(m); err != nil {
		return nil, err
	}
	return g.encode()
}

func (g *goCapnp) build(m model) error {
	switch {
	case m.a != nil:
		return g.buildA(m.a)
	case m.people != nil:
		return g.buildBook(m.people)
	default:
		return g.buildBlob(m.blob)
	}
}
