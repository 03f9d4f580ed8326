package dynamic_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// convert runs a verb of the real tool on a value's message.
func convert(tb testing.TB, b dynamic.StructBuilder, args ...string) string {
	tb.Helper()
	frame, err := framing.Marshal(b.Message())
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(tool(tb), append(args, "testdata/all.capnp", b.Type().Name())...)
	cmd.Stdin = bytes.NewReader(frame)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("capnp %v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// TestTextAsTool compares the text of random values with what the capnp tool
// makes of their messages.
func TestTextAsTool(t *testing.T) {
	tool(t)
	mod := all(t)
	for _, name := range []string{"All", "Choice", "Defaults", "UsesInner"} {
		typ := typeOf(t, mod, name)
		gen := rapid.Custom(func(rt *rapid.T) map[string]any { return drawStruct(rt, typ, 4) })
		for seed := range 12 {
			b := build(t, mod, name, withoutCapabilities(gen.Example(seed)))
			if got, want := b.String()+"\n", convert(t, b, "decode"); got != want {
				t.Errorf("the text is\n%s\nwant\n%s", got, want)
			}
			if got, want := b.Short()+"\n", convert(t, b, "decode", "--short"); got != want {
				t.Errorf("in one line the text is\n%s\nwant\n%s", got, want)
			}
		}
	}
	b := build(t, mod, "Scalars", map[string]any{"e": 4711})
	if got, want := b.Short()+"\n", convert(t, b, "decode", "--short"); got != want {
		t.Errorf("with an unknown enumerant the text is %s, want %s", got, want)
	}
	// Not of All: the tool's JSON runs out of stack on a struct that is nested in itself.
	b = build(t, mod, "Defaults", map[string]any{"s": scalars(map[string]any{"u64": uint64(1 << 63), "e": "blue"}), "lt": []string{"é", "\n"}, "d": []byte{0, 255}})
	js, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(js)+"\n", convert(t, b, "convert", "binary:json", "--short"); got != want {
		t.Errorf("the JSON is\n%s\nwant\n%s", got, want)
	}
}

// withoutCapabilities leaves out of a map what the tool cannot print, as it reads
// messages that come without a table of capabilities.
func withoutCapabilities(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "lif")
		for k, e := range v {
			v[k] = withoutCapabilities(e)
		}
	case []any:
		for i, e := range v {
			v[i] = withoutCapabilities(e)
		}
	case dynamic.Capability:
		return nil
	case dynamic.Any:
		if v.Kind() == segment.KindCapability {
			return nil
		}
	}
	return v
}

func TestText(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "Scalars", map[string]any{"i8": -1, "e": 9})
	want := "(b = false, i8 = -1, i16 = 0, i32 = 0, i64 = 0, u8 = 0, u16 = 0, u32 = 0, u64 = 0, f32 = 0, f64 = 0, e = (9), v = void)"
	if got := b.Short(); got != want {
		t.Errorf("the text is %s, want %s", got, want)
	}
	if got := fmt.Sprint(b, b.Reader(), b.Enum("e")); got != b.String()+" "+b.String()+" 9" {
		t.Errorf("printed it is %s", got)
	}
	if got, err := b.MarshalText(); err != nil || string(got) != b.String() {
		t.Errorf("MarshalText gives %s, %v", got, err)
	}
	l := build(t, mod, "All", map[string]any{"li8": []int{1, 2}}).List("li8")
	if got := fmt.Sprintln(l, l.Reader(), l.Short()); got != "[1, 2] [1, 2] [1, 2]\n" {
		t.Errorf("the list prints as %s", got)
	}
	var none dynamic.Struct
	if got := none.String(); !strings.Contains(got, "without a type") {
		t.Errorf("the zero Struct prints as %s", got)
	}
}

// TestTextRoundTrip reads the text form of random values back.
func TestTextRoundTrip(t *testing.T) {
	mod := all(t)
	for _, name := range []string{"All", "Choice", "Defaults", "UsesInner"} {
		typ := typeOf(t, mod, name)
		gen := rapid.Custom(func(rt *rapid.T) map[string]any { return drawStruct(rt, typ, 3) })
		for seed := range 40 {
			b := build(t, mod, name, withoutPointers(gen.Example(seed)))
			c := build(t, mod, name, nil)
			if err := c.UnmarshalText([]byte(b.String())); err != nil {
				t.Fatalf("%v: %v", b, err)
			}
			if got, want := c.String(), b.String(); got != want {
				t.Errorf("through text it became\n%s\nwant\n%s", got, want)
			}
		}
	}
	b := build(t, mod, "Scalars", nil)
	if err := b.UnmarshalText([]byte("(i8 = 1000)")); err == nil || b.Err() == nil || !strings.HasPrefix(err.Error(), "dynamic: ") {
		t.Errorf("text that does not fit gives %v and %v", err, b.Err())
	}
}

// withoutPointers leaves out of a map what has no text form: AnyPointers,
// capabilities, nulls in lists, enumerants that the schema does not know and
// floats, whose last digits the form leaves out.
func withoutPointers(v map[string]any) map[string]any {
	for k, e := range v {
		switch e := e.(type) {
		case float32, float64:
			delete(v, k)
		case map[string]any:
			withoutPointers(e)
		case []any:
			if !withoutPointersIn(e) {
				delete(v, k)
			}
		case dynamic.Capability, dynamic.Any:
			delete(v, k)
		case nil:
			if k == "any" {
				delete(v, k)
			}
		case uint16:
			if k == "e" || k == "colour" {
				delete(v, k)
			}
		}
	}
	return v
}

func withoutPointersIn(l []any) bool {
	for _, e := range l {
		switch e := e.(type) {
		case map[string]any:
			withoutPointers(e)
		case []any:
			if !withoutPointersIn(e) {
				return false
			}
		case uint16, float32, float64, dynamic.Capability, nil:
			return false
		}
	}
	return true
}

func TestJSON(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{
		"scalars": map[string]any{"u64": uint64(1<<64 - 1), "f32": 0.5, "e": "blue"}, "text": "t", "data": []byte{1}, "ll": []any{[]any{1}},
		"choice": map[string]any{"group": map[string]any{"inner": map[string]any{"q": "x"}}},
	})
	js, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	c := build(t, mod, "All", nil)
	if err := json.Unmarshal(js, &c); err != nil {
		t.Fatal(err)
	}
	if got, want := c.String(), b.String(); got != want {
		t.Errorf("through JSON it became\n%s\nwant\n%s", got, want)
	}
	if js, err := json.Marshal(map[string]any{"l": b.List("ll"), "r": b.Reader().List("ll"), "e": b.Enum("scalars.e")}); err != nil || string(js) != `{"e":"blue","l":[[1]],"r":[[1]]}` {
		t.Errorf("the lists are %s, %v", js, err)
	}
	if err := json.Unmarshal([]byte(`{"scalars":{"i8":1000}}`), &c); err == nil || c.Err() == nil {
		t.Error("JSON that does not fit is no fault")
	}
	var none dynamic.StructBuilder
	if err := json.Unmarshal([]byte(`{}`), &none); err == nil {
		t.Error("JSON is read without a type")
	}
}

func TestBinaryAndGob(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{"child": map[string]any{"text": "x", "li8": []int{1}}})
	raw, err := b.Struct("child").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	msg, _, err := framing.Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	if s, err := mod.Read(msg, "All"); err != nil || s.Text("text") != "x" {
		t.Errorf("the bytes read as %v, %v", s, err)
	}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(b); err != nil {
		t.Fatal(err)
	}
	c := build(t, mod, "All", map[string]any{"text": "old"})
	if err := gob.NewDecoder(&buf).Decode(&c); err != nil {
		t.Fatal(err)
	}
	if got, want := c.String(), b.String(); got != want {
		t.Errorf("through gob it became %s, want %s", got, want)
	}
	if err := c.UnmarshalBinary([]byte("nonsense")); err == nil || !strings.HasPrefix(err.Error(), "dynamic: ") {
		t.Errorf("nonsense is read with the error %v", err)
	}
	if _, err := build(t, mod, "Choice", nil).Struct("plain").MarshalBinary(); err == nil {
		t.Error("a group is a message of its own")
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	b := build(t, all(t), "Choice", map[string]any{"scalars": nil, "before": 3, "plain": map[string]any{"b": "x"}})
	log.Info("got", "value", b)
	b.Set("numbers", []int{1, 2})
	log.Info("got", "value", b)
	b.Set("any", "x")
	log.Info("got", "value", b.Reader())
	want := `level=INFO msg=got value.before=3 value.plain.a=3 value.plain.b=x
level=INFO msg=got value.before=3 value.numbers="[1, 2]" value.plain.a=3 value.plain.b=x
level=INFO msg=got value.before=3 value.any=<list> value.plain.a=3 value.plain.b=x
`
	if out.String() != want {
		t.Errorf("the log is\n%s\nwant\n%s", out.String(), want)
	}
}
