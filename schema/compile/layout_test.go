package compile

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A field to be placed: its size as a binary logarithm, or one of these.
const (
	void    = -1
	pointer = -2
)

func put(s space, lg int) uint32 {
	switch lg {
	case void:
		s.addVoid()
		return 0
	case pointer:
		return s.addPtr()
	}
	return s.addData(uint(lg))
}

func TestStructLayout(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []int
		want   []uint32
		words  uint32
		ptrs   uint32
	}{
		{"nothing", nil, nil, 0, 0},
		{"one bit", []int{0}, []uint32{0}, 1, 0},
		{"bits fill a word", []int{0, 0, 0, 0, 0, 0, 0, 0, 0}, []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8}, 1, 0},
		{"each size once", []int{0, 3, 4, 5, 6}, []uint32{0, 1, 1, 1, 1}, 2, 0},
		{"falling sizes", []int{6, 5, 4, 3, 0}, []uint32{0, 2, 6, 14, 120}, 2, 0},
		{"a hole is filled first", []int{0, 5, 5, 0, 3}, []uint32{0, 1, 2, 1, 1}, 2, 0},
		{"the smallest hole is taken", []int{3, 5, 3, 4}, []uint32{0, 1, 1, 1}, 1, 0},
		{"pointers and void", []int{pointer, void, 6, pointer}, []uint32{0, 0, 0, 1}, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s structSpace
			for i, lg := range tt.fields {
				if got := put(&s, lg); got != tt.want[i] {
					t.Errorf("field %d of size %d is at %d, want %d", i, lg, got, tt.want[i])
				}
			}
			if s.words != tt.words || s.ptrs != tt.ptrs {
				t.Errorf("%d words and %d pointers, want %d and %d", s.words, s.ptrs, tt.words, tt.ptrs)
			}
		})
	}
}

func TestUnionLayout(t *testing.T) {
	var s structSpace
	put(&s, 0)
	u := &unionSpace{parent: &s}
	members := []*memberSpace{{union: u}, {union: u}, {union: u}, {union: u}}
	for i, step := range []struct {
		member       int
		lg           int
		want         uint32
		discriminant bool // is there one afterwards
	}{
		{0, 3, 1, false},      // byte 1
		{1, 5, 1, true},       // the discriminant takes bytes 2 and 3, so the byte can't grow
		{1, 3, 1, true},       // shares the byte of member 0
		{2, void, 0, true},    // takes no room
		{3, 6, 1, true},       // the 32 bits can't grow either: a word of its own
		{0, 5, 1, true},       // in the place of member 1's
		{0, pointer, 0, true}, // two members share one pointer
		{3, pointer, 0, true},
		{3, pointer, 1, true},
	} {
		if got := put(members[step.member], step.lg); got != step.want {
			t.Errorf("step %d is at %d, want %d", i, got, step.want)
		}
		if u.hasDiscriminant != step.discriminant {
			t.Errorf("step %d: discriminant %v, want %v", i, u.hasDiscriminant, step.discriminant)
		}
	}
	if u.discriminant != 1 || s.words != 2 || s.ptrs != 2 {
		t.Errorf("discriminant at %d, %d words, %d pointers; want 1, 2, 2", u.discriminant, s.words, s.ptrs)
	}
	if u.addDiscriminant() {
		t.Error("a second discriminant was added")
	}
}

// TestExpandingLocation grows a union's place into the room behind it.
func TestExpandingLocation(t *testing.T) {
	var s structSpace
	u := &unionSpace{parent: &s}
	a, b := &memberSpace{union: u}, &memberSpace{union: u}
	put(a, 3) // byte 0
	put(b, 3) // the same; the discriminant takes bytes 2 and 3
	if got := put(a, 3); got != 1 {
		t.Errorf("the second byte is at %d, want 1", got)
	}
	if len(u.places) != 1 || u.places[0] != (dataPlace{4, 0}) {
		t.Errorf("places %v, want one of 16 bits", u.places)
	}
	if got := put(b, 4); got == 0 {
		t.Error("16 bits overlap the byte that the member has")
	}
}

// claimed is the room that a field takes.
type claimed struct {
	from, to uint64 // bits
	owner    *place
}

// place is where a field is among unions: two fields may share room if they
// are in different members of one union.
type place struct {
	parent *place
	union  *unionSpace
	member int
}

func (p *place) mayShare(q *place) bool {
	for a := p; a != nil; a = a.parent {
		for b := q; b != nil; b = b.parent {
			if a.union == b.union {
				return a.member != b.member
			}
		}
	}
	return false
}

// TestNoOverlap checks that in random structs fields that can be set at once
// have room of their own, within the struct and aligned.
func TestNoOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 3000 {
		var s structSpace
		type open struct {
			space space
			path  *place
		}
		spaces := []open{{&s, nil}}
		var unions []struct {
			u *unionSpace
			p *place
			n int
		}
		var fields []claimed
		for range 1 + r.IntN(40) {
			in := spaces[r.IntN(len(spaces))]
			switch r.IntN(6) {
			case 0:
				unions = append(unions, struct {
					u *unionSpace
					p *place
					n int
				}{&unionSpace{parent: in.space}, in.path, 0})
				fallthrough
			case 1:
				if len(unions) == 0 {
					continue
				}
				u := &unions[r.IntN(len(unions))]
				u.n++
				spaces = append(spaces, open{&memberSpace{union: u.u}, &place{u.p, u.u, u.n}})
			default:
				lg := []uint{0, 3, 4, 5, 6}[r.IntN(5)]
				off := uint64(in.space.addData(lg)) << lg
				fields = append(fields, claimed{off, off + 1<<lg, in.path})
			}
		}
		for _, u := range unions {
			u.u.addDiscriminant()
			off := uint64(u.u.discriminant) << lgEnum
			fields = append(fields, claimed{off, off + 1<<lgEnum, u.p})
		}
		if err := overlap(fields, uint64(s.words)*64); err != "" {
			t.Fatalf("round %d: %s", round, err)
		}
	}
}

func overlap(fields []claimed, bits uint64) string {
	for i, a := range fields {
		if a.to > bits {
			return fmt.Sprintf("field %d ends at bit %d of %d", i, a.to, bits)
		}
		for j, b := range fields[:i] {
			if a.from < b.to && b.from < a.to && !a.owner.mayShare(b.owner) {
				return fmt.Sprintf("fields %d and %d overlap: %v and %v", j, i, a, b)
			}
		}
	}
	return ""
}
