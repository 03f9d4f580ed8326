package dynamic_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	modelSchemas = flag.Int("model", 10, "how many random schemas TestModel builds values of")
	modelSeed    = flag.Uint64("model.seed", 0, "what it begins with; 0 for any")
)

// blank is what Map gives for a struct of all defaults.
func blank(t *testing.T, typ *dynamic.Type) map[string]any {
	m := map[string]any{}
	for _, f := range typ.PlainFields() {
		unset(t, m, f)
	}
	if u := typ.UnionFields(); len(u) > 0 {
		unset(t, m, u[0])
	}
	return m
}

// unset gives a field of the map its default.
func unset(t *testing.T, m map[string]any, f *dynamic.Field) {
	t.Helper()
	if f.InUnion() {
		for _, u := range f.Owner().UnionFields() {
			delete(m, u.Name())
		}
	}
	switch k := f.Type().Kind(); {
	case f.IsGroup():
		m[f.Name()] = blank(t, f.Type())
	case k.IsPointer():
		if delete(m, f.Name()); f.InUnion() {
			m[f.Name()] = nil
		}
	default:
		v, err := f.Default()
		if err != nil {
			t.Fatal(err)
		}
		m[f.Name()] = v
	}
}

// A builder and its model, as a map.
type modelled struct {
	*rand.Rand
	t       *testing.T
	orphans []orphaned
	log     []string
}

type orphaned struct {
	o    *dynamic.Orphan
	typ  *dynamic.Type
	v    any
	null bool
}

// draw gives a value as one of the fields of the other tests.
func (r *modelled) draw(typ *dynamic.Type) any {
	return known(typ, rapid.Custom(func(rt *rapid.T) any {
		rapid.Bool().Draw(rt, "something, for Void needs nothing")
		if typ.Kind().IsPointer() {
			return drawPtr(rt, typ, 2)
		}
		return drawScalar(rt, typ)
	}).Example(r.IntN(1<<30)))
}

func (r *modelled) drawGroup(typ *dynamic.Type) any {
	return known(typ, rapid.Custom(func(rt *rapid.T) any {
		rapid.Bool().Draw(rt, "something")
		return drawStruct(rt, typ, 2)
	}).Example(r.IntN(1<<30)))
}

// known gives v without enumerants that the schema has no name for, which have no
// text form.
func known(typ *dynamic.Type, v any) any {
	switch w := v.(type) {
	case uint16:
		if typ.Kind() == schema.EnumType {
			return typ.Enumerants()[0]
		}
	case []any:
		for i, e := range w {
			w[i] = known(typ.Elem(), e)
		}
	case map[string]any:
		for _, f := range typ.Fields() {
			if e, ok := w[f.Name()]; ok {
				w[f.Name()] = known(f.Type(), e)
			}
		}
	}
	return v
}

// step changes one field of a struct, or of one below it.
func (r *modelled) step(b dynamic.StructBuilder, m map[string]any) {
	fields := b.Type().Fields()
	f := fields[r.IntN(len(fields))]
	name, typ := f.Name(), f.Type()
	was, there := m[name]
	sub, _ := was.(map[string]any)
	if sub != nil && r.IntN(3) > 0 {
		r.log = append(r.log, "in "+name)
		r.step(b.Struct(name), sub)
		return
	}
	if list, _ := was.([]any); len(list) > 0 && typ.Elem().Kind() == schema.StructType && r.IntN(2) == 0 {
		i := r.IntN(len(list))
		r.log = append(r.log, fmt.Sprintf("in %s[%d]", name, i))
		r.step(b.List(name).Struct(i), list[i].(map[string]any))
		return
	}
	op := r.IntN(9)
	r.log = append(r.log, fmt.Sprintf("%d %s", op, name))
	ptr := typ.Kind().IsPointer() && !f.IsGroup()
	switch {
	case op == 0:
		b.Clear(name)
		unset(r.t, m, f)
	case op == 1 && typ.Kind() == schema.StructType:
		b.Init(name)
		unset(r.t, m, f)
		m[name] = blank(r.t, typ)
	case op == 2 && typ.Kind() == schema.ListType:
		l, n := b.Grow(name), r.IntN(12)
		list := []any{}
		for range n {
			v := r.draw(typ.Elem())
			l.Append(v)
			list = append(list, v)
		}
		l.Finish()
		unset(r.t, m, f)
		m[name] = list
	case op == 3 && ptr && (there || !f.InUnion()):
		r.orphans = append(r.orphans, orphaned{b.Disown(name), typ, was, was == nil})
		if delete(m, name); f.InUnion() {
			m[name] = nil
		}
	case op == 4 && ptr:
		for i, o := range r.orphans {
			if o.typ == typ {
				b.Adopt(name, o.o)
				unset(r.t, m, f)
				if !o.null {
					m[name] = o.v
				}
				r.orphans = append(r.orphans[:i], r.orphans[i+1:]...)
				break
			}
		}
	case op >= 5 && op < 7 && sub != nil && !f.IsGroup() && r.wrap(b, m, f):
	case op == 5 && was != nil && !f.IsGroup():
		// What is there is set elsewhere in the struct, mostly over other members.
		for _, g := range fields {
			if g != f && g.Type() == typ && !g.IsGroup() {
				v := b.Get(name)
				if ptr && r.IntN(2) == 0 {
					v = b.Reader().Get(name)
				}
				copied := b.Reader().Map()[name]
				b.Set(g.Name(), v)
				unset(r.t, m, g)
				m[g.Name()] = copied
				break
			}
		}
	default:
		v := any(nil)
		if f.IsGroup() {
			v = r.drawGroup(typ)
		} else {
			v = r.draw(typ)
		}
		b.Set(name, v)
		unset(r.t, m, f)
		m[name] = v
	}
}

// wrap puts a struct around the one that is there, if its type has a field for it.
func (r *modelled) wrap(b dynamic.StructBuilder, m map[string]any, f *dynamic.Field) bool {
	for _, g := range f.Type().Fields() {
		if g.Type() == f.Type() && !g.IsGroup() {
			around := blank(r.t, f.Type())
			unset(r.t, around, g)
			around[g.Name()] = b.Map()[f.Name()]
			b.Set(f.Name(), map[string]any{g.Name(): b.Struct(f.Name())})
			m[f.Name()] = around
			return true
		}
	}
	return false
}

// Values of random schemas that are set by any calls are what a map becomes by
// them, also through a message, another map, text and JSON.
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for n := range *modelSchemas {
		rnd := rand.New(rand.NewPCG(seed+uint64(n), 0))
		text := randval.Schema(rnd, false)
		mod, err := dynamic.LoadFS(fstest.MapFS{"model.capnp": {Data: text}}, "model.capnp")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for i := range 4 {
			typ := typeOf(t, mod, fmt.Sprintf("S%d", i))
			r := &modelled{Rand: rnd, t: t}
			b := build(t, mod, typ.Name(), nil)
			want := blank(t, typ)
			for range 10 {
				for range 1 + rnd.IntN(6) {
					r.step(b, want)
				}
				if err := sameEverywhere(t, b, want); err != nil {
					t.Fatalf("-model.seed %d: %s: %v\n%v\n%s", seed+uint64(n), typ, err, r.log, text)
				}
			}
		}
	}
}

func sameEverywhere(t *testing.T, b dynamic.StructBuilder, want map[string]any) error {
	t.Helper()
	if err := b.Err(); err != nil {
		return err
	}
	if got := b.Map(); !same(want, got) {
		return fmt.Errorf("it is\n%v\nwant\n%v", got, want)
	}
	r := received(t, b)
	if err := r.Message().Verify(); err != nil {
		return err
	}
	if got := r.Map(); !same(want, got) {
		return fmt.Errorf("received it is\n%v\nwant\n%v", got, want)
	}
	again, err := b.Type().New(want)
	if err != nil {
		return err
	}
	defer again.Message().Release()
	if again.Reader().Equal(r) != segment.Equal {
		return fmt.Errorf("of its map it is\n%v\nwant\n%v", again, b)
	}
	other, err := b.Type().New(nil)
	if err != nil {
		return err
	}
	defer other.Message().Release()
	if err := other.UnmarshalText([]byte(b.String())); err != nil {
		return err
	}
	if got := other.String(); got != b.String() {
		return fmt.Errorf("through text it is\n%s\nwant\n%v", got, b)
	}
	js, err := json.Marshal(b)
	if err != nil {
		return err
	}
	third, err := b.Type().New(nil)
	if err != nil {
		return err
	}
	defer third.Message().Release()
	if err := json.Unmarshal(js, &third); err != nil {
		return fmt.Errorf("%w of %s", err, js)
	}
	if second, err := json.Marshal(third); err != nil || string(second) != string(js) {
		return fmt.Errorf("through JSON it is\n%s, %w, want\n%s", second, err, js)
	}
	return b.Err()
}
