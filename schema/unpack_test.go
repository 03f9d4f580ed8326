package schema_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
)

// Unpack keeps no buffer, and takes nothing for a request that is followed by
// something else.
func TestUnpack(t *testing.T) {
	packed, err := (&schema.Request{}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	before := framing.Outstanding()
	for _, test := range []struct {
		name, packed string
		ok           bool
	}{
		{"one request", packed, true},
		{"two requests", packed + packed, false},
		{"cut", packed[:len(packed)-1], false},
		{"nothing", "", false},
	} {
		if _, err := schema.Unpack(test.packed); (err == nil) != test.ok {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	if after := framing.Outstanding(); after != before {
		t.Errorf("%d buffers are not given back", after-before)
	}
}
