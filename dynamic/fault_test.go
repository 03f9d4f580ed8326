package dynamic_test

import (
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/segment"
)

// TestFaultOfMessage: what this package finds wrong is the fault of the message,
// built or read, as it is.
func TestFaultOfMessage(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "Scalars", nil)
	r := received(t, b)
	for name, c := range map[string]struct {
		misuse func()
		value  interface{ Err() error }
		msg    *segment.Message
	}{
		"built": {func() { b.SetInt("i8", 1000) }, b, b.Message()},
		"read":  {func() { r.Text("i8") }, r, r.Message()},
	} {
		sound(t, c.msg)
		c.misuse()
		var e *dynamic.Error
		if err := c.msg.Err(); !errors.As(err, &e) || err != error(e) || c.value.Err() != err {
			t.Errorf("%s: the message has the fault %v, the value %v", name, err, c.value.Err())
		}
		if _, err := c.msg.ToSegments(); err != error(e) {
			t.Errorf("%s: ToSegments gives %v, want %v", name, err, e)
		}
	}
	b.Set("nope", 1)
	faulty(t, b.Err(), dynamic.ErrRange, "Scalars.i8", "1000")
	if _, err := r.Type().Root(r.Message()); !errors.Is(err, dynamic.ErrType) {
		t.Errorf("the root of a message with a fault gives the error %v", err)
	}
}

// TestFaultReleased: a message that was released may be in use again, and gets no
// fault by its old handles.
func TestFaultReleased(t *testing.T) {
	b, err := all(t).New("Scalars", nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Message().Release()
	b.Set("nope", 1)
	for range 4 {
		msg := segment.New(nowhere{})
		sound(t, msg)
		msg.Release()
	}
}

// nowhere is an arena for messages that nothing is built in.
type nowhere struct{}

func (nowhere) Allocate(int) ([]byte, error) { return nil, errors.New("nowhere") }
func (nowhere) Free([]byte, int)             {}

// TestFaultOfAbsent: a struct that lies in no message keeps its faults too.
func TestFaultOfAbsent(t *testing.T) {
	mod := all(t)
	s, err := typeOf(t, mod, "Scalars").Read(segment.Struct{})
	if err != nil {
		t.Fatal(err)
	}
	s.Int("nope")
	faulty(t, s.Err(), dynamic.ErrName, "Scalars.nope")
	r := received(t, build(t, mod, "All", nil))
	if s := r.Struct("scalars"); s.Message() != nil {
		t.Fatal("there is a struct that nobody built")
	} else {
		s.Int("nope")
	}
	faulty(t, r.Err(), dynamic.ErrName, "Scalars.nope")
}

// TestFaultNotOfSchema: what is wrong in reading a constant or a default is no
// fault of the schema, which others use.
func TestFaultNotOfSchema(t *testing.T) {
	mod := all(t)
	for range 2 {
		v, err := mod.Const("point")
		if err != nil {
			t.Fatal(err)
		}
		s := v.(dynamic.Struct)
		sound(t, s)
		s.Int("nope")
		faulty(t, s.Err(), dynamic.ErrName)
	}
	b := build(t, mod, "Defaults", nil)
	b.Reader().Any("s").Text() // is a struct
	c := build(t, mod, "Defaults", nil)
	c.Struct("s").SetInt("i8", 1) // copies the default
	sound(t, c)
}
