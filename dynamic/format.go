package dynamic

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/json"
	"github.com/fairlead-go/fairlead/internal/text"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

var errUntyped = errors.New("dynamic: a value without a type, as a failed getter gives")

// AppendText appends the struct in the text form, as `capnp decode` prints it.
// The error is the first fault of the message.
func (s Struct) AppendText(dst []byte) ([]byte, error) { return s.appendText(dst, text.Options{}) }

func (s Struct) appendText(dst []byte, o text.Options) ([]byte, error) {
	if s.typ == nil {
		return dst, errUntyped
	}
	return s.typ.space.printer.AppendStruct(dst, s.typ.typ, s.s, o)
}

// MarshalText is [Struct.AppendText].
func (s Struct) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// String gives the struct in the text form, as `capnp decode` prints it. A fault
// of the message is told in it.
func (s Struct) String() string { return textOr(s.AppendText(nil)) }

// Short is [Struct.String] in one line, as `capnp decode --short` prints it.
func (s Struct) Short() string { return textOr(s.appendText(nil, text.Options{Short: true})) }

func textOr(b []byte, err error) string {
	if err != nil {
		return fmt.Sprintf("%s<%v>", b, err)
	}
	return string(b)
}

// MarshalJSON gives the struct as `capnp convert binary:json` does, following
// the annotations for JSON of the schema.
func (s Struct) MarshalJSON() ([]byte, error) {
	if s.typ == nil {
		return nil, errUntyped
	}
	return s.typ.space.json.AppendStruct(nil, s.typ.typ, s.s, json.Options{Short: true})
}

// LogValue gives the fields that are set as attributes.
func (s Struct) LogValue() slog.Value {
	var attrs []slog.Attr
	for f, v := range s.All() {
		switch v := v.(type) {
		case List:
			attrs = append(attrs, slog.String(f.name, v.Short()))
		case Any:
			attrs = append(attrs, slog.String(f.name, "<"+v.Kind().String()+">"))
		default:
			attrs = append(attrs, slog.Any(f.name, v))
		}
	}
	return slog.GroupValue(attrs...)
}

// MarshalBinary gives the struct as a message of its own in the standard format.
func (s Struct) MarshalBinary() ([]byte, error) {
	if s.typ == nil {
		return nil, errUntyped
	}
	if s.typ.group {
		return nil, errAccess(s.typ.kind, "a group is no message of its own").in(s.typ.Name())
	}
	msg := segment.New(keepers{})
	msg.RootBuilder().SetStruct(s.s)
	return framing.Marshal(msg)
}

// AppendText is [Struct.AppendText].
func (b StructBuilder) AppendText(dst []byte) ([]byte, error) { return b.Reader().AppendText(dst) }

// MarshalText is [Struct.AppendText].
func (b StructBuilder) MarshalText() ([]byte, error) { return b.Reader().AppendText(nil) }

// String is [Struct.String].
func (b StructBuilder) String() string { return b.Reader().String() }

// Short is [Struct.Short].
func (b StructBuilder) Short() string { return b.Reader().Short() }

// MarshalJSON is [Struct.MarshalJSON].
func (b StructBuilder) MarshalJSON() ([]byte, error) { return b.Reader().MarshalJSON() }

// UnmarshalText sets the fields that a text form has, such as [Struct.String]
// gives or `capnp encode` reads; the others stay as they are. The builder has to
// be one of a struct, such as New gives.
func (b StructBuilder) UnmarshalText(data []byte) error {
	if b.typ == nil {
		return errUntyped
	}
	if err := compile.BuildStruct("text", data, b.typ.typ, b.typ.space.reg, b.b); err != nil {
		fail(b.msg, &Error{Path: b.typ.Name(), Kind: ErrType, Detail: err.Error()})
		return fmt.Errorf("dynamic: %w", err)
	}
	return b.msg.Err()
}

// UnmarshalJSON sets the fields that a JSON object has; the others stay as they
// are. The builder has to be one of a struct, such as New gives.
func (b StructBuilder) UnmarshalJSON(data []byte) error {
	if b.typ == nil {
		return errUntyped
	}
	if err := b.typ.space.json.DecodeStruct(data, b.typ.typ, b.b, json.DecodeOptions{}); err != nil {
		fail(b.msg, &Error{Path: b.typ.Name(), Kind: ErrType, Detail: err.Error()})
		return fmt.Errorf("dynamic: %w", err)
	}
	return b.msg.Err()
}

// MarshalBinary is [Struct.MarshalBinary].
func (b StructBuilder) MarshalBinary() ([]byte, error) { return b.Reader().MarshalBinary() }

// UnmarshalBinary copies the root of a message in the standard format over the
// struct. The builder has to be one of a struct, such as New gives.
func (b StructBuilder) UnmarshalBinary(data []byte) error {
	if b.typ == nil {
		return errUntyped
	}
	if b.typ.group {
		return errAccess(b.typ.kind, "a group is no message of its own").in(b.typ.Name())
	}
	msg, _, err := framing.Unmarshal(data)
	if err != nil {
		return fmt.Errorf("dynamic: %w", err)
	}
	defer msg.Release()
	b.b.CopyFrom(msg.Root().Struct())
	if err := msg.Err(); err != nil {
		return fmt.Errorf("dynamic: %w", err)
	}
	return b.msg.Err()
}

// LogValue is [Struct.LogValue].
func (b StructBuilder) LogValue() slog.Value { return b.Reader().LogValue() }

func (l List) appendText(o text.Options) ([]byte, error) {
	if l.typ == nil {
		return nil, errUntyped
	}
	return l.typ.space.printer.AppendList(nil, l.typ.typ, l.Raw(), o)
}

// String gives the list in the text form, as the capnp tool prints it.
func (l List) String() string { return textOr(l.appendText(text.Options{})) }

// Short is [List.String] in one line.
func (l List) Short() string { return textOr(l.appendText(text.Options{Short: true})) }

// MarshalJSON gives the list as a JSON array. See [Struct.MarshalJSON].
func (l List) MarshalJSON() ([]byte, error) {
	if l.typ == nil {
		return nil, errUntyped
	}
	return l.typ.space.json.AppendList(nil, l.typ.typ, l.Raw(), json.Options{Short: true})
}

// LogValue gives the list as text in one line.
func (l List) LogValue() slog.Value { return slog.StringValue(l.Short()) }

// String is [List.String].
func (l ListBuilder) String() string { return l.Reader().String() }

// Short is [List.Short].
func (l ListBuilder) Short() string { return l.Reader().Short() }

// MarshalJSON is [List.MarshalJSON].
func (l ListBuilder) MarshalJSON() ([]byte, error) { return l.Reader().MarshalJSON() }

// String tells what the pointer refers to.
func (a Any) String() string {
	switch {
	case a.p.IsNull():
		return "null"
	case a.p.Kind() == segment.KindCapability:
		return "<external capability>"
	}
	return "<opaque pointer>"
}

// MarshalText gives the name of the enumerant, or its number.
func (e Enum) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
