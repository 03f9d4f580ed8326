package dynamic_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/segment"
)

// TestGetters asks each getter for fields of other kinds.
func TestGetters(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{"scalars": map[string]any{"i8": -5, "u64": uint64(1 << 63)}, "text": "t", "cap": dynamic.Capability(2), "iface": dynamic.Capability(3)})
	for name, c := range map[string]struct {
		get  func(s dynamic.Struct)
		kind error
		says string
	}{
		"Bool":            {func(s dynamic.Struct) { s.Bool("scalars.i8") }, dynamic.ErrType, "All.scalars.i8: is an Int8; Bool reads Bool"},
		"Int":             {func(s dynamic.Struct) { s.Int("text") }, dynamic.ErrType, "All.text: is a Text; Int reads integers"},
		"Int of float":    {func(s dynamic.Struct) { s.Int("scalars.f32") }, dynamic.ErrType, "is a Float32"},
		"Int too large":   {func(s dynamic.Struct) { s.Int("scalars.u64") }, dynamic.ErrRange, "9223372036854775808"},
		"Uint":            {func(s dynamic.Struct) { s.Uint("scalars.b") }, dynamic.ErrType, "is a Bool"},
		"Uint negative":   {func(s dynamic.Struct) { s.Uint("scalars.i8") }, dynamic.ErrRange, "All.scalars.i8: -5 is less than 0; use Int"},
		"Float":           {func(s dynamic.Struct) { s.Float("scalars.i8") }, dynamic.ErrType, "is an Int8"},
		"Text":            {func(s dynamic.Struct) { s.Text("data") }, dynamic.ErrType, "is a Data"},
		"Data":            {func(s dynamic.Struct) { s.Data("text") }, dynamic.ErrType, "is a Text"},
		"Enum":            {func(s dynamic.Struct) { s.Enum("text") }, dynamic.ErrType, "is a Text"},
		"Struct":          {func(s dynamic.Struct) { s.Struct("text") }, dynamic.ErrType, "is a Text"},
		"List":            {func(s dynamic.Struct) { s.List("child") }, dynamic.ErrType, "is a struct"},
		"Any":             {func(s dynamic.Struct) { s.Any("scalars.i8") }, dynamic.ErrType, "is an Int8"},
		"Any of a group":  {func(s dynamic.Struct) { s.Any("choice.plain") }, dynamic.ErrType, "is a struct"},
		"Capability":      {func(s dynamic.Struct) { s.Capability("text") }, dynamic.ErrType, "is a Text"},
		"Get":             {func(s dynamic.Struct) { s.Get("scalars.i88") }, dynamic.ErrName, "All.scalars.i88: no such field; did you mean i8?"},
		"Has":             {func(s dynamic.Struct) { s.Has("scalar") }, dynamic.ErrName, "All.scalar: no such field; did you mean scalars?"},
		"Has below":       {func(s dynamic.Struct) { s.Has("text.x") }, dynamic.ErrType, "All.text: is a Text"},
		"Which":           {func(s dynamic.Struct) { s.Which("scalars") }, dynamic.ErrType, "All.scalars: has no union"},
		"chain":           {func(s dynamic.Struct) { s.Struct("chidl").Struct("child").List("lt").Text(3) }, dynamic.ErrName, "All.chidl: no such field; did you mean child?"},
		"dots":            {func(s dynamic.Struct) { s.Get("scalars..i8") }, dynamic.ErrName, `All.scalars."": no such field`},
		"through a union": {func(s dynamic.Struct) { s.Get("choice.group.x") }, dynamic.ErrUnion, "All.choice.group: the union has nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := received(t, b)
			c.get(r)
			faulty(t, r.Err(), c.kind, c.says)
		})
	}
	r := received(t, b)
	if i, ok := r.Capability("cap"); i != 2 || !ok {
		t.Errorf("the capability is %d, %v", i, ok)
	}
	if i, ok := r.Capability("iface"); i != 3 || !ok {
		t.Errorf("the interface is %d, %v", i, ok)
	}
	if _, ok := r.Capability("child.cap"); ok {
		t.Error("a capability that is null is there")
	}
	if r.Has("child.text") || r.Has("child") || !r.Has("scalars.i8") || !r.Has("text") {
		t.Error("Has does not tell what is there")
	}
	sound(t, r)
}

// TestFields does with handles what TestGetters and others do by name.
func TestFields(t *testing.T) {
	mod := all(t)
	typ := typeOf(t, mod, "All")
	field := func(of *dynamic.Type, name string) *dynamic.Field {
		f, err := of.Field(name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	b := build(t, mod, "All", nil)
	sc := typeOf(t, mod, "Scalars")
	s := field(typ, "scalars").Init(b)
	field(sc, "b").SetBool(s, true)
	field(sc, "i8").SetInt(s, -5)
	field(sc, "u64").SetUint(s, 7)
	field(sc, "f64").SetFloat(s, 2.5)
	field(sc, "e").Set(s, "green")
	field(typ, "text").SetText(b, "t")
	field(typ, "data").SetData(b, []byte("d"))
	field(typ, "li8").InitList(b, 2).SetInt(1, 3)
	r := received(t, b)
	q := field(typ, "scalars").Struct(r)
	if !field(sc, "b").Bool(q) || field(sc, "i8").Int(q) != -5 || field(sc, "u64").Uint(q) != 7 || field(sc, "f64").Float(q) != 2.5 || field(sc, "e").Enum(q).Number() != 1 {
		t.Errorf("the scalars are %v", q)
	}
	if field(typ, "text").Text(r) != "t" || string(field(typ, "data").Data(r)) != "d" || field(typ, "li8").List(r).Int(1) != 3 || field(typ, "text").Get(r) != "t" {
		t.Errorf("the pointers are %v", r)
	}
	if !field(typ, "text").Has(r) || field(typ, "child").Has(r) {
		t.Error("Has does not tell what is there")
	}
	sound(t, b)
	sound(t, r)
	_, err := typ.Field("scalars.i8")
	faulty(t, err, dynamic.ErrType, "All.scalars: is a struct; it has no field")
	_, err = typ.Field("nope")
	faulty(t, err, dynamic.ErrName, "All.nope")
	_, err = sc.List().Field("x")
	faulty(t, err, dynamic.ErrType, "List(Scalars).x: is a list; it has no fields")
	for name, use := range map[string]func(){
		"getter": func() { field(sc, "i8").Int(r) }, "setter": func() { field(sc, "i8").SetInt(b, 1) },
		"wrong getter": func() { field(typ, "text").Int(r) }, "wrong setter": func() { field(typ, "text").SetInt(b, 1) },
		"wrong Init": func() { field(typ, "text").Init(b) }, "wrong InitList": func() { field(typ, "text").InitList(b, 1) },
		"Bool": func() { field(typ, "text").Bool(r) }, "Uint": func() { field(typ, "text").Uint(r) }, "Float": func() { field(typ, "text").Float(r) },
		"Text": func() { field(typ, "data").Text(r) }, "Data": func() { field(typ, "text").Data(r) }, "Enum": func() { field(typ, "text").Enum(r) },
		"Struct": func() { field(typ, "text").Struct(r) }, "List": func() { field(typ, "text").List(r) },
	} {
		b = build(t, mod, "All", nil)
		r = b.Reader()
		use()
		if !faultyKind(b.Err()) {
			t.Errorf("%s: the fault is %v", name, b.Err())
		}
	}
}

// TestLive checks that a reader of a builder shows what is set later, and that
// copies do not.
func TestLive(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{"text": "old"})
	r := b.Reader()
	c, err := b.Copy()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Message().Release()
	b.Set("text", "new")
	if r.Text("text") != "new" || c.Text("text") != "old" || b.Reader().Equal(c.Reader()) != segment.NotEqual {
		t.Errorf("the reader has %q, the copy %q", r.Text("text"), c.Text("text"))
	}
	if err := b.Assign(map[string]any{"data": []byte("x")}); err != nil || b.Text("text") != "new" || string(b.Data("data")) != "x" {
		t.Errorf("Assign gives %v and %v", err, b)
	}
	faulty(t, b.Assign(5), dynamic.ErrType)
}

// TestMalformed reads a message whose pointers lead nowhere.
func TestMalformed(t *testing.T) {
	b := build(t, all(t), "All", map[string]any{"text": "x", "child": map[string]any{}, "lt": []string{"y"}})
	segs, err := b.Message().ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), segs[0]...)
	for i := 16; i < len(bad); i += 8 {
		bad[i] |= 0xf0
		bad[i+2] |= 0x7f
	}
	msg, err := segment.FromSegments([][]byte{bad})
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	s, err := b.Type().Root(msg)
	if err != nil {
		t.Fatal(err)
	}
	s.Map()
	_ = s.String()
	if !errors.Is(s.Err(), segment.ErrMalformed) {
		t.Errorf("the fault is %v", s.Err())
	}
	var g goAll
	if err := s.To(&g); !errors.Is(err, segment.ErrMalformed) {
		t.Errorf("To gives %v", err)
	}
	if _, err := s.Copy(); !errors.Is(err, segment.ErrMalformed) {
		t.Errorf("Copy gives %v", err)
	}
}

// TestConcurrent makes and uses types from many goroutines. It is for the race
// detector.
func TestConcurrent(t *testing.T) {
	mod := all(t)
	shared := build(t, mod, "All", map[string]any{"box": map[string]any{"value": "x"}, "lt": []string{"y"}, "scalars": map[string]any{"e": "blue"}})
	r := received(t, shared)
	if err := r.Message().Verify(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b, err := mod.New("All", map[string]any{"pair": map[string]any{"a": "a"}, "choice": map[string]any{"colour": "blue"}})
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Message().Release()
			var g goAll
			if err := r.To(&g); err != nil && !errors.Is(err, dynamic.ErrName) {
				t.Error(err) // another goroutine's fault is that of the message
			}
			if r.Text("box.value") != "x" || r.List("lt").Text(0) != "y" || r.Enum("scalars.e").String() != "blue" || b.String() == "" || r.Map() == nil {
				t.Error("the values are wrong")
			}
			r.Int("nope")
		})
	}
	wg.Wait()
	faulty(t, r.Err(), dynamic.ErrName)
}

// TestZeroValues uses handles that a failed call gave, or none at all.
func TestZeroValues(t *testing.T) {
	var s dynamic.Struct
	var b dynamic.StructBuilder
	var l dynamic.List
	var lb dynamic.ListBuilder
	var a dynamic.Any
	var ab dynamic.AnyBuilder
	var o dynamic.Orphan
	var e dynamic.Enum
	s.Get("x")
	s.Struct("x").List("y").Struct(3).Text("z")
	s.Which()
	s.Has("x")
	s.Map()
	s.Any("x").Text()
	for range s.All() {
		t.Error("the zero Struct has a field")
	}
	b.Set("x", 1)
	b.Init("x").InitList("y", 3).Set(2, 1)
	b.Struct("x").Any("y").Set(1)
	b.Grow("x").Append(1)
	b.Grow("x").Add()
	b.Grow("x").Finish()
	b.Adopt("x", b.Disown("y"))
	b.NewOrphan(nil, 1).Struct()
	b.Clear("x")
	l.At(5)
	l.Slice()
	l.Any(1)
	lb.Set(1, 1)
	lb.Any(1)
	lb.Adopt(1, lb.Disown(1))
	a.Text()
	a.Struct(nil)
	ab.Set("x")
	ab.Adopt(ab.Disown())
	o.Discard()
	o.Resize(1)
	o.List()
	o.Any()
	if e.String() != "0" || e.Known() || s.Err() != nil || b.Err() != nil || l.Err() != nil || b.Message() != nil || !a.IsNull() || !o.IsNull() {
		t.Error("zero values are not empty")
	}
}
