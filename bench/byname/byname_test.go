package byname

import (
	"bytes"
	"testing"

	"github.com/fairlead-go/fairlead/schema/compile"
)

// Every contestant of the values comes to the same.
func TestValues(t *testing.T) {
	cases, err := values()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		for _, k := range c.Contestants {
			got, err := k.Check()
			if err != nil || got.Values != c.Want.Values || got.Values == 0 {
				t.Errorf("%s: %s comes to %d, %v; want %d", c.Name, k.Who, got.Values, err, c.Want.Values)
			}
			if _, err := k.Run(2); err != nil {
				t.Errorf("%s: %s: %v", c.Name, k.Who, err)
			}
		}
	}
}

func TestLargeSchema(t *testing.T) {
	source := largeSchema()
	if n := bytes.Count(source, []byte("\n")); n < lines || n > lines+100 {
		t.Errorf("%d lines, want about %d", n, lines)
	}
	req, err := compile.Source("large.capnp", source, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a := answer(req); a.Values == 0 {
		t.Error("the request sums up to nothing")
	}
}
