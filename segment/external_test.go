package segment_test

import (
	"errors"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// padded gives n bytes of a slice whose memory goes on, zero, to the next word.
func padded(n int) []byte {
	b := make([]byte, (n+7)&^7)[:n]
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

func TestExternalData(t *testing.T) {
	for _, c := range []struct {
		name     string
		mem      []byte
		uncopied bool
	}{
		{"a multiple of 8", padded(64), true},
		{"zero padding within its capacity", padded(61), true},
		{"one byte", padded(1), true},
		{"no capacity for the padding", padded(61)[:61:61], false},
		{"padding that is not zero", padded(64)[:61], false},
		{"not aligned", padded(72)[3:11:11], !NativeViews},
		{"empty", []byte{}, false},
		{"nil", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				m := New(a)
				root := m.NewRoot(Size{Ptrs: 2})
				released := 0
				uncopied := root.Ptr(0).SetExternalData(c.mem, func() { released++ })
				want(t, "uncopied", uncopied, c.uncopied)
				want(t, "released before Release", released, map[bool]int{true: 0, false: 1}[c.uncopied])
				root.SetText(1, "ours")
				segs, err := m.ToSegments()
				if err != nil {
					t.Fatal(err)
				}
				alias := false
				for _, s := range segs {
					alias = alias || len(c.mem) > 0 && len(s) > 0 && &s[0] == &c.mem[0]
				}
				want(t, "a segment is the caller's memory", alias, c.uncopied)
				r := reread(t, m).Root().Struct()
				want(t, "data", string(r.Data(0)), string(c.mem))
				want(t, "Has", r.Has(0), true)
				want(t, "text", r.Text(1), "ours")
				want(t, "Verify", r.Message().Verify(), nil)
				m.Release()
				m.Release()
				want(t, "released", released, 1)
			})
		})
	}
}

func TestExternalText(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 3})
	want(t, "with its NUL", root.Ptr(0).SetExternalText([]byte("1234567\x00"), nil), true)
	released := 0
	want(t, "without", root.Ptr(1).SetExternalText([]byte("12345678"), func() { released++ }), false)
	want(t, "nothing", root.Ptr(2).SetExternalText(nil, func() { released++ }), false)
	want(t, "released", released, 2)
	r := reread(t, m).Root().Struct()
	want(t, "texts", r.Text(0)+r.Text(1)+r.Text(2), "123456712345678")
	noErr(t, m)
}

// External data is read-only, whoever asks.
func TestExternalDataIsReadOnly(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	mem := padded(16)
	before := string(mem)
	if !root.Ptr(0).SetExternalData(mem, nil) {
		t.Fatal("it was copied")
	}
	for name, write := range map[string]func(){
		"Data":       func() { want(t, "Data", root.Ptr(0).Data() == nil, true) },
		"List":       func() { want(t, "Len", root.Ptr(0).List(Byte).Len(), 0) },
		"numbers":    func() { want(t, "Len", EditNumbers[uint8](root.Ptr(0)).Len(), 0) },
		"StructList": func() { want(t, "Len", root.Ptr(0).StructList(Size{DataWords: 1}).Len(), 0) },
		"truncate": func() {
			o := root.Ptr(0).Disown()
			defer root.Ptr(0).Adopt(o)
			o.Truncate(4)
		},
	} {
		t.Run(name, func(t *testing.T) {
			write()
			wantErr(t, m, ErrReadOnly, "")
			want(t, "memory", string(mem), before)
			want(t, "data", string(root.Reader().Data(0)), before)
		})
	}
}

// Release of external data is called once, whatever became of the pointer.
func TestExternalDataIsReleasedOnce(t *testing.T) {
	for name, do := range map[string]func(m *Message, p PtrBuilder){
		"cleared":     func(_ *Message, p PtrBuilder) { p.Clear() },
		"overwritten": func(_ *Message, p PtrBuilder) { p.SetText("x") },
		"disowned":    func(_ *Message, p PtrBuilder) { p.Disown() },
		"discarded":   func(_ *Message, p PtrBuilder) { p.Disown().Discard() },
		"copied":      func(_ *Message, p PtrBuilder) { p.Set(p.Reader()) },
		"moved":       func(m *Message, p PtrBuilder) { p.Adopt(p.Disown()) },
		"retained":    func(m *Message, _ PtrBuilder) { m.Retain().Release() },
	} {
		t.Run(name, func(t *testing.T) {
			m := New(fresh{})
			released := 0
			root := m.NewRoot(Size{Ptrs: 1})
			root.Ptr(0).SetExternalData(padded(32), func() { released++ })
			do(m, root.Ptr(0))
			want(t, "released early", released, 0)
			m.Release()
			want(t, "released", released, 1)
		})
	}
}

// External data of a message that failed, before or in setting it.
func TestExternalDataOfAFailedMessage(t *testing.T) {
	m := New(&exact{max: 64})
	root := m.NewRoot(Size{Ptrs: 1})
	root.NewData(0, 1000)
	released := 0
	want(t, "uncopied", root.Ptr(0).SetExternalData(padded(32), func() { released++ }), false)
	want(t, "released", released, 1)
	m.Release()

	m = New(&failing{after: 2}) // there is no room for the double-far pad
	root = m.NewRoot(Size{Ptrs: 1})
	released = 0
	root.Ptr(0).SetExternalData(padded(32), func() { released++ })
	if _, err := m.ToSegments(); !errors.Is(err, ErrArena) {
		t.Errorf("ToSegments: %v", err)
	}
	m.Release()
	want(t, "released", released, 1)

	released = 0
	want(t, "under a failed builder", PtrBuilder{}.SetExternalData(padded(32), func() { released++ }), false)
	want(t, "released", released, 1)
}
